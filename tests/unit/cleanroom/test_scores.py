"""The one stream the trusted side takes; anything else a model writes is refused before anybody looks inside."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.cleanroom.inside import BATCH_ROWS, SCORES, write_scores
from shudu.cleanroom.sandbox import OutputSpec, SandboxError, output_bytes, read_scores

ROWS = 100
OUTPUT = OutputSpec("score", 0.0, 1.0)
VALUES = np.linspace(0.0, 1.0, ROWS)


def good(values: np.ndarray = VALUES) -> bytes:
    sink = io.BytesIO()
    write_scores(iter([values]), sink)
    return sink.getvalue()


def stream(batch: pa.RecordBatch, options: pa.ipc.IpcWriteOptions | None = None, times: int = 1) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        for _ in range(times):
            writer.write_batch(batch)
    return sink.getvalue()


def batch(values: np.ndarray = VALUES, schema: pa.Schema = SCORES) -> pa.RecordBatch:
    return pa.record_batch([pa.array(values)] * len(schema), schema=schema)


def refusal(raw: bytes, rows: int = ROWS) -> SandboxError:
    with pytest.raises(SandboxError) as caught:
        read_scores(raw, rows, OUTPUT)
    assert caught.value.message.zh
    assert caught.value.message.en
    return caught.value


def test_a_good_stream_is_read() -> None:
    assert np.array_equal(read_scores(good(), ROWS, OUTPUT), VALUES)
    assert np.array_equal(read_scores(stream(batch()), ROWS, OUTPUT), VALUES)
    assert len(read_scores(good(np.empty(0)), 0, OUTPUT)) == 0


def _schema(*fields: pa.Field, metadata: dict[str, str] | None = None) -> pa.Schema:
    return pa.schema(list(fields), metadata=metadata)


SCORE = pa.field("score", pa.float64())
MALFORMED: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "another column": lambda: stream(batch(schema=_schema(SCORE, pa.field("row", pa.float64())))),
    "another name": lambda: stream(batch(schema=_schema(pa.field("scores", pa.float64())))),
    "schema metadata": lambda: stream(batch(schema=_schema(SCORE, metadata={"row": "1"}))),
    "field metadata": lambda: stream(batch(schema=_schema(SCORE.with_metadata({"row": "1"})))),
    "single precision": lambda: stream(pa.record_batch({"score": pa.array(VALUES, pa.float32())})),
    "whole numbers": lambda: stream(pa.record_batch({"score": pa.array(range(ROWS), pa.int64())})),
    "text": lambda: stream(pa.record_batch({"score": pa.array(["secret"] * ROWS)})),
    "dictionary": lambda: stream(pa.record_batch({"score": pa.array(["secret"] * ROWS).dictionary_encode()})),
    "compressed": lambda: stream(batch(), pa.ipc.IpcWriteOptions(compression="zstd")),
    "nulls": lambda: stream(pa.record_batch({"score": pa.array([None, *VALUES[1:]], pa.float64())})),
    "one row more": lambda: good(np.append(VALUES, 0.5)),
    "one row less": lambda: good(VALUES[1:]),
    "twice": lambda: stream(batch(), times=2),
    "halves": lambda: stream(batch(VALUES[: ROWS // 2]), times=2),
    "truncated": lambda: good()[:-1],
    "without its end": lambda: good()[:-8],
    "more after its end": lambda: good() + b"\0",
    "a file, not a stream": lambda: b"ARROW1\0\0" + good(),
    "offsets beyond the body": lambda: good().replace(
        (ROWS * 8).to_bytes(8, "little"), (1 << 40).to_bytes(8, "little")
    ),
    "pickle": lambda: b"\x80\x04.".ljust(output_bytes(ROWS), b"\0"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_output_is_refused(name: str) -> None:
    raw = MALFORMED[name]()
    assert raw != good()
    assert refusal(raw).code == "model.output"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    assert refusal(good(np.append(VALUES[1:], value))).code == "model.output"


@pytest.mark.parametrize("value", [1.0001, -0.0001, 1e300])
def test_scores_out_of_the_promised_range_are_refused_not_clamped(value: float) -> None:
    assert refusal(good(np.append(VALUES[1:], value))).code == "model.out_of_range"


def test_rounding_at_the_end_of_the_range_is_no_offence() -> None:
    edge = np.append(VALUES[1:], 1.0 + 1e-12)
    assert read_scores(good(edge), ROWS, OUTPUT)[-1] == 1.0 + 1e-12


@given(place=st.integers(0, len(good()) - 1), bit=st.integers(0, 7))
def test_a_model_chooses_values_and_not_one_bit_more(place: int, bit: int) -> None:
    """Whatever bit is flipped: either a value is another one, or the stream is refused. Nothing goes unnoticed."""
    raw = bytearray(good())
    raw[place] ^= 1 << bit
    try:
        scores = read_scores(bytes(raw), ROWS, OutputSpec("score", -math.inf, math.inf))
    except SandboxError:
        return
    assert scores.tobytes() != VALUES.tobytes()


def test_scores_beyond_one_batch() -> None:
    values = np.random.default_rng(3).random(2 * BATCH_ROWS + 1)
    assert np.array_equal(read_scores(good(values), len(values), OUTPUT), values)
