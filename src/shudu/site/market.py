"""Offers and orders: the builder with its preview, the terms in plain words, and ordering."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from shudu.accounts import queries as accounts
from shudu.accounts.actions import MONEY
from shudu.agreements import actions, queries
from shudu.agreements.types import BASES, METRICS, PURPOSES, DraftOffer, Table, masks_of, plain_words
from shudu.catalog import queries as catalog
from shudu.exchange import actions as exchange
from shudu.exchange.types import PlaceOrder
from shudu.identity import queries as identity
from shudu.lake.types import PRESETS
from shudu.ledger import queries as ledger
from shudu.policy import ids
from shudu.policy.types import Actor, ShuduError, Text

from .acting import acts, see, told
from .errors import status_of
from .forms import again, day, fen, key_of, new_key, typed, whole
from .kept import values
from .language import is_chinese
from .paging import newest


def labels(table: Table, codes: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """A code table as options."""
    wanted = list(table.labels) if codes is None else [code for code in table.labels if code in set(codes)]
    return [(str(code), table.labels[code].zh if is_chinese() else table.labels[code].en) for code in wanted]


@require_safe
@acts
def offers(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What may be ordered, and what one has a part in."""
    page = newest(request, queries.offers(actor))
    names = identity.names(line.assigner for row in page.rows for line in row.lines.all())
    return render(request, "offers.html", {"page": page, "names": names})


@require_safe
@acts
def offer(request: HttpRequest, actor: Actor, offer_id: str) -> HttpResponse:
    """The terms line by line, and what one may do: accept, withdraw, order."""
    return _offer(request, actor, offer_id)


def _offer(request: HttpRequest, actor: Actor, offer_id: str, error: ShuduError | None = None) -> HttpResponse:
    row = queries.offer(actor, offer_id)
    lines = queries.lines(row.id)
    own = [line for line in lines if line.assigner == actor.party]
    context = {
        "offer": row,
        "lines": [(line, plain_words(queries.terms_of(line))) for line in lines],
        "to_accept": row.state == "drafted" and any(line.accepted_at is None for line in own),
        "to_withdraw": bool(own) and row.state in ("drafted", "live"),
        "to_order": row.state == "live" and "buyer" in actor.roles,
        "purposes": labels(PURPOSES, queries.terms_of(lines[0]).use.purposes),
        "available": accounts.balance(actor.party, MONEY).available,
        "anonymity": queries.anonymity_of(actor, row),
        "names": identity.names([row.drafted_by, *(line.assigner for line in lines)]),
        "titles": catalog.titles(line.asset for line in lines),
        "entries": ledger.placed([row.id]),
        "values": values(request),
        **(again(error) if error else {"key": new_key()}),
    }
    return render(request, "offer.html", context, status=status_of(error) if error else 200)


@require_POST
@acts
def decide(request: HttpRequest, actor: Actor, offer_id: str, verb: str) -> HttpResponse:
    """Accept one's lines of an offer, or withdraw it."""
    row = queries.offer(actor, offer_id)
    act = {"accept": actions.accept, "withdraw": actions.withdraw}[verb]
    try:
        act(actor, row.id, idempotency_key=key_of(request))
    except ShuduError as error:
        return _offer(request, actor, offer_id, error)
    told(request, Text("已接受。", "Accepted.") if verb == "accept" else Text("已下架。", "Withdrawn."))
    return see("offer", row.id)


@require_POST
@acts
def order(request: HttpRequest, actor: Actor, offer_id: str) -> HttpResponse:
    """Order an offer: one agreement per line, all or none."""
    queries.offer(actor, offer_id)
    try:
        wanted = typed(PlaceOrder, offer=offer_id, purpose=request.POST.get("purpose", ""))
        row = exchange.place(actor, wanted, idempotency_key=key_of(request))
    except ShuduError as error:
        return _offer(request, actor, offer_id, error)
    told(request, Text("订单已生效，价款与一次运行已预留。", "Ordered; the price and one run are reserved."))
    return see("order", row.id)


@require_http_methods(["GET", "HEAD", "POST"])
@acts
def build(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The offer builder: choose a table and a model, then the terms, with the preview of what a buyer would see."""
    sent = values(request) or request.GET
    form = _choices(actor, sent.get("data", ""), sent.get("model_id", "").strip() or sent.get("model", "")) | {
        "values": sent,
        "key": new_key(),
    }
    if request.method != "POST":
        return render(request, "offer_new.html", form)
    form["key"] = key_of(request)
    try:
        wanted = _draft(request)
        if "preview" in request.POST:
            form |= _preview(actor, wanted)
            return render(request, "part/preview.html" if "HX-Request" in request.headers else "offer_new.html", form)
        row = actions.draft(actor, wanted, idempotency_key=key_of(request))
    except ShuduError as error:
        form |= again(error)
        if "HX-Request" in request.headers:
            return render(request, "part/preview.html", form)
        return render(request, "offer_new.html", form, status=status_of(error))
    told(request, Text("上架草案已拟定，待各方接受。", "The offer is drafted; each party now accepts its own line."))
    return see("offer", row.id)


def _choices(actor: Actor, data: str, model: str) -> dict[str, Any]:
    rows = catalog.newest(actor, 400, state="active", run="")
    tables, models = ([row for row in rows if row.kind == kind] for kind in ("table", "model"))
    chosen: dict[str, Any] = {
        "tables": _own_first(actor, tables),
        "models": _own_first(actor, models),
        "table": None,
        "columns": [],
    }
    if data in {row.id for row in tables} and ids.noun_of(model) == "asset":
        # The model may be one not shown yet: its owner told its id, and accepts or not.
        table = catalog.offered(actor, data)
        names = [one.name for one in table.columns if one.name != table.entity_key]
        chosen |= {"table": table, "model": model, "columns": [(name, name) for name in names]}
    chosen |= {"purposes": labels(PURPOSES), "bases": labels(BASES), "metrics": labels(METRICS)}
    return chosen | {"presets": PRESETS.items()}


def _own_first(actor: Actor, rows: list[Any]) -> list[tuple[bool, list[Any]]]:
    """One's own entries, then the others one may see."""
    return [(own, [row for row in rows if (row.owner == actor.party) == own]) for own in (True, False)]


def _draft(request: HttpRequest) -> DraftOffer:
    sent = request.POST
    return typed(
        DraftOffer,
        data=sent.get("data", ""),
        model=sent.get("model", ""),
        group_by=tuple(sent.getlist("group_by")),
        purposes=sent.getlist("purposes"),
        bases=sent.getlist("bases"),
        runs=whole(sent.get("runs", ""), "runs"),
        until=day(sent.get("until", ""), "until"),
        price_fen=fen(sent.get("price", ""), "price"),
        split={role: whole(sent.get(role, ""), role) for role in ("provider", "modeller", "platform")},
        min_group=whole(sent.get("min_group", "10"), "min_group"),
        release=sent.get("release") or "A",
        label=sent.get("label") or None,
        metrics=sent.getlist("metrics"),
        review="review" in sent,
        where=tuple(line for line in sent.get("where", "").splitlines() if line.strip()),
        masks=masks_of(line for line in sent.get("masks", "").splitlines() if line.strip()),
    )


def _preview(actor: Actor, wanted: DraftOffer) -> dict[str, Any]:
    lines = queries.preview(actor, wanted)
    return {
        "shown": [(line, plain_words(line.terms)) for line in lines],
        "wanted": wanted,
        "names": identity.names(line.assigner for line in lines),
        "titles": catalog.titles(line.asset for line in lines),
    }
