"""The run that hands rows over: bind what is agreed, write what its view shows, close with a result of the party's own.

The result is downloaded as any other: each time a delivery, recorded before its first byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shudu.agreements import queries as agreements
from shudu.agreements.types import Nothing, ProposedUse, onward_to_json, view_of
from shudu.catalog import queries as catalog
from shudu.catalog.types import Offered, Result, needs_encryption
from shudu.lake import queries as lake
from shudu.lake.types import Column, Place
from shudu.policy import ids
from shudu.policy.rules import refuse_unless
from shudu.policy.types import Conflict, Text

from .types import HANDING_OVER, Outcome, RunKind, Step, Work, register_kind

_ROWS = {"zh": " · 数据交付", "en": " · rows"}


def register() -> None:
    register_kind(RunKind(HANDING_OVER, (Step("bind", bind), Step("write", write), Step("close", close))))


def bind(work: Work) -> Mapping[str, Any]:
    """Does the agreement still permit it, and is the version still there?"""
    return {"version": _permitted(work).version}


def write(work: Work) -> Mapping[str, Any]:
    """Write the rows as files of the party's. Done again it writes them anew; what a killed attempt left is swept."""
    data, item = _permitted(work), work.input("data")
    version = catalog.version_row(item.version)
    use = agreements.terms_of(agreements.agreement_row(item.agreement)).use
    tables = [file for file in catalog.files(version) if file.name.endswith(".parquet")]
    target = Place(work.party, ids.new("asset"), ids.new("version"))
    handed = lake.store().hand_over(
        tables,
        catalog.place(version),
        view_of(use, data.columns, rows_leave=True),
        target,
        encrypted=needs_encryption(data.level),
    )
    shape = {column.name: column for column in data.columns}
    columns = [Column(one.name, one.type, one.nullable, shape[one.name].sensitivity) for one in handed.columns]
    return {
        "asset": target.asset,
        "version": target.version,
        "files": [file.to_json() for file in handed.files],
        "columns": [column.to_json() for column in columns],
        "rows": handed.rows,
    }


def close(work: Work) -> Outcome:
    """Hand over what was written, if the agreement still permits it."""
    data, made = _permitted(work), work.done["write"]
    onward = agreements.derived_onward([item.agreement for item in work.inputs])
    if isinstance(onward, Nothing):
        raise Conflict(
            "terms.nothing",
            Text("使用条件不许可对交付数据作任何使用。", "The terms permit no use of what would be delivered."),
            Text("请提供方另行上架。", "Ask the provider for another offer."),
        )
    result = Result(
        asset=made["asset"],
        version=made["version"],
        owner=work.party,
        title={language: f"{title}{_ROWS[language]}" for language, title in data.title.items() if language in _ROWS},
        files=tuple(made["files"]),
        columns=tuple(Column.from_json(column) for column in made["columns"]),
        rows=made["rows"],
        terms=onward_to_json(onward),
        run=work.run,
        level=data.level,
    )
    sent = sum(file["bytes"] for file in made["files"])
    return Outcome(result, [], {}, {"rows_out": made["rows"], "bytes_out": sent})


def _permitted(work: Work) -> Offered:
    item = work.input("data")
    agreement = agreements.agreement_row(item.agreement)
    use = ProposedUse.handing_over(agreement, work.purpose)
    refuse_unless(agreements.permits(item.agreement, use, version=item.version))
    return catalog.shape(agreement.asset, item.version)
