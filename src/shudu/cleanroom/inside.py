"""The trusted worker inside the sandbox: one score per row, from a scorecard and a table.

It runs alone, as `python inside.py scorecard [MODEL [DATA]]`, and imports nothing of ours. Rows are read and written
batch by batch, so memory grows with the batch (write about 100,000 rows to one), not with the table.
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

if __name__ == "__main__":
    # Before numpy loads: thread pools cost address space, and the sandbox forbids threads.
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_IO_THREADS"):
        os.environ[_name] = "1"
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MAGIC = b"ARROW1\0\0"
SCORES = pa.schema([pa.field("score", pa.float64())])
BATCH_ROWS = 65_536

Floats = npt.NDArray[np.float64]


def number_points(item: dict[str, Any], column: pa.Array) -> Floats:
    """Points of one number input: the half-open bin [from, to) each value lies in; null and NaN get `missing`."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        column = column.cast(pa.float64())
    values = column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    edges = np.array([one["to"] for one in item["bins"][:-1]], np.float64)
    points = np.array([one["points"] for one in item["bins"]], np.float64)
    scored: Floats = points[np.searchsorted(edges, values, side="right")]
    scored[np.isnan(values)] = item["missing"]
    return scored


def category_points(item: dict[str, Any], column: pa.Array) -> Floats:
    """Points of one category input: by exact text; a text not listed gets `other`, null gets `missing`."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not pa.types.is_large_string(column.type):
        column = column.cast(pa.string())
    known = pa.array(list(item["points"]), type=column.type)
    points = np.array([*item["points"].values(), item["other"]], np.float64)
    found = pc.index_in(column, value_set=known).fill_null(len(known))
    scored: Floats = points[found.to_numpy(zero_copy_only=False)]
    scored[column.is_null().to_numpy(zero_copy_only=False)] = item["missing"]
    return scored


POINTS = {"category": category_points, "number": number_points}


def score(model: dict[str, Any], columns: list[pa.Array]) -> Floats:
    """base + the points of each input, added in the declared order. `columns` are equally long, in that order too."""
    total = np.full(len(columns[0]), model["base"], np.float64)
    for item, column in zip(model["inputs"], columns, strict=True):
        total += POINTS[item["kind"]](item, column)
    return total


def score_file(model: dict[str, Any], data: pa.NativeFile) -> Iterator[Floats]:
    """The scores of every batch of an Arrow IPC file whose columns are exactly the model's inputs."""
    if data.read(len(MAGIC)) != MAGIC:
        raise ValueError("the data is not an Arrow IPC file")
    # Behind its magic an IPC file is a stream; read so, no footer is trusted and no reader thread starts.
    reader = pa.ipc.open_stream(data, options=pa.ipc.IpcReadOptions(use_threads=False))
    if reader.schema.names != [item["column"] for item in model["inputs"]]:
        raise ValueError("the data's columns are not the model's inputs")
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        yield score(model, batch.columns)
        del batch  # else the next one is read while this one is still held


def write_scores(parts: Iterator[Floats], out: BinaryIO) -> None:
    """One stream, cut every BATCH_ROWS rows however the input was cut: equal scores are equal bytes."""
    chunk, filled = np.empty(BATCH_ROWS), 0
    with pa.ipc.new_stream(pa.PythonFile(out, "w"), SCORES) as writer:
        for part in parts:
            while len(part):
                taken = min(BATCH_ROWS - filled, len(part))
                chunk[filled : filled + taken] = part[:taken]
                part, filled = part[taken:], filled + taken
                if filled == BATCH_ROWS:
                    writer.write_batch(pa.record_batch([pa.array(chunk)], schema=SCORES))
                    filled = 0
        if filled:
            writer.write_batch(pa.record_batch([pa.array(chunk[:filled])], schema=SCORES))


def main(kind: str, model: str = "/in/model", data: str = "/in/data") -> None:
    if kind != "scorecard":
        raise SystemExit(f"this worker knows no model of kind {kind!r}")
    with open(model, encoding="utf-8") as file:
        card = json.load(file)
    with pa.OSFile(data) as source, open(1, "wb", closefd=False) as out:
        write_scores(score_file(card, source), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
