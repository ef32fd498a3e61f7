"""The files a released table becomes. Equal tables are equal bytes: their digests stand in receipts."""

from __future__ import annotations

import io
import re
from typing import Any

import pyarrow as pa

# What makes a spreadsheet take a cell for a formula (OWASP, CSV injection), with the full-width forms it folds.
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_QUOTED = re.compile(r'[",\r\n]')


def to_csv(table: pa.Table) -> bytes:
    """RFC 4180 quoting, UTF-8, lines ended by a line feed; numbers as Python writes them.

    A text that a spreadsheet would run as a formula is led by an apostrophe. Null is an empty cell, an empty text `""`.
    """
    columns = [column.to_pylist() for column in table.columns]
    lines = [table.column_names, *zip(*columns, strict=True)]
    return "".join(",".join(map(_cell, line)) + "\n" for line in lines).encode("utf-8")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    text = f"'{value}" if _FORMULA.match(value) else value
    return '"' + text.replace('"', '""') + '"' if not text or _QUOTED.search(text) else text


def to_parquet(table: pa.Table) -> bytes:
    """One row group, zstd, no metadata of ours or of Arrow's beyond the schema."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata(None).combine_chunks(),
        sink,
        compression="zstd",
        compression_level=3,
        row_group_size=max(1, len(table)),
        store_schema=False,
        version="2.6",
    )
    return sink.getvalue()
