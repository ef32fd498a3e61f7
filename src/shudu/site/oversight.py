"""For those who run and watch: the operating company's desk, and the auditor's question who used what."""

from __future__ import annotations

import csv
from datetime import date, datetime, time, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from shudu.catalog import queries as catalog
from shudu.identity import queries as identity
from shudu.policy import clock
from shudu.policy.types import Actor, Decision, Refused, Role, ShuduError, Text
from shudu.runs import queries as runs

from .acting import acts
from .errors import status_of
from .forms import day
from .templatetags.page import CHENGDU

SHOWN = 200


def _only(actor: Actor, *roles: Role) -> None:
    """These pages gather what only overseers may see whole; each row is still asked for as the actor."""
    if not actor.roles & set(roles):
        raise Refused.by(
            Decision.deny(
                "page.oversight",
                Text("这一页供运营机构与审计方使用。", "This page is for the operating company and auditors."),
                Text("换到有此职责的机构再打开。", "Open it while acting for an organisation with that duty."),
            )
        )


@require_safe
@acts
def desk(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Runs that failed or wait, newest first."""
    _only(actor, Role.OPERATOR)
    rows = runs.runs(actor)
    failed, queued = list(rows.filter(state="failed")[:SHOWN]), list(rows.filter(state="queued")[:SHOWN])
    now = clock.now()
    names = identity.names(row.party for row in [*failed, *queued])
    return render(request, "desk.html", {"failed": failed, "queued": queued, "names": names, "now": now})


@require_safe
@acts
def audit(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Uses of X by Y in a period, on the page or as CSV."""
    _only(actor, Role.AUDITOR, Role.OPERATOR)
    today = clock.now().astimezone(CHENGDU).date()
    values = {
        "asset": request.GET.get("asset", "").strip(),
        "party": request.GET.get("party", "").strip(),
        "since": request.GET.get("since", "") or f"{today - timedelta(days=365)}",
        "until": request.GET.get("until", "") or f"{today}",
    }
    context: dict[str, Any] = {"values": values}
    try:
        context |= _uses(actor, values)
    except ShuduError as error:
        return render(request, "audit.html", context | {"error": error, "rows": []}, status=status_of(error))
    if request.GET.get("as") == "csv":
        return _csv(context)
    return render(request, "audit.html", context)


def _uses(actor: Actor, values: dict[str, str]) -> dict[str, Any]:
    def at(when: date, clock_time: time) -> datetime:
        return datetime.combine(when, clock_time, CHENGDU)

    asset, party = values["asset"], values["party"]
    versions = [one.id for one in catalog.versions_of(catalog.asset(actor, asset).id)] if asset else None
    since, until = day(values["since"], "since"), day(values["until"], "until")
    rows = runs.uses(
        actor,
        version_ids=versions,
        party=identity.resolve(party).id if party else "",
        since=at(since, time.min),
        until=at(until, time.max),
    )
    found = list(rows.prefetch_related("inputs")[: SHOWN + 1])
    used = catalog.assets_of_versions(one.version for row in found for one in row.inputs.all())
    names = identity.names(row.party for row in found)
    return {"rows": found[:SHOWN], "more": len(found) > SHOWN, "used": used, "names": names}


def _csv(context: dict[str, Any]) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="uses.csv"'
    response.write("\ufeff")  # so that spreadsheets read it as UTF-8
    sheet = csv.writer(response)
    sheet.writerow(["run", "kind", "state", "party", "asset", "version", "agreement", "purpose", "created", "closed"])
    for row in context["rows"]:
        for one in row.inputs.all():
            asset = context["used"].get(one.version)
            closed = clock.stamp(row.closed) if row.closed else ""
            about = [row.party, asset.id if asset else "", one.version, one.agreement, row.purpose]
            sheet.writerow([row.id, row.kind, row.state, *about, clock.stamp(row.created), closed])
    return response
