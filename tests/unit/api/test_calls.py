"""What every call has in common where it changes something: tokens, idempotency keys, paging, refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from shudu.catalog.models import Asset
from shudu.identity.types import Scope
from shudu.policy import actions as policy

from .conftest import TABLE, TERMS, Caller, Market, Parts, caller, new_key


def test_no_token_or_a_wrong_one_is_401_and_says_how(market: Market) -> None:
    bare = Client().get("/api/v1/me")
    assert bare.status_code == 401
    assert bare["WWW-Authenticate"] == 'Bearer realm="shudu"'
    assert bare["Content-Type"] == "application/problem+json"
    assert json.loads(bare.content)["code"] == "token.missing"
    for sent in ("Basic abc", "Bearer", "Bearer ", market.buyer.secret):
        assert Client().get("/api/v1/me", headers={"authorization": sent}).status_code == 401
    wrong = Caller("", market.buyer.secret[:-1] + ("a" if market.buyer.secret[-1] != "a" else "b"))
    answer = wrong.call("GET", "/me")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="shudu", error="invalid_token"')
    assert market.buyer.call("GET", "/me", authorization=f"bearer {market.buyer.secret}").status_code == 200


def test_an_expired_a_revoked_and_a_reading_token(market: Market, clock: Any) -> None:
    short = caller(market.buyer.party, Scope.READ, Scope.WRITE, days=1)
    assert short.get("/me")["id"] == market.buyer.party
    clock.advance(days=1, seconds=1)
    assert short.refused(401, "GET", "/me")["code"] == "token.expired"

    issued = market.buyer.do("POST", "/tokens", {"scopes": ["read"], "days": 3})
    reader = Caller(market.buyer.party, issued["secret"])
    assert reader.get("/me")["id"] == market.buyer.party
    told = reader.refused(403, "POST", "/tokens", {})
    assert told["code"] == "token.scope"
    assert told["reasons"] == [
        {"rule": "token.scope", "allowed": False, "message": told["detail"], "remedy": told["remedy"]}
    ]
    assert all("secret" not in one or one["secret"] is None for one in market.buyer.get("/tokens")["items"])
    assert market.buyer.do("DELETE", f"/tokens/{issued['id']}")["revoked"]
    assert reader.refused(401, "GET", "/me")["code"] == "token.revoked"


def test_a_token_of_another_party_is_nobody_elses_to_issue(market: Market) -> None:
    told = market.stranger.refused(404, "POST", "/tokens", {"party": market.buyer.party})
    assert told["code"] == "not_found"
    assert market.operator.do("POST", "/tokens", {"party": market.buyer.party})["party"] == market.buyer.party


def test_a_session_cookie_opens_nothing(market: Market) -> None:
    client = Client()
    client.cookies["sessionid"] = "anything"
    assert client.get("/api/v1/parties").status_code == 401
    assert client.post("/api/v1/parties", data={}).status_code == 401  # not 403: no form token is asked for either


def test_the_same_call_twice_does_it_once_and_another_under_its_key_is_refused(market: Market) -> None:
    key = new_key()
    fields = {"title": "客户", "key": "customer_no"}
    first = market.provider.do("POST", "/assets", Parts(fields, TABLE), key=key)
    again = market.provider.do("POST", "/assets", Parts(fields, TABLE), key=key)
    assert first["id"] == again["id"]
    assert Asset.objects.count() == 1
    for parts in (Parts({**fields, "title": "别的"}, TABLE), Parts(fields, TABLE + b"K9999,x,1,y\n")):
        told = market.provider.refused(409, "POST", "/assets", parts, key=key)
        assert told["code"] == "idempotency.reused"
    assert Asset.objects.count() == 1
    assert market.stranger.do("POST", "/assets", Parts(fields, TABLE), key=key)["id"] != first["id"]

    key = new_key()
    secret = market.buyer.do("POST", "/tokens", {"scopes": ["read", "write"]}, key=key)
    replayed = market.buyer.do("POST", "/tokens", {"scopes": ["write", "read"]}, key=key)
    assert replayed["id"] == secret["id"]
    assert secret["secret"]
    assert replayed["secret"] is None
    path, body = f"/accounts/{market.buyer.party}/deposits", {"amount_fen": 5}
    one, two = (market.operator.do("POST", path, body, key=key) for _ in range(2))
    assert one == two


def test_a_request_with_a_set_in_it_is_the_same_request_in_another_process() -> None:
    """Eight and nought fall into one slot of a set, so their order is that of coming in: as it is for words."""
    from pydantic import BaseModel

    class Request(BaseModel):
        numbers: frozenset[int]

    one, other = Request(numbers=frozenset([0, 8])), Request(numbers=frozenset([8, 0]))
    assert one.model_dump_json() != other.model_dump_json()
    assert policy._digest((one,), {}) == policy._digest((other,), {})


def test_a_refusal_is_explained_in_the_callers_language(traded: Market) -> None:
    order = {"offer": traded.ids["offer"], "purpose": "marketing"}
    english = traded.buyer.refused(403, "POST", "/orders", order)
    chinese = traded.buyer.call("POST", "/orders", order, **{"accept-language": "zh-CN,zh;q=0.9"})
    told = json.loads(chinese.content)
    assert chinese["Content-Language"] == "zh-CN"
    assert told["code"] == english["code"]
    assert [one["rule"] for one in told["reasons"]] == [one["rule"] for one in english["reasons"]]
    for field in ("title", "detail", "remedy"):
        assert any("\u4e00" <= sign <= "\u9fff" for sign in told[field])
        assert english[field].isascii() or "¥" in english[field] or "“" in english[field]
    refusal = next(one for one in told["reasons"] if not one["allowed"])
    assert (refusal["message"], refusal["remedy"]) == (told["detail"], told["remedy"])


def test_paging_walks_everything_once_while_rows_are_added(market: Market) -> None:
    names = {f"主体{number}" for number in range(23)}
    for name in names:
        market.operator.do("POST", "/parties", {"name": name})
    seen: list[str] = []
    place: str | None = "/parties?limit=5"
    while place:
        answer = market.buyer.call("GET", place)
        items = json.loads(answer.content)["items"]
        assert len(items) <= 5
        seen += [one["name"] for one in items]
        market.operator.do("POST", "/parties", {"name": f"新来的{len(seen)}"})
        link = answer.headers.get("Link")
        assert (link is None) == (len(items) < 5) or len(items) == 5
        place = link.split(">")[0].removeprefix("</api/v1") if link else None
    assert len(seen) == len(set(seen))
    assert names <= set(seen)
    assert not [name for name in seen if name.startswith("新来的")]
    ids = [one["id"] for one in market.buyer.get("/parties?limit=200")["items"]]
    assert ids == sorted(ids, reverse=True)


def test_a_statement_is_paged_too(market: Market) -> None:
    for amount in range(1, 8):
        market.operator.do("POST", f"/accounts/{market.stranger.party}/deposits", {"amount_fen": amount})
    place: str | None = f"/accounts/{market.stranger.party}/statement?limit=3"
    seen: list[int] = []
    while place:
        answer = market.stranger.call("GET", place)
        seen += [one["available_fen"] for one in json.loads(answer.content)["items"]]
        link = answer.headers.get("Link")
        place = link.split(">")[0].removeprefix("</api/v1") if link else None
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_an_etag_changes_with_what_it_names(market: Market) -> None:
    first = market.buyer.call("GET", f"/accounts/{market.buyer.party}")["ETag"]
    market.operator.do("POST", f"/accounts/{market.buyer.party}/deposits", {"amount_fen": 1})
    again = market.buyer.call("GET", f"/accounts/{market.buyer.party}", **{"if-none-match": first})
    assert again.status_code == 200
    assert again["ETag"] != first


def test_a_draft_is_its_parties_own(market: Market) -> None:
    market.publish()
    draft = market.draft()
    for method, path in (("GET", ""), ("POST", "/accept"), ("POST", "/withdraw")):
        assert market.stranger.refused(404, method, f"/offers/{draft}{path}")["code"] == "not_found"
    told = market.stranger.refused(404, "POST", "/orders", {"offer": draft, "purpose": "research"})
    assert told["code"] == "not_found"
    assert market.modeller.get(f"/offers/{draft}")["state"] == "drafted"
    # Until the provider accepts, its table is not shown to the modeller by being named in a draft of the modeller's.
    assert market.operator.refused(403, "POST", f"/offers/{draft}/withdraw")["code"] == "offer.withdraw.assigner"


HUGE = 10**40


@pytest.mark.parametrize(
    "changed",
    [
        {"min_group": 0},
        {"min_group": -1},
        {"min_group": HUGE},
        {"runs": HUGE},
        {"price_fen": -HUGE},
        {"split": {}},
        {"split": {"provider": HUGE, "modeller": -HUGE, "platform": 100}},
        {"purposes": [{}]},
        {"purposes": [None]},
        {"bases": "contract" * 1000},
        {"until": "0001-01-01"},
        {"until": "9999-12-31"},
        {"group_by": [""]},
        {"group_by": ["contract"] * 1000},
        {"group_by": ["没有这一列"]},
        {"data": "", "model": ""},
    ],
    ids=str,
)
def test_terms_no_offer_can_have_are_refused_in_words(market: Market, changed: dict[str, Any]) -> None:
    market.publish()
    body = {**TERMS, "data": market.ids["asset"], "model": market.ids["model"], **changed}
    answer = market.provider.call("POST", "/offers", body)
    told = json.loads(answer.content)
    if changed == {"until": "9999-12-31"}:
        assert answer.status_code in (201, 422)
    else:
        assert answer.status_code in (403, 404, 422), told
        assert told["detail"]


@pytest.mark.parametrize("amount", [0, -1, HUGE, 1.5, "1", None, True])
def test_amounts_that_are_none_are_refused(market: Market, amount: Any) -> None:
    path = f"/accounts/{market.buyer.party}/deposits"
    assert market.operator.refused(422, "POST", path, {"amount_fen": amount})["detail"]
    assert market.buyer.get(f"/accounts/{market.buyer.party}")["available_fen"] == 1_000_000
