"""Reading a table back before anyone may see it: is its key one, and what do the observers find?"""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from shudu.policy.types import Conflict, Invalid, Text

from .coltypes import TEXT, quoted
from .csvscan import row_of
from .engine import one
from .ingest import Source, Written
from .types import Column, Observation, ObserverFactory

BATCH_ROWS = 65_536


def count_rows() -> str:
    return "count(*)"


def count_distinct(column: str) -> str:
    """SQL aggregate: how many different values a column has, exactly."""
    return f"count(DISTINCT {quoted(column)})"


def count_blank(column: Column) -> str:
    """SQL aggregate: in how many rows a column has no value; blanks alone are none."""
    return f"count(*) FILTER (WHERE {_blank(column)})"


def _blank(column: Column) -> str:
    name = quoted(column.name)
    return f"{name} IS NULL OR trim({name}) = ''" if column.type == TEXT else f"{name} IS NULL"


def watch(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    written: Written,
    source: Source,
    key: Column | None,
    factories: Mapping[str, ObserverFactory],
) -> dict[str, Observation]:
    """Check key and count of `table` and show it to the observers, in one scan for numbers and one for values."""
    observers = {name: factory(written.columns, key.name if key else None) for name, factory in factories.items()}
    asked = {("", "rows"): count_rows()}
    if key:
        asked |= {("", "distinct"): count_distinct(key.name), ("", "blank"): count_blank(key)}
    asked |= {(name, what): sql for name, each in observers.items() for what, sql in each.aggregates.items()}
    answer = one(connection, f"SELECT {', '.join(asked.values())} FROM {table}")
    known = dict(zip(asked, answer, strict=True))
    if known["", "rows"] != written.rows:
        raise Conflict(
            "lake.damaged", Text("写入后读回的行数不符。", "What was written reads back with another number of rows.")
        )
    if key:
        _check_key(connection, table, source, key, written.rows, known["", "blank"], known["", "distinct"])

    watching = [each for each in observers.values() if each.reads]
    reads = [quoted(column.name) for column in written.columns if any(column.name in each.reads for each in watching)]
    if reads:
        result = connection.execute(f"SELECT {', '.join(reads)} FROM {table}")
        for batch in result.to_arrow_reader(BATCH_ROWS):
            for each in watching:
                each.observe(batch)
            if not any(each.reads for each in watching):
                break
    return {name: each.result(_own(known, name)) for name, each in observers.items()}


def _own(known: Mapping[tuple[str, str], Any], observer: str) -> dict[str, Any]:
    return {what: value for (name, what), value in known.items() if name == observer}


def _check_key(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    source: Source,
    key: Column,
    rows: int,
    blank: int,
    distinct: int,
) -> None:
    name = quoted(key.name)
    repeated = 0
    if blank:
        first = f"SELECT min(file_row_number) FROM {table} WHERE {_blank(key)}"
    else:
        repeated = rows - distinct
        first = f"SELECT min(second) FROM (SELECT min(file_row_number, 2)[2] AS second FROM {table} GROUP BY {name})"
    if not blank and not repeated:
        return
    with source.path.open("rb") as file:
        row = row_of(file, one(connection, first)[0], len(source.names))
    zh, en = (
        (f"有 {blank} 行为空", f"is empty in {blank} rows")
        if blank
        else (f"有 {repeated} 行与前面的行重复", f"repeats an earlier value in {repeated} rows")
    )
    raise Invalid(
        "publish.key",
        Text(
            f"主键列“{key.name}”{zh}，最先出现在第 {row} 行。", f"The key column “{key.name}” {en}, first in row {row}."
        ),
        Text("请改正这些行，或另选一列作主键。", "Correct those rows or choose another key."),
        {"column": key.name, "row": row, "empty": blank, "repeated": repeated},
    )
