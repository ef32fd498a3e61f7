"""Reading a table back before anyone may see it: is its key one, and what do the observers find?"""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from typing import Any

import duckdb

from shudu.policy.types import Conflict, Invalid, Text

from .coltypes import TEXT, quoted
from .engine import one
from .reading import stream
from .types import Column, Observation, Observer, ObserverFactory

FEW = 10_000  # different values that are few: a grouping holds them all
SHORT = 1_000  # characters of a value that may be held so often
WIDE = 200  # columns beyond which nothing is grouped


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
    """Check `table`'s count and key and show it to the observers: one scan for numbers, one for the key, a grouping of
    each column with few different values, and of the others as many rows as somebody wants to read.

    `row_at` tells in which row of the file the table's row (from 0) stood.
    """
    observers = {name: factory(columns, key.name if key else None) for name, factory in factories.items()}
    asked = {("", "rows"): "count(*)"}
    if key:
        asked["", "empty"] = f"count(*) FILTER (WHERE {_blank(key)})"
    asked |= {(name, what): sql for name, each in observers.items() for what, sql in each.aggregates.items()}
    wanted = _wanted(columns, observers.values())
    size = [
        # All values of a key are different, or there will be no table.
        (
            "count(*)" if column == key else f"approx_count_distinct({name})",
            f"max(length({name}))" if _text(column) else "0",
        )
        for column in wanted
        for name in [quoted(column.name)]
    ]
    answer = one(connection, f"SELECT {', '.join((*asked.values(), *chain(*size)))} FROM {table}")
    known, sizes = dict(zip(asked, answer, strict=False)), list(zip(*[iter(answer[len(asked) :])] * 2, strict=True))
    if known["", "rows"] != rows:
        raise Conflict(
            "lake.damaged", Text("写入后读回的行数不符。", "What was written reads back with another number of rows.")
        )
    if key:
        known["", "distinct"] = _check_key(connection, table, row_at, key, rows, known["", "empty"])

    few = [
        column.name
        for column, (different, longest) in zip(wanted, sizes, strict=True)
        if different <= FEW and (longest or 0) <= SHORT
    ]
    known |= _cells(connection, table, observers, few)
    _read(connection, table, columns, observers.values(), row_bytes)
    ours = _of(known, "")
    return {name: each.result(ours | _of(known, name)) for name, each in observers.items()}


def _wanted(columns: tuple[Column, ...], observers: Collection[Observer]) -> list[Column]:
    """Columns worth grouping: a query for each of very many would cost more than it saves."""
    if len(columns) > WIDE:
        return []
    names = {name for each in observers for name in each.groups}
    names |= {name for each in observers for cells in each.cells.values() for name in cells.columns}
    return [column for column in columns if column.name in names]


def _cells(
    connection: duckdb.DuckDBPyConnection, table: str, observers: Mapping[str, Observer], few: Sequence[str]
) -> dict[tuple[str, str], int]:
    """Count cells, over different values where there are few and over the rows where not; tell who wants the groups."""
    asked = [
        (name, what, column, cells.holds)
        for name, each in observers.items()
        for what, cells in each.cells.items()
        for column in cells.columns
    ]
    found = {(name, what): 0 for name, what, _, _ in asked}
    for column in few:
        tests = [(name, what, holds) for name, what, about, holds in asked if about == column]
        held = "".join(f", ({holds.replace('$c', 'v')}) IS true" for _, _, holds in tests)
        groups = connection.execute(
            f"SELECT v, n{held} FROM (SELECT {quoted(column)} AS v, count(*) AS n FROM {table} GROUP BY v)"
            " WHERE v IS NOT NULL ORDER BY v"
        ).fetchall()
        for number, (name, what, _) in enumerate(tests):
            found[name, what] += sum(group[1] for group in groups if group[2 + number])
        for each in observers.values():
            if column in each.groups:
                each.grouped(column, {group[0]: group[1] for group in groups})
    rest = [each for each in asked if each[2] not in few]
    if rest:
        sums = (f"count_if({holds.replace('$c', quoted(column))})" for _, _, column, holds in rest)
        for (name, what, _, _), count in zip(
            rest, one(connection, f"SELECT {', '.join(sums)} FROM {table}"), strict=True
        ):
            found[name, what] += count
    return found


def _read(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: tuple[Column, ...],
    observers: Collection[Observer],
    row_bytes: float,
) -> None:
    """Show rows to those who still want any."""
    watching = [each for each in observers if each.reads]
    reads = [column.name for column in columns if any(column.name in each.reads for each in watching)]
    if reads:
        for batch in stream(connection, table, reads, row_bytes):
            for each in watching:
                each.observe(batch)
            if not any(each.reads for each in watching):
                break


def _of(known: Mapping[tuple[str, str], Any], observer: str) -> dict[str, Any]:
    return {what: value for (name, what), value in known.items() if name == observer}


def _text(column: Column) -> bool:
    return column.type == TEXT


def _blank(column: Column) -> str:
    """SQL: has this row no value? Blanks alone are none."""
    name = quoted(column.name)
    return f"{name} IS NULL OR trim({name}) = ''" if _text(column) else f"{name} IS NULL"


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
