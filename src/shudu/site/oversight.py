"""For those who run and watch: the operating company's desk, and the auditor's question who used what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from shudu.catalog import queries as catalog
from shudu.exchange import actions as exchange
from shudu.exchange import queries as orders
from shudu.identity import queries as identity
from shudu.policy import clock
from shudu.policy.types import Actor, Decision, Invalid, Refused, Role, ShuduError, Text
from shudu.runs import queries as runs
from shudu.runs.queries import Run

from .acting import acts, see, told
from .errors import status_of
from .forms import again, day, key_of, new_key
from .language import is_chinese
from .orders import restartable
from .sheets import Row, as_csv, as_xlsx
from .templatetags.page import CHENGDU, plain, said
from .words import RUN_KINDS, STATES

SHOWN = 200
MOST_IN_A_SHEET = 100_000  # rows of an XLSX; as CSV there is no bound
AT_ONCE = 500


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
def desk(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Runs that are held, failed or wait, and assets late for their promised update; newest first."""
    return _desk(request, actor)


def _desk(request: HttpRequest, actor: Actor, error: ShuduError | None = None) -> HttpResponseBase:
    _only(actor, Role.OPERATOR)
    rows = runs.runs(actor)
    found = {state: list(rows.filter(state=state)[:SHOWN]) for state in ("held", "queued", "failed")}
    shown = [row for state in found.values() for row in state]
    late = catalog.newest(actor, SHOWN + 1, overdue=True)
    paid = orders.paid_for(row.id for row in shown)
    followed = orders.followed_by(row.id for row in found["failed"])
    context = {
        **found,
        "again": {row.id for row in found["failed"] if row.id in paid and row.id not in followed and restartable(row)},
        "followed": followed,
        "late": late[:SHOWN],
        "more_late": len(late) > SHOWN,
        "names": identity.names({*(row.party for row in shown), *(row.owner for row in late)}),
        **(again(error) if error else {"key": new_key()}),
    }
    return render(request, "desk.html", context, status=status_of(error) if error else 200)


@require_POST
@acts
def restart(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponseBase:
    """Start a failed run again; the way on is the run that follows."""
    row = runs.run(actor, run_id)
    try:
        following = exchange.restart(actor, row.id, idempotency_key=key_of(request))
    except ShuduError as error:
        return _desk(request, actor, error)
    told(request, Text("任务已重新开始。", "The run was started again."))
    return see("run", following.id)


@require_safe
@acts
def audit(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Uses of X by Y in a period: on the page, or to take along as XLSX or CSV."""
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
        uses = _uses(actor, values)
        match request.GET.get("as"):
            case "csv":
                return as_csv("uses", _sheet(uses))
            case "xlsx":
                if uses.count() > MOST_IN_A_SHEET:
                    raise _too_many()
                return as_xlsx("uses", _sheet(uses))
    except ShuduError as error:
        return render(request, "audit.html", context | {"error": error, "rows": []}, status=status_of(error))
    found = list(uses.prefetch_related("inputs")[: SHOWN + 1])
    context |= {
        "rows": found[:SHOWN],
        "more": len(found) > SHOWN,
        "used": catalog.assets_of_versions(one.version for row in found for one in row.inputs.all()),
        "names": identity.names(row.party for row in found),
    }
    return render(request, "audit.html", context)


def _uses(actor: Actor, values: dict[str, str]) -> Any:
    def at(when: date, clock_time: time) -> datetime:
        return clock.asked(datetime.combine(when, clock_time, CHENGDU))

    asset, party = values["asset"], values["party"]
    versions = [one.id for one in catalog.versions_of(catalog.asset(actor, asset).id)] if asset else None
    since, until = day(values["since"], "since"), day(values["until"], "until")
    return runs.uses(
        actor,
        version_ids=versions,
        party=identity.resolve(party).id if party else "",
        since=at(since, time.min),
        until=at(until, time.max),
    )


def _sheet(uses: Any) -> Iterator[Row]:
    """A row for each input of each use, its head first; names and titles stand beside their ids."""
    yield [text.zh if is_chinese() else text.en for text in HEAD]
    rows = iter(uses.prefetch_related("inputs").iterator(AT_ONCE))
    while some := list(islice(rows, AT_ONCE)):
        used = catalog.assets_of_versions(one.version for row in some for one in row.inputs.all())
        names = identity.names(row.party for row in some)
        for row in some:
            yield from _lines(row, used, names)


def _lines(row: Run, used: dict[str, Any], names: dict[str, str]) -> Iterator[Row]:
    closed = clock.stamp(row.closed) if row.closed else ""
    use = [row.id, said(RUN_KINDS[row.kind]), said(STATES[str(row.state)][1]), row.party, names.get(row.party, "")]
    for one in row.inputs.all():
        asset = used.get(one.version)
        about = [asset.id, plain(asset.title)] if asset else ["", ""]
        yield [*use, *about, one.version, one.agreement, row.purpose, clock.stamp(row.created), closed]


HEAD = (
    Text("任务", "run"),
    Text("种类", "kind"),
    Text("状态", "state"),
    Text("主体编号", "party"),
    Text("主体", "party name"),
    Text("资源编号", "asset"),
    Text("资源", "asset title"),
    Text("版本", "version"),
    Text("合同", "agreement"),
    Text("用途", "purpose"),
    Text("开始", "created"),
    Text("结束", "closed"),
)


def _too_many() -> Invalid:
    return Invalid(
        "audit.too_many",
        Text(
            f"超过 {MOST_IN_A_SHEET:,} 行，一张表放不下。", f"More than {MOST_IN_A_SHEET:,} rows: too many for a sheet."
        ),
        Text("请缩小期间，或导出 CSV。", "Narrow the period, or export CSV."),
    )
