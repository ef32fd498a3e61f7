"""For whom entries stand open is kept beside them: by every action, as an old home is filled, and read as the rules."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given
from hypothesis import strategies as st

from shudu.agreements import actions
from shudu.agreements.models import Agreement
from shudu.catalog import queries as shelf
from shudu.catalog.models import Asset, AssetAudience, AssetAudienceSize
from shudu.identity import queries as identity
from shudu.policy import audiences, clock
from shudu.policy.permissions import Permission
from shudu.policy.rules import visible
from shudu.policy.types import Actor, Role

READ = Permission.ASSET_READ


def kept() -> set[tuple[Any, ...]]:
    return set(AssetAudience.objects.values_list("row", "token", "until"))


def sizes() -> set[tuple[Any, ...]]:
    return set(AssetAudienceSize.objects.values_list("token", "after", "until", "rows"))


def sized_anew() -> set[tuple[Any, ...]]:
    """As the migration of an old home counts what is kept."""
    AssetAudienceSize.objects.all().delete()
    import_module("shudu.agreements.migrations.0003_sized_audiences").size(apps, None)
    return sizes()


def concluded(market: Any, offer: Any) -> None:
    """As an order leaves it."""
    line = offer.lines.get(number=1)
    Agreement.objects.create(
        offer=offer,
        line=line,
        assigner=line.assigner,
        assignee=market.buyer.party,
        asset=line.asset,
        terms={},
        until=offer.until,
        runs=1,
    )


def hide() -> None:
    """Only offers and agreements open an entry from now on."""
    Asset.objects.update(findable=False)
    audiences.write(READ, Asset.objects.all())


def test_an_old_home_is_filled_with_what_the_actions_keep(market: Any) -> None:
    live = market.live()
    concluded(market, live)
    actions.withdraw(market.provider, market.live().id)
    actions.accept(market.modeller, actions.draft(market.provider, market.draft()).id)
    hide()
    before = kept()
    assert len(before) > 5
    AssetAudience.objects.all().delete()
    import_module("shudu.catalog.migrations.0002_kept_audiences").owners(apps, None)
    import_module("shudu.agreements.migrations.0002_disclosed_assets").disclose(apps, None)
    assert kept() == before


def test_every_action_keeps_what_the_rules_then_say(market: Any) -> None:
    """Writing anew after each action would change nothing."""

    def current() -> None:
        assert audiences.write(READ, Asset.objects.all()) == 0
        kept_so_far = sizes()
        assert sized_anew() == kept_so_far, "the sizes are those of the tokens"

    current()
    draft = actions.draft(market.provider, market.draft())
    current()
    hide()
    actions.accept(market.provider, draft.id)
    current()
    actions.accept(market.modeller, draft.id)
    current()
    assert shelf.count(market.buyer) == 2
    concluded(market, draft)
    audiences.write(READ, Asset.objects.all())
    actions.withdraw(market.provider, draft.id)
    current()
    assert [row.pk for row in shelf.newest(market.buyer, 5)] == [market.data], "the buyer's agreement stands"
    actions.revoke(market.provider, Agreement.objects.get().id, "breach")
    current()


def test_an_entry_closes_when_the_offer_ends(market: Any, request: pytest.FixtureRequest) -> None:
    offer = market.live()
    hide()
    stranger = Actor("pty_stranger", frozenset({Role.BUYER}))
    assert shelf.count(stranger) == 2
    request.getfixturevalue("clock").set(offer.until)
    assert shelf.count(stranger) == 2, "until is the last moment it is open"
    request.getfixturevalue("clock").set(offer.until + timedelta(microseconds=1))
    assert (shelf.count(stranger), shelf.newest(stranger, 5), list(shelf.assets(stranger))) == (0, [], [])


@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
def test_pages_and_counts_are_the_list(market: Any, share: float) -> None:
    """However much of the catalogue is open, and however rare the words."""
    chance = random.Random(5)
    rows = Asset.objects.bulk_create(
        Asset(owner="pty_x", kind="table", level="L2", code=f"t/{number}", title={"zh": f"第{number}号数据"})
        for number in range(600)
    )
    reader = Actor("pty_reader", frozenset({Role.BUYER}))
    ends = [clock.FOREVER, clock.now(), clock.now() - timedelta(seconds=1)]
    AssetAudience.objects.bulk_create(
        AssetAudience(row=row, token=token, until=chance.choice(ends))
        for row in rows
        for token in ("signed_in", "party:pty_reader", "party:pty_other")
        if chance.random() < share
    )
    sized_anew()
    for words in ("", "数据", "7号", "第59", "第599号", "没有"):
        listed = [
            row.pk for row in visible(reader, READ, Asset.objects.filter(title__zh__icontains=words)).order_by("-pk")
        ]
        walked: list[str] = []
        while page := shelf.newest(reader, 3, before=walked[-1] if walked else None, words=words):
            walked += [row.pk for row in page]
            if len(walked) > 60:
                break
        assert walked == listed[: len(walked)]
        assert len(walked) > 60 or walked == listed
        if not words:
            assert shelf.count(reader) == len(listed)
    for actor in (Actor("", frozenset()), Actor("pty_reader", frozenset()), Actor("pty_none", frozenset({Role.BUYER}))):
        assert shelf.count(actor) == visible(actor, READ, Asset.objects.all()).count()


moments = st.integers(0, 6).map(lambda day: clock.FOREVER - timedelta(days=9 - day))
kept_tokens = st.dictionaries(st.sampled_from(["public", "signed_in", "party:a", "party:b"]), moments)


@given(kept=kept_tokens, now=moments, off=st.sampled_from([timedelta(0), timedelta(microseconds=1)]))
@example(kept={"signed_in": clock.FOREVER, "party:a": clock.FOREVER}, now=clock.FOREVER, off=timedelta(0))
def test_at_every_moment_a_row_counts_once_for_whom_it_stands_open(
    kept: dict[str, datetime], now: datetime, off: timedelta
) -> None:
    now += off
    for brought in ({"public"}, {"public", "signed_in"}, {"public", "signed_in", "party:a"}):
        counted = [token for token, after, until in audiences.spans(kept) if token in brought and after < now <= until]
        assert len(counted) == any(kept[token] >= now for token in brought & kept.keys())


def test_a_count_reads_no_rows(market: Any) -> None:
    market.live()
    with CaptureQueriesContext(connection) as asked:
        assert shelf.count(market.buyer) == 2
    assert len(asked) == 1
    assert AssetAudience._meta.db_table + '"' not in asked[0]["sql"]
    assert Asset._meta.db_table + '"' not in asked[0]["sql"]


def test_a_list_is_one_query(market: Any) -> None:
    market.live()
    for actor in (market.buyer, market.operator, identity.system()):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert len(shelf.newest(actor, 2)) == 2
        assert len(asked) == 1
