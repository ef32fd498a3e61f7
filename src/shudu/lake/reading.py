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

from shudu.policy.types import Conflict, Invalid, Text, Unavailable

from .coltypes import quoted
from .folders import sync
from .types import StoredFile

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


def batches(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> pa.RecordBatchReader:
    """Stream these columns in this order. Raises Invalid `lake.column` for one that is not there."""
    there = [each[0] for each in connection.execute(f"SELECT * FROM {table} LIMIT 0").description or ()]
    _check_columns(there, columns)
    chosen = ", ".join(quoted(name) for name in columns)
    first = connection.execute(f"SELECT {chosen} FROM {table} LIMIT 256").to_arrow_table()
    return stream(connection, table, columns, first.nbytes / max(first.num_rows, 1))


def stream(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str], row_bytes: float
) -> pa.RecordBatchReader:
    """Stream columns in batches that take about as much memory whether rows are wide or narrow."""
    if row_bytes > WIDE_ROW:
        # What the engine holds ready for us is counted at 16 bytes a text, so this many bytes may be gigabytes.
        connection.execute("SET streaming_buffer_size = '1KB'")
    rows = max(1_024, min(BATCH_ROWS, int(BATCH_BYTES / max(row_bytes, 1))))
    chosen = ", ".join(quoted(name) for name in columns)
    return connection.execute(f"SELECT {chosen} FROM {table}").to_arrow_reader(rows)


def tables_of(contents: Sequence[bytes]) -> pa.Table:
    """Whole Parquet files in memory, as one table."""
    return pa.concat_tables([pa.parquet.read_table(pa.BufferReader(content)) for content in contents])


def _check_columns(there: Sequence[str], asked: Sequence[str]) -> None:
    if not asked or len(set(asked)) != len(asked):
        raise ValueError("ask for at least one column, and for none twice")
    if missing := [name for name in asked if name not in there]:
        names = "、".join(missing), ", ".join(missing)
        raise Invalid(
            "lake.column",
            Text(f"表中没有这些列：{names[0]}。", f"The table has no such columns: {names[1]}."),
            where={"columns": missing},
        )


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
