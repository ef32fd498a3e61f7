"""The evaluator inside the sandbox against a row-by-row reading of the format, on any card and any data."""

from __future__ import annotations

import io
import json
import math
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shudu.cleanroom import inside
from shudu.cleanroom.inside_kinds.scorecard import load
from shudu.cleanroom.kinds.scorecard import parse
from shudu.cleanroom.sandbox import OutputSpec, output_bytes, read_scores

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 2))
TEXTS = st.sampled_from(["", "a", "b", "一年", "𠮷野", "true", "false", "A", " a"])


@st.composite
def number_inputs(draw: st.DrawFn) -> dict[str, Any]:
    edges = sorted(draw(st.sets(NUMBERS | st.integers(-3, 3), max_size=5)))
    ends = [None, *edges, None]
    bins = [{"from": a, "to": b, "points": draw(NUMBERS)} for a, b in pairwise(ends)]
    return {"kind": "number", "bins": bins, "missing": draw(NUMBERS)}


@st.composite
def category_inputs(draw: st.DrawFn) -> dict[str, Any]:
    points = draw(st.dictionaries(TEXTS, NUMBERS, min_size=1, max_size=5))
    return {"kind": "category", "points": points, "other": draw(NUMBERS), "missing": draw(NUMBERS)}


def _column(draw: st.DrawFn, item: dict[str, Any], rows: int) -> pa.Array:
    """Values of a type that fits the input, edges and nulls among them."""
    if item["kind"] == "category":
        kind = draw(
            st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.bool_()])
        )
        values = st.booleans() if kind == pa.bool_() else TEXTS | st.sampled_from(sorted(item["points"]))
        return pa.array(draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), type=kind)
    kind = draw(st.sampled_from([pa.float64(), pa.float32(), pa.int64(), pa.uint8(), pa.decimal128(12, 2)]))
    if pa.types.is_integer(kind):
        values = st.integers(0, 5) if kind == pa.uint8() else st.integers(-5, 5) | st.integers(-(2**53), 2**53)
    elif pa.types.is_decimal(kind):
        values = st.integers(-(10**6), 10**6).map(lambda cents: Decimal(cents) / 100)
    else:
        edges = [one["to"] for one in item["bins"][:-1]] or [0.0]
        values = NUMBERS | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324, *map(float, edges)])
    return pa.array(draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), type=kind)


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], pa.Table]:
    items = draw(st.lists(number_inputs() | category_inputs(), min_size=1, max_size=5))
    items = [{"column": f"c{place}", **item} for place, item in enumerate(items)]
    rows = draw(st.integers(0, 12))
    table = pa.table({item["column"]: _column(draw, item, rows) for item in items})
    card = {
        "format": "shudu-scorecard/1",
        "name": "any",
        "base": draw(NUMBERS),
        "inputs": items,
        "output": {"name": "score", "min": -1e9, "max": 1e9},
        "card": dict.fromkeys(["task", "trained_on", "intended_use", "limits", "contact"], "x"),
    }
    return card, table


def points_of(item: dict[str, Any], value: Any) -> float:
    """One value, as the format says it in words."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return float(item["missing"])
    if item["kind"] == "category":
        text = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
        return float(item["points"].get(text, item["other"]))
    for one in item["bins"]:
        if (one["from"] is None or float(value) >= one["from"]) and (one["to"] is None or float(value) < one["to"]):
            return float(one["points"])
    raise AssertionError("no bin")


def naive(card: dict[str, Any], table: pa.Table) -> list[float]:
    scores = []
    for row in table.to_pylist():
        total = float(card["base"])
        for item in card["inputs"]:
            total += points_of(item, row[item["column"]])
        scores.append(total)
    return scores


def inputs(card: dict[str, Any]) -> list[list[str]]:
    return [[one["column"], one["kind"]] for one in card["inputs"]]


def ipc(table: pa.Table, batch_rows: int) -> pa.BufferReader:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return pa.BufferReader(sink.getvalue())


@given(case=cases(), batch_rows=st.integers(1, 12))
@settings(max_examples=400, deadline=None)
def test_equals_the_row_by_row_reading(case: tuple[dict[str, Any], pa.Table], batch_rows: int) -> None:
    card, table = case
    model = parse(json.dumps(card).encode())
    card = json.loads(json.dumps(card))
    score = load(json.dumps(card).encode(), inputs(card), card["output"])
    parts = inside.score_file(score, table.column_names, ipc(table, batch_rows))
    scores = [float(one) for part in parts for one in part]
    assert scores == naive(card, table)
    low, high = model.reachable()
    assert all(low <= one <= high for one in scores), "validation promises this range before any row is seen"


@given(rows=st.integers(0, 3 * inside.BATCH_ROWS), cuts=st.lists(st.integers(0, 3 * inside.BATCH_ROWS), max_size=6))
@example(rows=inside.BATCH_ROWS, cuts=[1])
@example(rows=2 * inside.BATCH_ROWS, cuts=[inside.BATCH_ROWS])
@settings(max_examples=40, deadline=None)
def test_equal_scores_are_equal_bytes_however_they_come(rows: int, cuts: list[int]) -> None:
    scores = np.arange(rows, dtype=np.float64)
    whole, cut = io.BytesIO(), io.BytesIO()
    inside.write_scores(iter([scores]), whole)
    inside.write_scores(iter(np.split(scores, sorted(cuts))), cut)
    assert whole.getvalue() == cut.getvalue()
    assert len(whole.getvalue()) == output_bytes(rows)
    read = read_scores(whole.getvalue(), rows, OutputSpec("score", 0.0, float(max(rows, 1))))
    assert np.array_equal(read, scores)
    # What it writes is an ordinary Arrow stream, not something only we can read.
    assert pa.ipc.open_stream(whole.getvalue()).read_all().column("score").to_pylist() == scores.tolist()


def test_other_columns_than_the_model_reads_are_refused(card: dict[str, Any]) -> None:
    table = pa.table({"contract": ["a"], "tenure": [1.0]})
    with pytest.raises(ValueError, match="columns"):
        next(
            inside.score_file(load(json.dumps(card).encode(), inputs(card), {}), ["tenure", "contract"], ipc(table, 1))
        )


def test_other_inputs_than_the_card_s_are_refused(card: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="inputs"):
        load(json.dumps(card).encode(), [["tenure", "number"]], {})


def test_what_is_not_an_arrow_file_is_refused() -> None:
    with pytest.raises(ValueError, match="Arrow"):
        next(inside.score_file(nothing, [], pa.BufferReader(b"PAR1" + bytes(100))))


@pytest.mark.parametrize(
    "wrong", [np.zeros(2), np.zeros(1, np.float32), np.zeros((1, 1)), [0], ["text"], None], ids=str
)
def test_anything_but_one_float64_per_row_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="float64"):
        next(inside.score_file(lambda _: wrong, ["x"], ipc(pa.table({"x": [1.0]}), 1)))


def test_a_job_cut_short_is_refused() -> None:
    head = b'{"model": 3}'
    with pytest.raises(ValueError, match="cut short"):
        inside.read_job(io.BytesIO(len(head).to_bytes(8, "little") + head + b"ab"))


def nothing(batch: pa.RecordBatch) -> np.ndarray:
    raise AssertionError(batch)
