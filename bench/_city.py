"""A catalogue of any size, written straight into the rows: measuring lists takes a hundred thousand assets, and their
actions are measured elsewhere. For whom they stand open is filled in as for a home older than that is kept. The shape
is that of a city: many assets, fewer offers, agreements on some of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import cast

from django.apps import apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunPython
from django.db.migrations.state import StateApps

from shudu.agreements.models import Agreement, Offer, OfferLine
from shudu.catalog.models import Asset, AssetAudienceSize
from shudu.policy import clock, ids
from shudu.policy.types import Actor, Role

PROVIDERS, BUYERS = 100, 200
_AT_ONCE = 2_000


@dataclass(frozen=True)
class City:
    """Who lists: an overseer, a provider of one in a hundred assets, a buyer of one in two hundred agreements, and the
    party that has a part in every tenth agreement."""

    actors: dict[str, Actor]


def build(assets: int, agreements: int) -> City:
    chance = random.Random(7)
    providers = [ids.new("party") for _ in range(PROVIDERS)]
    buyers = [ids.new("party") for _ in range(BUYERS)]
    busy = ids.new("party")
    rows = [
        Asset(
            owner=chance.choice(providers),
            kind=Asset.Kind.TABLE,
            title={"zh": f"第{number}号数据", "en": f"Data set {number}"},
            level="L2",
            code=f"bench/{number}",
        )
        for number in range(assets)
    ]
    Asset.objects.bulk_create(rows, _AT_ONCE)
    offers = _offers(chance, rows, agreements // 5)
    lines = list(OfferLine.objects.select_related("offer"))
    until = clock.now() + timedelta(days=365)
    concluded = []
    for number in range(agreements):
        line = chance.choice(lines)
        concluded.append(
            Agreement(
                offer_id=line.offer_id,
                line=line,
                assigner=line.assigner,
                assignee=busy if number % 10 == 0 else chance.choice(buyers),
                asset=line.asset,
                version=line.version,
                terms={},
                terms_sha256="",
                until=until,
                runs=1,
            )
        )
    Agreement.objects.bulk_create(concluded, _AT_ONCE)
    assert offers
    _fill("catalog.migrations.0002_kept_audiences", "agreements.migrations.0002_disclosed_assets")
    size()
    return City(
        {
            "operator": Actor(ids.new("party"), frozenset({Role.OPERATOR})),
            "provider": Actor(providers[0], frozenset({Role.PROVIDER})),
            "buyer": Actor(buyers[0], frozenset({Role.BUYER})),
            "busy buyer": Actor(busy, frozenset({Role.BUYER})),
        }
    )


def size() -> None:
    """Keep anew how many assets each token opens."""
    AssetAudienceSize.objects.all().delete()
    _fill("agreements.migrations.0003_sized_audiences")


def _fill(*names: str) -> None:
    for name in names:
        for operation in import_module(f"shudu.{name}").Migration.operations:
            if isinstance(operation, RunPython):
                operation.code(cast(StateApps, apps), cast(BaseDatabaseSchemaEditor, None))


def _offers(chance: random.Random, assets: Sequence[Asset], number: int) -> list[Offer]:
    """Each of two assets; half are live, the rest drafted or withdrawn."""
    until = clock.now() + timedelta(days=365)
    states = [Offer.State.LIVE, Offer.State.LIVE, Offer.State.DRAFTED, Offer.State.WITHDRAWN]
    pairs = [chance.sample(range(len(assets)), 2) for _ in range(number)]
    offers = [
        Offer(
            drafted_by=assets[first].owner,
            title={},
            price_fen=1,
            split={},
            until=until,
            state=states[place % len(states)],
        )
        for place, (first, _) in enumerate(pairs)
    ]
    Offer.objects.bulk_create(offers, _AT_ONCE)
    lines = [
        OfferLine(
            offer=offer,
            number=place,
            role=role,
            asset=assets[at].id,
            version="",
            assigner=assets[at].owner,
            terms={},
            accepted_at=clock.now() if offer.state == Offer.State.LIVE else None,
        )
        for offer, pair in zip(offers, pairs, strict=True)
        for place, (role, at) in enumerate(zip(("data", "model"), pair, strict=True), start=1)
    ]
    OfferLine.objects.bulk_create(lines, _AT_ONCE)
    return offers
