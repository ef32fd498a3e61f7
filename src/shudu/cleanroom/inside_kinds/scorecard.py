"""Scorecards inside the sandbox: base points plus the points of each input, by bin or by category."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]


def load(model: bytes, inputs: list[list[str]], output: dict[str, Any]) -> Callable[[pa.RecordBatch], Floats]:
    """The scorer of one card. Raises ValueError when the declared inputs are not the card's."""
    card = json.loads(model)
    if [item["column"] for item in card["inputs"]] != [column for column, _ in inputs]:
        raise ValueError("the declared inputs are not the model's")
    return lambda batch: score(card, batch.columns)


def score(card: dict[str, Any], columns: list[pa.Array]) -> Floats:
    """base + the points of each input, added in the declared order. `columns` are equally long, in that order too."""
    total = np.full(len(columns[0]), card["base"], np.float64)
    for item, column in zip(card["inputs"], columns, strict=True):
        total += POINTS[item["kind"]](item, column)
    return total


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
