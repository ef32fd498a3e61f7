"""Rows that were put aside: the list to correct, and what became of it when it came back."""

from __future__ import annotations

from typing import Any, Literal

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from shudu.cases import queries as cases
from shudu.catalog import actions, queries
from shudu.catalog.types import Corrected
from shudu.policy.types import Actor, ShuduError, Text

from .acting import acts, see, told
from .errors import status_of
from .forms import again, key_of, new_key, typed
from .kept import values
from .uploading import takes_file, uploaded

SHOWN = 50


@require_safe
@acts
def corrections(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The organisation's versions that have rows to be corrected, newest first."""
    rows = list(queries.corrections(actor)[: SHOWN + 1])
    return render(request, "corrections.html", {"rows": rows[:SHOWN], "more": len(rows) > SHOWN})


@takes_file
@require_http_methods(["GET", "HEAD", "POST"])
@acts
def correction(request: HttpRequest, actor: Actor, version_id: str) -> HttpResponseBase:
    """One list: how far it is, to take along, and to send back."""
    row = queries.correction(actor, version_id)
    if request.method != "POST":
        return _correction(request, row)
    try:
        file = uploaded(request)
        sent = typed(Corrected, source=file.path, sha256=file.sha256)
        made = actions.correct(actor, row.version_id, sent, idempotency_key=key_of(request))
    except ShuduError as error:
        return _correction(request, row, error)
    done = row.open - made.open
    if done:
        said = Text(f"处理了 {done} 行，还剩 {made.open} 行。", f"{done} rows are done, {made.open} remain.")
    else:
        said = Text("没有一行可以办结；原因见清单。", "No row could be settled; the list says why.")
    told(request, said)
    return see("correction", row.version_id)


def _correction(request: HttpRequest, row: queries.Correction, error: ShuduError | None = None) -> HttpResponse:
    context: dict[str, Any] = {
        "row": row,
        "state": queries.correction_state(row),
        "replaced": row.replaced,
        "settled": queries.settled(row),
        "steps": cases.history(row.version_id, queries.CORRECTION.name),
        "most": queries.MOST,
        "values": values(request),
        **(again(error) if error else {"key": new_key()}),
    }
    return render(request, "correction.html", context, status=status_of(error) if error else 200)


@require_safe
@acts
def file(request: HttpRequest, actor: Actor, version_id: str, form: Literal["xlsx", "csv"]) -> HttpResponseBase:
    """The list itself."""
    if form not in queries.FORMS:
        raise Http404
    _, content = queries.correction_list(actor, version_id, form)
    name = f'attachment; filename="{version_id}.list.{form}"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return HttpResponse(content, content_type=queries.FORMS[form], headers=headers)
