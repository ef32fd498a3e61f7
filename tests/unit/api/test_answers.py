"""What every answer has in common: problems in both languages, ETags, and the document that says it all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from shudu.identity import queries as parties
from shudu.identity.models import Token
from shudu.policy import clock
from shudu.policy.models import Outbox
from shudu.site.api import document

from .conftest import Market, Parts, new_key

GOLDEN = Path(__file__).parents[2] / "golden" / "openapi-v1.json"


def changing() -> list[tuple[str, str]]:
    found = document.operations(document.document())
    return [(method.upper(), path) for path, method, one in found if document.changes(method, one)]


@pytest.mark.parametrize(("method", "path"), changing(), ids=lambda text: text.removeprefix("/api/v1/"))
def test_what_changes_something_needs_a_key(kept: Market, db: None, method: str, path: str) -> None:
    before = Outbox.objects.count()
    for key, code in ((None, "idempotency.missing"), ("", "idempotency.key"), ("ä" * 3, "idempotency.key")):
        headers = {"authorization": f"Bearer {kept.provider.secret}"}
        if key is not None:
            headers["idempotency-key"] = key
        answer = getattr(Client(), method.lower())(path, headers=headers)
        assert answer.status_code == 400
        assert json.loads(answer.content)["code"] == code
    assert kept.provider.refused(400, method, path.removeprefix("/api/v1"), key="k" * 201)["code"] == "idempotency.key"
    assert Outbox.objects.count() == before


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/orders", {}, "body.body.offer"),
        ("/orders", {"offer": 1, "purpose": "research"}, "body.body.offer"),
        ("/orders", {"offer": "x", "purpose": "research", "more": 1}, "body.body.more"),
        ("/tokens", {"days": 0}, "body.body.days"),
        ("/tokens", {"scopes": ["all"]}, "body.body.scopes.0"),
        ("/tokens", [], "body.body"),
    ],
)
def test_what_is_wrong_with_a_field_is_said_without_its_value(
    kept: Market, db: None, path: str, body: Any, field: str
) -> None:
    english = kept.buyer.refused(422, "POST", path, body)
    assert english["code"] == "input"
    assert field in [one["field"] for one in english["fields"]]
    chinese = json.loads(kept.buyer.call("POST", path, body, **{"accept-language": "zh"}).content)
    assert [one["field"] for one in chinese["fields"]] == [one["field"] for one in english["fields"]]
    assert chinese["fields"][0]["message"] != english["fields"][0]["message"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"1" * 5000,
        b'{"offer": NaN}',
        b'{"offer": "\\ud800"}',
        b'{"offer": "\\u0000"}',
    ],
)
def test_what_cannot_be_read_is_said_so(kept: Market, db: None, content: bytes) -> None:
    headers = {"authorization": f"Bearer {kept.buyer.secret}", "idempotency-key": new_key()}
    answer = Client().post("/api/v1/orders", data=content, content_type="application/json", headers=headers)
    assert answer.status_code in (400, 422)
    assert answer["Content-Type"] == "application/problem+json"


def test_a_body_too_large_is_413(kept: Market, db: None) -> None:
    told = kept.buyer.refused(413, "POST", "/orders", {"offer": "x" * (1 << 20), "purpose": "research"})
    assert told["code"] == "request.too_large"


def test_other_addresses_and_methods_are_problems_too(kept: Market, db: None) -> None:
    assert kept.buyer.refused(404, "GET", "/nothing/here")["code"] == "not_found"
    assert kept.buyer.refused(404, "GET", "/offers/a/b/c")["code"] == "not_found"
    answer = kept.buyer.call("PUT", "/offers", {})
    assert answer.status_code == 405
    assert {one.strip() for one in answer["Allow"].split(",")} == {"GET", "HEAD", "POST"}
    assert json.loads(answer.content)["code"] == "request.method"


def test_a_fault_of_ours_says_nothing_of_itself(kept: Market, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*_: Any) -> None:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr(parties, "register", fall)
    answer = kept.buyer.call("GET", "/parties")
    assert answer.status_code == 500
    assert answer["Content-Type"] == "application/problem+json"
    assert "secret" not in answer.content.decode()
    assert "ZeroDivision" not in answer.content.decode()
    assert json.loads(answer.content)["code"] == "server.fault"


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "after=x", "after=%00", f"limit={'9' * 30}"])
def test_a_page_that_cannot_be_is_said_so(kept: Market, db: None, query: str) -> None:
    assert kept.buyer.refused(422, "GET", f"/assets?{query}")["fields"]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/assets", "after, limit, overdue"),
        ("/parties", "after, limit, code, name"),
        ("/runs", "after, limit"),
        ("/assets/{asset}/versions", "at"),
        ("/assets/{asset}/quality", "version"),
        ("/versions/{version}/diff", "against, rows"),
    ],
)
def test_a_parameter_nobody_knows_is_refused_with_those_there_are(
    kept: Market, db: None, path: str, known: str
) -> None:
    path = path.format(**kept.ids)
    problem = kept.provider.refused(422, "GET", f"{path}?limits=5&more=secret")
    assert [one["field"] for one in problem["fields"]] == ["query.limits", "query.more"]
    assert all(one["message"].endswith(f"there are {known}") for one in problem["fields"])
    assert "secret" not in str(problem)
    chinese = json.loads(kept.provider.call("GET", f"{path}?limits=5", **{"accept-language": "zh"}).content)
    assert chinese["detail"] == f"“query.limits”不正确：没有这个参数；可用的有 {known}。"


def test_every_list_refuses_a_parameter_it_does_not_know(kept: Market, db: None) -> None:
    paths = json.loads(GOLDEN.read_text())["paths"]
    asked = {
        path.removeprefix("/api/v1").format(**kept.ids)
        for path, operations in paths.items()
        if any(one["in"] == "query" for one in operations.get("get", {}).get("parameters", ()))
    }
    assert len(asked) > 15
    for path in asked:
        assert kept.provider.refused(422, "GET", f"{path}?limits=5")["code"] == "input", path


@pytest.mark.parametrize("noun", ["party", "asset", "version", "offer", "order", "agreement", "run"])
def test_what_has_not_changed_is_not_sent_again(kept: Market, db: None, noun: str) -> None:
    plural = {"party": "parties"}.get(noun, f"{noun}s")
    owner = kept.buyer if noun in ("order", "agreement", "run") else kept.provider
    path = f"/{plural}/{kept.ids[noun]}"
    first = owner.call("GET", path)
    for known in (first["ETag"], f'"other", {first["ETag"]}', f"W/{first['ETag']}", "*"):
        again = owner.call("GET", path, **{"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again["ETag"] == first["ETag"]
    assert owner.call("GET", path, **{"if-none-match": '"other"'}).status_code == 200
    assert "Authorization" in first["Vary"]
    assert first["Cache-Control"] == "private, no-cache"


def test_every_download_is_sent_and_recorded_whatever_the_caller_has(kept: Market, db: None) -> None:
    path = f"/results/{kept.ids['result']}/product.csv"
    first = kept.buyer.call("GET", path)
    again = kept.buyer.call("GET", path, **{"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (200, first.content)
    assert again["Link"] != first["Link"]
    assert again["Cache-Control"] == "no-store"


def test_golden_openapi_document() -> None:
    made = document.text().decode()
    if os.environ.get("SHUDU_GOLDEN") == "write":
        GOLDEN.write_text(made, "utf-8")
    assert GOLDEN.read_text("utf-8") == made, "the API changed: see what, then `make golden`"


def test_the_document_is_served_and_every_operation_is_named_in_both_languages(client: Client) -> None:
    assert client.get("/api/v1/openapi.json").content == document.text()
    ids = []
    for _, method, operation in document.operations(document.document()):
        ids.append(operation["operationId"])
        assert operation["summary"].isascii()
        assert any("\u4e00" <= sign <= "\u9fff" for sign in operation["x-summary-zh"])
        assert operation["security"] == [{"Bearer": []}]
        keys = [one for one in operation["parameters"] if one["name"] == "Idempotency-Key"]
        assert len(keys) == (1 if document.changes(method, operation) else 0)
    assert len(ids) == len(set(ids)) > 30


def test_every_example_is_one_the_api_can_read(kept: Market, db: None) -> None:
    shown = [
        (path.removeprefix("/api/v1"), one)
        for path, _, one in document.operations(document.document())
        if "x-example" in one
    ]
    assert len(shown) >= 8
    for path, operation in shown:
        body: Any = operation["x-example"]
        if "multipart/form-data" in operation["requestBody"]["content"]:
            body = Parts(body, b"")
        told = json.loads(kept.operator.call("POST", path.replace("{", "").replace("}", ""), body).content)
        assert told.get("code") not in ("input", "offer.code", "offer.split"), (path, told)


def test_no_two_schemas_share_a_name() -> None:
    """Ninja lets the second overwrite the first without a word."""
    from shudu.site.api.root import api

    names: dict[str, set[str]] = {}
    assert api._routers
    for name, module in list(sys.modules.items()):
        if name.startswith("shudu.") and name.endswith(".api"):
            for kind in vars(module).values():
                if isinstance(kind, type) and hasattr(kind, "model_json_schema") and kind.__module__ == name:
                    names.setdefault(kind.__name__, set()).add(name)
    assert len(names) > 20
    assert {name: where for name, where in names.items() if len(where) > 1} == {}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_reference_shows_a_command_for_every_operation(client: Client, db: None, language: str) -> None:
    answer = client.get("/api/v1/docs", headers={"accept-language": language})
    assert answer.status_code == 200
    text = answer.content.decode()
    for _, _, operation in document.operations(document.document()):
        assert f'id="{operation["operationId"]}"' in text
    assert text.count("curl http://testserver/api/v1/") >= 30
    # Scripts of our own files only: the page's content policy lets none run that stands in the page.
    assert text.count("<script") == text.count('<script type="module" src="/static/')
    assert " style=" not in text
    assert "default-src 'self'" in answer["Content-Security-Policy"]


def test_the_command_line_does_not_wait_for_the_api() -> None:
    words = "import django; django.setup(); import shudu.cli.main, sys; print('ninja' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_times_are_told_in_utc(kept: Market, db: None) -> None:
    token = Token.objects.get(pk=kept.ids["token"])
    told = next(one for one in kept.provider.get("/tokens")["items"] if one["id"] == token.id)
    assert told["expires"] == clock.stamp(token.issued + timedelta(days=90))


def test_versions_as_of_the_ends_of_the_calendar(kept: Market, db: None) -> None:
    """Nothing is recorded beyond them: before the first there was none, and the last one stands."""
    path = f"/assets/{kept.ids['asset']}/versions?at="
    for day, zones in (("0001-01-01T00:00:00", ("Z", "%2B08:00")), ("9999-12-31T23:59:59", ("Z", "-08:00"))):
        found = [len(kept.provider.get(f"{path}{day}{zone}")["items"]) for zone in zones]
        assert found == [int(day > "1")] * 2, day
