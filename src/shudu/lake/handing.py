"""Rows on their way out: what a view shows, streamed into the two files a delivery consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from shudu.policy.types import Invalid, Text

from .types import Column, StoredFile

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
