"""A new version made of the one before and a file: rows added beside it, or put in the place of those with their key.

Appending rewrites nothing where it can be helped: the files of the base are linked into the new version's folder, so
each version still has a folder of its own and erasing one is removing it (decision 0010). What is encrypted has a key
of its own for every version, so there the rows are written anew.
"""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from shudu.policy.types import Invalid, Text

from . import arrival
from .arrival import stored_file
from .coltypes import quoted
from .engine import one, parquet, unlock
from .ingest import ROW_GROUP, ROW_GROUP_BYTES
from .landing import copy
from .types import Base, Change, Column, Mode, ObserverFactory, Place, Stored, StoredFile, Table

BASE_KEY = "base"
MANY_FILES = 32  # a version in more files than this is written anew as one
RowAt = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Old:
    """A stored table as it lies on this machine; the engine knows its key as `key`."""

    paths: tuple[Path, ...]
    encrypted: bool
    key: str

    @property
    def table(self) -> str:
        return parquet(self.paths, encrypted=self.encrypted, key=self.key)


def opened(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], secret: bytes | None, name: str) -> Old:
    """Let the engine read these files, with `secret` where they are encrypted."""
    if secret is not None:
        unlock(connection, name, secret)
    return Old(tuple(paths), secret is not None, name)


def copied(
    connection: duckdb.DuckDBPyConnection, old: Old, table: Table, files: Path, place: Place, *, encrypted: bool
) -> tuple[StoredFile, ...]:
    """The same table in the folder `files`, for the version at `place`: linked, or written anew under its own key."""
    made = []
    for path, file in zip(old.paths, table.files, strict=True):
        target = files / path.name
        if old.encrypted or encrypted:
            source = replace(old, paths=(path,))
            _write(connection, f"FROM {source.table}", target, table.columns, table, encrypted)
        else:
            os.link(path, target)
        made.append(stored_file(place, target, file.rows))
    return tuple(made)


def combine(
    connection: duckdb.DuckDBPyConnection,
    old: Old,
    base: Base,
    new: Stored,
    folder: Path,
    place: Place,
    key: str | None,
    observers: Mapping[str, ObserverFactory],
    row_at: RowAt,
    *,
    encrypted: bool,
) -> Stored:
    """Make of `old`, which is the `base`, and of `new`, which lies in `folder / "files"`, the whole table there.

    It is observed as one.
    """
    files = folder / "files"
    fresh = folder / "fresh.parquet"
    os.rename(files / arrival.TABLE, fresh)
    _same_columns(base.table.columns, new.columns)
    side = {file.name for file in new.side_files}
    if base.mode == Mode.APPEND:
        change = _append(connection, old, base, fresh, files, new, key, row_at, side, encrypted=encrypted)
    else:
        change = _upsert(connection, old, base, fresh, files, new, key, encrypted=encrypted)
    fresh.unlink(missing_ok=True)
    tables = sorted((path for path in files.iterdir() if path.name not in side), key=_in_order)
    whole = arrival.described(
        connection,
        place,
        _columns(connection, tables, new.columns, encrypted),
        one(connection, f"SELECT count(*) FROM {parquet(tables, encrypted=encrypted)}")[0],
        key,
        observers,
        tables,
        row_at=row_at,
        row_bytes=sum(path.stat().st_size for path in tables) * 4 / max(new.rows, 1),
        encrypted=encrypted,
    )
    return replace(
        new, files=whole.files, columns=whole.columns, rows=whole.rows, observations=whole.observations, change=change
    )


def _append(
    connection: duckdb.DuckDBPyConnection,
    old: Old,
    base: Base,
    fresh: Path,
    files: Path,
    new: Stored,
    key: str | None,
    row_at: RowAt,
    side: set[str],
    *,
    encrypted: bool,
) -> Change:
    added = parquet([fresh], encrypted=encrypted, options=", file_row_number = true")
    if key is not None:
        name = quoted(key)
        clash = f"FROM {added} AS fresh SEMI JOIN {old.table} AS old USING ({name})"
        count, first = one(connection, f"SELECT count(*), min(file_row_number) {clash}")
        if count:
            raise _there_already(key, count, row_at(first))
    if old.encrypted or encrypted or len(old.paths) >= MANY_FILES:
        chosen = ", ".join(quoted(column.name) for column in new.columns)
        query = (
            f"SELECT {chosen} FROM {old.table} UNION ALL SELECT {chosen} FROM {parquet([fresh], encrypted=encrypted)}"
        )
        _write(connection, query, files / arrival.TABLE, new.columns, base.table, encrypted)
    else:
        for path in old.paths:
            os.link(path, files / path.name)
        os.rename(fresh, files / f"data-{_number(old.paths[-1].name) + 1}.parquet")
    return Change(base.mode, base.table.place.version, added=new.rows)


def _upsert(
    connection: duckdb.DuckDBPyConnection,
    old: Old,
    base: Base,
    fresh: Path,
    files: Path,
    new: Stored,
    key: str | None,
    *,
    encrypted: bool,
) -> Change:
    if key is None:
        raise Invalid(
            "version.no_key",
            Text("按主键更新需要主键，这个数据资源没有。", "Updating by key takes a key, and this asset has none."),
            Text("请追加，或整体替换。", "Append, or replace the whole."),
        )
    name = quoted(key)
    table = parquet([fresh], encrypted=encrypted)
    names = [quoted(column.name) for column in new.columns]
    same = " AND ".join(f"old.{each} IS NOT DISTINCT FROM fresh.{each}" for each in names)
    before, met, unchanged = one(
        connection,
        f"SELECT (SELECT count(*) FROM {old.table}), count(*), count(*) FILTER (WHERE {same})"
        f" FROM {old.table} AS old JOIN {table} AS fresh USING ({name})",
    )
    chosen = ", ".join(names)
    kept = f"SELECT {chosen} FROM {old.table} AS old ANTI JOIN {table} AS fresh USING ({name}) UNION ALL "
    query = f"{'' if base.remove_missing else kept}SELECT {chosen} FROM {table}"
    _write(connection, query, files / arrival.TABLE, new.columns, base.table, encrypted)
    return Change(
        base.mode,
        base.table.place.version,
        added=new.rows - met,
        changed=met - unchanged,
        unchanged=unchanged,
        removed=before - met if base.remove_missing else 0,
    )


def _write(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    target: Path,
    columns: Sequence[Column],
    base: Table,
    encrypted: bool,
) -> None:
    rows = sum(file.rows or 0 for file in base.files)
    row_bytes = sum(file.bytes for file in base.files) * 4 / max(rows, 1)
    group = max(2_048, min(ROW_GROUP, int(ROW_GROUP_BYTES / max(row_bytes, 1))))
    copy(connection, query, target, [column.name for column in columns], group, encrypted)


def _columns(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Path], columns: Sequence[Column], encrypted: bool
) -> tuple[Column, ...]:
    """The columns again, each saying whether any row of all lacks a value."""
    empty = ", ".join(f"count(*) > count({quoted(column.name)})" for column in columns)
    found = one(connection, f"SELECT {empty} FROM {parquet(tables, encrypted=encrypted)}")
    return tuple(
        replace(column, nullable=bool(lacks), sensitivity=None) for column, lacks in zip(columns, found, strict=True)
    )


def _number(name: str) -> int:
    """Which file of its table this is: `data.parquet` is the first, `data-2.parquet` the second."""
    _, _, number = name.removesuffix(".parquet").partition("-")
    return int(number) if number.isdecimal() else 1


def _in_order(path: Path) -> int:
    return _number(path.name)


def _same_columns(old: Sequence[Column], new: Sequence[Column]) -> None:
    """Raise Invalid, naming the first column that differs."""
    there = {column.name: column.type for column in new}
    for column in old:
        if column.name not in there:
            raise _differs(f"缺少“{column.name}”列", f"lacks the column “{column.name}”", column.name)
        if there[column.name] != column.type:
            raise _differs(
                f"“{column.name}”列是 {there[column.name]}，原来是 {column.type}",
                f"has {there[column.name]} in “{column.name}”, which was {column.type}",
                column.name,
            )
    if more := [column.name for column in new if column.name not in {each.name for each in old}]:
        raise _differs(f"多出“{more[0]}”列", f"has one column more, “{more[0]}”", more[0])


def _differs(zh: str, en: str, column: str) -> Invalid:
    return Invalid(
        "version.columns",
        Text(f"新文件的列与现有版本不同：{zh}。", f"The file's columns differ from the version's: it {en}."),
        Text("请更正文件或配方，或整体替换。", "Correct the file or the recipe, or replace the whole."),
        {"column": column},
    )


def _there_already(key: str, count: int, row: int) -> Invalid:
    return Invalid(
        "publish.key",
        Text(
            f"有 {count} 行的主键（“{key}”列）在现有版本中已有，最先出现在第 {row} 行。",
            f"The keys of {count} rows (column “{key}”) are there already, first in row {row}.",
        ),
        Text("请改用按主键更新，或删去这些行。", "Update by key instead, or remove those rows."),
        {"column": key, "row": row},
    )
