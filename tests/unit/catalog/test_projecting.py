"""What is published is shown to other engines by the worker, and what is taken back is shown no more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from shudu.catalog import actions, projecting, queries
from shudu.catalog.types import PublishTable, PublishVersion
from shudu.lake import queries as lake
from shudu.policy.outbox import dispatch
from shudu.policy.types import Refused, Unavailable
from unit.agreements.conftest import Market, market
from unit.lake.forked import killed_at, run

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_shown_before(home: Path) -> Iterator[None]:
    shutil.rmtree(home / "iceberg", ignore_errors=True)
    yield
    shutil.rmtree(home / "iceberg", ignore_errors=True)


def publish(market: Market, folder: Path, **more: Any) -> str:
    source = folder / "people.csv"
    source.write_text("id,姓名\n1,𠮷野\n2,䶮\n", encoding="utf-8")
    return str(actions.publish(market.provider, PublishTable(source=source, title="人员", key="id", **more)).id)


def work() -> None:
    """What the worker does each minute."""
    while dispatch():
        pass
    actions.show_due()


def shown(market: Market) -> dict[str, list[str]]:
    return {one.asset: sorted(one.snapshots) for one in queries.shown_tables(market.operator)}


def test_what_is_live_and_plain_is_shown_and_nothing_else(market: Market, tmp_path: Path) -> None:
    plain, secret = publish(market, tmp_path, level="L1"), publish(market, tmp_path, level="L3")
    work()
    first = queries.latest(plain)
    assert first is not None
    assert shown(market)[plain] == [first.id]
    assert not {secret, market.model} & set(shown(market))
    more = PublishVersion(asset=plain, source=tmp_path / "people.csv", mode="upsert")
    second = actions.publish_version(market.provider, more)
    work()
    assert shown(market)[plain] == sorted([first.id, second.id])
    actions.withdraw(market.provider, first.id, "owner")
    work()
    assert shown(market)[plain] == [second.id]
    actions.erase(market.provider, second.id)
    work()
    assert plain not in shown(market)


def test_a_home_that_shows_nothing_yet_shows_everything(market: Market, tmp_path: Path, home: Path) -> None:
    """As after an update, and in a home restored from a backup, which holds none of this."""
    asset = publish(market, tmp_path)
    work()
    before = shown(market)
    shutil.rmtree(home / "iceberg")
    actions.show_due()
    assert shown(market) == before != {}
    assert asset in before


def test_what_fails_is_tried_again_and_stops_nothing(market: Market, tmp_path: Path, home: Path) -> None:
    work()
    asset = publish(market, tmp_path)
    (home / "iceberg" / "catalog.sqlite3").write_bytes(b"spoilt" * 1000)
    work()
    with pytest.raises(Unavailable):
        shown(market)
    assert asset in set(lake.notes().each())
    made = actions.rebuild_projection(market.operator)
    assert made[asset] == {}
    assert asset in shown(market)


def test_a_bad_file_or_whatever_else_stops_neither_the_others_nor_the_worker(
    market: Market, tmp_path: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = publish(market, tmp_path), publish(market, tmp_path)
    first = queries.latest(bad)
    assert first is not None
    (home / queries.files(first)[0].path).write_bytes(b"PAR1 no more")
    work()
    assert good in shown(market)
    assert bad not in shown(market)
    assert f"{first.id} cannot be shown" in caplog.text
    folder = home / "iceberg" / market.provider.party
    shutil.rmtree(folder)
    folder.write_text("no folder")
    lake.notes().add(good)
    actions.show_due()
    assert f"{good} could not be shown" in caplog.text
    folder.unlink()
    assert good in set(lake.notes().each())
    assert actions.rebuild_projection(market.operator)[bad] == {first.id: "data.parquet"}
    assert good in shown(market)


def test_a_rebuilding_that_was_killed_is_finished_by_the_worker(market: Market, tmp_path: Path) -> None:
    for _ in range(2):
        publish(market, tmp_path)
    work()
    before = shown(market)
    connections.close_all()
    killed = 0
    for point in count(0, 31):
        ended, _ = run(lambda: projecting.show_all(), killed_at(point))
        actions.show_due()
        assert shown(market) == before
        connections.close_all()
        if ended == 0:
            break
        killed += 1
    assert killed > 1, "it was to be killed on its way"


def test_files_past_every_agreement_are_for_the_operator_alone(market: Market) -> None:
    for actor in (market.provider, market.modeller, market.buyer):
        with pytest.raises(Refused):
            queries.shown_tables(actor)
        with pytest.raises(Refused):
            actions.rebuild_projection(actor)


def test_the_example_in_the_documents_reads_a_table(market: Market, tmp_path: Path, home: Path, capsys: Any) -> None:
    publish(market, tmp_path)
    work()
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text("utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    exec(code.replace('"/srv/shudu/home"', repr(str(home))), {})  # the page's own lines
    assert "人员 2" in capsys.readouterr().out.splitlines()
