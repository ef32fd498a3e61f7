"""A held release over the API and at the command line: seen and decided by the data's owner, by nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from shudu.policy import ids
from shudu.runs.worker import settle

from .conftest import Market
from .test_strangers_console import console

__all__ = ["console"]
REASON = {"opinion": "各组均为公开信息。"}
Console = Callable[..., tuple[int, str]]


@pytest.fixture
def held(market: Market) -> Market:
    """A run whose terms ask for a look each time."""
    market.publish()
    market.ids["offer"] = market.draft(review=True)
    for party in (market.provider, market.modeller):
        party.do("POST", f"/offers/{market.ids['offer']}/accept")
    order = market.buyer.do("POST", "/orders", {"offer": market.ids["offer"], "purpose": "research"})
    market.ids["order"] = order["id"]
    market.ids["run"] = market.buyer.do("POST", f"/orders/{order['id']}/runs")["id"]
    settle(market.ids["run"])
    assert market.buyer.get(f"/runs/{market.ids['run']}")["state"] == "held"
    return market


def test_over_the_api_the_owner_sees_what_would_leave_and_lets_it(held: Market) -> None:
    run = held.ids["run"]
    (listed,) = held.provider.get("/releases")["items"]
    shown = held.provider.get(f"/releases/{run}")
    assert listed == shown
    assert (shown["run"], shown["party"], shown["asset"]) == (run, held.buyer.party, held.ids["asset"])
    assert (shown["held_for"], shown["decision"], shown["decided"]) == (["review"], None, None)
    assert {"name", "ok"} <= shown["checks"][0].keys()
    answer = held.provider.call("GET", f"/releases/{run}/files/product.csv")
    assert answer["Cache-Control"] == "no-store"
    content = answer.content
    assert content.startswith(b"contract,")
    for other in (held.buyer, held.modeller, held.operator, held.stranger):
        assert other.get("/releases")["items"] == []
        for path in ("", "/files/product.csv", "/files/product.parquet"):
            other.refused(404, "GET", f"/releases/{run}{path}")
        for verb in ("approve", "refuse"):
            other.refused(404, "POST", f"/releases/{run}/{verb}", REASON)

    held.provider.refused(422, "POST", f"/releases/{run}/approve", {"opinion": "   "})
    held.provider.refused(404, "POST", f"/releases/{ids.new('run')}/approve", REASON)
    key = ids.new("run")
    approved = held.provider.do("POST", f"/releases/{run}/approve", REASON, key=key)
    assert approved["decision"] == "approved"
    assert held.provider.do("POST", f"/releases/{run}/approve", REASON, key=key) == approved
    held.provider.refused(409, "POST", f"/releases/{run}/refuse", REASON)
    assert held.provider.get("/releases")["items"] == []
    settle(run)
    done = held.buyer.get(f"/runs/{run}")
    assert done["state"] == "closed"
    got = held.buyer.call("GET", f"/results/{done['result']['asset']}/product.csv")
    told = b"".join(got.streaming_content) if got.streaming else got.content  # type: ignore[attr-defined]
    assert told.removeprefix("\ufeff".encode()) == content.removeprefix("\ufeff".encode())


def test_over_the_api_the_owner_keeps_it_in_and_nobody_is_charged(held: Market) -> None:
    run = held.ids["run"]
    assert held.provider.do("POST", f"/releases/{run}/refuse", REASON)["decision"] == "refused"
    settle(run)
    ended = held.buyer.get(f"/runs/{run}")
    assert (ended["state"], ended["error"]["code"]) == ("failed", "release.withheld")
    assert held.buyer.get(f"/accounts/{held.buyer.party}")["available_fen"] == 1_000_000
    # Neither the reason nor the checks are told to the buyer.
    assert REASON["opinion"] not in json.dumps(ended, ensure_ascii=False)


@pytest.mark.parametrize(("verb", "state"), [("approve", "closed"), ("refuse", "failed")])
def test_at_the_command_line(held: Market, console: Console, verb: str, state: str) -> None:
    run = held.ids["run"]

    def say(*words: str, who: str = held.provider.party) -> Any:
        code, told = console("releases", *words, "--as", who, "--json")
        return code, json.loads(told)

    _, listed = say("list")
    assert [(one["run"], one["held_for"], one["decision"]) for one in listed["releases"]] == [(run, ["review"], None)]
    _, shown = say("show", run)
    assert shown["product.csv"].startswith("contract,")
    assert shown["checks"]
    for other in (held.buyer, held.modeller, held.operator):
        assert say("list", who=other.party)[1]["releases"] == []
        for words in (("show", run), (verb, run, "--reason", "可")):
            code, told = say(*words, who=other.party)
            assert (code, told["error"]["code"]) == (1, "not_found")
    code, told = say(verb, run, "--reason", " ")
    assert (code, told["error"]["code"]) == (1, "release.opinion")
    code, told = say(verb, run, "--reason", REASON["opinion"])
    assert (code, told["decision"]) == (0, {"approve": "approved", "refuse": "refused"}[verb])
    code, told = say(verb, run, "--reason", REASON["opinion"])
    assert code == 1, "what is decided is decided"
    assert say("list")[1]["releases"] == []
    settle(run)
    assert held.buyer.get(f"/runs/{run}")["state"] == state


def test_a_party_asks_for_stricter_rules_at_both_doors(market: Market, console: Console) -> None:
    found = {one["rule"]: one for one in market.provider.get("/releases/rules")["items"]}
    assert (found["min_group"]["house"], found["min_group"]["own"], found["group_by"]["holds"]) == (10, None, None)
    body, key = {"min_group": 20, "dominant_share": 0.8, "group_by": ["contract"]}, ids.new("run")
    told = market.provider.do("POST", "/releases/rules", body, key=key)
    assert market.provider.do("POST", "/releases/rules", body, key=key) == told
    assert {one["rule"]: one["holds"] for one in told["items"] if one["own"] is not None} == body
    problem = market.provider.refused(422, "POST", "/releases/rules", {"min_group": 9})
    assert (problem["code"], problem["where"]["field"]) == ("release.laxer", "min_group")
    for wrong in ({"min_group": "20"}, {"min_group": True}, {"max_row": 3}, {"dominant_share": 0}):
        market.provider.refused(422, "POST", "/releases/rules", wrong)
    market.operator.refused(403, "GET", "/releases/rules")
    market.operator.refused(403, "POST", "/releases/rules", {"min_group": 20})

    def say(*words: str) -> Any:
        code, told = console("releases", *words, "--as", market.provider.party, "--json")
        return code, json.loads(told)

    code, shown = say("rules")
    assert (code, shown["rules"]["min_group"]) == (0, {"house": 10, "own": 20, "holds": 20})
    code, shown = say("restrict", "min_group=30", "group_by=contract,region")
    assert (code, shown["rules"]["group_by"]["holds"]) == (0, ["contract", "region"])
    assert shown["rules"]["dominant_share"]["own"] is None
    assert say("restrict", "min_group=5")[1]["error"]["code"] == "release.laxer"
    assert say("restrict", "min_grup=50")[1]["error"]["code"] == "release.rule"
    assert {one["rule"]: one["own"] for one in market.provider.get("/releases/rules")["items"]}["min_group"] == 30
    code, shown = say("restrict")
    assert (code, {rule["own"] for rule in shown["rules"].values()}) == (0, {None})
