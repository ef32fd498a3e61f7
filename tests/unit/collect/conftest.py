"""Two real servers holding the same small tables, and a party that may read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from django.conf import settings

from shudu.collect import actions, queries
from shudu.collect.models import Feed, Source
from shudu.collect.types import AddSource, OpenFeed
from shudu.identity import actions as parties
from shudu.identity import queries as identity
from shudu.identity.codes import make_uscc
from shudu.identity.types import CreateParty, founder
from shudu.policy.types import Actor
from shudu.runs.worker import settle
from unit.collect import mariadb, zoo
from unit.postgres import server as postgresql

SECRET = "S3cret-of-the-source'\\"


@dataclass
class Market:
    operator: Actor
    provider: Actor
    buyer: Actor


@pytest.fixture
def market(db: None, clock: Any) -> Market:
    operator = identity.actor_for(parties.create_operator(founder(), CreateParty(name="锦水数据运营有限公司")).id)
    named = []
    for serial, name in enumerate(("蜀通电信有限公司", "武侯研究院有限公司"), start=1):
        code = make_uscc("510100", f"MA{serial:06d}")
        named.append(identity.actor_for(parties.create_party(operator, CreateParty(name=name, code=code)).id))
    return Market(operator, *named)


@dataclass
class Database:
    """A server under test: how it is reached, and how its administrator speaks to it."""

    kind: str
    host: str
    port: int
    do: Any
    prefix: str

    @property
    def place(self) -> str:
        return self.host if self.host.startswith("/") else f"{self.host}:{self.port}"

    def added(self, market: Market, **other: Any) -> Source:
        told: dict[str, Any] = {
            "name": "业务库", "kind": self.kind, "host": self.host, "port": self.port, "database": "city",
            "user": "reader", "password": SECRET, "tls": "off",
        }  # fmt: skip
        return actions.add_source(market.provider, AddSource(**{**told, **other}))

    def opened(self, market: Market, source: Source, table: str, **other: Any) -> Feed:
        """A feed whose first run has ended, well or not."""
        request = OpenFeed(source=source.id, table=self.prefix + table, title="来源表", **other)
        row = actions.open_feed(market.provider, request)
        settle(row.run)
        return queries.feed_row(row.id)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Database]:
    with postgresql.running() as server:
        url = server.database("city")
        quoted = SECRET.replace("'", "''")

        def do(sql: str) -> None:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(sql)

        do("CREATE TYPE mood AS ENUM ('甲', '乙')")
        do(f"CREATE ROLE reader LOGIN PASSWORD '{quoted}'")
        do(f"CREATE TABLE zoo ({zoo.columns(zoo.POSTGRESQL)}); INSERT INTO zoo VALUES ({zoo.row(zoo.POSTGRESQL)})")
        do("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; CREATE TABLE hidden (id int)")
        do("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader")
        yield Database("postgresql", str(server.folder), 5432, do, "public.")


@pytest.fixture(scope="session")
def maria() -> Iterator[Database]:
    with mariadb.running() as server:
        quoted = SECRET.replace("\\", "\\\\").replace("'", "''")
        server.do(
            "CREATE DATABASE city CHARACTER SET utf8mb4; SET sql_mode = ''; SET time_zone = '+00:00'; USE city;"
            f"CREATE TABLE zoo ({zoo.columns(zoo.MYSQL)}); INSERT INTO zoo VALUES ({zoo.row(zoo.MYSQL)});"
            f"CREATE USER reader@'%' IDENTIFIED BY '{quoted}'; GRANT SELECT ON city.* TO reader@'%'"
        )
        yield Database("mysql", server.socket, server.port, lambda sql: server.do(f"USE city; {sql}"), "")


@pytest.fixture(params=["postgres", "maria"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Each kind in turn, allowed by the operating company."""
    found: Database = request.getfixturevalue(request.param)
    allow(monkeypatch, found.place)
    return found


def allow(monkeypatch: pytest.MonkeyPatch, places: str, **other: Any) -> None:
    monkeypatch.setattr(settings, "OPTIONS", replace(settings.OPTIONS, source_hosts=places, **other))
