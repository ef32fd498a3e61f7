"""One CSV becomes one Parquet file in one reading: parsed, typed, written, checked and observed.

The engine parses and writes while a second thread reads the same bytes from the page cache for the digest and the
strictness (`csvscan`). Types are guessed from the first rows and enforced on all: only when a later value does not fit
is the source read again. What was written is then read back (`watch`).
"""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import duckdb
import pyarrow as pa

from shudu.policy.types import Conflict, Invalid, Text, Unavailable

from . import csvscan
from .coltypes import LADDER, MISTYPED, TEXT, Candidates, examine, literal, projection, quoted, raw, survivors
from .csvhead import HEAD_BYTES, names_in, sample_in
from .engine import KEY_NAME, in_words, one
from .types import Column

ROW_GROUP = 122_880
ROW_GROUP_BYTES = 64 << 20

Statistics = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Source:
    """An open source: one descriptor, so that every reader sees the same file whatever happens to its name."""

    handle: int
    name: str
    status: os.stat_result
    names: tuple[str, ...]
    sample: pa.Table
    row_bytes: float

    @property
    def path(self) -> Path:
        return Path(f"/proc/self/fd/{self.handle}")

    def check_unchanged(self) -> None:
        """Raise Conflict when somebody wrote to the file after it was opened."""
        if _identity(os.fstat(self.handle)) != _identity(self.status):
            raise Conflict(
                "publish.changed",
                Text(
                    "读取期间源文件被修改，什么也没有发布。",
                    "The file changed while it was read; nothing was published.",
                ),
                Text("请等写入结束后再发布。", "Publish it once nobody writes to it."),
            )


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@contextmanager
def opened(path: Path, max_bytes: int) -> Iterator[Source]:
    """Open a CSV and read its header. Raises Invalid when it is no regular file, empty, too large or no CSV."""
    try:
        # Without O_NONBLOCK a named pipe would hold us until somebody writes to it.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise _file_error("publish.file", f"“{path.name}”不是普通文件。", f"“{path.name}” is not a regular file.")
        if status.st_size == 0:
            raise _file_error("publish.empty", "文件是空的。", "The file is empty.")
        if status.st_size > max_bytes:
            limit = max_bytes >> 20
            raise _file_error(
                "publish.size", f"文件超过 {limit:,} MB 的上限。", f"The file exceeds the limit of {limit:,} MB."
            )
        head = os.pread(handle, HEAD_BYTES, 0)
        row_bytes = len(head) / max(head.count(b"\n"), head.count(b"\r"), 1)
        names = names_in(head)
        yield Source(handle, path.name, status, names, _sample(head, len(names)), row_bytes)
    finally:
        os.close(handle)


def _sample(head: bytes, columns: int) -> pa.Table:
    """The first rows in long form: `c`, the column's number, and `value`."""
    values = sample_in(head, columns)
    numbers = [number for number, column in enumerate(values) for _ in column]
    return pa.table({"c": pa.array(numbers, pa.int32()), "value": pa.array(chain(*values), pa.string())})


def _unreadable(path: Path, error: OSError) -> Invalid:
    if isinstance(error, FileNotFoundError):
        return _file_error("publish.file", f"没有找到文件“{path.name}”。", f"There is no file “{path.name}”.")
    return _file_error("publish.file", f"无法打开文件“{path.name}”。", f"The file “{path.name}” cannot be opened.")


def _file_error(code: str, zh: str, en: str) -> Invalid:
    return Invalid(code, Text(zh, en), Text("请核对文件后再试。", "Check the file and try again."))


@dataclass(frozen=True, slots=True)
class Written:
    columns: tuple[Column, ...]
    rows: int
    source_sha256: str
    source_bytes: int


def write(connection: duckdb.DuckDBPyConnection, source: Source, target: Path, *, encrypted: bool) -> Written:
    """Write `source` as Parquet to `target`. Raises Invalid for what is not a strict CSV with at least one row."""
    failure: duckdb.Error | None = None
    types: list[str] = []
    rows = 0
    stats: Statistics = {}
    with ThreadPoolExecutor(1) as reader:
        scanning = reader.submit(_scan, source.path)
        try:
            types, rows, stats = _write_typed(connection, source, target, encrypted)
        except duckdb.Error as error:
            failure = error
        scanned = scanning.result()
    digest = scanned.finish()
    source.check_unchanged()
    if failure is not None:
        said = in_words(failure)
        ours = isinstance(said, Unavailable) or isinstance(failure, duckdb.IOException)
        raise said if ours else _explain(source)
    if rows == 0:
        raise _file_error("publish.empty", "文件只有表头，没有数据。", "The file has a header but no rows.")
    if scanned.commas != (len(source.names) - 1) * (rows + 1):
        raise _explain(source)
    columns = tuple(
        Column(name, type_, int(stats.get(quoted(name), {}).get("null_count", rows)) > 0)
        for name, type_ in zip(source.names, types, strict=True)
    )
    return Written(columns, rows, digest, scanned.bytes)


def _scan(path: Path) -> csvscan.Scan:
    with path.open("rb") as file:
        return csvscan.scan(file)


def _explain(source: Source) -> Invalid:
    with source.path.open("rb") as file:
        return csvscan.explain(file, len(source.names))


def _write_typed(
    connection: duckdb.DuckDBPyConnection, source: Source, target: Path, encrypted: bool
) -> tuple[list[str], int, Statistics]:
    table = _as_text(source)
    guess = _guess(connection, source)
    try:
        rows, stats = _copy(connection, table, guess, source, target, encrypted)
    except duckdb.InvalidInputException as error:
        if MISTYPED not in str(error):
            raise
        guess = _decide(connection, table, guess)
        rows, stats = _copy(connection, table, guess, source, target, encrypted)
    return [column.best or TEXT for column in guess], rows, stats


def _as_text(source: Source) -> str:
    columns = ", ".join(f"'{raw(number)}': 'VARCHAR'" for number in range(len(source.names)))
    return (
        f"read_csv({literal(str(source.path))}, auto_detect = false, header = true, columns = {{{columns}}},"
        " delim = ',', quote = '\"', escape = '\"', compression = 'none', strict_mode = true,"
        f" allow_quoted_nulls = false, max_line_size = {csvscan.MAX_RECORD})"
    )


def _guess(connection: duckdb.DuckDBPyConnection, source: Source) -> list[Candidates]:
    """What the first rows allow. A long table: planning 1,000 columns by 5 types takes longer than reading."""
    connection.register("sample", source.sample)
    answer = connection.execute(
        f"SELECT c, {', '.join(examine('value', LADDER))} FROM sample GROUP BY c ORDER BY c"
    ).fetchall()
    found = {number: survivors(LADDER, fits) for number, *fits in answer}
    return [found.get(number, Candidates()) for number in range(len(source.names))]


def _decide(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[Candidates]) -> list[Candidates]:
    """What all rows allow of what the first did."""
    asked = [test for number, column in enumerate(columns) for test in examine(raw(number), column.types)]
    answer = iter(one(connection, f"SELECT {', '.join(asked)} FROM {table}"))
    return [survivors(column.types, list(islice(answer, 1 + len(column.types)))) for column in columns]


def _copy(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[Candidates],
    source: Source,
    target: Path,
    encrypted: bool,
) -> tuple[int, Statistics]:
    # Row groups are held in memory while they fill: wide rows make them shorter, so memory stays flat.
    group = max(2_048, min(ROW_GROUP, int(ROW_GROUP_BYTES / source.row_bytes)))
    ids = ", ".join(f"{quoted(name)}: {number}" for number, name in enumerate(source.names, 1))
    key = f", ENCRYPTION_CONFIG {{footer_key: '{KEY_NAME}'}}" if encrypted else ""
    row = one(
        connection,
        f"COPY (SELECT {projection(columns, source.names)} FROM {table}) TO {literal(str(target))}"
        f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group}, FIELD_IDS {{{ids}}}, RETURN_STATS,"
        f" USE_TMP_FILE false, OVERWRITE true{key})",
    )
    return row[1], row[4]
