"""One CSV becomes one Parquet file in one reading: parsed, typed, written, checked and observed.

The engine parses and writes while a second thread reads the same bytes from the page cache for the digest and the
strictness (`csvscan`). Types are guessed from the first rows and enforced on all: only when a later value does not fit
is the source read again. What was written is then read back (`watch`).
"""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from shudu.policy.types import Conflict, Invalid, Text, Unavailable

from . import csvscan
from .coltypes import LADDER, MISTYPED, TEXT, Candidates, examine, literal, quoted, raw, selection, type_of
from .csvhead import HEAD_BYTES, names_in
from .deciding import narrowed, settled
from .engine import KEY_NAME, LEAN, in_words, leanly, one
from .progress import following, share_read
from .types import Column

ROW_GROUP = 122_880
ROW_GROUP_BYTES = 64 << 20
FIRST_ROWS = 64
SPELLED_ROWS = 4_096
SAMPLE_ROWS = 16_384
SAMPLE_BYTES = 1 << 19

Statistics = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Held:
    """An open file of any format: one descriptor, so that every reader sees the same file whatever happens to its name.

    It is regular, neither empty nor too large.
    """

    handle: int
    name: str
    status: os.stat_result

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


@dataclass(frozen=True, slots=True)
class Source(Held):
    """A CSV as the engine can read it."""

    names: tuple[str, ...]
    row_bytes: float
    delimiter: str = ","


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@contextmanager
def held(path: Path, max_bytes: int) -> Iterator[Held]:
    """Open a file to publish. Raises Invalid when it is no regular file, empty or too large."""
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
        yield Held(handle, path.name, status)
    finally:
        os.close(handle)


def as_csv(file: Held, delimiter: str = ",") -> Source:
    """An open file as a CSV, its header read. Raises Invalid when it is none."""
    head = os.pread(file.handle, HEAD_BYTES, 0)
    row_bytes = len(head) / max(head.count(b"\n"), head.count(b"\r"), 1)
    names = names_in(head, delimiter)
    return Source(file.handle, file.name, file.status, names, row_bytes, delimiter)


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
    spelled: tuple[Candidates, ...] = ()
    rounded: bool = False


class Misfit(Exception):
    """A value does not fit the type that was declared for its column."""


@dataclass(frozen=True, slots=True)
class Typing:
    """Which types and spellings may be taken, which texts mean nothing, or what each column was declared to be."""

    ladder: tuple[str, ...] = LADDER
    nulls: tuple[str, ...] = ()
    declared: tuple[Candidates, ...] = ()


PLAIN = Typing()


def write(
    connection: duckdb.DuckDBPyConnection, source: Source, target: Path, *, encrypted: bool, typing: Typing = PLAIN
) -> Written:
    """Write `source` as Parquet to `target`.

    Raises Invalid for what is not a strict CSV with at least one row, Misfit where a declared type does not hold.
    """
    failure: duckdb.Error | None = None
    types: list[Candidates] = []
    rows = 0
    stats: Statistics = {}
    stopped = threading.Event()
    with ThreadPoolExecutor(1) as reader:
        scanning = reader.submit(_scan, source, stopped)
        try:
            try:
                with following(connection, share_read):
                    types, rows, stats = _write_typed(connection, source, target, encrypted, typing)
            except duckdb.InterruptException:
                raise
            except duckdb.Error as error:
                failure = error
            scanned = scanning.result()
        except BaseException:
            stopped.set()  # of a large file, nobody waits for the other half
            raise
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
        Column(name, type_of(each.best or TEXT), int(stats.get(quoted(name), {}).get("null_count", rows)) > 0)
        for name, each in zip(source.names, types, strict=True)
    )
    return Written(columns, rows, digest, scanned.bytes, tuple(types), scanned.rounded)


def _scan(source: Source, stopped: threading.Event) -> csvscan.Scan:
    with source.path.open("rb") as file:
        return csvscan.scan(file, source.delimiter, stopped.is_set)


def _explain(source: Source) -> Invalid:
    with source.path.open("rb") as file:
        return csvscan.explain(file, len(source.names), source.delimiter)


def _write_typed(
    connection: duckdb.DuckDBPyConnection, source: Source, target: Path, encrypted: bool, typing: Typing
) -> tuple[list[Candidates], int, Statistics]:
    table = _as_text(source)
    guess = list(typing.declared) or _guess(connection, source, typing)
    try:
        rows, stats = _copy(connection, table, guess, source, target, encrypted)
    except duckdb.InvalidInputException as error:
        if MISTYPED not in str(error):
            raise
        if typing.declared:
            raise Misfit from None
        guess = _decide(connection, table, guess, typing)
        rows, stats = _copy(connection, table, guess, source, target, encrypted)
    return guess, rows, stats


def _as_text(source: Source, options: str = "") -> str:
    columns = ", ".join(f"'{raw(number)}': 'VARCHAR'" for number in range(len(source.names)))
    return (
        f"read_csv({literal(str(source.path))}, auto_detect = false, header = true, columns = {{{columns}}},"
        f" delim = {literal(source.delimiter)}, quote = '\"', escape = '\"', compression = 'none', strict_mode = true,"
        f" allow_quoted_nulls = false, max_line_size = {csvscan.MAX_RECORD}{options})"
    )


def _guess(connection: duckdb.DuckDBPyConnection, source: Source, typing: Typing) -> list[Candidates]:
    """What the first rows allow. A long table: planning 1,000 columns by 5 types takes longer than reading."""
    rows = max(16, min(SAMPLE_ROWS, int(SAMPLE_BYTES / source.row_bytes)))
    width = len(source.names)
    names = ", ".join(raw(number) for number in range(width))
    head = _as_text(source, f", buffer_size = {2 * csvscan.MAX_RECORD}")  # else 32 MB are parsed for a few rows
    connection.execute(
        f"CREATE TEMP TABLE sample AS SELECT * FROM (SELECT r, unnest(range({width})) AS c, unnest([{names}]) AS value"
        f" FROM (SELECT row_number() OVER () AS r, * FROM (SELECT * FROM {head} LIMIT {rows})))"
        " WHERE value IS NOT NULL"
    )
    plain = tuple(each for each in typing.ladder if each in LADDER)
    spelled = tuple(each for each in typing.ladder if each not in LADDER)
    found = _examined(connection, dict.fromkeys(range(width), plain), typing.nulls, rows)
    texts = [number for number, each in found.items() if each.best == TEXT]
    found = {number: replace(each, types=each.types + spelled) for number, each in found.items()}
    if texts and spelled:
        # Spellings are dear to tell, and are told by fewer rows.
        found |= _examined(connection, dict.fromkeys(texts, spelled), typing.nulls, min(rows, SPELLED_ROWS))
    known = ", ".join(map(literal, typing.nulls))
    if known:
        for number, used in connection.execute(
            f"SELECT c, list(DISTINCT value) FROM sample WHERE value IN ({known}) GROUP BY c"
        ).fetchall():
            if found[number].best not in (None, TEXT):
                found[number] = replace(found[number], nulls=tuple(null for null in typing.nulls if null in used))
    return [found.get(number, Candidates(typing.ladder)) for number in range(len(source.names))]


def _examined(
    connection: duckdb.DuckDBPyConnection, types: Mapping[int, tuple[str, ...]], nulls: tuple[str, ...], rows: int
) -> dict[int, Candidates]:
    """What the sample's first `rows` rows allow of these columns' types: what the very first rule out is not asked of
    the others."""
    found = {number: Candidates(each) for number, each in types.items()}
    for until in sorted({min(rows, FIRST_ROWS), rows}):
        open_ = {number: each.types for number, each in found.items() if each.types or not each.values}
        if not open_:
            break
        asked = list(dict.fromkeys(each for column in open_.values() for each in column))
        # One aggregate for each type: of columns that may not take it, it says nothing.
        about = (", ".join(str(number) for number, each in open_.items() if type_ in each) for type_ in asked)
        tests = examine("value", asked, nulls, [f"c IN ({numbers})" for numbers in about])
        answer = connection.execute(
            f"SELECT c, {', '.join(tests)} FROM sample WHERE r <= {until} AND c IN ({', '.join(map(str, open_))})"
            " GROUP BY c"
        )
        for number, values, *fits in answer.fetchall():
            fitting = {type_ for type_, fit in zip(asked, fits, strict=True) if fit}
            found[number] = Candidates(tuple(each for each in open_[number] if each in fitting), values)
    return found


def _decide(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[Candidates], typing: Typing
) -> list[Candidates]:
    """What all rows allow of what the first did."""

    def ask(aggregates: Sequence[str]) -> Sequence[object]:
        return one(connection, f"SELECT {', '.join(aggregates)} FROM {table}")

    found = settled(ask, narrowed(ask, dict(enumerate(columns)), typing.nulls), typing.nulls)
    return [found[number] for number in range(len(columns))]


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
    query = (
        f"COPY ({selection(columns, source.names, table)}) TO {literal(str(target))}"
        f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group}, FIELD_IDS {{{ids}}}, RETURN_STATS,"
        f" USE_TMP_FILE false, OVERWRITE true{key})"
    )
    row = leanly(connection, LEAN, lambda: one(connection, query))
    return row[1], row[4]
