"""Files that come in: good, bad, too large, oddly named; nothing of them is left behind."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from shudu.catalog.models import Asset
from shudu.identity.types import Scope

from .conftest import MODEL, TABLE, Market, Parts, caller, new_key

FIELDS = {"title": "客户", "key": "customer_no"}


def left() -> list[Path]:
    root = settings.HOME / "uploads"
    return [path for path in root.rglob("*") if path.name != ".lock"] if root.exists() else []


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"", "publish.empty"),
        (b"PK\x03\x04" + b"\0" * 500, "publish.damaged"),
        (b'a,b\n1,"2\n', "row.quotes"),
        (b"a,b\n1,2\n3\n", "row.width"),
    ],
    ids=["empty", "zip", "quote", "short-row"],
)
def test_a_bad_table_is_refused_in_words_and_nothing_is_published(market: Market, file: bytes, code: str) -> None:
    told = market.provider.refused(422, "POST", "/assets", Parts({"title": "坏"}, file, "坏表.csv"))
    assert told["code"] == code
    assert told["remedy"]
    assert Asset.objects.count() == 0
    assert left() == []


@pytest.mark.parametrize("file", [b"", b"{}", b"\x80\x04\x95.", b"[" * 10_000, MODEL[:-20], b"x" * 1_000_001])
def test_a_bad_model_is_refused_in_words(market: Market, file: bytes) -> None:
    told = market.modeller.refused(422, "POST", "/models", Parts({"inputs": ["tenure"]}, file, "card.json"))
    assert told["code"].startswith(("model.", "scorecard."))
    assert Asset.objects.count() == 0
    assert left() == []


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        (Parts(FIELDS, None), "file.file"),
        (Parts(None, TABLE), "body.fields"),
        (Parts({"key": "x"}, TABLE), "body.fields.title"),
        (Parts({**FIELDS, "source": "/etc/passwd"}, TABLE), "body.fields.source"),
        (Parts({**FIELDS, "sha256": "0" * 64}, TABLE), "body.fields.sha256"),
        (Parts({**FIELDS, "origin": "made up"}, TABLE), "body.fields.origin"),
        (Parts({**FIELDS, "core": {"share_type": "2"}}, TABLE), "body.fields.core"),
        (Parts({**FIELDS, "title": "  "}, TABLE), "body.fields.title"),
    ],
)
def test_fields_that_cannot_be_used_are_named(market: Market, parts: Parts, field: str) -> None:
    told = market.provider.refused(422, "POST", "/assets", parts)
    assert field in [one["field"] for one in told["fields"]]
    assert Asset.objects.count() == 0
    assert left() == []


def test_broken_forms_are_said_to_be(market: Market) -> None:
    headers = {"authorization": f"Bearer {market.provider.secret}"}
    for kind, body in (
        ("multipart/form-data; boundary=x", b"--y\r\n\r\n"),
        ("multipart/form-data", b"nothing"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n1',
        ),
        ("application/json", json.dumps(FIELDS).encode()),
    ):
        answer = Client().post(
            "/api/v1/assets", body, content_type=kind, headers={**headers, "idempotency-key": new_key()}
        )
        assert answer.status_code in (400, 422)
        assert answer["Content-Type"] == "application/problem+json"
    told = market.provider.refused(400, "POST", "/assets", Parts(None, TABLE, more={"fields": "{"}))
    assert told["code"] == "request.unreadable"
    many = {f"f{number}": SimpleUploadedFile("a.csv", b"a\n1\n") for number in range(101)}
    told = market.provider.refused(400, "POST", "/assets", Parts(FIELDS, TABLE, more=many))
    assert told["code"] == "request.unreadable"
    told = market.provider.refused(413, "POST", "/assets", Parts({**FIELDS, "title_en": "x" * (1 << 20)}, TABLE))
    assert told["code"] == "request.too_large"
    assert Asset.objects.count() == 0
    assert left() == []


def test_a_file_too_large_is_refused_as_it_comes(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OPTIONS", replace(settings.OPTIONS, max_upload_mb=1))
    row = b"K0001,one,2,three\n"
    large = b"customer_no,a,b,c\n" + row * ((1 << 20) // len(row) + 1)
    told = market.provider.refused(413, "POST", "/assets", Parts(FIELDS, large))
    assert told["code"] == "upload.too_large"
    more = {"again": SimpleUploadedFile("b.csv", large[: 600 << 10])}
    told = market.provider.refused(413, "POST", "/assets", Parts(FIELDS, large[: 600 << 10], more=more))
    assert told["code"] == "upload.too_large"
    assert Asset.objects.count() == 0
    assert left() == []


def test_nothing_is_read_from_whoever_may_not_write(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    from shudu.site.api import uploads

    def fall(*_: Any) -> None:
        raise AssertionError("a file was taken in")

    monkeypatch.setattr(uploads.Spool, "new_file", fall)
    reader = caller(market.provider.party, Scope.READ)
    assert reader.refused(403, "POST", "/assets", Parts(FIELDS, TABLE))["code"] == "token.scope"
    stranger = caller(market.provider.party)
    stranger.secret = "shudu_none"
    assert stranger.refused(401, "POST", "/assets", Parts(FIELDS, TABLE))["code"] == "token.unknown"


def test_an_upload_is_private_while_it_is_there_and_gone_afterwards(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shudu.catalog import actions

    seen: list[Path] = []
    publish = actions.publish

    def look(actor: Any, request: Any, **more: Any) -> Any:
        seen.append(request.source)
        assert stat.S_IMODE(request.source.stat().st_mode) == 0o600
        for folder in (request.source.parents[1], settings.HOME / "uploads"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert request.source.is_relative_to(settings.HOME)
        return publish(actor, request, **more)

    monkeypatch.setattr(actions, "publish", look)
    market.provider.do("POST", "/assets", Parts(FIELDS, TABLE))
    assert len(seen) == 1
    assert left() == []


def test_what_a_killed_process_left_is_removed_and_what_another_holds_is_not(market: Market) -> None:
    root = settings.HOME / "uploads"
    root.mkdir(mode=0o700, exist_ok=True)
    dead, alive = root / "dead", root / "alive"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "table.csv").write_bytes(TABLE)
    holder = os.open(alive, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    market.provider.do("POST", "/assets", Parts(FIELDS, TABLE))
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) == ["alive"]
    os.close(holder)
    market.provider.do("POST", "/assets", Parts(FIELDS, TABLE))
    assert left() == []


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\\b.csv", "𠮷野.csv", "x" * 300 + ".csv", ". ", "-rf", "‮gpj.csv"]
)
def test_an_odd_file_name_does_no_harm(market: Market, name: str) -> None:
    market.provider.do("POST", "/assets", Parts(FIELDS, TABLE, name))
    assert Asset.objects.count() == 1
    assert left() == []


def test_text_of_any_kind_survives(market: Market) -> None:
    title = "𠮷野<script>alert(1)</script>“表”" + "长" * 150
    core = {"class_path": "基础/人口", "abstract": {"zh": "𠮷"}}
    made = market.provider.do("POST", "/assets", Parts({**FIELDS, "title": title, "core": core}, TABLE))
    shown = market.provider.get(f"/assets/{made['id']}")
    assert shown["title"] == {"zh": title}
    assert shown["core"]["abstract"] == {"zh": "𠮷"}
