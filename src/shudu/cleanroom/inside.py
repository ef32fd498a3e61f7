"""The trusted worker inside the sandbox: reads rows, asks the evaluator of the model's kind, writes one score per row.

It runs alone, as `python inside.py [EVALUATOR [DATA]]`, and imports nothing of ours. Only when it and the evaluator
have imported all they need does it read its job from standard input: eight bytes of length, JSON {inputs, output, rows,
model: bytes}, and the model. Rows are read and written batch by batch, so memory grows with the batch, not the table.
"""

import importlib.util
import json
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

if __name__ == "__main__":
    # Before numpy loads: thread pools cost address space, and the sandbox forbids threads.
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_IO_THREADS"):
        os.environ[_name] = "1"
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"

import numpy as np
import numpy.typing as npt
import pyarrow as pa

MAGIC = b"ARROW1\0\0"
SCORES = pa.schema([pa.field("score", pa.float64())])
BATCH_ROWS = 65_536
PATIENCE_SECONDS = 600.0
OUTPUT_EXIT = 79

Floats = npt.NDArray[np.float64]
Scorer = Callable[[pa.RecordBatch], Floats]


class NoScore(ValueError):
    """The model did not give one number for each row."""


def read_job(source: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """What is to be done, and the model. Raises ValueError when the source ends early."""
    told = json.loads(source.read(int.from_bytes(source.read(8), "little")))
    model = source.read(told["model"])
    if len(model) != told["model"]:
        raise ValueError("the job was cut short")
    return told, model


def score_file(score: Scorer, columns: list[str], data: pa.NativeFile) -> Iterator[Floats]:
    """The scores of every batch of an Arrow IPC file whose columns are exactly `columns`."""
    if data.read(len(MAGIC)) != MAGIC:
        raise ValueError("the data is not an Arrow IPC file")
    # Behind its magic an IPC file is a stream; read so, no footer is trusted and no reader thread starts.
    reader = pa.ipc.open_stream(data, options=pa.ipc.IpcReadOptions(use_threads=False))
    if reader.schema.names != columns:
        raise ValueError("the data's columns are not the model's inputs")
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        scores = np.asarray(score(batch))
        if scores.dtype != np.float64 or scores.shape != (batch.num_rows,):
            raise NoScore("the model did not give one float64 per row")
        yield scores
        del batch, scores  # else the next one is read while this one is still held


def write_scores(parts: Iterator[Floats], out: BinaryIO) -> int:
    """One stream, cut every BATCH_ROWS rows however the input was cut: equal scores are equal bytes. Returns rows."""
    chunk, filled, rows = np.empty(BATCH_ROWS), 0, 0
    with pa.ipc.new_stream(pa.PythonFile(out, "w"), SCORES) as writer:
        for part in parts:
            rows += len(part)
            while len(part):
                taken = min(BATCH_ROWS - filled, len(part))
                chunk[filled : filled + taken] = part[:taken]
                part, filled = part[taken:], filled + taken
                if filled == BATCH_ROWS:
                    writer.write_batch(pa.record_batch([pa.array(chunk)], schema=SCORES))
                    filled = 0
        if filled:
            writer.write_batch(pa.record_batch([pa.array(chunk[:filled])], schema=SCORES))
    return rows


def evaluator(path: str) -> Any:
    """The module at `path`, with the one function `load`."""
    spec = importlib.util.spec_from_file_location("evaluator", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"no evaluator at {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(path: str = "/in/evaluator.py", data: str = "/in/data") -> None:
    seal = globals().get("seal", lambda: None)  # the launcher's, which closes the last walls
    kind = evaluator(path)
    seal()
    told = select.poll()
    told.register(0, select.POLLIN)
    if not told.poll(PATIENCE_SECONDS * 1_000):
        return  # told nothing for so long, nobody needs it any more
    with open(0, "rb", closefd=False) as job_file:
        job, model = read_job(job_file)
    score = kind.load(model, job["inputs"], job["output"])
    with pa.OSFile(data) as source, open(1, "wb", closefd=False) as out:
        try:
            rows = write_scores(score_file(score, [column for column, _ in job["inputs"]], source), out)
        except NoScore as error:
            print(error, file=sys.stderr, flush=True)
            raise SystemExit(OUTPUT_EXIT) from None
    if rows != job["rows"]:
        raise ValueError("the data has another number of rows than the job")


if __name__ == "__main__":
    main(*sys.argv[1:])
