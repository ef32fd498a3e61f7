"""Two versions of a table side by side: by key where there is one, else as bags of rows."""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from .coltypes import literal, quoted
from .engine import one
from .types import Column, Difference, field_ids

_SHOWN = 200  # characters of a value


def compare(
    connection: duckdb.DuckDBPyConnection,
    old: str,
    new: str,
    before: Sequence[Column],
    after: Sequence[Column],
    key: str | None,
    limit: int = 0,
) -> Difference:
    """What became of `old` in `new` (table expressions), and up to `limit` of the rows.

    Columns are the same when their field ids are; columns that only one of them has make no row a changed one.
    """
    there = dict(zip(field_ids(before), before, strict=True))
    pairs = [(there[number], column) for number, column in zip(field_ids(after), after, strict=True) if number in there]
    if key is not None and any(column.name == key == was.name for was, column in pairs):
        return _by_key(connection, old, new, pairs, before, after, key, limit)
    return _as_bags(connection, old, new, pairs, limit)


def _by_key(
    connection: duckdb.DuckDBPyConnection,
    old: str,
    new: str,
    pairs: Sequence[tuple[Column, Column]],
    before: Sequence[Column],
    after: Sequence[Column],
    key: str,
    limit: int,
) -> Difference:
    name = quoted(key)
    others = [(was, now) for was, now in pairs if now.name != key]
    differs = [f"{_as(was, now)} IS DISTINCT FROM new.{quoted(now.name)}" for was, now in others]
    both = f"FROM {old} AS old JOIN {new} AS new ON old.{name} = new.{name}"
    changed = " OR ".join(differs) or "false"
    counts = [f"count(*) FILTER (WHERE {each})" for each in (changed, *differs)]
    met, rows, *by_column = one(connection, f"SELECT count(*), {', '.join(counts)} {both}")
    was_rows, now_rows = one(connection, f"SELECT (SELECT count(*) FROM {old}), (SELECT count(*) FROM {new})")
    shown: list[Any] = []
    if limit:
        was_row, now_row = _row("old", before), _row("new", after)
        shown = connection.execute(
            f"(SELECT 'changed', {was_row}, {now_row} {both} WHERE {changed} ORDER BY new.{name} LIMIT {limit})"
            f" UNION ALL (SELECT 'added', NULL, {now_row} FROM {new} AS new ANTI JOIN {old} AS old USING ({name})"
            f" ORDER BY new.{name} LIMIT {limit})"
            f" UNION ALL (SELECT 'removed', {was_row}, NULL FROM {old} AS old ANTI JOIN {new} AS new USING ({name})"
            f" ORDER BY old.{name} LIMIT {limit})"
        ).fetchall()
    return Difference(
        added=now_rows - met,
        removed=was_rows - met,
        changed=rows,
        unchanged=met - rows,
        columns={now.name: count for (_, now), count in zip(others, by_column, strict=True) if count},
        rows=tuple((what, was or {}, now or {}) for what, was, now in shown[:limit]),
    )


def _as_bags(
    connection: duckdb.DuckDBPyConnection,
    old: str,
    new: str,
    pairs: Sequence[tuple[Column, Column]],
    limit: int,
) -> Difference:
    """By the columns both have: a row counts as often as it stands there."""
    if not pairs:
        was_rows, now_rows = one(connection, f"SELECT (SELECT count(*) FROM {old}), (SELECT count(*) FROM {new})")
        return Difference(now_rows, was_rows, 0, 0, {})
    was = f"SELECT {', '.join(f'{_as(a, b)} AS {quoted(b.name)}' for a, b in pairs)} FROM {old} AS old"
    now = f"SELECT {', '.join(quoted(b.name) for _, b in pairs)} FROM {new}"
    more, less = f"({now} EXCEPT ALL {was})", f"({was} EXCEPT ALL {now})"
    added, removed, total = one(
        connection,
        f"SELECT (SELECT count(*) FROM {more}), (SELECT count(*) FROM {less}), (SELECT count(*) FROM {new})",
    )
    shown: list[Any] = []
    if limit:
        row = _row("each", [b for _, b in pairs])
        shown = connection.execute(
            f"(SELECT 'added', NULL, {row} FROM {more} AS each LIMIT {limit})"
            f" UNION ALL (SELECT 'removed', {row}, NULL FROM {less} AS each LIMIT {limit})"
        ).fetchall()
    return Difference(
        added,
        removed,
        0,
        total - added,
        {},
        tuple((what, was_row or {}, now_row or {}) for what, was_row, now_row in shown[:limit]),
    )


def _as(was: Column, now: Column) -> str:
    name = f"old.{quoted(was.name)}"
    return name if was.type == now.type else f"TRY_CAST({name} AS {now.type})"


def _row(table: str, columns: Sequence[Column]) -> str:
    """SQL: a row as names and shortened texts."""
    names = ", ".join(literal(column.name) for column in columns)
    values = ", ".join(f"left(CAST({table}.{quoted(column.name)} AS VARCHAR), {_SHOWN})" for column in columns)
    return f"map([{names}], [{values}])"
