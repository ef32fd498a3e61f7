"""Agreements that no longer carry a run: wrong purpose, revoked, exhausted; and two at the last run at once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from journeys.console import BUYER, MODELLER, PROVIDER, Console

PRICE = 120_001


@pytest.fixture
def funded(console: Console) -> Console:
    console.do("init")
    console.register()
    console.do("accounts", "deposit", BUYER, "--yuan", "5000")
    return console


def test_purpose_revocation_and_the_fate_of_results(funded: Console) -> None:
    offer = funded.live_offer(purpose="research,statistics")
    assert funded.refused("orders", "place", offer, "--buyer", BUYER, "--purpose", "marketing") == "terms.purposes"
    order = funded.order(offer)
    run = funded.do("runs", "start", order, "--wait")
    agreement = funded.do("orders", "show", order)["agreements"][0]
    assert funded.refused("agreements", "revoke", agreement, "--as", BUYER, "--reason", "breach")
    told = funded.say("agreements", "revoke", agreement, "--as", PROVIDER, "--reason", "because", "--json")
    code = told.json["error"]["remedy"]["en"].split(":")[1].split(",")[0].strip(" .")
    funded.do("agreements", "revoke", agreement, "--as", PROVIDER, "--reason", code)
    before = funded.funds(BUYER)
    assert funded.refused("runs", "start", order) == "agreement.revoked"
    assert funded.funds(BUYER) == before
    # What was delivered stands, as the offer's terms for results say.
    funded.do("results", "download", run["result"], "-o", "product.csv")
    # Only the buyer may have it.
    assert funded.refused("results", "download", run["result"], "-o", "p.csv", "--as", PROVIDER)
    assert funded.refused("results", "download", run["result"], "-o", "p.csv", "--as", MODELLER)


def test_the_last_run_is_run_once(funded: Console) -> None:
    """Two processes start the last run of an order at the same moment: one runs, the other is told why not."""
    order = funded.order(funded.live_offer(runs=1))
    command = [sys.executable, "-m", "shudu.cli", "runs", "start", order, "--wait", "--json"]
    both = [
        subprocess.Popen(command, env=funded.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    refused = next(answer for answer in answers if "error" in answer)
    assert refused["error"]["code"] in ("accounts.quota", "cases.transition")
    assert funded.funds(BUYER) == (500_000 - PRICE, 0)
    assert funded.refused("runs", "start", order) == "accounts.quota"
    assert funded.funds(BUYER) == (500_000 - PRICE, 0)


def test_a_run_without_a_result_costs_nothing(funded: Console) -> None:
    """120 customers, none of the groups nor all together reaching 500: nothing leaves and nothing is charged."""
    order = funded.order(funded.live_offer(min_group=500))
    said = funded.say("runs", "start", order, "--wait", "--json")
    assert said.code == 1
    assert said.json["state"] == "failed"
    assert said.json["error"]["code"] == "release.withheld"
    assert funded.funds(BUYER) == (500_000, 0)
    assert funded.do("orders", "show", order)["state"] == "failed"
    # The count came back with the money: the order can be run again.
    assert funded.say("runs", "start", order, "--wait", "--json").json["error"]["code"] == "release.withheld"


def test_keys_make_retries_harmless(funded: Console) -> None:
    offer = funded.live_offer()
    words = ("orders", "place", offer, "--buyer", BUYER, "--purpose", "research", "--idempotency-key", "k1")
    assert funded.do(*words)["id"] == funded.do(*words)["id"]
    assert funded.funds(BUYER) == (500_000 - PRICE, PRICE)
    changed = ("orders", "place", funded.live_offer(), "--buyer", BUYER, "--purpose", "research")
    assert funded.refused(*changed, "--idempotency-key", "k1") == "idempotency.reused"
