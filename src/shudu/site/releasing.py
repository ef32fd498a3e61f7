"""Releases that wait for the data's owner: what would leave, why it was held, and the decision."""

from __future__ import annotations

import csv
import io

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from shudu.cleanroom import actions, queries
from shudu.identity import queries as identity
from shudu.policy.types import Actor, ShuduError, Text
from shudu.runs import queries as runs

from .acting import acts, see, told
from .errors import status_of
from .forms import again, key_of, new_key
from .kept import values

SHOWN = 50


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
        "body": body,
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
