"""Offering rows of one's own table: each column as it is to be seen, what that still tells of people, and the terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from shudu.agreements import actions, queries
from shudu.agreements.types import BASES, PURPOSES, DraftTable, TableRows, plain_words
from shudu.catalog import queries as catalog
from shudu.catalog.types import Offered
from shudu.govern import queries as govern
from shudu.govern.types import OPEN_K
from shudu.lake.types import PRESETS, Column, Mask
from shudu.policy.types import Actor, Conflict, Invalid, ShuduError, Text

from .acting import acts, see, told
from .errors import status_of
from .forms import again, day, fen, key_of, new_key, typed, whole, wrong
from .kept import values
from .market import labels

MOST_COLUMNS = 60
FIELD = "as:"  # of the form: how the column named behind it is offered
OUT, CLEAR = "out", "clear"
# What a value of some types may look like at all; of any other type, whatever there is.
_FITTING = {
    "BOOLEAN": {Mask.WHOLE},
    "DATE": {Mask.YEAR, Mask.WHOLE},
    "DOUBLE": {Mask.COORDINATE, Mask.WHOLE},
    "FLOAT": {Mask.COORDINATE, Mask.WHOLE},
}


@dataclass(frozen=True)
class Way:
    """One way to offer a column: its code, the preset it stands for if any, whether it is chosen, and usual."""

    code: str
    preset: Any
    chosen: bool
    usual: bool


@require_http_methods(["GET", "HEAD", "POST"])
@acts
def rows(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Choose a table, then its columns and the terms; preview what a buyer would see and what it tells of people."""
    sent = _applied(request.POST) if "apply" in request.POST else values(request) or request.GET
    form = _table(actor, sent) | {"values": sent, "key": new_key()}
    if request.method != "POST" or form["table"] is None:
        return render(request, "offer_rows.html", form)
    form["key"] = key_of(request)
    part = "HX-Request" in request.headers
    try:
        if "preview" in request.POST or "apply" in request.POST:
            form |= _preview(actor, sent, form["table"])
            return render(request, "part/rows_preview.html" if part else "offer_rows.html", form)
        wanted = _draft(sent, form["table"])
        row = actions.draft_table(actor, wanted, idempotency_key=key_of(request))
    except ShuduError as error:
        form |= again(error)
        if error.code == "offer.anonymity":
            form |= _preview(actor, sent, form["table"])
        if part:
            return render(request, "part/rows_preview.html", form)
        return render(request, "offer_rows.html", form, status=status_of(error))
    told(request, Text("上架草案已拟定，待本方接受。", "The offer is drafted; accept it to make it live."))
    return see("offer", row.id)


def _applied(sent: QueryDict) -> QueryDict:
    """The form with the masks of a step taken, and of those before it."""
    changed = sent.copy()
    try:
        applied = parse_qsl(sent.get("apply", ""), max_num_fields=MOST_COLUMNS)
    except ValueError:
        few = f"一次至多改 {MOST_COLUMNS} 列的掩码。", f"At most {MOST_COLUMNS} columns' masks change at once."
        raise wrong("apply", *few) from None
    for name, mask in applied:
        if mask in set(Mask):
            changed[FIELD + name] = mask
    return changed


def _table(actor: Actor, sent: QueryDict) -> dict[str, Any]:
    own = catalog.newest(actor, 400, state="active", run="", kind="table", owner=actor.party)
    form: dict[str, Any] = {
        "tables": [(True, own)],
        "table": None,
        "purposes": labels(PURPOSES),
        "bases": labels(BASES),
    }
    if sent.get("data", "") not in {row.id for row in own}:
        return form
    try:
        table = catalog.offered(actor, sent.get("data", ""))
    except Conflict as error:  # it has no version that can be used: said where it was chosen
        return form | {"error": error}
    usual = govern.usual_masks(actor, table.asset)
    columns = _shown(table, sent)
    suggested = set(govern.suggested_quasi(actor, table))
    names = [column.name for column in columns]
    return form | {
        "table": table,
        "columns": [(column, _ways(column, usual.get(column.name), sent)) for column in columns],
        "quasi": [(name, name) for name in names if name not in suggested | {table.entity_key}],
        "suggested": [(name, name) for name in names if name in suggested],
        "others": len(table.columns) - len(columns),
    }


def _shown(table: Offered, sent: QueryDict) -> list[Column]:
    """The columns one chooses from: all of a table's, or those named; a page holds only so many."""
    only = {name.strip() for name in sent.get("only", "").replace("，", ",").split(",") if name.strip()}
    return [column for column in table.columns if not only or column.name in only][:MOST_COLUMNS]


def _ways(column: Column, usual: Mask | None, sent: QueryDict) -> list[Way]:
    """What is found to hold personal data is masked whole until somebody chooses otherwise."""
    given = sent.get(FIELD + column.name) or (Mask.WHOLE if column.sensitivity else CLEAR)
    fitting = _FITTING.get(column.type.partition("(")[0], set(Mask))
    if column.type.startswith("TIMESTAMP"):
        fitting = _FITTING["DATE"]
    masks = [mask for mask in Mask if mask in fitting]
    ways = [Way(CLEAR, None, given == CLEAR, False), Way(OUT, None, given == OUT, False)]
    return ways + [Way(mask, PRESETS[mask], given == mask, mask is usual) for mask in masks]


def _rows(sent: QueryDict, table: Offered) -> dict[str, Any]:
    """The columns as they are to be seen; one the form does not speak of stays behind."""
    asked = {column: sent.get(FIELD + column.name, OUT) for column in _shown(table, sent)}
    if unknown := [column.name for column, way in asked.items() if way not in (OUT, CLEAR, *Mask)]:
        named = f"“{unknown[0]}”"
        raise wrong("masks", f"{named}列选了没有的提供方式。", f"There is no such way to offer the column {named}.")
    columns = tuple(column.name for column, way in asked.items() if way != OUT)
    if not columns:
        raise wrong("columns", "一列也没有提供。", "No column is offered.")
    return {
        "data": table.asset,
        "columns": columns,
        "masks": {column.name: way for column, way in asked.items() if way not in (OUT, CLEAR)},
        "clear": frozenset(column.name for column, way in asked.items() if way == CLEAR and column.sensitivity),
        "where": tuple(line for line in sent.get("where", "").splitlines() if line.strip()),
        "quasi": tuple(sent.getlist("quasi")) or None,
        "not_quasi": frozenset(sent.getlist("not_quasi")),
    }


def _draft(sent: QueryDict, table: Offered) -> DraftTable:
    acknowledged = sent.get("acknowledged_k", "").strip()
    return typed(
        DraftTable,
        **_rows(sent, table),
        purposes=sent.getlist("purposes"),
        bases=sent.getlist("bases"),
        runs=whole(sent.get("runs", ""), "runs"),
        until=day(sent.get("until", ""), "until"),
        price_fen=fen(sent.get("price", ""), "price"),
        provider=whole(sent.get("provider", "90"), "provider"),
        acknowledged_k=whole(acknowledged, "acknowledged_k") if acknowledged else None,
    )


def _preview(actor: Actor, sent: QueryDict, table: Offered) -> dict[str, Any]:
    """What is measured of the rows; the terms in words too, once they are filled in."""
    asked = _rows(sent, table)
    report = govern.anonymity(actor, typed(TableRows, **asked))
    found: dict[str, Any] = _measured(report) | {
        "seen": [(name, PRESETS[asked["masks"][name]] if name in asked["masks"] else None) for name in asked["columns"]]
    }
    try:
        wanted = _draft(sent, table)
        return found | {"wanted": wanted, "terms": plain_words(queries.preview_table(actor, wanted).terms)}
    except Invalid as error:
        return found | {"unfinished": error}


def _measured(report: govern.Report) -> dict[str, Any]:
    steps = [(step, urlencode([(one.column, one.mask) for one in report.steps[: at + 1]]), PRESETS[step.mask])
             for at, step in enumerate(report.steps)]  # fmt: skip
    return {
        "report": report,
        "steps": steps,
        "short": bool(report.found.records) and report.found.k < report.least,
        "risks": (f"{float(report.found.prosecutor):.1%}", f"{float(report.found.marketer):.1%}"),
        "open_k": OPEN_K,
    }
