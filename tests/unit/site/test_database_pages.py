"""Pages about databases, against a real PostgreSQL, the way through them against a real MariaDB as well: add, look,
open a feed, refresh, a failure said; no password."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.urls import reverse

from shudu.collect import queries
from shudu.collect.models import Feed, Source
from shudu.policy.models import Outbox
from shudu.runs.models import Run, RunOutput
from shudu.runs.worker import settle
from unit.collect.conftest import SECRET, Database, allow, maria, postgres

from .conftest import PASSWORD
from .test_pages import check_languages

__all__ = ["maria", "postgres"]

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("锦江数据有限公司", "业务库", "来源客户")
EACH = pytest.mark.parametrize("database", ["postgres", "maria"], indirect=True)
MOMENT = {"postgresql": "timestamptz", "mysql": "datetime(6)"}
# A table that the source's user may not read.
HIDDEN = {
    "postgresql": "CREATE TABLE IF NOT EXISTS hidden (id int); REVOKE ALL ON hidden FROM reader",
    "mysql": "CREATE DATABASE IF NOT EXISTS elsewhere; CREATE TABLE IF NOT EXISTS elsewhere.hidden (id int)",
}


class Steward:
    """Somebody at the pages; everything they are shown is kept."""

    def __init__(self, username: str, database: Database) -> None:
        self.client, self.seen, self.database, self.sent = Client(), "", database, 0
        self.client.post("/sign-in/", {"login": username, "password": PASSWORD})

    def get(self, path: str, status: int = 200, language: str = "zh") -> str:
        answer = self.client.get(path, headers={"accept-language": language})
        assert answer.status_code == status, answer.content.decode()
        self.seen += answer.content.decode()
        return answer.content.decode()

    def post(self, path: str, status: int = 303, **form: Any) -> str:
        """Send a form; answers with where it leads, or with the page that says why not."""
        self.sent += 1
        answer = self.client.post(path, {"key": f"k{self.sent}", **form}, headers={"accept-language": "zh"})
        assert answer.status_code == status, answer.content.decode()
        self.seen += answer.content.decode()
        return str(answer.headers.get("Location", "")) or answer.content.decode()

    def added(self, **other: str) -> str:
        told = {
            "name": "业务库", "kind": self.database.kind, "host": self.database.host, "database": "city",
            "user": "reader", "password": SECRET, "tls": "off",
        }  # fmt: skip
        return self.post("/sources/new/", **{**told, **other})

    def opened(self, source: str, **other: Any) -> str:
        """The page of a feed whose first run waits."""
        return self.post(f"{source}feed/", **{**FORM, "table": self.table, **other})

    @property
    def table(self) -> str:
        return f"{self.database.prefix}clients"

    def looked(self, source: str, table: str = "") -> str:
        place = self.post(f"{source}survey/", table=table)
        assert 'hx-trigger="every 1s"' in self.get(place)
        run = Run.objects.filter(kind="survey").latest("id")
        settle(run.id)
        return self.get(place)


@pytest.fixture
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Database:
    """PostgreSQL, or the kind a test asks for; allowed by the operating company."""
    found: Database = request.getfixturevalue(getattr(request, "param", "postgres"))
    allow(monkeypatch, found.place)
    return found


@pytest.fixture
def steward(member: str, database: Database) -> Steward:
    database.do("DROP TABLE IF EXISTS clients")
    database.do(
        f"CREATE TABLE clients (id bigint PRIMARY KEY, name text, changed {MOMENT[database.kind]} NOT NULL);"
        "INSERT INTO clients VALUES (1, '甲', '2026-03-01'), (2, '乙', '2026-03-02')"
    )
    return Steward(member, database)


FORM = {
    "title": "来源客户", "entity_key": "id", "mode": "upsert", "watermark": "changed",
    "every": "1440", "level": "L2", "origin": "real", "update_cycle": "3",
}  # fmt: skip


@EACH
def test_from_a_database_to_a_table_that_keeps_itself_current(
    steward: Steward, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    table = steward.table
    steward.database.do(HIDDEN[steward.database.kind])
    assert "还没有来源库" in steward.get("/sources/")
    source = steward.added()
    assert "还没有查看过" in steward.get(source)
    page = steward.looked(source)
    assert f"<code>{table}</code>" in page
    assert "hidden</code>" not in page
    form = steward.get(f"{source}feed/?table={table}")
    assert "查看它的列" in form
    assert "entity_key" not in form, "nothing to choose from before its columns are known"
    form = steward.looked(source, table)
    assert f"<code>{table}</code>" in form
    assert form.count('value="changed"') == 3  # as the key, as the watermark, among the columns
    assert form.count('value="name"') == 2, "text carries no watermark"
    feed = steward.opened(source)
    assert "正在读取来源表" in steward.get(feed)
    assert 'hx-trigger="every 1s"' in steward.get(f"{feed}progress/")
    row = Feed.objects.get()
    settle(row.run)
    row.refresh_from_db()
    page = steward.get(feed)
    assert "hx-trigger" not in page
    assert "第 1 版" in page
    assert "每天" in page
    asset = reverse("asset", args=[row.asset])
    page = steward.get(asset)
    assert "保持更新" in page
    assert "上次已完成" in page
    steward.database.do("INSERT INTO clients VALUES (3, '丙', '2026-03-03')")
    steward.post(f"{feed}refresh/")
    assert "上一次刷新还在进行" in steward.post(f"{feed}refresh/", status=409)
    settle(Feed.objects.get().run)
    assert "第 2 版" in steward.get(feed)
    steward.post(f"{feed}refresh/")
    settle(Feed.objects.get().run)
    assert "没有新内容" in steward.get(feed)
    # It breaks: everywhere the owner looks it says why and which way on.
    steward.database.do("DROP TABLE clients")
    steward.post(f"{feed}refresh/")
    settle(Feed.objects.get().run)
    error = queries.standing(Feed.objects.get())["error"]
    for place in (feed, asset, "/sources/", source):
        page = steward.get(place)
        assert error["message"]["zh"] in page, place
        assert "上次未完成" in page
    assert error["remedy"]["zh"] in steward.get(feed)
    assert error["remedy"]["zh"] in steward.get(asset)
    assert "仍是上一版本" in steward.get(feed)
    for run in Run.objects.all():
        assert "未知代码" not in steward.get(reverse("run", args=[run.id])), "what comes in has no purpose to doubt"
    assert "先停止这些供数" in steward.post(f"{source}close/", status=409)
    for path in (feed, asset, "/sources/", source, f"{source}feed/?table={table}"):
        check_languages(steward.client, path, NAMES)
    steward.get("/?lang=zh")
    steward.post(f"{feed}close/")
    assert "已停止" in steward.get(feed)
    assert "保持更新" not in steward.get(asset)
    assert steward.post(f"{source}close/") == "/sources/"
    assert "密码已销毁" in steward.get(source)
    assert "停用来源库" not in steward.get(source)
    assert Source.objects.get().secret == ""
    kept = [str(one) for model in (Session, Outbox, Run) for one in model.objects.values()]
    for told in (steward.seen, caplog.text, *kept):
        assert SECRET not in told
        assert "S3cret" not in told


def test_a_refresh_that_ends_while_its_page_is_made(steward: Steward) -> None:
    """Between whichever two reads: the page asks again, or shows what came of it."""
    source = steward.added()
    steward.looked(source, steward.table)
    feed = steward.opened(source)
    going = Run.objects.get(kind="collection")
    settle(going.id)
    ended, output, row = Run.objects.get(pk=going.id), RunOutput.objects.get(run=going), Feed.objects.get()
    reads, at = 1, 0
    while at < reads:
        going.save()
        output.delete()
        Feed.objects.update(asset="")
        reads = 0

        def between(execute: Any, sql: str, params: Any, many: bool, context: Any, at: int = at) -> Any:
            nonlocal reads
            reads += 1
            if reads == at + 1:
                row.save(update_fields=["asset"])
                ended.save()
                output.save(force_insert=True)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(between):
            page = steward.get(f"{feed}progress/")
        assert "第 1 版" in page or 'hx-trigger="every 1s"' in page, f"it ended before read {at}"
        at += 1
    assert at > 5


@EACH
def test_what_is_wrong_is_said_and_the_password_is_typed_anew(steward: Steward) -> None:
    page = steward.post(
        "/sources/new/", status=403, name="业务库", kind=steward.database.kind, host="elsewhere.example.cn",
        database="d", user="u", password=SECRET, tls="off",
    )  # fmt: skip
    assert "source.host" in page
    assert 'value="elsewhere.example.cn"' in page
    assert "S3cret" not in page
    assert "这一栏须填整数" in steward.post("/sources/new/", status=400, **{**_source(), "port": "x"})
    page = steward.looked(steward.added(user="nobody"))
    assert "source.refused" in page
    assert "S3cret" not in page
    opened = re.search(r'name="opened_for" value="([^"]+)"', page)
    assert opened
    steward.client.logout()
    answer = steward.client.post(
        "/sources/new/", {**_source(), "password": SECRET, "key": "x", "opened_for": opened[1]}
    )
    assert answer.status_code == 303
    assert all("S3cret" not in str(one.get_decoded()) for one in Session.objects.all())
    assert any("业务库" in str(one.get_decoded()) for one in Session.objects.all()), "the rest is kept"


def _source() -> dict[str, str]:
    return {"name": "业务库", "kind": "mysql", "host": "db.example.cn", "database": "d", "user": "u", "tls": "off"}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"entity_key": ""}, "按主键更新须指明主键列"),
    ({"mode": "append", "watermark": ""}, "追加须指明增量标记列"),
    ({"mode": "replace"}, "整表替换不用增量标记"),
    ({"columns": ["name"]}, "所选的列须含主键与增量标记"),
    ({"every": "3"}, "至少相隔 5 分钟"),
    ({"title": ""}, "填得不对"),
]


def test_a_rule_that_does_not_hold_together_is_said_beside_the_form(steward: Steward) -> None:
    source = steward.added()
    steward.looked(source, steward.table)
    for change, said in WRONG:
        page = steward.opened(source, status=400, **change)
        assert said in page
        assert 'value="来源客户"' in page or "title" in change
    assert not Feed.objects.exists()


def test_many_tables_are_searched_by_name(steward: Steward) -> None:
    source = steward.added()
    steward.looked(source)
    run = Run.objects.get(kind="survey")
    tables = [{"name": f"public.t{number:04}", "view": False} for number in range(3_000)]
    Run.objects.filter(pk=run.id).update(done={"look": {"found": tables, "more": True}})
    page = steward.get(source)
    assert len(page) < 100_000
    assert "请用表名缩小范围" in page
    assert "没有记下" in page
    page = steward.get(f"{source}?find=T2999")
    assert "public.t2999" in page
    assert "public.t2998" not in page
    assert "没有这样的表名" in steward.get(f"{source}?find=<script>")
