"""From the order to the result: orders, runs with live progress, results, and the agreement's timeline."""

from __future__ import annotations

from typing import Any, Literal

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from shudu.agreements import actions as agreement_actions
from shudu.agreements import queries as agreements
from shudu.agreements.types import PURPOSES, REVOCATION_REASONS, onward_from_json, onward_plain_words, plain_words
from shudu.catalog import queries as catalog
from shudu.exchange import actions, queries
from shudu.exchange.types import repeatable
from shudu.identity import queries as identity
from shudu.lake import queries as lake
from shudu.ledger import queries as ledger
from shudu.policy.types import Actor, Role, ShuduError, Text
from shudu.runs import actions as run_actions
from shudu.runs import queries as runs
from shudu.runs.api import MEDIA_TYPES
from shudu.runs.queries import Run
from shudu.runs.types import HANDING_OVER

from . import words
from .acting import acts, see, told
from .errors import status_of
from .forms import again, key_of, new_key
from .kept import values
from .market import labels
from .measured import is_measured, measured
from .paging import newest

TOLD = ("offer.drafted", "offer.accepted", "agreement.concluded", "agreement.revoked", "run.closed", "run.failed")
STEPS = ("bind", "compute", "close")
STEPS_OF = {HANDING_OVER: ("bind", "write", "close"), "collection": ("fetch", "land"), "survey": ("look", "told")}

COMING_IN = frozenset({"collection", "survey"})


@require_safe
@acts
def orders(request: HttpRequest, actor: Actor) -> HttpResponse:
    """One's own, and those that concluded an agreement of one's own."""
    page = newest(request, queries.orders(actor))
    context = {
        "page": page,
        "states": queries.states(row.id for row in page.rows),
        "names": identity.names(row.buyer for row in page.rows),
        "titles": agreements.offer_titles(row.offer for row in page.rows),
    }
    return render(request, "orders.html", context)


@require_safe
@acts
def order(request: HttpRequest, actor: Actor, order_id: str) -> HttpResponse:
    return _order(request, actor, order_id)


def _order(request: HttpRequest, actor: Actor, order_id: str, error: ShuduError | None = None) -> HttpResponse:
    row = queries.order(actor, order_id)
    state, own = queries.state(row.id), row.buyer == actor.party
    named = queries.agreements_of(row.id)
    concluded = list(agreements.agreements(actor).filter(pk__in=named))
    page = newest(request, queries.runs_of(row.id))
    context = {
        "order": row,
        "state": state,
        "title": agreements.offer_titles([row.offer]).get(row.offer, {}),
        "purpose": PURPOSES.label(row.purpose),
        "agreements": concluded,
        "of_rows": len(named) == 1,  # no model: rows are handed over
        "titles": catalog.titles(one.asset for one in concluded),
        "page": page,
        "results": runs.results_of([one.run for one in page.rows if one.run]) if own else {},
        "names": identity.names([row.buyer, *(one.assigner for one in concluded)]),
        "entries": ledger.placed([row.id]),
        "to_start": own and state in ("placed", "settled", "failed"),
        "to_cancel": own and state in ("placed", "settled", "failed"),
        **(again(error) if error else {"key": new_key()}),
    }
    return render(request, "order.html", context, status=status_of(error) if error else 200)


@require_POST
@acts
def change_order(request: HttpRequest, actor: Actor, order_id: str, verb: str) -> HttpResponse:
    """Start a run of an order, or end it."""
    row = queries.order(actor, order_id)
    try:
        if verb == "run":
            run = actions.start_run(actor, row.id, idempotency_key=key_of(request))
            return see("run", run.id)
        actions.cancel(actor, row.id, idempotency_key=key_of(request))
    except ShuduError as error:
        return _order(request, actor, order_id, error)
    told(request, Text("订单已取消，预留额度已退回。", "The order is cancelled; what it locked came back."))
    return see("order", row.id)


@require_safe
@acts
def run(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """Where a run stands: steps, meters, checks, settlement."""
    return render(request, "run.html", _run(actor, run_id))


@require_safe
@acts
def progress(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """The live part of the same page, asked for again while the run goes on."""
    return render(request, "part/run.html", _run(actor, run_id))


def _at(number: int, at: int, state: str) -> str:
    """Whether a step is done, going on or still to come."""
    if state == "closed" or number < at:
        return "done"
    return "now" if number == at else "next"


def restartable(row: Run) -> bool:
    """Has it failed for a reason that another try may not meet?"""
    return row.state == "failed" and repeatable(str(row.error.get("code", "")))


def _run(actor: Actor, run_id: str) -> dict[str, Any]:
    row = runs.run(actor, run_id)
    inputs = runs.inputs_of(row)
    output = runs.output_of(row.id)
    paid = queries.run_of(row.id)
    entries = ledger.placed([row.id])
    # A run that failed stands at no step any more: it stopped at the first it had not done.
    names = STEPS_OF.get(row.kind, STEPS)
    at = names.index(row.step) if row.step in names else sum(name in row.done for name in names)
    steps = [(name, _at(number, at, str(row.state))) for number, name in enumerate(names)]
    owners = catalog.assets_of_versions(one.version for one in inputs)
    settled = row.kind == "delivery" or paid is None or paid.state == "settled"
    recorded = any(one.event == "run.closed" for one in entries)
    followed = queries.followed_by([row.id]).get(row.id, "")
    checks = runs.checks(actor, row)
    return {
        "run": row,
        "own": row.party == actor.party,
        "checks": checks,
        "with_evidence": any(check.get("evidence") for check in checks),
        "followed": followed,
        "to_restart": Role.OPERATOR in actor.roles and paid is not None and not followed and restartable(row),
        "key": new_key(),
        "steps": steps,
        "going": row.state == "queued" or (row.state == "closed" and not (settled and recorded)),
        "inputs": [(one, owners.get(one.version)) for one in inputs],
        "output": output,
        "paid": paid,
        # What comes in was asked of nobody under an agreement: it has its kind, and no purpose.
        "purpose": words.RUN_KINDS[row.kind] if row.kind in COMING_IN else PURPOSES.label(row.purpose),
        "coming_in": row.kind in COMING_IN,
        "names": identity.names([row.party]),
        "entries": entries,
    }


@require_safe
@acts
def result(request: HttpRequest, actor: Actor, asset_id: str) -> HttpResponse:
    """What came out, what may be done with it, and the way to take it home."""
    row = catalog.asset(actor, asset_id)
    if not row.run:
        raise Http404
    version = catalog.versions(row.id).first()
    files = catalog.files(version) if version and version.state == "live" else ()
    deliveries = newest(request, runs.deliveries_of(actor, [version.id] if version else []))
    own = row.owner == actor.party
    context = {
        "asset": row,
        "version": version,
        "files": files,
        "own": own,
        "is_measured": is_measured(version),
        # What was taken home once may be looked at here; looking first would be a delivery nobody recorded.
        "measured": measured(version)
        if version and files and own and deliveries.rows and is_measured(version)
        else None,
        "rows_of_data": runs.run_row(row.run).kind == HANDING_OVER,
        "onward": onward_plain_words(onward_from_json(row.terms)) if row.terms else [],
        "entries": ledger.placed([row.run]),
        "deliveries": deliveries,
        "names": identity.names([row.owner]),
    }
    return render(request, "result.html", context)


@require_POST
@acts
def download(
    request: HttpRequest, actor: Actor, asset_id: str, file: Literal["product.csv", "product.parquet"]
) -> HttpResponse:
    """Every download is a delivery, recorded before the first byte leaves; so it has no idempotency key."""
    delivery = run_actions.deliver(actor, catalog.asset(actor, asset_id).id, file)
    stored, place = runs.delivered(delivery)
    name = f'attachment; filename="{asset_id}.{file}"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return HttpResponse(lake.store().read_file(stored, place), content_type=MEDIA_TYPES[file], headers=headers)


@require_safe
@acts
def agreement_list(request: HttpRequest, actor: Actor) -> HttpResponse:
    page = newest(request, agreements.agreements(actor))
    context = {
        "page": page,
        "titles": catalog.titles(row.asset for row in page.rows),
        "names": identity.names(party for row in page.rows for party in (row.assigner, row.assignee)),
    }
    return render(request, "agreements.html", context)


@require_safe
@acts
def agreement(request: HttpRequest, actor: Actor, agreement_id: str) -> HttpResponse:
    return _agreement(request, actor, agreement_id)


def _agreement(request: HttpRequest, actor: Actor, agreement_id: str, error: ShuduError | None = None) -> HttpResponse:
    row = agreements.agreement(actor, agreement_id)
    used = runs.under(actor, row.id)
    deliveries = runs.deliveries_of(actor, runs.made_under(row.id))
    offered = str(row.offer_id)
    page = newest(request, ledger.about([offered, row.id], used, deliveries, events=TOLD), "outbox")
    shown = {one.id: one for one in runs.run_rows(entry.subject for entry in page.rows)}
    names = identity.names([row.assigner, row.assignee])
    context = {
        "agreement": row,
        "terms": [(_with_names(text, names), enforced) for text, enforced in plain_words(agreements.terms_of(row))],
        "title": catalog.titles([row.asset]).get(row.asset, {}),
        "offer": offered,
        "page": page,
        "steps": page.rows[::-1],  # as it happened
        "runs": shown,
        "delivered": {one.id for one in deliveries.filter(pk__in=shown)},
        "left": row.runs - used.exclude(state="failed").count(),
        "names": names,
        "to_revoke": row.assigner == actor.party and row.state == "active",
        "reasons": labels(REVOCATION_REASONS),
        "values": values(request),
        **(again(error) if error else {"key": new_key()}),
    }
    return render(request, "agreement.html", context, status=status_of(error) if error else 200)


def _with_names(text: Text, names: dict[str, str]) -> Text:
    """Terms name parties by their ids; a reader knows them by name."""
    zh, en = text.zh, text.en
    for party, name in names.items():
        zh, en = zh.replace(party, name), en.replace(party, name)
    return Text(zh, en)


@require_POST
@acts
def revoke(request: HttpRequest, actor: Actor, agreement_id: str) -> HttpResponse:
    """End an agreement of one's own: no run may use it any more."""
    row = agreements.agreement(actor, agreement_id)
    try:
        agreement_actions.revoke(actor, row.id, request.POST.get("reason", ""), idempotency_key=key_of(request))
    except ShuduError as error:
        return _agreement(request, actor, agreement_id, error)
    told(request, Text("交易合同已撤销。", "The agreement is revoked."))
    return see("agreement", row.id)
