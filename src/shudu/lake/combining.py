"""A new version made of the one before and a file: rows added beside it, or put in the place of those with their key.

Appending rewrites nothing where it can be helped: the files of the base are linked into the new version's folder, so
each version still has a folder of its own and erasing one is removing it (decision 0011). What is encrypted has a key
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

from . import arrival, evolving
from .arrival import stored_file
from .coltypes import TEXT, quoted
from .engine import one, parquet, unlock
from .ingest import ROW_GROUP, ROW_GROUP_BYTES
from .kinds import called
from .landing import copy
from .types import (
    Base,
    Change,
    Column,
    Fields,
    Mode,
    ObserverFactory,
    Place,
    Stored,
    StoredFile,
    Table,
    field_ids,
    fields_in,
    fields_of,
)

BASE_KEY = "base"
MANY_FILES = 32  # a version in more files than this is written anew as one
RowAt = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Old:
    """A stored table as it lies on this machine; the engine knows its key as `key`."""

    paths: tuple[Path, ...]
    encrypted: bool
    key: str
    fields: Fields | None = None

    @property
    def table(self) -> str:
        return parquet(self.paths, encrypted=self.encrypted, key=self.key, fields=self.fields)


def opened(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], table: Table, secret: bytes | None, name: str
) -> Old:
    """Let the engine read a table's files, with `secret` where they are encrypted."""
    if secret is not None:
        unlock(connection, name, secret)
    return Old(tuple(paths), secret is not None, name, fields_in(table.files))


def copied(
    connection: duckdb.DuckDBPyConnection, old: Old, table: Table, files: Path, place: Place, *, encrypted: bool
) -> tuple[StoredFile, ...]:
    """The same table in the folder `files`, for the version at `place`: linked, or written anew under its own key."""
    made = []
    for path, file in zip(old.paths, table.files, strict=True):
        target = files / path.name
        fields = file.fields
        if old.encrypted or encrypted:
            source = replace(old, paths=(path,))
            _write(connection, f"FROM {source.table}", target, table.columns, table, encrypted)
            fields = None
        else:
            os.link(path, target)
        made.append(replace(stored_file(place, target, file.rows), fields=fields))
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
    columns = evolving.target(base.table.columns, base.evolution, new.columns, key, base.next_field)
    evolved = old.fields is not None or not base.evolution.empty
    old = replace(old, fields=fields_of(columns) if evolved else None)
    fresh, new = _fitted(connection, fresh, new, columns, row_at, encrypted=encrypted)
    side = {file.name for file in new.side_files}
    if base.mode == Mode.REPLACE:
        os.rename(fresh, files / arrival.TABLE)
        change = Change(base.mode, base.table.place.version)
    elif base.mode == Mode.APPEND:
        change = _append(connection, old, base, fresh, files, new, key, row_at, side, encrypted=encrypted)
    else:
        change = _upsert(connection, old, base, fresh, files, new, key, encrypted=encrypted)
    fresh.unlink(missing_ok=True)
    tables = sorted((path for path in files.iterdir() if path.name not in side), key=_in_order)
    linked = evolved and len(tables) > 1
    read = old.fields if linked else None
    rows = one(connection, f"SELECT count(*) FROM {parquet(tables, encrypted=encrypted)}")[0]
    whole = arrival.described(
        connection,
        place,
        _columns(connection, parquet(tables, encrypted=encrypted, fields=read), columns),
        rows,
        key,
        observers,
        tables,
        row_at=row_at,
        row_bytes=sum(path.stat().st_size for path in tables) * 4 / max(rows, 1),
        encrypted=encrypted,
        fields=read,
    )
    last = max(tables, key=_in_order).name
    made = tuple(replace(file, fields=read) if file.name != last else file for file in whole.files)
    return replace(
        new, files=made, columns=whole.columns, rows=whole.rows, observations=whole.observations, change=change
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
    names = [column.name for column in columns]
    copy(connection, query, target, names, group, encrypted, field_ids(columns))


def _fitted(
    connection: duckdb.DuckDBPyConnection,
    fresh: Path,
    new: Stored,
    columns: Sequence[Column],
    row_at: RowAt,
    *,
    encrypted: bool,
) -> tuple[Path, Stored]:
    """The new file with exactly these columns, by these field ids: as it lies, or written anew. Raises Invalid."""
    _same_columns(columns, new.columns)
    types = {column.name: column.type for column in new.columns}
    there = [(number, each.name, each.type) for number, each in enumerate(new.columns, 1)]
    if there == [*fields_of(columns)]:
        return fresh, replace(new, columns=tuple(columns))
    table = parquet([fresh], encrypted=encrypted, options=", file_row_number = true")
    for column in columns:
        name = quoted(column.name)
        if types[column.name] == TEXT != column.type:
            # By a finer type: a number with more decimals than the column keeps is not rounded but refused.
            finer = f"TRY_CAST({name} AS DECIMAL(38,12))" if column.type.startswith("DECIMAL") else name
            cast = f"TRY_CAST({name} AS {column.type})"
            wrong = f"{name} IS NOT NULL AND ({cast} IS NULL OR {cast} IS DISTINCT FROM {finer})"
            first = one(connection, f"SELECT min(file_row_number) FROM {table} WHERE {wrong}")[0]
            if first is not None:
                raise _misfit(column, row_at(first))
    chosen = ", ".join(f"CAST({quoted(each.name)} AS {each.type}) AS {quoted(each.name)}" for each in columns)
    fitted = fresh.with_name("fitted.parquet")
    whole = Table(Place("x", "x", "x"), new.files, new.columns)
    _write(connection, f"SELECT {chosen} FROM {table}", fitted, columns, whole, encrypted)
    fresh.unlink()
    return fitted, replace(new, columns=tuple(columns))


def renumber(
    connection: duckdb.DuckDBPyConnection, base: Base, new: Stored, files: Path, place: Place, *, encrypted: bool
) -> Stored:
    """Give the columns of a table that replaces the base's the field ids those names have there."""
    columns = evolving.renumbered(new.columns, base.table.columns, base.next_field)
    if all(column.field is None for column in columns):
        return new
    target, before = files / arrival.TABLE, files / "before.parquet"
    os.rename(target, before)
    whole = Table(place, new.files, new.columns)
    _write(connection, f"FROM {parquet([before], encrypted=encrypted)}", target, columns, whole, encrypted)
    before.unlink()
    return replace(new, files=(stored_file(place, target, new.rows),), columns=columns)


def _columns(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns again, each saying whether any row of all lacks a value."""
    empty = ", ".join(f"count(*) > count({quoted(column.name)})" for column in columns)
    found = one(connection, f"SELECT {empty} FROM {table}")
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
        if not fits(there[column.name], column.type):
            raise _differs(
                f"“{column.name}”列是 {there[column.name]}，原来是 {column.type}",
                f"has {there[column.name]} in “{column.name}”, which was {column.type}",
                column.name,
            )
    if more := [column.name for column in new if column.name not in {each.name for each in old}]:
        raise _differs(f"多出“{more[0]}”列", f"has one column more, “{more[0]}”", more[0])


def fits(given: str, type_: str) -> bool:
    """May a value of the type `given` stand in a column of `type_`? Text that is a decimal is looked at one by one."""
    return evolving.widens(given, type_) or (given == TEXT and type_.startswith("DECIMAL"))


def _misfit(column: Column, row: int) -> Invalid:
    return Invalid(
        "row.value",
        Text(
            f"第 {row} 行：“{column.name}”列的值读不成“{called(column.type).zh}”。",
            f"Row {row}: the value in “{column.name}” is no {called(column.type).en}.",
        ),
        Text("请改正该值。", "Correct the value."),
        {"row": row, "column": column.name},
    )


def _differs(zh: str, en: str, column: str) -> Invalid:
    return Invalid(
        "version.columns",
        Text(f"新文件的列与现有版本不同：{zh}。", f"The file's columns differ from the version's: it {en}."),
        Text(
            "请更正文件，声明列的变化（增、删、改名、加宽），或整体替换。",
            "Correct the file, declare what changed (added, dropped, renamed, wider), or replace the whole.",
        ),
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
