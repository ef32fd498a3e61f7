"""Releases that wait for the data's owner: what would leave, why it was held, and the decision; and stricter rules."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from shudu.cleanroom import actions, queries
from shudu.cleanroom.types import RULES, OwnRules, rules_of
from shudu.identity import queries as identity
from shudu.policy.types import Actor, ShuduError, Text
from shudu.runs import queries as runs

from .acting import acts, see, told
from .errors import status_of
from .forms import again, key_of, new_key, typed
from .kept import values
from .paging import stretch

SHOWN = 50
ROWS = 100


@require_safe
@acts
def releases(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """What waits for this organisation's decision, the most urgent first."""
    rows = queries.held(actor)
    return render(request, "releases.html", {"rows": rows[:SHOWN], "total": rows.count(), "shown": SHOWN})


@require_safe
@acts
def release(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponseBase:
    """One held release: its checks with their evidence, and the table that would leave."""
    return _release(request, actor, run_id)


def _release(request: HttpRequest, actor: Actor, run_id: str, error: ShuduError | None = None) -> HttpResponseBase:
    row = queries.release(actor, run_id)
    run = runs.run_row(row.run)
    head, *body = csv.reader(io.StringIO(queries.held_file(row, "product.csv").decode()))
    context = {
        "row": row,
        "run": run,
        "party": identity.names([run.party]).get(run.party, run.party),
        "checks": queries.checks(row),
        "head": head,
        "body": stretch(request, body, limit=ROWS),
        "waiting": run.state == "held" and not row.decision,
        "values": values(request),
        **(again(error) if error else {"key": new_key()}),
    }
    return render(request, "release.html", context, status=status_of(error) if error else 200)


@require_POST
@acts
def decide(request: HttpRequest, actor: Actor, run_id: str, verb: str) -> HttpResponseBase:
    """Let it leave, or keep it in."""
    row = queries.release(actor, run_id)
    act = actions.approve if verb == "approve" else actions.refuse
    try:
        act(actor, row.run, request.POST.get("opinion", ""), idempotency_key=key_of(request))
    except ShuduError as error:
        return _release(request, actor, run_id, error)
    told(request, Text("已准予放行。", "Approved.") if verb == "approve" else Text("不予放行。", "Refused."))
    return see("releases")


@require_http_methods(["GET", "HEAD", "POST"])
@acts
def rules(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The rules of release, and the stricter ones this organisation asks for."""
    if request.method != "POST":
        return _rules(request, actor)
    try:
        actions.restrict(actor, _asked(request), idempotency_key=key_of(request))
    except ShuduError as error:
        return _rules(request, actor, error)
    told(request, Text("已从严，自下一次任务起执行。", "Asked for; it holds from the next run on."))
    return see("release_rules")


def _asked(request: HttpRequest) -> OwnRules:
    sent = request.POST
    written = [(name, text) for name in RULES if (text := sent.get(name, "").strip())]
    if "no_groups" in sent:
        written = [*((name, text) for name, text in written if name != "group_by"), ("group_by", "")]
    return typed(OwnRules, **rules_of(written))


def _rules(request: HttpRequest, actor: Actor, error: ShuduError | None = None) -> HttpResponseBase:
    found = queries.rules(actor)
    sent = values(request)
    own = {rule.name: rule.own for rule in found if rule.own is not None}
    typed_in = sent or {name: _line(value) for name, value in own.items()}
    context = {
        "rules": [(rule, RULES[rule.name], typed_in.get(rule.name, ""), _shown(rule.house)) for rule in found],
        "no_groups": "no_groups" in sent if sent else own.get("group_by") == [],
        "wrong": error.where.get("field") if error else None,
        **(again(error) if error else {"key": new_key()}),
    }
    return render(request, "release_rules.html", context, status=status_of(error) if error else 200)


def _shown(value: Any) -> str:
    """A rule as one reads it."""
    return f"{value:,}" if isinstance(value, int | float) else _line(value)


def _line(value: Any) -> str:
    """A rule as one types it; columns a line each."""
    return "\n".join(sorted(value)) if isinstance(value, list | frozenset) else "" if value is None else str(value)
