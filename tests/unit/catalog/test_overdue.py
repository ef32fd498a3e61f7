"""The promised update cycle: until when each code asks for a version, and the mark that comes and goes with it."""

from __future__ import annotations

import importlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from django.apps import apps
from hypothesis import given, settings
from hypothesis import strategies as some

from frozen import FrozenClock
from shudu.catalog import actions, promises, queries
from shudu.catalog.models import Asset
from shudu.catalog.types import CoreFields, PublishTable, PublishVersion, UpdateCycle
from shudu.policy.clock import SHANGHAI
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, NotFound
from unit.agreements.conftest import Market, market

__all__ = ["market"]

CYCLES = get_args(CoreFields.model_fields["update_cycle"].annotation)
MONTHS = {"4": 1, "5": 3, "7": 6, "6": 12}
MOMENTS = some.datetimes(datetime(1970, 1, 2), datetime(2400, 1, 1), timezones=some.just(UTC))


def day_of(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=SHANGHAI)


def test_every_code_is_answered() -> None:
    answers = {code: promises.due(code, noon("2026-03-02")) for code in CYCLES}
    assert {code: day and f"{day_of(day)}" for code, day in answers.items()} == {
        "1": None,
        "2": "2026-03-03",
        "3": "2026-03-09",
        "4": "2026-04-02",
        "5": "2026-06-02",
        "6": "2027-03-02",
        "7": "2026-09-02",
        "8": None,
        "9": None,
    }
    with pytest.raises(KeyError):
        promises.due("0", noon("2026-03-02"))


@pytest.mark.parametrize(
    ("cycle", "made", "due"),
    [
        ("4", "2026-01-31", "2026-02-28"),
        ("4", "2028-01-31", "2028-02-29"),
        ("4", "2026-12-31", "2027-01-31"),
        ("5", "2026-11-30", "2027-02-28"),
        ("6", "2028-02-29", "2029-02-28"),
        ("7", "2027-08-31", "2028-02-29"),
        ("2", "2026-12-31", "2027-01-01"),
        ("3", "2028-02-26", "2028-03-04"),
    ],
)
def test_ends_of_months_and_leap_years(cycle: str, made: str, due: str) -> None:
    found = promises.due(cycle, noon(made))
    assert found is not None
    assert f"{day_of(found)}" == due


@given(some.sampled_from(sorted(MONTHS)), MOMENTS)
@settings(max_examples=200)
def test_months_keep_the_day_or_end_with_the_month(cycle: str, made: datetime) -> None:
    found = promises.due(cycle, made)
    assert found is not None
    before, after = day_of(made), day_of(found)
    assert (after.year - before.year) * 12 + after.month - before.month == MONTHS[cycle]
    assert after.day == before.day or (after.day < before.day and (after + timedelta(days=1)).day == 1)


@given(some.sampled_from(["2", "3", *sorted(MONTHS)]), MOMENTS, MOMENTS)
@settings(max_examples=200)
def test_the_day_ends_in_shanghai_and_later_versions_are_due_no_earlier(
    cycle: str, one: datetime, other: datetime
) -> None:
    first, second = (promises.due(cycle, moment) for moment in sorted((one, other)))
    assert first is not None
    assert second is not None
    assert first <= second
    assert first > min(one, other) + timedelta(days=1) - timedelta(microseconds=1)
    assert day_of(first + timedelta(microseconds=1)) == day_of(first) + timedelta(days=1)


def published(market: Market, folder: Path, cycle: str) -> Asset:
    source = folder / f"cycle{cycle}.csv"
    source.write_text("id,n\n1,2\n", encoding="utf-8")
    core: dict[str, Any] = {"update_cycle": cycle}
    made: Asset = actions.publish(market.provider, PublishTable(source=source, title=cycle, core=CoreFields(**core)))
    return made


def another(market: Market, asset: str, folder: Path) -> str:
    source = folder / "more.csv"
    source.write_text("id,n\n1,3\n", encoding="utf-8")
    return str(actions.publish_version(market.provider, PublishVersion(asset=asset, source=source)).id)


def late(market: Market) -> list[str]:
    rows = queries.newest(market.provider, 20, overdue=True)
    assert all(row.overdue for row in rows)
    assert {row.id for row in queries.overdue(market.provider)} == {row.id for row in rows}
    return [row.title["zh"] for row in rows]


@pytest.mark.django_db(transaction=True)
def test_marks_come_by_themselves_and_go_with_a_version(clock: FrozenClock, market: Market, tmp_path: Path) -> None:
    assets = {cycle: published(market, tmp_path, cycle) for cycle in CYCLES}
    written = Outbox.objects.count()
    daily = assets["2"]
    assert daily.due is not None
    clock.set(daily.due)
    assert late(market) == []
    clock.advance(microseconds=1)
    assert late(market) == ["2"]
    clock.advance(days=400)
    assert late(market) == ["7", "6", "5", "4", "3", "2"]
    assert [row.title["zh"] for row in queries.overdue(market.provider)] == ["2", "3", "4", "5", "7", "6"]
    assert Outbox.objects.count() == written
    # Page after page holds the same, and strangers see none of it.
    assert [row.id for row in queries.newest(market.provider, 2, before=assets["4"].id, overdue=True)] == [
        assets["3"].id,
        daily.id,
    ]
    assert queries.newest(market.buyer, 20, overdue=True) == []
    second = another(market, daily.id, tmp_path)
    assert late(market) == ["7", "6", "5", "4", "3"]
    # What was published in its place counts no longer: the promise stands where it stood.
    actions.withdraw(market.provider, second, "owner")
    assert Asset.objects.get(pk=daily.id).due == daily.due
    actions.restore(market.provider, second)
    assert late(market) == ["7", "6", "5", "4", "3"]
    for version in queries.versions_of(assets["3"].id):
        actions.erase(market.provider, version.id)
    assert late(market) == ["7", "6", "5", "4"]


@pytest.mark.django_db(transaction=True)
def test_a_promise_changes_after_publishing_and_is_on_record(
    clock: FrozenClock, market: Market, tmp_path: Path
) -> None:
    row = published(market, tmp_path, "4")
    clock.advance(days=10)
    assert late(market) == []
    changed = actions.promise(market.provider, row.id, UpdateCycle(update_cycle="3"))
    assert (changed.core["update_cycle"], changed.due) == ("3", promises.due("3", row.created))
    assert late(market) == ["4"], "late at once: it counts from the newest version, not from now"
    told = Outbox.objects.get(event="asset.promised")
    assert (told.fields["update_cycle"], told.fields["before"]) == ("3", "4")
    actions.promise(market.provider, row.id, UpdateCycle(update_cycle="3"))
    assert Outbox.objects.filter(event="asset.promised").count() == 1, "the same promise again is none"
    actions.promise(market.provider, row.id, UpdateCycle(update_cycle="8"))
    assert (late(market), Asset.objects.get(pk=row.id).due) == ([], None)
    with pytest.raises(NotFound):
        actions.promise(market.buyer, row.id, UpdateCycle(update_cycle="2"))
    model = Asset.objects.get(pk=market.model)
    with pytest.raises(Conflict):
        actions.promise(market.modeller, model.id, UpdateCycle(update_cycle="2"))
    assert "update_cycle" not in Asset.objects.get(pk=model.id).core


@pytest.mark.django_db(transaction=True)
def test_the_migration_keeps_what_publishing_keeps(clock: FrozenClock, market: Market, tmp_path: Path) -> None:
    for cycle in ("4", "9"):
        published(market, tmp_path, cycle)
    kept = dict(Asset.objects.values_list("id", "due"))
    assert sum(due is not None for due in kept.values()) == 1
    Asset.objects.update(due=None)
    importlib.import_module("shudu.catalog.migrations.0008_asset_due").keep(apps, SimpleNamespace())
    assert dict(Asset.objects.values_list("id", "due")) == kept
