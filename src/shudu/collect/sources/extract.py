"""From a source to one Parquet file, within limits; what had no counterpart is counted by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shudu.policy.types import Invalid, Text

from .port import Field, Limits, Since, Source, chosen

GROUP_BYTES = 32 << 20


@dataclass
class Extract:
    """What was read. `odd` counts, by column, the values that became no value."""

    rows: int = 0
    odd: dict[str, int] = field(default_factory=dict)
    fields: tuple[tuple[str, str], ...] = ()


def extract(
    source: Source,
    table: str,
    columns: Sequence[str],
    beyond: tuple[str, str, bool] | None,
    target: Path,
    limits: Limits,
) -> Extract:
    """Write a table's rows to `target`; nothing but a schema when there are none. Raises Invalid `source.size`.

    `beyond` is a watermark: its column, its value, and whether rows at it are wanted.
    """
    there = source.fields(table)
    fields = chosen(there, columns)
    since = Since(chosen(there, [beyond[0]])[0], beyond[1], beyond[2]) if beyond else None
    found = Extract(fields=tuple((each.name, each.declared) for each in fields))
    flagged = [each.name for each in fields if each.odd]
    writer: pq.ParquetWriter | None = None
    held: list[pa.RecordBatch] = []
    weight = 0
    try:
        for batch in source.read(table, fields, since):
            found.rows += batch.num_rows
            if found.rows > limits.rows:
                raise _too_large(Text(f"超过 {limits.rows:,} 行", f"more than {limits.rows:,} rows"))
            _count(found, batch, flagged, len(fields))
            kept = batch.select(range(len(fields)))
            held.append(kept)
            weight += kept.nbytes
            writer = writer or pq.ParquetWriter(target, kept.schema, compression="snappy")
            if weight >= GROUP_BYTES:
                _flush(writer, held)
                held, weight = [], 0
                if target.stat().st_size > limits.bytes:
                    raise _too_large(Text(f"超过 {limits.bytes >> 20:,} MB", f"more than {limits.bytes >> 20:,} MB"))
        if writer is not None and held:
            _flush(writer, held)
    finally:
        if writer is not None:
            writer.close()
    return found


def _flush(writer: pq.ParquetWriter, held: list[pa.RecordBatch]) -> None:
    writer.write_table(pa.Table.from_batches(held), row_group_size=1 << 20)


def _count(found: Extract, batch: pa.RecordBatch, flagged: Sequence[str], first: int) -> None:
    for number, name in enumerate(flagged, first):
        odd = pc.sum(pc.fill_null(batch.column(number).cast(pa.int64()), 0)).as_py()
        if odd:
            found.odd[name] = found.odd.get(name, 0) + odd


def _too_large(by: Text) -> Invalid:
    return Invalid(
        "source.size",
        Text(f"读到的内容{by.zh}，已停止。", f"What was read came to {by.en}; it was stopped."),
        Text("请只选需要的列，或按增量标记刷新。", "Choose fewer columns, or refresh by a watermark."),
    )


def described(fields: Sequence[Field]) -> list[dict[str, object]]:
    """Columns as a person is shown them."""
    return [{"name": each.name, "declared": each.declared, "watermark": each.orders} for each in fields]
