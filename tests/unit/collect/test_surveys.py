"""What is in a source: the worker looks, everybody else reads what it found. Against real servers."""

from __future__ import annotations

import json
import logging

import pytest
from django.core import serializers

from shudu.collect import actions, queries
from shudu.collect.models import Source
from shudu.collect.types import Survey
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, NotFound, Refused
from shudu.runs.models import Run
from shudu.runs.worker import settle, spread_news
from unit.collect.conftest import SECRET, Database, Market, allow

pytestmark = pytest.mark.django_db(transaction=True)


def looked(market: Market, source: Source, table: str | None = None) -> queries.Surveyed:
    actions.survey(market.provider, source.id, Survey(table=table))
    run = queries.surveyed(source, table).run
    assert run is not None
    settle(run.id)
    return queries.surveyed(source, table)


def test_the_worker_finds_tables_and_columns(
    database: Database, market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    source = database.added(market)
    assert queries.surveyed(source) == queries.Surveyed(None)
    tables = looked(market, source)
    assert tables.error is None
    names = [one["name"] for one in tables.found or []]
    assert f"{database.prefix}zoo" in names
    assert f"{database.prefix}hidden" not in names
    columns = looked(market, source, f"{database.prefix}zoo")
    assert [one["name"] for one in columns.found or []][:2] == ["v0", "v1"]
    assert any(one["watermark"] for one in columns.found or [])
    assert queries.surveyed(source).found == tables.found, "each table has an answer of its own"
    spread_news()
    rows = serializers.serialize("json", [*Run.objects.all(), *Outbox.objects.all(), *Source.objects.all()])
    for told in (rows, caplog.text):
        assert SECRET not in told
        assert json.dumps(SECRET)[1:-1] not in told


def test_what_was_found_stays_when_a_later_look_fails(
    database: Database, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = database.added(market)
    before = looked(market, source)
    Source.objects.filter(pk=source.id).update(user="nobody")
    after = looked(market, source)
    assert after.error is not None
    assert (after.found, after.at) == (before.found, before.at)
    wrong = looked(market, source, "no_such_table")
    assert wrong.error is not None
    assert wrong.found is None
    # Meanwhile the operating company takes the address back: nobody waits for the worker to be told.
    allow(monkeypatch, "")
    with pytest.raises(Refused):
        actions.survey(market.provider, source.id, Survey())
    allow(monkeypatch, database.place)
    actions.close_source(market.provider, source.id)
    with pytest.raises(Conflict):
        actions.survey(market.provider, source.id, Survey())


def test_one_look_at_a_time_and_strangers_find_nothing(database: Database, market: Market) -> None:
    source = database.added(market)
    for _ in range(2):
        actions.survey(market.provider, source.id, Survey())
    assert Run.objects.filter(kind="survey").count() == 1
    for stranger in (market.buyer, market.operator):
        with pytest.raises(NotFound):
            actions.survey(stranger, source.id, Survey())
