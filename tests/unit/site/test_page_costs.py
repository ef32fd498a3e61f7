"""Pages cost the same however much there is: as many queries, and no page too large, with ten thousand rows of each."""

from __future__ import annotations

import gzip
import time
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse

from shudu.agreements.models import Agreement, Offer, OfferLine
from shudu.cases.models import Case
from shudu.catalog.models import Asset, AssetAudience, AssetAudienceSize
from shudu.exchange.models import Order
from shudu.identity import actions as identity
from shudu.identity import queries as parties
from shudu.identity.models import Party
from shudu.identity.types import IssueToken, Scope
from shudu.policy import clock
from shudu.policy.types import Via
from shudu.runs.models import Run

from .test_market_pages import PAGES, Town, done, town
from .test_pages import Page

__all__ = ["done", "town"]

MANY = 10_000
MOST_KB = 200
MOST_SECONDS = 0.5  # of the processor: ten times the budget, so that only growth fails on a slow machine
SPARED = 3  # queries a page with nothing to show need not make
LISTS = ("assets", "offers", "orders", "agreements", "runs", "parties")


def fill(town: Town) -> None:
    """Ten thousand more of everything the provider and the buyer have between them."""
    seller, buyer, now = town.ids["provider"], town.ids["buyer"], clock.now()
    offer, line = Offer.objects.get(), OfferLine.objects.filter(number=1).get()
    step: dict[str, Any] = {"batch_size": 2_000}
    assets = Asset.objects.bulk_create(
        [
            Asset(owner=seller, kind="table", level="L2", code=f"many/{number}", title={"zh": f"第{number}号数据"})
            for number in range(MANY)
        ],
        **step,
    )
    for token in ("signed_in", f"party:{seller}"):
        rows = [AssetAudience(row=asset, token=token, until=clock.FOREVER) for asset in assets]
        AssetAudience.objects.bulk_create(rows, **step)
    AssetAudienceSize.objects.all().delete()
    import_module("shudu.agreements.migrations.0003_sized_audiences").size(apps, None)
    terms = {"terms": line.terms, "terms_sha256": line.terms_sha256, "version": line.version}
    shared = {"price_fen": 1, "split": offer.split, "state": "live", "until": offer.until}
    offers = Offer.objects.bulk_create([Offer(drafted_by=seller, title=offer.title, **shared) for _ in assets], **step)
    lines = OfferLine.objects.bulk_create(
        [
            OfferLine(offer=one, number=1, role="data", asset=asset.id, assigner=seller, accepted_at=now, **terms)
            for one, asset in zip(offers, assets, strict=True)
        ],
        **step,
    )
    concluded = {"assigner": seller, "assignee": buyer, "until": offer.until, "runs": 1, **terms}
    Agreement.objects.bulk_create(
        [Agreement(offer_id=one.offer_id, line=one, asset=one.asset, **concluded) for one in lines], **step
    )
    orders = Order.objects.bulk_create(
        [Order(offer=one.id, buyer=buyer, purpose="research", price_fen=1) for one in offers], **step
    )
    old = Case.objects.filter(subject=town.ids["order"]).values("procedure", "version", "state").get()
    Case.objects.bulk_create([Case(subject=one.id, owner=buyer, opened=now, **old) for one in orders], **step)
    Run.objects.bulk_create(
        [Run(kind="compute", party=buyer, order=one.id, purpose="research", state="queued") for one in orders], **step
    )
    Party.objects.bulk_create(
        [Party(kind="organisation", name=f"第{number}家", created=now) for number in range(MANY)], **step
    )


def cost(client: Client, path: str, **headers: str) -> tuple[int, float, float]:
    """Queries, KB compressed, and seconds of the processor, of two tries the quicker."""
    seconds = []
    for _ in range(2):
        began = time.process_time()
        with CaptureQueriesContext(connection) as asked:
            response = client.get(path, headers=headers)
        seconds.append(time.process_time() - began)
    assert response.status_code == 200, (path, response.content.decode()[:1_000])
    return len(asked), len(gzip.compress(response.content)) / 1_024, min(seconds)


def test_no_page_and_no_list_grows_with_the_rows(done: Town) -> None:
    pages = [(who, reverse(name, args=args(done))) for who, name, args in PAGES]
    key = {}
    for who in ("provider", "buyer", "operator"):
        actor = parties.actor_for(done.ids.get(who) or parties.operator().id, Via.PAGE)
        order = IssueToken(party=actor.party, scopes=frozenset({Scope.READ}))
        key[who] = f"Bearer {identity.issue_token(actor, order).secret}"
    addresses = [(who, f"/api/v1/{name}?limit=200") for who in key for name in LISTS]
    for client in done.clients.values():
        client.get("/")  # what is read once in a process is read
    before = {one: cost(done.clients[one[0]], one[1])[0] for one in pages}
    before |= {one: cost(Client(), one[1], authorization=key[one[0]])[0] for one in addresses}
    fill(done)
    for one in (*pages, *addresses):
        who, path = one
        asked = cost(Client(), path, authorization=key[who]) if one in addresses else cost(done.clients[who], path)
        queries, kilobytes, seconds = asked
        assert queries <= before[one] + SPARED, (
            f"{path} for {who}: {before[one]} queries before, {queries} with {MANY} rows"
        )
        assert kilobytes <= MOST_KB, f"{path} for {who} has {kilobytes:.0f} KB compressed"
        assert seconds <= MOST_SECONDS, f"{path} for {who} takes {seconds:.2f} s of the processor"


INLINE = {"style", "srcdoc"}


def test_nothing_is_written_inline_on_any_page(done: Town) -> None:
    """Generated from the address map: whatever page somebody may see, its policy is strict and it keeps to it."""
    known = {"asset_id": "result", "order_id": "order", "agreement_id": "agreement", "run_id": "run"}
    known |= {"offer_id": "offer", "subject": "run"}
    looked_at = set()
    for name, found in get_resolver("shudu.site.urls").reverse_dict.lists():
        parameters = found[0][0][0][1]
        if not isinstance(name, str) or not set(parameters) <= {*known, "event"}:
            continue
        given = {one: "run.closed" if one == "event" else done.ids[known[one]] for one in parameters}
        path = reverse(name, kwargs=given)
        for client in (*done.clients.values(), Client()):
            response = client.get(path)
            policy = response.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'self';"), path
            assert "unsafe" not in policy, path
            if response.headers.get("Content-Type", "").startswith("text/html") and response.content:
                looked_at.add(name)
                whole = response.content if b"<html" in response.content else b"<html>" + response.content + b"</html>"
                for tag, attributes in Page(whole.decode()).tags:
                    odd = {one for one in attributes if one in INLINE or one.startswith(("on", "hx-on"))}
                    assert not odd, f"<{tag} {odd}> on {path}"
                    assert tag != "style", f"<style> on {path}"
                    assert tag != "script" or attributes.get("src"), f"an inline script on {path}"
    assert len(looked_at) >= 25, looked_at


@pytest.mark.django_db
def test_the_api_page_keeps_to_it_too(client: Client) -> None:
    response = client.get("/api/v1/docs")
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert all(attributes.get("src") for tag, attributes in Page(response.content.decode()).tags if tag == "script")
