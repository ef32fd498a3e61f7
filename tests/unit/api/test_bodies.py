"""Ids inside requests: another party's answers exactly as one that does not exist, whatever else is right or wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shudu.collect.api import _BATCH
from shudu.policy import ids
from shudu.policy.models import Outbox
from shudu.site.api import document

from .conftest import TERMS, Market

# Every text in every request, by operation: the noun it names, or "" for what is no id.
TEXTS: dict[str, dict[str, str]] = {
    "accept_batch": {"upload": "upload"},
    "accept_package": {"upload": "upload"},
    "add_source": {"name": "", "host": "", "database": "", "user": ""},
    "approve_release": {"opinion": ""},
    "create_upload": {"name": "", "sha256": "", "sm3": ""},
    "create_offer": {"data": "asset", "label": "", "model": "asset"},
    "create_table_offer": {"data": "asset"},
    "create_party": {"name": "", "code": ""},
    "issue_token": {"party": "party", "person": "person"},
    "open_feed": {"source": "source", "table": "", "title": "", "title_en": "", "key": "", "level": ""},
    "place_order": {"offer": "offer", "purpose": ""},
    "preview_table": {"sheet": ""},
    "publish_model": {"title": "", "title_en": "", "level": ""},
    "publish_upload": {"title": "", "title_en": "", "key": "", "level": ""},
    "publish_upload_version": {"expected": ""},
    "publish_table": {"title": "", "title_en": "", "key": "", "level": ""},
    "publish_version": {"expected": ""},  # compared, never looked up
    "refuse_release": {"opinion": ""},
    "register_key": {"verifier": ""},
    "review_asset": {"opinion": ""},
    "survey_source": {"table": ""},
    "verify_receipt": {"key": ""},
}
SENT = [(path, one) for path, _, one in document.operations(document.document()) if "requestBody" in one]
CLOSED = {"enum", "const", "format"}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    schemas = document.document()["components"]["schemas"]
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    return schema


def texts(schema: dict[str, Any]) -> set[str]:
    """The properties of a request that hold free text; a list of texts too. Files are not text."""
    found = set()
    for name, one in resolved(schema).get("properties", {}).items():
        ways = [resolved(way) for way in one.get("anyOf", one.get("allOf", [one]))]
        if any("properties" in way for way in ways):
            found |= {inner for way in ways for inner in texts(way)} if name in ("body", "fields") else set()
        elif name != "file" and any(way.get("type") == "string" and not CLOSED & set(way) for way in ways):
            found.add(name)
    return found


def test_every_text_in_every_request_is_known() -> None:
    told = {}
    for _, operation in SENT:
        found = {
            name for content in operation["requestBody"]["content"].values() for name in texts(content["schema"])
        } - {"product"}
        if found:
            told[operation["operationId"]] = found
    assert told == {name: set(fields) for name, fields in TEXTS.items()}


def bodies(market: Market) -> dict[str, dict[str, Any]]:
    """A request of each operation that would succeed but for the id put in."""
    own = {**TERMS, "data": market.ids["asset"], "model": market.ids["model"]}
    return {
        "accept_batch": {"header": _BATCH["header"]},
        "accept_package": {},
        "create_offer": own,
        "create_table_offer": {name: own[name] for name in ("data", "purposes", "bases", "runs", "until", "price_fen")},
        "place_order": {"offer": market.ids["offer"], "purpose": "research"},
        "issue_token": {"party": market.provider.party},
        "open_feed": {"table": "t", "title": "表"},
    }


FIELDS = [(operation, field, noun) for operation, fields in TEXTS.items() for field, noun in fields.items() if noun]


@pytest.mark.parametrize("wrong", [{}, {"price_fen": -1}, {"purpose": "nothing"}, {"until": "2020-01-01"}], ids=str)
@pytest.mark.parametrize(("operation", "field", "noun"), FIELDS, ids=[f"{one[0]}.{one[1]}" for one in FIELDS])
def test_anothers_id_in_a_request_answers_as_one_that_is_not_there(
    kept: Market, db: None, operation: str, field: str, noun: str, wrong: dict[str, Any]
) -> None:
    path = next(path for path, one in SENT if one["operationId"] == operation).removeprefix("/api/v1")
    hidden = {
        "asset": [kept.ids["hidden_asset"], kept.ids["hidden_model"], kept.ids["result"]],
        "offer": [kept.ids["draft"]],
        "party": [kept.buyer.party],
        "person": [kept.ids["person"]],
        "upload": [kept.ids["upload"]],
        "source": [kept.ids["source"]],
    }[noun]
    # Who asks could do the rest of it: the provider draws up an offer of its own table with the id as the model.
    before = Outbox.objects.count()
    for who in (kept.stranger, kept.provider if field == "model" else kept.stranger):
        body = {**bodies(kept)[operation], **wrong}
        if operation not in ("create_offer", "create_table_offer"):
            body = {key: value for key, value in body.items() if key not in ("price_fen", "until")}
        if operation == "issue_token":
            body = {"party": who.party} if field == "person" else {}
        known = [one for one in hidden if who is kept.stranger or one == kept.ids["hidden_model"]]
        answers = set()
        for one in (*known, ids.new(noun)):
            answer = who.call("POST", path, {**body, field: one})
            told = json.loads(answer.content)
            answers.add((answer.status_code, json.dumps(told, sort_keys=True).replace(one, noun)))
            assert answer.status_code >= 400, told
        assert len(answers) == 1, answers
    assert Outbox.objects.count() == before


def test_a_draft_names_only_what_its_drafter_may_see(kept: Market, db: None) -> None:
    """And the way in: a model its owner lets be found can be named by the owner of a table."""
    body = {**TERMS, "data": kept.ids["asset"], "model": kept.ids["hidden_model"]}
    told = kept.provider.refused(404, "POST", "/offers", body)
    assert told["code"] == "not_found"
    assert "secret" not in json.dumps(told)
    shown = kept.provider.get(f"/assets/{kept.ids['model']}")
    assert shown["findable"] is True
    assert kept.provider.do("POST", "/offers", {**body, "model": kept.ids["model"]})["state"] == "drafted"
