"""Reading a table back before anyone may see it: is its key one, and what do the observers find?"""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from shudu.policy.types import Conflict, Invalid, Text

from .coltypes import TEXT, literal, quoted
from .engine import LEANEST, leanly, one
from .reading import stream
from .types import Column, Observation, Observer, ObserverFactory

FEW = 10_000  # different values that are few: a grouping holds them all
SHORT = 1_000  # characters of a value that may be held so often
WIDE = 200  # columns beyond which nothing is grouped
MANY = 1 << 17  # rows beyond which different values are estimated by one in `ONE_IN`
ONE_IN = 16


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
    hinted: Collection[str] = (),
) -> dict[str, Observation]:
    """Check `table`'s count and key and show it to the observers: one scan for numbers, one for the key, a grouping of
    each column with few different values, and of the others as many rows as somebody wants to read.

    `row_at` tells in which row of the file the table's row (from 0) stood. `hinted` columns probably have few values
    (`repeating`): there is no need to estimate how many.
    """
    observers = {name: factory(columns, key.name if key else None) for name, factory in factories.items()}
    asked = {("", "rows"): "count(*)"}
    if key:
        asked["", "empty"] = f"count(*) FILTER (WHERE {_blank(key)})"
    asked |= {(name, what): sql for name, each in observers.items() for what, sql in each.aggregates.items()}
    wanted = _wanted(columns, observers.values())
    counted = {(name, what): about for name, each in observers.items() for what, about in each.distinct.items()}
    booleans = {column.name for column in columns if column.type == "BOOLEAN"}
    told = {*booleans, *hinted} if len(columns) <= WIDE else set()
    known_many = {key.name} if key else set()  # all values of a key are different, or there will be no table
    estimated = sorted({*counted.values(), *(each.name for each in wanted)} - told - known_many)
    rough = rows > MANY and len(columns) <= WIDE
    lengths = [column.name for column in wanted if _text(column)]
    sizes = [
        *(_estimate(quoted(name), rough) for name in estimated),
        *(f"max(length({quoted(name)}))" for name in lengths),
    ]
    answer = iter(one(connection, f"SELECT {', '.join((*asked.values(), *sizes))} FROM {table}"))
    known: dict[tuple[str, str], Any] = dict(zip(asked, answer, strict=False))
    known |= _ranges(connection, table, observers)
    different = dict(zip(estimated, answer, strict=False))
    longest = dict(zip(lengths, answer, strict=True))
    if known["", "rows"] != rows:
        raise Conflict(
            "lake.damaged", Text("写入后读回的行数不符。", "What was written reads back with another number of rows.")
        )
    if key:
        known["", "distinct"] = different[key.name] = _check_key(
            connection, table, row_at, key, rows, known["", "empty"]
        )
    if rough:  # what seems few is counted
        different = {name: about for name, about in different.items() if about > FEW or name in lengths}

    few = [
        column.name
        for column in wanted
        if different.get(column.name, FEW) <= FEW and (longest.get(column.name) or 0) <= SHORT
    ]
    cells, grouped = _cells(connection, table, observers, few)
    known |= cells
    different |= grouped
    different |= _different(connection, table, sorted(set(counted.values()) - set(different)))
    known |= {what: different[about] for what, about in counted.items()}
    _read(connection, table, columns, observers.values(), row_bytes)
    ours = _of(known, "")
    return {name: each.result(ours | _of(known, name)) for name, each in observers.items()}


def _ranges(
    connection: duckdb.DuckDBPyConnection, table: str, observers: Mapping[str, Observer]
) -> dict[tuple[str, str], Any]:
    """Asked apart: beside other aggregates the engine would scan for what stands in the files' statistics."""
    asked = {(name, what): sql for name, each in observers.items() for what, sql in each.ranges.items()}
    if not asked:
        return {}
    return dict(zip(asked, one(connection, f"SELECT {', '.join(asked.values())} FROM {table}"), strict=True))


def repeating(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> frozenset[str]:
    """Columns of plain Parquet files that probably have few values: every row group has a dictionary, and a short one.

    A hint, by what the writer noted down; nothing rests on it but the cost.
    """
    files = ", ".join(literal(str(path)) for path in paths)
    found = connection.execute(
        f"SELECT path_in_schema FROM parquet_metadata([{files}]) GROUP BY ALL"
        # A dictionary of numbers with a fraction is told apart no faster than they are estimated.
        f" HAVING bool_and(coalesce(stats_distinct_count <= {FEW // 2}, stats_null_count = num_values, false))"
        " AND any_value(type) NOT IN ('DOUBLE', 'FLOAT', 'FIXED_LEN_BYTE_ARRAY')"
    ).fetchall()
    return frozenset(name for (name,) in found)


def _estimate(name: str, rough: bool) -> str:
    """SQL: about how many different values there are (HyperLogLog, some 13 % off). It is the dearest of aggregates, so
    a rough one sees only those whose hash is small: where many are different it is as good."""
    if not rough:
        return f"approx_count_distinct({name})"
    some = f"CASE WHEN hash({name}) < {2**64 // ONE_IN} THEN {name} END"  # not by its low bits: those it counts by
    return f"{ONE_IN} * approx_count_distinct({some})"


def _different(connection: duckdb.DuckDBPyConnection, table: str, names: Sequence[str]) -> dict[str, int]:
    """How many different values columns have that were thought to have few: exactly, or about where that was wrong."""
    if not names:
        return {}
    groups = (
        f"(SELECT count(v) FROM (SELECT {quoted(name)} AS v FROM {table} GROUP BY 1 LIMIT {FEW + 2}))" for name in names
    )
    found = dict(zip(names, one(connection, f"SELECT {', '.join(groups)}"), strict=True))
    many = [name for name, count in found.items() if count > FEW]
    if many:
        estimates = (f"approx_count_distinct({quoted(name)})" for name in many)
        found |= zip(many, one(connection, f"SELECT {', '.join(estimates)} FROM {table}"), strict=True)
    return found


def _wanted(columns: tuple[Column, ...], observers: Collection[Observer]) -> list[Column]:
    """Columns worth grouping: a query for each of very many would cost more than it saves."""
    if len(columns) > WIDE:
        return []
    names = {name for each in observers for name in each.groups}
    names |= {name for each in observers for cells in each.cells.values() for name in cells.columns}
    return [column for column in columns if column.name in names]


def _cells(
    connection: duckdb.DuckDBPyConnection, table: str, observers: Mapping[str, Observer], few: Sequence[str]
) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    """Count cells, over different values where there are few and over the rows where not; tell who wants the groups.

    Also how many different values the columns have that were grouped: those of `few` that really have few.
    """
    asked = [
        (name, what, column, cells.holds)
        for name, each in observers.items()
        for what, cells in each.cells.items()
        for column in cells.columns
    ]
    found = {(name, what): 0 for name, what, _, _ in asked}
    different = {}
    # By position: a table may have a column called v itself.
    for column in few:
        tests = [(name, what, holds) for name, what, about, holds in asked if about == column]
        held = "".join(f", ({holds.replace('$c', 'v')}) IS true" for _, _, holds in tests)
        groups = connection.execute(
            f"SELECT v, n{held} FROM (SELECT {quoted(column)} AS v, count(*) AS n FROM {table} GROUP BY 1"
            f" LIMIT {2 * FEW}) WHERE v IS NOT NULL ORDER BY v"
        ).fetchall()
        if len(groups) >= 2 * FEW - 1:
            continue
        different[column] = len(groups)
        for number, (name, what, _) in enumerate(tests):
            found[name, what] += sum(group[1] for group in groups if group[2 + number])
        for each in observers.values():
            if column in each.groups:
                each.grouped(column, {group[0]: group[1] for group in groups})
    rest = [each for each in asked if each[2] not in different]
    if rest:
        sums = (f"count_if({holds.replace('$c', quoted(column))})" for _, _, column, holds in rest)
        for (name, what, _, _), count in zip(
            rest, one(connection, f"SELECT {', '.join(sums)} FROM {table}"), strict=True
        ):
            found[name, what] += count
    return found, different


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
    if not _text(column):
        return f"{name} IS NULL"
    # Trimming is dear, and what begins with a visible sign of ASCII has a value.
    return f"{name} IS NULL OR CASE WHEN {name} BETWEEN '!' AND '~' THEN false ELSE trim({name}) = '' END"


def _ascending(connection: duckdb.DuckDBPyConnection, table: str, name: str) -> bool:
    """Is each value larger than the one before? Then all are different, as most numbers given one after the other are,
    and nothing need be grouped; the first that is not ends the search."""
    pairs = f"SELECT {name} AS this, lag({name}) OVER () AS before FROM {table}"
    return connection.execute(f"SELECT 1 FROM ({pairs}) WHERE this <= before LIMIT 1").fetchone() is None


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
        if _ascending(connection, table, name):
            return rows
        # Not count(DISTINCT …): grouping takes half the time and spills.
        groups = f"SELECT count(*) FROM (SELECT {name} FROM {table} GROUP BY {name})"
        distinct: int = leanly(connection, LEANEST, lambda: one(connection, groups))[0]
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
