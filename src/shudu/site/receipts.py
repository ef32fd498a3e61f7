"""Receipts and the ledger's face: what a receipt proves, checked in the reader's own browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from shudu.agreements import queries as agreements
from shudu.catalog import queries as catalog
from shudu.exchange import queries as exchange
from shudu.ledger import queries as ledger
from shudu.ledger.types import receipt as receipts
from shudu.policy import ids
from shudu.policy.events import Event
from shudu.policy.types import Actor, Role, not_found
from shudu.runs import queries as runs

from .acting import acting, acts

SHOWN = 50
# Whoever may see a thing may have the receipts about it.
SEEN: dict[str, Callable[[Actor, str], Any]] = {
    "agreement": agreements.agreement,
    "asset": catalog.asset,
    "offer": agreements.offer,
    "order": exchange.order,
    "run": runs.run,
    "version": catalog.version,
}


def _receipt(actor: Actor, event: str, subject: str) -> dict[str, Any]:
    noun = ids.noun_of(subject)
    if noun not in SEEN or event not in list(Event):
        raise not_found("存证回执", "receipt", subject)
    if event == Event.RUN_CLOSED:
        return runs.receipt_of(actor, subject)
    row = SEEN[noun](actor, subject)
    inspects = event == Event.OFFER_DRAFTED and agreements.inspects(actor, row)
    return ledger.receipt_for(Event(event), subject, confidential=inspects)


@require_safe
@acts
def page(request: HttpRequest, actor: Actor, event: str, subject: str) -> HttpResponse:
    """What was recorded, what it proves and what not, and the check."""
    built = _receipt(actor, event, subject)
    entries = [entry for entry in ledger.entries(subject) if entry.event == event]
    return render(request, "receipt.html", {"event": event, "subject": subject, "entry": entries[-1], "receipt": built})


@require_safe
@acts
def file(request: HttpRequest, actor: Actor, event: str, subject: str) -> HttpResponse:
    """The very bytes to keep and to verify."""
    content = receipts.encode(_receipt(actor, event, subject))
    name = f'attachment; filename="{subject}.receipt.json"'
    return HttpResponse(content, content_type="application/json", headers={"Content-Disposition": name})


@require_safe
def verify(request: HttpRequest) -> HttpResponse:
    """Anyone's receipt, checked without sending it anywhere."""
    return render(request, "verify.html")


@require_safe
def explorer(request: HttpRequest) -> HttpResponse:
    """The entries of the log, newest first: kind and time stand in clear, the rest is committed to."""
    before, number = request.GET.get("before", ""), request.GET.get("number", "").strip()
    for one in (before, number):
        if one and not (one.isascii() and one.isdecimal() and len(one) < 16):
            raise Http404
    below = int(number) + 1 if number else int(before) if before else None
    found = ledger.newest(below, SHOWN + 1)
    actor = acting(request)
    # What an entry is about stands in no leaf; those who oversee may open every one from here.
    oversees = actor is not None and bool(actor.roles & {Role.AUDITOR, Role.OPERATOR})
    subjects = {entry.id: entry.subject for entry in found if oversees and ids.noun_of(entry.subject) in SEEN}
    context = {"entries": found[:SHOWN], "more": len(found) > SHOWN, "oversees": oversees, "subjects": subjects}
    return render(request, "ledger.html", context | {"values": {"number": number}})
