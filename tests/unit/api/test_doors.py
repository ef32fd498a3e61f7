"""Two doors, one house: what the command line does the API does, and the other way round; HEAD, limits, the way in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from typer.main import get_command

from shudu.cli.main import app
from shudu.policy.models import Outbox
from shudu.policy.types import ShuduError
from shudu.site.api import document, limits

from .conftest import Market

OPERATIONS = (Path(__file__).parents[3] / "docs" / "operations.md").read_text("utf-8")
ROWS = re.findall(r"^\| (`shudu [^|]+) \| (`[A-Z]+ /[^|]+) \|$", OPERATIONS, re.MULTILINE)
CALLS = {(method.upper(), path): one for path, method, one in document.operations(document.document())}
# Reading that nobody needs a key for, though its command writes a file or starts with POST.
READING = {"verify_receipt"}


def commands(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    if hasattr(node, "commands"):
        for name, one in node.commands.items():
            yield from commands(one, (*path, name))
    else:
        yield " ".join(path), {option for one in node.params for option in one.opts}


COMMANDS = dict(commands(get_command(app)))


def table() -> dict[str, set[tuple[str, str]]]:
    told = {}
    for names, calls in ROWS:
        found = {(method, f"/api/v1{path}") for method, path in re.findall(r"`([A-Z]+) (/[^`]*)`", calls)}
        for name in re.findall(r"`shudu ([^`]+)`", names):
            told[name] = found
    return told


def test_every_command_has_its_call_and_every_call_its_command() -> None:
    house = set(re.findall(r"`([a-z ]+)`", OPERATIONS.partition("so these have no call: ")[2].partition(".\n")[0]))
    assert len(house) >= 8
    told = table()
    assert set(told) | house == set(COMMANDS)
    assert not set(told) & house
    assert set().union(*told.values()) == set(CALLS)


def test_what_changes_something_takes_a_key_at_both_doors() -> None:
    for name, calls in table().items():
        changing = any(document.changes(method.lower(), CALLS[method, path]) for method, path in calls)
        # A download is a delivery, so the command can repeat one; the call repeats by its own nature.
        assert ("--idempotency-key" in COMMANDS[name]) == (changing or name == "results download"), name


READS = sorted(path for method, path in CALLS if method == "GET" and "{" not in path)


@pytest.mark.parametrize("path", READS)
def test_head_is_get_without_its_body(kept: Market, db: None, path: str) -> None:
    got, head = (kept.buyer.call(method, path.removeprefix("/api/v1")) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head["ETag"] == got["ETag"]
    assert head["Content-Length"] == str(len(got.content))
    known = kept.buyer.call("HEAD", path.removeprefix("/api/v1"), **{"if-none-match": got["ETag"]})
    assert known.status_code == 304


def test_a_head_of_a_result_is_no_delivery(kept: Market, db: None) -> None:
    path = f"/results/{kept.ids['result']}/product.csv"
    before = Outbox.objects.count()
    head = kept.buyer.call("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert kept.stranger.call("HEAD", path).status_code == 404
    assert Outbox.objects.count() == before
    got = kept.buyer.call("GET", path)
    assert Outbox.objects.count() == before + 1
    assert (head["ETag"], head["Content-Length"]) == (got["ETag"], str(len(got.content)))


def test_results_are_listed_for_who_holds_them(kept: Market, db: None) -> None:
    (mine,) = kept.buyer.get("/results")["items"]
    assert mine["id"] == kept.ids["result"]
    assert {one["name"] for one in mine["files"]} == {"product.csv", "product.parquet"}
    csv = kept.buyer.call("GET", f"/results/{mine['id']}/product.csv")
    assert csv["ETag"].strip('"') in {one["sha256"] for one in mine["files"]}
    assert kept.provider.get("/results")["items"] == []


def test_an_order_is_cancelled_by_its_buyer(kept: Market, db: None) -> None:
    order = kept.buyer.do("POST", "/orders", {"offer": kept.ids["offer"], "purpose": "research"})
    path = f"/orders/{order['id']}/cancel"
    assert kept.provider.refused(403, "POST", path)["code"] == "order.cancel.buyer"
    assert kept.buyer.do("POST", path)["state"] == "cancelled"
    assert kept.buyer.refused(409, "POST", path)["code"] == "cases.transition"


def test_the_way_in_leads_to_the_documentation(client: Client, db: None) -> None:
    answer = client.get("/api/v1/")
    told = json.loads(answer.content)
    assert 'rel="service-doc"' in answer["Link"]
    for path in (told["documentation"], told["openapi"]):
        assert client.get(path).status_code == 200


# Limits


class Slow:
    def __init__(self) -> None:
        self.moment = 100.0

    def __call__(self) -> float:
        return self.moment


def test_a_bucket_fills_evenly_and_holds_a_tenth_of_a_minute() -> None:
    now = Slow()
    limiter = limits.Limiter(now)
    for _ in range(60):
        limiter.take("a", 600)
    with pytest.raises(limits.TooMany) as caught:
        limiter.take("a", 600)
    assert caught.value.seconds == 1
    limiter.take("b", 600)
    now.moment += 0.11
    limiter.take("a", 600)
    with pytest.raises(limits.TooMany):
        limiter.take("a", 600)
    now.moment += 3_600
    for _ in range(60):
        limiter.take("a", 600)
    with pytest.raises(ShuduError):
        limiter.take("a", 600)


def test_callers_remembered_are_bounded() -> None:
    limiter = limits.Limiter(Slow())
    for number in range(limits.MOST_CALLERS + 100):
        limiter.take(str(number), 600)
    assert len(limiter.buckets) == limits.MOST_CALLERS


def test_who_calls_too_often_is_told_when_to_come_back(kept: Market, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OPTIONS", replace(settings.OPTIONS, api_calls_per_minute=30))
    monkeypatch.setattr(limits, "limiter", limits.Limiter(Slow()))
    for _ in range(10):
        assert kept.buyer.call("GET", "/me").status_code == 200
    told = kept.buyer.refused(429, "GET", "/me")
    assert told["code"] == "rate.exceeded"
    answer = kept.buyer.call("POST", "/orders", {"offer": kept.ids["offer"], "purpose": "research"})
    assert (answer.status_code, answer["Retry-After"]) == (429, "2")
    assert kept.provider.call("GET", "/me").status_code == 200, "each token has its own"
    unknown = [Client().get("/api/v1/me", headers={"authorization": f"Bearer shudu_{n}"}) for n in range(11)]
    assert [one.status_code for one in unknown] == [401] * 10 + [429], "secrets are not found by trying"
