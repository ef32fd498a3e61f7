"""One suite for every kind of database, against the real server: what arrives, what is refused, what nobody is told."""

from __future__ import annotations

import logging
import os
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shudu.catalog import queries as catalog
from shudu.collect import queries, reaching
from shudu.collect.models import Source
from shudu.collect.sources.port import Field, Since, watermark
from shudu.lake import queries as lake
from shudu.lake.types import EVERYTHING
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, Invalid, NotFound, Refused, ShuduError, Unavailable
from shudu.runs.worker import spread_news
from unit.collect import zoo
from unit.collect.conftest import SECRET, Database, Market, allow

pytestmark = pytest.mark.django_db(transaction=True)
FORMATS = Path(__file__).parents[3] / "docs" / "formats.md"
BEGIN, END = "<!-- databases: begin -->", "<!-- databases: end -->"


def stored(asset: str) -> Any:
    version = catalog.latest(asset)
    assert version is not None
    return version, lake.store().read_table(catalog.files(version), catalog.place(version), EVERYTHING)


def test_no_value_is_bent(database: Database, market: Market) -> None:
    values = zoo.POSTGRESQL if database.kind == "postgresql" else zoo.MYSQL
    feed = database.opened(market, database.added(market), "zoo")
    assert queries.standing(feed)["error"] is None
    version, table = stored(feed.asset)
    types = {column["name"]: column["type"] for column in version.columns}
    for number, value in enumerate(values):
        (there,) = table[f"v{number}"].to_pylist()
        assert (types[f"v{number}"], there, type(there)) == (value.stored, value.arrives, type(value.arrives)), value
    odd = {f"v{n}": 1 for n, value in enumerate(values) if value.arrives is None and value.sql != "NULL"}
    assert queries.standing(feed)["odd"] == odd
    assert queries.standing(feed)["meters"]["odd"] == len(odd)


def test_the_table_of_databases_is_golden() -> None:
    text = FORMATS.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    there, _, after = rest.partition(END)
    if os.environ.get("SHUDU_GOLDEN") == "write":
        FORMATS.write_text(f"{before}{BEGIN}\n{zoo.table()}\n{END}{after}", "utf-8")
    else:
        assert there.strip() == zoo.table()


def test_tables_and_columns_are_those_the_user_may_read(database: Database, market: Market) -> None:
    source = database.added(market)
    names = [table["name"] for table in queries.tables(market.provider, source.id)]
    assert f"{database.prefix}zoo" in names
    assert f"{database.prefix}hidden" not in names
    columns = queries.fields(market.provider, source.id, f"{database.prefix}zoo")
    assert [column["name"] for column in columns][:3] == ["v0", "v1", "v2"]
    with pytest.raises(Invalid, match=r"source\.table"):
        queries.fields(market.provider, source.id, "nothing'; DROP TABLE zoo; --")
    with pytest.raises(NotFound):
        queries.tables(market.buyer, source.id)


def test_odd_names_and_chosen_columns(database: Database, market: Market) -> None:
    mark = '"' if database.kind == "postgresql" else "`"
    table, first, last = (f"{mark}{name}{mark}" for name in ("表 it's", "列 a", "select"))
    database.do(f"CREATE TABLE {table} ({first} int, b int, {last} int)")
    database.do(f"INSERT INTO {table} VALUES (1, 2, 3)")
    feed = database.opened(market, database.added(market), "表 it's", columns=("select", "列 a"))
    assert queries.standing(feed)["error"] is None
    _, there = stored(feed.asset)
    assert there.to_pydict() == {"select": [3], "列 a": [1]}


def test_a_reading_is_of_one_moment(database: Database, market: Market) -> None:
    """Somebody moves money between rows all the while: a sum over what was read is always the whole."""
    database.do(
        "CREATE TABLE moved (id int PRIMARY KEY, amount int)" + (" ENGINE=InnoDB" if database.kind == "mysql" else "")
    )
    rows = ", ".join(f"({number}, 100)" for number in range(3_000))
    database.do(f"INSERT INTO moved VALUES {rows}")
    stop = threading.Event()

    def move() -> None:
        while not stop.is_set():
            database.do(
                "START TRANSACTION; UPDATE moved SET amount = amount - 7 WHERE id < 1500;"
                " UPDATE moved SET amount = amount + 7 WHERE id >= 1500; COMMIT"
            )

    mover = threading.Thread(target=move)
    mover.start()
    try:
        feed = database.opened(market, database.added(market), "moved")
    finally:
        stop.set()
        mover.join()
    _, table = stored(feed.asset)
    assert sum(table["amount"].to_pylist()) == 300_000


def test_what_goes_wrong_is_said_and_the_password_never(
    database: Database, market: Market, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    good = database.added(market)
    wrong = {"source.table": good}
    if database.kind == "postgresql":
        wrong["source.unreachable"] = database.added(market, database="nosuch")
    else:
        wrong["source.refused"] = database.added(market, password=f"{SECRET}x")
        allow(monkeypatch, f"{database.place},/nobody/listens,127.0.0.1:{database.port}")
        wrong["source.unreachable"] = database.added(market, host="/nobody/listens")
        wrong["source.tls"] = database.added(market, host="127.0.0.1", tls="require")
    for code, source in wrong.items():
        feed = database.opened(market, source, "nothing")
        told = queries.standing(feed)
        assert (told["state"], told["error"]["code"]) == ("failed", code)
        assert feed.asset == ""
        assert SECRET not in str(told)
    while spread_news():
        pass
    assert SECRET not in caplog.text
    assert SECRET not in str(list(Outbox.objects.values()))
    assert SECRET not in str(list(Source.objects.values()))
    assert queries.way(good).endpoint.password == SECRET


def test_a_password_for_a_socket_is_told_to_nobody_else(
    maria: Database, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver tries 127.0.0.1 after a socket that refused it."""
    allow(monkeypatch, maria.host)
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        source = maria.added(market, port=other.getsockname()[1], password="wrong")
        with pytest.raises(Unavailable, match=r"source\.refused"):
            queries.tables(market.provider, source.id)
        with pytest.raises(BlockingIOError):
            other.accept()


def test_limits_hold(database: Database, market: Market, tmp_path: Path) -> None:
    database.do("CREATE TABLE many (id int)")
    database.do(f"INSERT INTO many VALUES {', '.join(f'({number})' for number in range(2_000))}")
    way = queries.way(database.added(market))
    target = tmp_path / "many.parquet"
    assert reaching.read(way, f"{database.prefix}many", (), None, target)["rows"] == 2_000
    few = replace(way, limits=replace(way.limits, rows=1_999))
    with pytest.raises(Invalid, match=r"source\.size"):
        reaching.read(few, f"{database.prefix}many", (), None, target)
    slow = "SELECT id, pg_sleep(0.01)::text AS s FROM many" if database.kind == "postgresql" else (
        "SELECT id, sleep(0.01) AS s FROM many")  # fmt: skip
    database.do(f"CREATE VIEW dawdling AS {slow}")
    short = replace(way, limits=replace(way.limits, seconds=1))
    with pytest.raises(ShuduError, match=r"source\.time"):
        reaching.read(short, f"{database.prefix}dawdling", (), None, target)


def test_nothing_is_reached_that_is_not_allowed(
    database: Database, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = database.added(market)
    allow(monkeypatch, "elsewhere.example.cn:5432")
    with pytest.raises(Refused, match=r"source\.host"):
        database.added(market)
    with pytest.raises(Refused, match=r"source\.host"):
        queries.tables(market.provider, source.id)
    feed = database.opened(market, source, "zoo")
    assert queries.standing(feed)["error"]["code"] == "source.host"


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("db.example.cn", 5432, True), ("DB.example.cn", 5432, True), ("db.example.cn", 5433, False),
        ("db.example.cn.evil.example", 5432, False), ("127.0.0.1", 5432, False), ("/run/pg", 5432, True),
        ("/run/pg/../x", 5432, False), ("db.example.cn,127.0.0.1", 5432, False), ("db.example.cn user=x", 5432, False),
        ("", 5432, False),
    ],
)  # fmt: skip
def test_an_address_is_allowed_word_for_word(host: str, port: int, allowed: bool) -> None:
    assert reaching.allowed("db.example.cn:5432, /run/pg", host, port) is allowed


@pytest.mark.parametrize("value", ["1; DROP TABLE x", "'", "x", "", "1" * 50, "1' OR '1'='1", "NaN"])
def test_a_watermark_is_a_number_or_a_moment(value: str) -> None:
    field = Field("w", "bigint", "w", orders=True)
    with pytest.raises(Invalid, match=r"source\.watermark"):
        watermark(Since(field, value, True))
    with pytest.raises(Invalid, match=r"source\.watermark"):
        watermark(Since(replace(field, orders=False), "1", True))
    assert watermark(Since(field, "2026-03-01 12:00:00.5+00", True)) == "'2026-03-01 12:00:00.5+00'"


def test_a_closed_source_forgets_its_password(database: Database, market: Market) -> None:
    from shudu.collect import actions

    source = database.added(market)
    feed = database.opened(market, source, "zoo")
    with pytest.raises(Conflict, match=r"source\.in_use"):
        actions.close_source(market.provider, source.id)
    actions.close_feed(market.provider, feed.id)
    closed = actions.close_source(market.provider, source.id)
    assert (closed.state, closed.secret) == ("closed", "")
    with pytest.raises(Conflict, match=r"source\.closed"):
        queries.tables(market.provider, source.id)
    with pytest.raises(Conflict, match=r"lake\.key_destroyed"):
        lake.data_keys().secret(queries.secret_place(source))
