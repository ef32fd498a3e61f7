"""Who may: a single check, a list and a search index give one answer, and it is the one written here."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.db import models, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shudu.agreements import actions, queries
from shudu.agreements.models import Agreement, Offer, OfferLine
from shudu.catalog import queries as shelf
from shudu.catalog.models import Asset
from shudu.policy import audiences, clock
from shudu.policy.permissions import Permission
from shudu.policy.rules import audience, decide, tokens, visible
from shudu.policy.types import Actor, Role

PARTIES = ["pty_a", "pty_b", "pty_c", "pty_d", ""]
OVERSEERS = {Role.OPERATOR, Role.AUDITOR, Role.AUTHORITY, Role.SYSTEM}


def one_answer(actors: Iterable[Actor], permission: Permission, rows: models.QuerySet[Any]) -> None:
    """`allows`, `where` and `audience` agree for every actor and row."""
    for actor in actors:
        listed = set(visible(actor, permission, rows).values_list("pk", flat=True))
        for row in rows:
            allowed = bool(decide(actor, permission, row))
            assert (row.pk in listed) == allowed, (permission, actor, row.pk)
            found = all(tokens(actor) & needed for needed in audience(permission, row))
            assert found == allowed, (permission, actor, row.pk)
        if permission == Permission.ASSET_READ:
            assert [row.pk for row in shelf.newest(actor, 10)] == sorted(listed, reverse=True)
            assert shelf.count(actor) == len(listed)


ROLES = st.frozensets(st.sampled_from(list(Role)), max_size=2)
ACTORS = st.lists(st.builds(Actor, party=st.sampled_from(PARTIES), roles=ROLES), min_size=1, max_size=4)


def scatter(chance: random.Random, assets: list[str]) -> None:
    """Random offers, some accepted, random agreements on their lines, assets that may be found or not."""
    for asset in assets:
        Asset.objects.filter(pk=asset).update(findable=chance.random() < 0.3)
    for _ in range(chance.randint(1, 3)):
        offer = Offer.objects.create(
            drafted_by=chance.choice(PARTIES[:4]),
            title={},
            price_fen=0,
            split={},
            state=chance.choice(Offer.State.values),
            until=clock.now() + timedelta(hours=chance.randint(-30, 30)),
        )
        for number, role in enumerate(("data", "model"), start=1):
            line = OfferLine.objects.create(
                offer=offer,
                number=number,
                role=role,
                asset=chance.choice(assets),
                assigner=chance.choice([offer.drafted_by, *PARTIES[:4]]),
                terms={},
                accepted_at=chance.choice([None, clock.now()]),
            )
            if chance.random() < 0.4:
                Agreement.objects.create(
                    offer=offer,
                    line=line,
                    assigner=line.assigner,
                    assignee=chance.choice(PARTIES[:4]),
                    asset=line.asset,
                    terms={},
                    until=clock.now(),
                    runs=1,
                    state=chance.choice(Agreement.State.values),
                )
    audiences.write(Permission.ASSET_READ, shelf.Asset.objects.filter(pk__in=assets))


def expected_offer(actor: Actor, offer: Offer) -> bool:
    assigners = {line.assigner for line in offer.lines.all()}
    own = bool(actor.party) and actor.party in assigners | {offer.drafted_by}
    return own or Role.OPERATOR in actor.roles or (offer.state == "live" and bool(actor.roles))


def expected_agreement(actor: Actor, agreement: Agreement) -> bool:
    own = bool(actor.party) and actor.party in (agreement.assigner, agreement.assignee)
    return own or bool(actor.roles & {Role.OPERATOR, Role.AUDITOR})


def expected_asset(actor: Actor, asset: Any) -> bool:
    if (actor.party and actor.party == asset.owner) or actor.roles & OVERSEERS:
        return True
    if asset.findable and actor.roles:
        return True
    for line in OfferLine.objects.filter(asset=asset.pk).select_related("offer"):
        if actor.roles and line.offer.state == Offer.State.LIVE and line.offer.until >= clock.now():
            return True
        shown = line.assigner == line.offer.drafted_by or line.accepted_at is not None
        if shown and actor.party in {other.assigner for other in line.offer.lines.all()}:
            return True
    return any(actor.party in (row.assigner, row.assignee) for row in Agreement.objects.filter(asset=asset.pk))


def each(expected: Callable[[Actor, Any], bool], actors: list[Actor], permission: Permission, rows: Any) -> None:
    one_answer(actors, permission, rows)
    for actor in actors:
        for row in rows:
            assert bool(decide(actor, permission, row)) == expected(actor, row), (permission, actor, row.pk)


def test_every_form_of_every_rule_agrees(market: Any, request: pytest.FixtureRequest) -> None:
    assets = [market.data, market.model]
    frozen = request.getfixturevalue("clock")
    start = frozen.now()

    @given(st.randoms(use_true_random=False), ACTORS)
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def hold(chance: random.Random, actors: list[Actor]) -> None:
        with transaction.atomic():
            scatter(chance, assets)
            offers, agreements = Offer.objects.all(), Agreement.objects.all()
            for hours in (24, 0):  # offers end by the clock, without anybody writing anything
                frozen.set(start + timedelta(hours=hours))
                each(expected_asset, actors, Permission.ASSET_READ, shelf.assets(market.operator))
            each(expected_offer, actors, Permission.OFFER_READ, offers)
            each(expected_agreement, actors, Permission.AGREEMENT_READ, agreements)
            for permission in (Permission.OFFER_ACCEPT, Permission.OFFER_WITHDRAW):
                each(lambda actor, row: _assigns(actor, row), actors, permission, offers)
            each(
                lambda actor, row: bool(actor.party) and actor.party == row.assigner,
                actors,
                Permission.AGREEMENT_REVOKE,
                agreements,
            )
            transaction.set_rollback(True)

    hold()
    assert not Offer.objects.exists()


def _assigns(actor: Actor, offer: Offer) -> bool:
    return bool(actor.party) and offer.lines.filter(assigner=actor.party).exists()


@pytest.mark.parametrize("role", list(Role))
def test_only_providers_and_modellers_draft(role: Role) -> None:
    actor = Actor("pty_a", frozenset({role}))
    assert bool(decide(actor, Permission.OFFER_DRAFT)) == (role in {Role.PROVIDER, Role.MODELLER})


def test_a_draft_discloses_the_drafters_asset_only(market: Any) -> None:
    """Naming another's asset in a draft opens nothing once it is hidden again; accepting does."""
    provider, modeller = market.provider, market.modeller
    offer = actions.draft(provider, market.draft())
    Asset.objects.update(findable=False)
    assert not decide(provider, Permission.ASSET_READ, shelf.asset_row(market.model))
    assert decide(modeller, Permission.ASSET_READ, shelf.asset_row(market.data))
    assert not decide(provider, Permission.ASSET_READ, shelf.asset_row(market.model))
    actions.accept(modeller, offer.id)
    assert decide(provider, Permission.ASSET_READ, shelf.asset_row(market.model))
    assert not decide(market.buyer, Permission.ASSET_READ, shelf.asset_row(market.data))


def test_a_draft_is_nobody_elses_to_see(market: Any) -> None:
    offer = actions.draft(market.provider, market.draft())
    everybody = (market.provider, market.modeller, market.operator, market.buyer)
    seen = [offer in queries.offers(actor) for actor in everybody]
    assert seen == [True, True, True, False]
    actions.accept(market.provider, offer.id)
    actions.accept(market.modeller, offer.id)
    assert offer in queries.offers(market.buyer)
    assert offer not in queries.offers(Actor(""))
