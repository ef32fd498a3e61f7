"""Pages whose subject has a long history: walking from page to page shows every row once, and each page few."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from shudu.accounts import actions as accounts
from shudu.accounts import queries as balances
from shudu.accounts.actions import MONEY
from shudu.agreements.models import Offer, OfferLine
from shudu.catalog.models import Version
from shudu.exchange.models import Order, OrderRun
from shudu.identity import queries as parties
from shudu.ledger.models import Entry
from shudu.policy import clock, ids
from shudu.runs.models import Run, RunInput
from shudu.site.paging import SHOWN

from .test_market_pages import Town, done, town

__all__ = ["done", "town"]

MORE = 2 * SHOWN + 7


def lengthen(town: Town) -> None:
    """More of everything under one order, one agreement, one asset, one result."""
    now = clock.now()
    order = Order.objects.get(pk=town.ids["order"])
    used = RunInput.objects.get(run=town.ids["run"], agreement=town.ids["agreement"])
    made = Version.objects.get(binding__asset=town.ids["result"])
    last = Version.objects.get(binding__asset=town.ids["asset"])
    offer, line = Offer.objects.get(), OfferLine.objects.get(asset=town.ids["asset"])
    common: dict[str, Any] = {"party": order.buyer, "purpose": "research", "state": "closed"}
    for number in range(MORE):
        run = Run.objects.create(kind="compute", order=order.pk, **common)
        RunInput.objects.create(run=run, role="data", version=last.pk, agreement=town.ids["agreement"])
        taken = Run.objects.create(kind="delivery", params={"file": "product.csv"}, **common)
        RunInput.objects.create(run=taken, role="result", version=made.pk, agreement="")
        OrderRun.objects.create(order=order, run=run.pk, state="settled")
        shape = {"files": last.files, "columns": last.columns, "rows": last.rows, "owner": last.owner}
        Version.objects.create(binding=last.binding, number=last.number + 1 + number, **shape)
        one = Offer.objects.create(
            drafted_by=offer.drafted_by, title=offer.title, price_fen=1, split=offer.split, until=offer.until
        )
        terms = {"terms": line.terms, "terms_sha256": line.terms_sha256, "version": line.version}
        OfferLine.objects.create(
            offer=one, number=1, role="data", asset=line.asset, assigner=line.assigner, accepted_at=now, **terms
        )
    log = Entry.objects.order_by("outbox").last()
    assert log is not None
    closed = [run.pk for run in Run.objects.exclude(pk=town.ids["run"])]
    Entry.objects.bulk_create(
        Entry(
            id=ids.new("entry"),
            log=log.log,
            index=log.index + number,
            outbox=log.outbox + number,
            event="run.closed",
            subject=subject,
            time=now,
            leaf=b"",
            leaf_hash=b"",
        )
        for number, subject in enumerate(closed, 1)
    )
    assert used.version == last.pk


def walk(town: Town, who: str, path: str, row: str, at: str = "") -> list[str]:
    """What a pattern finds on a page and on all the older ones, page by page; the way back to the newest stands too."""
    found: list[str] = []
    address, pages = path, 0
    while address:
        answer = town.clients[who].get(address)
        assert answer.status_code == 200, address
        html = answer.content.decode()
        seen = re.findall(row, html)
        assert 0 < len(set(seen)) <= SHOWN, address
        found += dict.fromkeys(seen)
        assert ("最新的" in html) == (pages > 0), address
        older = re.search(rf'<a href="([^"#]*){at}">更早的', html)
        address, pages = path + unescape(older[1]) if older else "", pages + 1
    assert pages >= 3, "long enough to be worth a pager"
    return found


def test_walking_through_a_long_list_shows_each_row_once(done: Town) -> None:
    lengthen(done)
    order, agreement, asset, result = (done.ids[name] for name in ("order", "agreement", "asset", "result"))
    runs = {one.run for one in OrderRun.objects.filter(order=order)}
    taken = set(Run.objects.filter(kind="delivery").values_list("pk", flat=True))
    versions = set(Version.objects.filter(binding__asset=asset).values_list("pk", flat=True))
    offers = set(OfferLine.objects.filter(asset=asset).values_list("offer", flat=True))
    link = r'<a href="/runs/(run_\w+)/">'
    for who, path, row, at, wanted in (
        ("buyer", f"/orders/{order}/", link, "#runs", runs),
        ("buyer", f"/results/{result}/", link + "<code>product.csv", "#deliveries", taken),
        ("buyer", f"/agreements/{agreement}/", link, "#steps", runs | taken),
        ("provider", f"/assets/{asset}/", r"\?version=(ver_\w+)", "#versions", versions),
        ("provider", f"/assets/{asset}/", r'<h3><a href="/offers/(\w+)/">', "#offers", offers),
    ):
        found = walk(done, who, path, row, at)
        assert len(found) == len(set(found)), f"a row twice, {path}"
        assert set(found) == wanted, path


def test_a_statement_walked_through_adds_up(done: Town) -> None:
    operator, buyer = parties.operator(), done.ids["buyer"]
    for fen in range(1, MORE + 1):
        accounts.deposit(parties.actor_for(operator.id), buyer, fen)
    whole = balances.statement(buyer, MONEY)
    for size in (1, 2, 50):
        walked, before = [], None
        while page := balances.newest(buyer, MONEY, size, before=before):
            assert len(page) <= size
            walked, before = [*walked, *page], page[-1].transfer
        assert walked == whole[::-1], "the same lines, with the same balances"
    assert walked[0].balance == balances.balance(buyer, MONEY).available
    assert balances.newest(buyer, MONEY, 5, before="trf_unknown") == []
    shown = walk(done, "buyer", "/me/statement/", r"(<tr><td>.*?</tr>)")
    assert len(shown) == len(whole)


def test_a_key_that_is_no_number_finds_nothing(done: Town) -> None:
    order, client = done.ids["order"], done.clients["buyer"]
    for wrong in ("x", "²", "9" * 40, "-1"):
        assert client.get(f"/orders/{order}/", {"after": wrong}).status_code == 404
