"""Rows on their way out: what a view shows, streamed into the two files a delivery consists of."""

# ruff: noqa: S608 - every name in the SQL goes through coltypes.quoted, every condition through `view`

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from shudu.policy.types import Invalid, Text

from .coltypes import quoted
from .engine import one
from .reading import file_sha256, selected
from .types import Column, Place, StoredFile
from .view import View

CSV, PARQUET = "product.csv", "product.parquet"
# Sealed files are held in memory while they are made: rows in the clear never lie on a disk.
LARGEST_SEALED = 256 << 20
# What makes a spreadsheet take a cell for a formula (OWASP, CSV injection), with the full-width forms it folds.
_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"


@dataclass(frozen=True, slots=True)
class Handed:
    """The files of a delivery, and the shape of what is in them."""

    files: tuple[StoredFile, ...]
    columns: tuple[Column, ...]
    rows: int


def measured(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    view: View,
    by: Sequence[str],
    each: Mapping[str, str],
    aggregates: Mapping[str, str],
) -> dict[str, Any]:
    """Group what the view shows, take `each` of every group, and `aggregates` over those: counts, never rows."""
    shown, rows = selected(connection, table, view)
    groups = ", ".join(quoted(name) for name in by) or "1 = 1"
    inner = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in each.items())
    seen = f"(SELECT {shown} FROM {table} WHERE {rows})"
    grouped = f"(SELECT {inner} FROM {seen} GROUP BY {groups})"
    answer = one(connection, f"SELECT {', '.join(aggregates.values())} FROM {grouped}")
    return dict(zip(aggregates, answer, strict=True))


def columns_of(reader: pa.RecordBatchReader, view: View, types: Mapping[str, str]) -> tuple[Column, ...]:
    """What is handed over, by the engine's `types`; what is masked is text."""
    return tuple(
        Column(field.name, "VARCHAR" if field.name in view.masks else types[field.name], True)
        for field in reader.schema
    )


def in_memory(reader: pa.RecordBatchReader) -> tuple[int, dict[str, bytes]]:
    """The rows written, and the files by name."""
    opened = {CSV: io.BytesIO(), PARQUET: io.BytesIO()}
    rows = write(reader, dict(opened), LARGEST_SEALED)
    return rows, {name: sink.getvalue() for name, sink in opened.items()}


def in_folder(reader: pa.RecordBatchReader, folder: Path, target: Place) -> tuple[int, tuple[StoredFile, ...]]:
    """The rows written, and the files in `folder` as they will stand at `target`."""
    paths = {name: folder / name for name in (CSV, PARQUET)}
    with ExitStack() as held:
        rows = write(reader, {name: held.enter_context(path.open("wb")) for name, path in paths.items()})
    return rows, tuple(
        StoredFile(name, str(target.path_of(name)), path.stat().st_size, file_sha256(path))
        for name, path in paths.items()
    )


def write(reader: pa.RecordBatchReader, sinks: dict[str, IO[bytes]], largest: int | None = None) -> int:
    """Write every batch to both files; returns the rows. Raises Invalid `delivery.size` beyond `largest` bytes.

    CSV after RFC 4180, every value quoted: a missing value is an empty cell, an empty text `""`. A text that a
    spreadsheet would run as a formula is led by an apostrophe there; in Parquet all is as it was.
    """
    rows = 0
    options = pa.csv.WriteOptions(quoting_style="all_valid")
    with (
        pa.csv.CSVWriter(sinks[CSV], reader.schema, write_options=options) as lines,
        pa.parquet.ParquetWriter(sinks[PARQUET], reader.schema, compression="zstd", store_schema=False) as table,
    ):
        for batch in reader:
            lines.write_batch(_harmless(batch))
            table.write_batch(batch)
            rows += batch.num_rows
            if largest is not None and max(sink.tell() for sink in sinks.values()) > largest:
                raise Invalid(
                    "delivery.size",
                    Text(
                        f"加密交付的文件至多 {largest >> 20} MB。",
                        f"A file that is delivered sealed has at most {largest >> 20} MB.",
                    ),
                    Text("请提供方约定更少的行或列。", "Ask the provider for fewer rows or columns."),
                )
    return rows


def _harmless(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns: list[Any] = []
    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            led = pc.binary_join_element_wise(pa.scalar("'", column.type), column, pa.scalar("", column.type))
            column = pc.if_else(pc.fill_null(pc.match_substring_regex(column, _FORMULA), False), led, column)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
