"""Keeping an asset current, against real servers: late rows, nothing new, a worker that dies, a source that is gone."""

from __future__ import annotations

from typing import Any

import pytest

from shudu.catalog import actions as assets
from shudu.catalog import queries as catalog
from shudu.collect import actions, handlers, queries
from shudu.collect.models import Feed
from shudu.lake import queries as lake
from shudu.lake.types import EVERYTHING
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, NotFound
from shudu.runs import actions as runs
from shudu.runs.models import Run
from shudu.runs.worker import Worker, settle
from unit.collect.conftest import Database, Market

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = "(1, '甲', '2026-03-01 08:00:00'), (2, '乙', '2026-03-02 08:00:00')"


@pytest.fixture
def people(database: Database) -> str:
    """A table whose rows say when they were last changed."""
    database.do("DROP TABLE IF EXISTS people; DROP TABLE IF EXISTS nowhere")
    moment = "timestamptz" if database.kind == "postgresql" else "timestamp(6)"
    database.do(f"CREATE TABLE people (id bigint PRIMARY KEY, name varchar(20), changed {moment} NOT NULL)")
    database.do(f"INSERT INTO people VALUES {FIRST}")
    return "people"


def rows(feed: Feed) -> dict[int, str]:
    version = catalog.latest(feed.asset)
    assert version is not None
    table = lake.store().read_table(catalog.files(version), catalog.place(version), EVERYTHING)
    ids = table["id"].to_pylist()
    assert len(set(ids)) == len(ids), "no row is there twice"
    return dict(zip(ids, table["name"].to_pylist(), strict=True))


def refreshed(market: Market, feed: Feed) -> Feed:
    settle(actions.refresh(market.provider, feed.id).run)
    return queries.feed_row(feed.id)


def versions(feed: Feed) -> int:
    return len(catalog.versions_of(feed.asset))


def opened(database: Database, market: Market, **rule: Any) -> Feed:
    feed = database.opened(market, database.added(market), "people", key="id", rule=rule)
    assert queries.standing(feed)["error"] is None
    return feed


def test_by_key_beyond_a_watermark(database: Database, market: Market, people: str) -> None:
    feed = opened(database, market, mode="upsert", watermark="changed")
    assert rows(feed) == {1: "甲", 2: "乙"}
    database.do("INSERT INTO people VALUES (3, '丙', '2026-03-02 08:00:00')")  # late, at the very watermark
    database.do("UPDATE people SET name = '甲二', changed = '2026-03-03 08:00:00' WHERE id = 1")
    feed = refreshed(market, feed)
    assert queries.standing(feed)["error"] is None
    assert queries.standing(feed)["meters"]["rows_in"] == 3
    assert (rows(feed), versions(feed)) == ({1: "甲二", 2: "乙", 3: "丙"}, 2)
    assert Outbox.objects.filter(event="run.closed", subject=feed.run).count() == 1
    feed = refreshed(market, feed)
    assert queries.standing(feed)["meters"]["rows_in"] == 1
    assert versions(feed) == 2, "nothing new, no version"
    database.do("UPDATE people SET name = '甲三' WHERE id = 1")  # at the watermark, without a new moment
    feed = refreshed(market, feed)
    assert (rows(feed)[1], versions(feed)) == ("甲三", 3)


def test_appending_beyond_a_watermark(database: Database, market: Market, people: str) -> None:
    feed = opened(database, market, mode="append", watermark="id")
    assert (rows(refreshed(market, feed)), versions(feed)) == ({1: "甲", 2: "乙"}, 1)
    database.do("INSERT INTO people VALUES (3, '丙', '2026-03-02 08:00:00')")
    assert (rows(refreshed(market, feed)), versions(feed)) == ({1: "甲", 2: "乙", 3: "丙"}, 2)


def test_the_whole_table_in_place_of_the_last(database: Database, market: Market, people: str) -> None:
    feed = opened(database, market)
    assert versions(refreshed(market, feed)) == 1, "the same bytes make no version"
    database.do("DELETE FROM people WHERE id = 1")
    assert (rows(refreshed(market, feed)), versions(feed)) == ({2: "乙"}, 2)


@pytest.mark.parametrize("mode", [{"mode": "append", "watermark": "id"}, {"mode": "upsert", "watermark": "changed"}])
def test_a_worker_that_dies_after_landing_doubles_nothing(
    database: Database, market: Market, people: str, clock: Any, monkeypatch: pytest.MonkeyPatch, mode: dict[str, str]
) -> None:
    feed = opened(database, market, **mode)
    database.do("INSERT INTO people VALUES (3, '丙', '2026-03-05 08:00:00')")
    run = actions.refresh(market.provider, feed.id).run
    real, deaths = runs.close, []

    def dies(*args: Any) -> Run:
        if not deaths:
            deaths.append(versions(feed))
            raise ZeroDivisionError
        return real(*args)

    monkeypatch.setattr(runs, "close", dies)
    Worker().tick(run)
    assert deaths == [2], "it had landed"
    assert Run.objects.get(pk=run).state == "queued"
    clock.advance(seconds=5)
    Worker().tick(run)
    assert Run.objects.get(pk=run).state == "closed"
    assert (rows(feed), versions(feed)) == ({1: "甲", 2: "乙", 3: "丙"}, 2)
    assert queries.work_folder(run).is_dir()
    handlers.clear_away()
    assert not queries.work_folder(run).exists()
    assert versions(refreshed(market, feed)) == 2


def test_what_is_due_is_refreshed_and_a_failure_stops_nothing(
    database: Database, market: Market, people: str, clock: Any
) -> None:
    source = database.added(market)
    gone, there = (
        database.opened(market, source, "people", key="id", rule={"mode": "upsert", "every_minutes": 60})
        for _ in range(2)
    )
    Feed.objects.filter(pk=gone.id).update(table=f"{database.prefix}nowhere")
    database.do("INSERT INTO people VALUES (3, '丙', '2026-03-05 08:00:00')")
    handlers.refresh_due()
    assert {gone.run, there.run} == set(Feed.objects.values_list("run", flat=True)), "nothing is due yet"
    clock.advance(minutes=61)
    handlers.refresh_due()
    handlers.refresh_due()
    assert Run.objects.filter(state="queued").count() == 2, "once each"
    with pytest.raises(Conflict, match=r"feed\.running"):
        actions.refresh(market.provider, there.id)
    while Worker().tick():
        pass
    gone, there = (queries.feed_row(feed.id) for feed in (gone, there))
    assert queries.standing(gone)["error"]["code"] == "source.table"
    assert rows(gone) == {1: "甲", 2: "乙"}
    assert rows(there)[3] == "丙"
    Feed.objects.filter(pk=gone.id).update(table=there.table)
    clock.advance(minutes=61)
    handlers.refresh_due()
    while Worker().tick():
        pass
    assert rows(gone)[3] == "丙", "the next one mends it"


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("mode", [{"mode": "append", "watermark": "id"}, {"mode": "upsert", "watermark": "changed"}])
def test_what_was_erased_is_read_in_again_only_by_hand(
    database: Database, market: Market, people: str, clock: Any, mode: dict[str, str]
) -> None:
    feed = opened(database, market, **mode, every_minutes=60)

    def due() -> Any:
        clock.advance(minutes=61)
        handlers.refresh_due()
        while Worker().tick():
            pass
        return queries.standing(queries.feed_row(feed.id))["error"]

    database.do("INSERT INTO people VALUES (3, '丙', '2026-03-05 08:00:00')")
    assert due() is None
    assert versions(feed) == 2
    newest = catalog.latest(feed.asset)
    assert newest is not None
    assets.erase(market.provider, newest.id)
    assert due()["code"] == "feed.erased"
    assert due()["code"] == "feed.erased"
    assert rows(feed) == {1: "甲", 2: "乙"}
    database.do("DELETE FROM people WHERE id = 3")
    assert queries.standing(refreshed(market, feed))["error"] is None
    assert due() is None, "somebody asked, and there was nothing to read in"
    assert rows(feed) == {1: "甲", 2: "乙"}
    database.do("INSERT INTO people VALUES (4, '丁', '2026-03-05 08:00:00')")
    assert due() is None
    assert rows(feed) == {1: "甲", 2: "乙", 4: "丁"}


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("mode", [{"mode": "append", "watermark": "id"}, {"mode": "upsert", "watermark": "changed"}])
def test_after_a_restore_it_goes_on_from_there(
    database: Database, market: Market, people: str, mode: dict[str, str]
) -> None:
    feed = opened(database, market, **mode)
    first = catalog.latest(feed.asset)
    assert first is not None
    database.do("UPDATE people SET changed = '2026-03-05 08:00:00'")
    database.do("INSERT INTO people VALUES (3, '丙', '2026-03-05 08:00:00')")
    assert rows(refreshed(market, feed)) == {1: "甲", 2: "乙", 3: "丙"}
    assets.restore(market.provider, first.id)
    assert rows(feed) == {1: "甲", 2: "乙"}
    assert rows(refreshed(market, feed)) == {1: "甲", 2: "乙", 3: "丙"}
    made = versions(feed)
    assert versions(refreshed(market, feed)) == made


def test_a_feed_is_its_owners(database: Database, market: Market, people: str) -> None:
    feed = opened(database, market)
    for act in (actions.refresh, actions.close_feed):
        with pytest.raises(NotFound):
            act(market.buyer, feed.id)
    actions.close_feed(market.provider, feed.id)
    with pytest.raises(Conflict, match=r"feed\.closed"):
        actions.refresh(market.provider, feed.id)
