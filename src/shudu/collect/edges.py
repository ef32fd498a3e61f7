"""The rows at a watermark: they are read again each time, for a late one may have come at the very same moment."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq


def edge(file: Path, watermark: str | None, key: str | None) -> tuple[str, bool]:
    """SHA-256 of the rows of a Parquet file whose watermark is the largest, in the order of their key; and whether
    there are no others. Empty without a watermark."""
    if watermark is None:
        return "", False
    column = pq.read_table(file, columns=[watermark]).column(0)
    largest = pc.max(column)
    if not largest.is_valid:
        return "", False
    rows = pq.read_table(file, filters=pc.field(watermark) == largest)
    if key:
        rows = rows.sort_by(key)
    sink = hashlib.sha256()
    with pa.ipc.new_stream(pa.PythonFile(_Digesting(sink), mode="w"), rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    return sink.hexdigest(), rows.num_rows == len(column)


class _Digesting:
    """A file to write to that keeps a digest only."""

    closed = False

    def __init__(self, sink: hashlib._Hash) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        self._sink.update(data)
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...
