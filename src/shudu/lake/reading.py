"""Handing out what is stored: checked against its digest first, streamed where it may be large."""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from shudu.policy.types import Conflict, Text, Unavailable

from .coltypes import quoted
from .folders import sync
from .types import Place, StoredFile
from .view import View, condition, projected

BATCH_ROWS = 65_536
BATCH_BYTES = 16 << 20
WIDE_ROW = 1_024
CHUNK = 1 << 20
_ENCRYPTED_PARQUET = b"PARE"


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, file: StoredFile) -> None:
    """Raise Conflict `lake.damaged` unless the bytes on disk are those that were stored."""
    if not path.is_file() or path.stat().st_size != file.bytes or file_sha256(path) != file.sha256:
        raise damaged(file)


def read_checked(path: Path, file: StoredFile) -> bytes:
    """The bytes on disk, digest checked on the very bytes that are returned."""
    if not path.is_file():
        raise damaged(file)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise damaged(file)
    return data


def copy_checked(path: Path, file: StoredFile, target: Path) -> None:
    """Copy and check in one reading; what `target` holds counts only when this returns."""
    if not path.is_file():
        raise damaged(file)
    digest = hashlib.sha256()
    with path.open("rb") as source, target.open("wb") as sink:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            sink.write(chunk)
    if digest.hexdigest() != file.sha256:
        raise damaged(file)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A file beside `target` to write to; it takes `target`'s place, durable, when the block ends well."""
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        if target.is_dir():
            raise IsADirectoryError
        part.touch(exist_ok=False)
    except OSError:
        raise Unavailable(
            "lake.target",
            Text(f"无法写入目标文件“{target.name}”。", f"The file “{target.name}” cannot be written there."),
            Text("请换一个可写的位置。", "Choose a place that can be written to."),
        ) from None
    try:
        yield part
        sync(part)
        os.replace(part, target)
        sync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def is_encrypted_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_ENCRYPTED_PARQUET)) == _ENCRYPTED_PARQUET


def types_of(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The engine's type of every column, in order."""
    return {name: type_ for name, type_, *_ in connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()}


def batches(connection: duckdb.DuckDBPyConnection, table: str, view: View) -> pa.RecordBatchReader:
    """Stream what the view shows, rows in the order they were stored. Raises Invalid as `projected` and `condition`."""
    shown, rows = selected(connection, table, view)
    first = connection.execute(f"SELECT {shown} FROM {table} WHERE {rows} LIMIT 256").to_arrow_table()
    return _stream(connection, f"SELECT {shown} FROM {table} WHERE {rows}", first.nbytes / max(first.num_rows, 1))


def selected(connection: duckdb.DuckDBPyConnection, table: str, view: View) -> tuple[str, str]:
    """A view in SQL: what to select, and which rows."""
    types = types_of(connection, table)
    shown = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in projected(view, types).items())
    return shown, condition(view.rows, types)


def stream(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str], row_bytes: float
) -> pa.RecordBatchReader:
    """Stream columns in batches that take about as much memory whether rows are wide or narrow."""
    return _stream(connection, f"SELECT {', '.join(quoted(name) for name in columns)} FROM {table}", row_bytes)


def _stream(connection: duckdb.DuckDBPyConnection, query: str, row_bytes: float) -> pa.RecordBatchReader:
    if row_bytes > WIDE_ROW:
        # What the engine holds ready for us is counted at 16 bytes a text, so this many bytes may be gigabytes.
        connection.execute("SET streaming_buffer_size = '1KB'")
    rows = max(1_024, min(BATCH_ROWS, int(BATCH_BYTES / max(row_bytes, 1))))
    return connection.execute(query).to_arrow_reader(rows)


def tables_of(contents: Sequence[bytes]) -> pa.Table:
    """Whole Parquet files in memory, as one table."""
    return pa.concat_tables([pa.parquet.read_table(pa.BufferReader(content)) for content in contents])


def write_ipc(reader: pa.RecordBatchReader, target: Path) -> int:
    """Write an uncompressed Arrow IPC file; returns the number of rows. A failure leaves nothing at `target`."""
    rows = 0
    options = pa.ipc.IpcWriteOptions(compression=None)
    try:
        with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_file(sink, reader.schema, options=options) as writer:
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return rows


def damaged(file: StoredFile) -> Conflict:
    return Conflict(
        "lake.damaged",
        Text(
            f"存储的文件“{file.name}”缺失或与其摘要不符。",
            f"The stored file “{file.name}” is missing or does not match its digest.",
        ),
        Text("请从备份恢复该文件；在此之前不会使用它。", "Restore it from a backup; it is not used until then."),
        {"file": file.path},
    )


def taken() -> Conflict:
    return Conflict(
        "lake.exists",
        Text(
            "这个版本已经存有其他内容，存储的版本不能更改。",
            "This version already holds something else; a stored version never changes.",
        ),
        Text("请作为新版本发布。", "Publish it as a new version."),
    )


def as_stored(place: Place, name: str, data: bytes, plain: bytes | None) -> StoredFile:
    digest = hashlib.sha256(data).hexdigest()
    plain_digest = None if plain is None else hashlib.sha256(plain).hexdigest()
    return StoredFile(name, str(place.path_of(name)), len(data), digest, plain_sha256=plain_digest)
