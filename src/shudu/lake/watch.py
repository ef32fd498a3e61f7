"""Reading a table back before anyone may see it: is its key one, and what do the observers find?"""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import duckdb

from shudu.policy.types import Conflict, Invalid, Text

from .coltypes import TEXT, quoted
from .engine import one
from .reading import stream
from .types import Column, Observation, ObserverFactory


def watch(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: tuple[Column, ...],
    rows: int,
    key: Column | None,
    row_at: Callable[[int], int],
    factories: Mapping[str, ObserverFactory],
    *,
    row_bytes: float,
) -> dict[str, Observation]:
    """Check `table`'s count and key and show it to the observers: one scan each for numbers, key and values.

    `row_at` tells in which row of the file the table's row (from 0) stood.
    """
    observers = {name: factory(columns, key.name if key else None) for name, factory in factories.items()}
    asked = {("", "rows"): "count(*)"}
    if key:
        asked["", "empty"] = f"count(*) FILTER (WHERE {_blank(key)})"
    asked |= {(name, what): sql for name, each in observers.items() for what, sql in each.aggregates.items()}
    answer = one(connection, f"SELECT {', '.join(asked.values())} FROM {table}")
    known = dict(zip(asked, answer, strict=True))
    if known["", "rows"] != rows:
        raise Conflict(
            "lake.damaged", Text("写入后读回的行数不符。", "What was written reads back with another number of rows.")
        )
    if key:
        known["", "distinct"] = _check_key(connection, table, row_at, key, rows, known["", "empty"])
    ours = _of(known, "")

    watching = [each for each in observers.values() if each.reads]
    reads = [column.name for column in columns if any(column.name in each.reads for each in watching)]
    if reads:
        for batch in stream(connection, table, reads, row_bytes):
            for each in watching:
                each.observe(batch)
            if not any(each.reads for each in watching):
                break
    return {name: each.result(ours | _of(known, name)) for name, each in observers.items()}


def _of(known: Mapping[tuple[str, str], Any], observer: str) -> dict[str, Any]:
    return {what: value for (name, what), value in known.items() if name == observer}


def _blank(column: Column) -> str:
    """SQL: has this row no value? Blanks alone are none."""
    name = quoted(column.name)
    return f"{name} IS NULL OR trim({name}) = ''" if column.type == TEXT else f"{name} IS NULL"


def _check_key(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    row_at: Callable[[int], int],
    key: Column,
    rows: int,
    empty: int,
) -> int:
    """The number of distinct keys, which is the number of rows. Raises Invalid, naming the first row at fault."""
    name = quoted(key.name)
    if empty:
        zh, en = f"有 {empty} 行为空", f"is empty in {empty} rows"
        first = f"SELECT min(file_row_number) FROM {table} WHERE {_blank(key)}"
    else:
        # Not count(DISTINCT …): grouping takes half the time and spills.
        distinct: int = one(connection, f"SELECT count(*) FROM (SELECT {name} FROM {table} GROUP BY {name})")[0]
        if distinct == rows:
            return distinct
        zh, en = f"有 {rows - distinct} 行与前面的行重复", f"repeats an earlier value in {rows - distinct} rows"
        first = f"SELECT min(second) FROM (SELECT min(file_row_number, 2)[2] AS second FROM {table} GROUP BY {name})"
    row = row_at(one(connection, first)[0])
    raise Invalid(
        "publish.key",
        Text(
            f"主键列“{key.name}”{zh}，最先出现在第 {row} 行。", f"The key column “{key.name}” {en}, first in row {row}."
        ),
        Text("请改正这些行，或另选一列作主键。", "Correct those rows or choose another key."),
        {"column": key.name, "row": row},
    )
