"""Other parties' ids, in every address the document has: nobody learns that they are there."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shudu.policy import ids
from shudu.policy.models import Outbox
from shudu.site.api import document

from .conftest import TABLE, Market, Parts, new_key

WITH_ID = [(method.upper(), path, one) for path, method, one in document.operations(document.document()) if "{" in path]
# The register of parties is open to whoever has a token; what is a party's own is not: 403 for one, 404 for none.
OPEN = {"get_party"}
KNOWN = {"get_account", "get_statement"}
OPERATORS = {"deposit"}  # refused before anybody is looked up
BODIES: dict[str, Any] = {
    "append_upload": {},
    "publish_upload": {"title": "客户"},
    "publish_upload_version": {"mode": "append"},
    "deposit": {"amount_fen": 1},
    "survey_source": {},
    "promise_update": {"update_cycle": "4"},
    "declare_quality": {"rules": []},
    "approve_release": {"opinion": "可"},
    "submit_corrections": Parts(None, TABLE),
    "publish_version": Parts({"mode": "append"}, TABLE),
    "refuse_release": {"opinion": "不可"},
    "review_asset": {"opinion": "可"},
    "revoke_agreement": {"reason": "breach"},
}
NOUNS = {
    "party",
    "token",
    "asset",
    "version",
    "offer",
    "order",
    "agreement",
    "run",
    "result",
    "upload",
    "batch",
    "sender_key",
    "source",
    "feed",
}


def test_every_id_in_an_address_is_one_this_test_knows() -> None:
    assert len(WITH_ID) >= 15
    named = {name for _, path, _ in WITH_ID for name in re.findall(r"{(\w+)}", path)}
    assert named - {"file"} == NOUNS


def body_of(operation: dict[str, Any]) -> Any:
    body = BODIES.get(operation["operationId"])
    assert (body is not None) == ("requestBody" in operation)
    if operation["operationId"] == "revoke_agreement":
        schema = document.document()["components"]["schemas"]["RevocationReason"]
        body = {"reason": schema["enum"][0]}
    return body


def placed(path: str, ids_by_noun: dict[str, str]) -> str:
    names = {**ids_by_noun, "file": "product.csv"}
    return re.sub(r"{(\w+)}", lambda found: names[found[1]], path.removeprefix("/api/v1"))


@pytest.mark.parametrize(
    ("method", "path", "operation"), WITH_ID, ids=[f"{method} {path}" for method, path, _ in WITH_ID]
)
def test_a_stranger_learns_nothing(kept: Market, db: None, method: str, path: str, operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    body = body_of(operation)
    missing = {noun: ids.new("asset" if noun == "result" else noun) for noun in NOUNS}
    there_is = {
        **kept.ids,
        "asset": kept.ids["hidden_asset"],
        "version": kept.ids["hidden_version"],
        "offer": kept.ids["draft"],
    }
    before = Outbox.objects.count()
    answers = []
    for known in (there_is, missing):
        answer = kept.stranger.call(method, placed(path, known), body, key=new_key())
        told = answer.content.decode()
        for one in re.findall(r"{(\w+)}", path):
            told = told.replace({**known, "file": "product.csv"}[one], one)
        answers.append((answer.status_code, told))
    there, gone = answers
    if name in OPEN:
        assert (there[0], gone[0]) == (200, 404)
    elif name in KNOWN:
        assert (there[0], gone[0]) == (403, 404)
    elif name in OPERATORS:
        assert there == gone
        assert there[0] == 403
    else:
        assert there == gone
        assert there[0] == 404
    assert Outbox.objects.count() == before


@pytest.mark.parametrize("form", ["x", "..", "%00", "%F0%A0%AE%B7", "' OR 1=1 --", "ast_" + "z" * 26, "a" * 3000])
@pytest.mark.parametrize(
    ("method", "path", "operation"), WITH_ID, ids=[f"{method} {path}" for method, path, _ in WITH_ID]
)
def test_an_odd_id_is_not_found(
    kept: Market, db: None, method: str, path: str, operation: dict[str, Any], form: str
) -> None:
    odd = dict.fromkeys(NOUNS, form)
    answer = kept.provider.call(method, placed(path, odd), body_of(operation))
    first = operation["operationId"] in OPERATORS and form != "%00"  # such an address leads nowhere at all
    assert answer.status_code == (403 if first else 404)
    assert answer["Content-Type"] == "application/problem+json"


LISTS = [path for path, method, one in document.operations(document.document()) if method == "get" and "{" not in path]


@pytest.mark.parametrize("path", LISTS)
def test_a_strangers_lists_hold_nothing_of_others(kept: Market, db: None, path: str) -> None:
    answer = kept.stranger.call("GET", path.removeprefix("/api/v1"))
    assert answer.status_code == 200
    told = json.loads(answer.content)
    if path == "/api/v1/parties":
        return  # the register is open to whoever has a token
    # So are live offers and the entries of what they offer; nothing else is.
    hidden = {
        noun: one for noun, one in kept.ids.items() if noun not in ("party", "offer", "asset", "version", "model")
    }
    assert len(hidden) == 15
    text = json.dumps(told)
    assert {noun for noun, one in hidden.items() if one in text} == set()


def test_each_party_sees_its_own(kept: Market, db: None) -> None:
    """The other half: the addresses above do answer those they are for."""
    seen = {
        "get_account": kept.provider,
        "get_statement": kept.provider,
        "get_party": kept.provider,
        "get_asset": kept.provider,
        "get_version": kept.provider,
        "get_upload": kept.provider,
        "get_batch": kept.provider,
        "list_versions": kept.provider,
        "get_feed": kept.provider,
        "get_contents": kept.provider,
        "get_report": kept.provider,
        "get_anonymity": kept.provider,
        "get_quality": kept.provider,
        "list_quality": kept.provider,
        "get_offer": kept.modeller,
        "get_order": kept.buyer,
        "get_agreement": kept.buyer,
        "get_run": kept.provider,
        "get_receipt": kept.provider,
        "download_result": kept.buyer,
    }
    reading = {one["operationId"]: path for method, path, one in WITH_ID if method == "GET"}
    assert reading.pop("diff_version")  # of a first version: 409 for its owner, tested with the versions
    assert reading.pop("get_release")  # nor was any release held
    assert reading.pop("get_release_file")
    assert reading.pop("get_corrections")
    assert reading.pop("get_correction_list")
    assert reading.pop("get_rejected")  # nothing of this table was put aside: the address answers 404 to its owner too
    assert set(seen) == set(reading)
    for name, who in seen.items():
        answer = who.call("GET", placed(reading[name], kept.ids))
        assert answer.status_code == 200, (name, answer.content)


@pytest.mark.parametrize("path", LISTS)
def test_a_list_asks_the_database_no_more_for_more_rows(kept: Market, db: None, path: str) -> None:
    who = kept.provider if path.endswith(("assets", "offers", "tokens")) else kept.buyer
    kept.buyer.call("GET", f"/results/{kept.ids['result']}/product.csv")
    counts = []
    for limit in (1, 50):
        with CaptureQueriesContext(connection) as asked:
            answer = who.call("GET", f"{path.removeprefix('/api/v1')}?limit={limit}")
        counts.append(len(asked))
    names = "/me /ledger /releases /corrections /orders /results /uploads /batches /signing-keys /sources /feeds"
    few = tuple(names.split())
    if not path.endswith(few):
        assert len(json.loads(answer.content)["items"]) > 1
    # One more where a list that is not full makes sure that nothing follows (`audiences.newest`).
    assert counts[0] <= counts[1] <= min(counts[0] + 1, 12)
