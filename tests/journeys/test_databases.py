"""A steward who publishes from a database, in a browser: add it, look, open a feed, refresh, and see why one failed.
The real server, its worker and a real PostgreSQL; every page under axe, and none may run off a phone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from journeys.browser import Reader, served
from journeys.test_people import browser, how, person, pytestmark, shots
from unit.postgres import server as postgresql

__all__ = ["browser", "person", "pytestmark"]

PEOPLE = """
import sys
from pathlib import Path
from shudu.cli.house import open_home
open_home(Path(sys.argv[1]))
from pydantic import SecretStr
from shudu.identity import actions, queries
from shudu.identity.types import CreateParty, MemberRole
operator = queries.actor_for(queries.operator().id)
party = actions.create_party(operator, CreateParty(name="竹枝数据", code="91510100MA0000103G"))
actions.add_member(operator, party.id, "provider", MemberRole.ADMIN, password=SecretStr(sys.argv[2]))
"""
PATIENCE = 120_000  # milliseconds: a reading starts an interpreter of its own, on a machine that may be busy
SECRET = "S3cret-of-the-source"
TABLE = "CREATE TABLE clients (id bigint PRIMARY KEY, name text, changed timestamptz NOT NULL)"


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[str, Callable[[str], None]]]:
    """Where it is, and a way to change it."""
    with postgresql.running() as server:
        url = server.database("city")

        def do(sql: str) -> None:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(sql)

        do(f"CREATE ROLE reader LOGIN PASSWORD '{SECRET}'; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader")
        do(f"{TABLE}; INSERT INTO clients VALUES (1, '甲', '2026-03-01')")
        yield str(server.folder), do


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, database: tuple[str, Any]) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHUDU_SOURCE_HOSTS", database[0])
        with served(tmp_path_factory.mktemp("databases"), PEOPLE) as address:
            yield address


def looked_at(reader: Reader) -> list[str]:
    """What is wrong with the page. With SHUDU_SHOTS naming a folder, a picture of it is kept there."""
    if folder := os.environ.get("SHUDU_SHOTS"):
        name = re.sub(r"\W+", "-", reader.page.url.partition("//")[2].partition("/")[2])[:40]
        language = reader.page.get_attribute("html", "lang")
        at = len(list(Path(folder).glob("databases-*")))
        reader.page.screenshot(path=Path(folder) / f"databases-{at:02}-{name}-{language}.png", full_page=True)
    assert SECRET not in reader.page.content()
    return ["runs off"] * bool(shots().runs_off(reader.page)) + reader.accessible()


def test_a_steward_keeps_a_table_current_from_a_database(
    person: Callable[..., Reader], database: tuple[str, Callable[[str], None]]
) -> None:
    place, do = database
    steward = person("provider", **how("wide-light-zh"))
    page, wrong = steward.page, []
    steward.go("/publish/")
    steward.follow("改为从数据库发布")
    wrong += looked_at(steward)
    steward.follow("登记来源库")
    wrong += looked_at(steward)
    told = {"name": "业务库", "host": place, "database": "city", "user": "reader", "password": SECRET}
    for field, text in told.items():
        page.fill(f"[name={field}]", text)
    page.select_option("[name=tls]", "off")
    steward.press("登记")
    source = page.url
    steward.press("查看有哪些表")
    page.wait_for_selector("#contents a:has-text('public.clients')", timeout=PATIENCE)
    wrong += looked_at(steward)
    steward.follow("从它发布")
    steward.press("查看它的列")
    page.wait_for_selector("[name=title]", timeout=PATIENCE)
    wrong += looked_at(steward)
    page.fill("[name=title]", "来源客户")
    for field, choice in {"entity_key": "id", "mode": "upsert", "watermark": "changed", "every": "1440"}.items():
        page.select_option(f"[name={field}]", choice)
    steward.press("设立供数")
    feed = page.url
    page.wait_for_selector("#runs :text('第 1 版')", timeout=PATIENCE)
    wrong += looked_at(steward)
    do("INSERT INTO clients VALUES (2, '乙', '2026-03-02')")
    steward.press("立即刷新")
    page.wait_for_selector("#runs :text('第 2 版')", timeout=PATIENCE)
    do("DROP TABLE clients")
    steward.press("立即刷新")
    page.wait_for_selector("#feed .notice.bad", timeout=PATIENCE)
    assert page.locator("#feed [role=status]").inner_text() == "上次刷新未完成"
    steward.follow("来源客户")
    assert "上次未完成" in steward.said()
    page.select_option("[name=update_cycle]", "3")
    steward.press("更改")
    assert "更新周期已更改" in steward.said()
    other = person("provider", **how("phone-dark-en"))
    for path in ("/sources/", "/sources/new/", source, feed, page.url):
        other.go(path)
        wrong += looked_at(other)
    assert not wrong
    # Mended, and without a script: by reloading.
    do(f"{TABLE}; INSERT INTO clients VALUES (3, '丙', '2026-03-03')")
    plain = person("provider", java_script_enabled=False)
    plain.go(feed)
    plain.press("立即刷新")
    for _ in range(120):
        if "第 3 版" in plain.said():
            break
        plain.page.wait_for_timeout(500)
        plain.page.reload()
    assert "第 3 版" in plain.said()
    assert plain.page.locator("#feed .notice.bad").count() == 0
