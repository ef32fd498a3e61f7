"""What a model card declares of its inputs, applied to a column: missing values, ranges, lists of codes.

Shared by the evaluators inside the sandbox and, for `pack`, by whoever makes the job outside. A row that the card
refuses ends the job with `INPUT_EXIT`; which column it was stands in the log of the data's owner and nowhere else.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

INPUT_EXIT = 80

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def pack(told: dict[str, Any], model: bytes) -> bytes:
    """What the card declares and the model, as one string of bytes for the job: length, JSON, model."""
    head = json.dumps(told, ensure_ascii=False).encode()
    return len(head).to_bytes(8, "little") + head + model


def unpack(job: bytes) -> tuple[dict[str, Any], bytes]:
    """The two that `pack` put together."""
    end = 8 + int.from_bytes(job[:8], "little")
    told: dict[str, Any] = json.loads(job[8:end])
    return told, job[end:]


def require_columns(told: dict[str, Any], inputs: list[list[str]]) -> None:
    """Raises ValueError unless the card's inputs are those the job declares."""
    if [[item["column"], item["kind"]] for item in told["inputs"]] != [list(pair) for pair in inputs]:
        raise ValueError("the declared inputs are not the model's")


def numbers(item: dict[str, Any], column: pa.Array) -> Floats:
    """A number input as float64. NaN is a missing value that the card passes on to the model.

    Ends the job when the card refuses what is there: a missing value, or one outside min and max. Infinity has no place
    in a score and is refused like a value outside.
    """
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        column = column.cast(pa.float64())
    values: Floats = column.to_numpy(zero_copy_only=False).astype(np.float64, copy=True)
    gone = np.isnan(values)
    low = -np.inf if item["min"] is None else item["min"]
    high = np.inf if item["max"] is None else item["max"]
    if item["outside"] == "clip":
        np.clip(values, low, high, out=values)
    with np.errstate(invalid="ignore"):
        outside = (values < low) | (values > high) | np.isinf(values)
    if outside.any():
        refuse(item, f"{int(outside.sum())} values outside the declared range")
    if gone.any():
        if item["missing"] == "refuse":
            refuse(item, f"{int(gone.sum())} missing values")
        if item["missing"] != "pass":
            values[gone] = item["missing"]["as"]
    return values


def codes(item: dict[str, Any], column: pa.Array) -> Codes:
    """A category input as places in its list of codes; -1 is a missing value that the card passes on to the model.

    Ends the job when the card refuses what is there: a missing value, or one that is not in the list.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    column = column.cast(pa.large_string())
    known = pa.array(item["codes"], type=pa.large_string())
    found: Codes = pc.index_in(column, value_set=known).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    gone = column.is_null().to_numpy(zero_copy_only=False)
    other = (found < 0) & ~gone
    if other.any():
        if item["other"] == "refuse":
            refuse(item, f"{int(other.sum())} values that are not in the list of codes")
        found[other] = item["codes"].index(item["other"]["as"])
    if gone.any():
        if item["missing"] == "refuse":
            refuse(item, f"{int(gone.sum())} missing values")
        if item["missing"] != "pass":
            found[gone] = item["codes"].index(item["missing"]["as"])
    return found


def floats(item: dict[str, Any], column: pa.Array) -> Floats:
    """Any input as a number: a category is its place in the list of codes, what is missing is NaN."""
    if item["kind"] == "number":
        return numbers(item, column)
    found = codes(item, column)
    values = found.astype(np.float64)
    values[found < 0] = np.nan
    return values


def matrix(items: list[dict[str, Any]], columns: list[pa.Array], dtype: Any) -> Any:
    """All inputs as a C-ordered array of shape (rows, inputs)."""
    made = np.empty((len(columns[0]), len(items)), dtype)
    for place, (item, column) in enumerate(zip(items, columns, strict=True)):
        made[:, place] = floats(item, column)
    return made


@contextmanager
def telling_memory() -> Iterator[None]:
    """A library's own words for "no memory left" become MemoryError, which ends the job as `model.memory`."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if any(words in str(error).lower() for words in _NO_MEMORY):
            raise MemoryError(str(error)) from None
        raise


_NO_MEMORY = ("bad_alloc", "bad allocation", "allocate memory", "out of memory", "failed to allocate")


def refuse(item: dict[str, Any], what: str) -> None:
    """End the job: the data is not what the card says the model may be given."""
    print(f"input {item['column']!r}: {what}", file=sys.stderr, flush=True)
    raise SystemExit(INPUT_EXIT)
