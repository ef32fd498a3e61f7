"""ONNX inside the sandbox: checked once more, then ONNX Runtime on one thread, the model as bytes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pyarrow as pa
from numpy.random import default_rng  # here, for once a model is there nothing more is imported

from shudu.cleanroom.inside_kinds.declared import (
    codes,
    floats,
    matrix,
    numbers,
    require_columns,
    telling_memory,
    unpack,
)
from shudu.cleanroom.inside_kinds.onnx_checks import DOUBLE, FLOAT, INT32, INT64, STRING, check

Floats = npt.NDArray[np.float64]

onnxruntime.disable_telemetry_events()
_DTYPES = {FLOAT: np.float32, DOUBLE: np.float64, INT32: np.int32, INT64: np.int64}
_FATAL = 4
_NONE = np.empty(0)
_AGAIN = 4  # rows of each batch
_NOTICED = 1e-3  # of the score's range

Ask = Callable[[dict[str, Any]], Floats]


def load(model: bytes, inputs: list[list[str]], output: dict[str, Any]) -> Callable[[pa.RecordBatch], Floats]:
    """The scorer of one model; see `declared` for the card it comes with. Raises `onnx_checks.Unacceptable`."""
    told, raw = unpack(model)
    require_columns(told, inputs)
    found = check(raw)
    items, wanted, index = told["inputs"], told["output"]["tensor"], told["output"]["index"]
    with telling_memory():
        session = onnxruntime.InferenceSession(raw, _options(), providers=["CPUExecutionProvider"])
    one_matrix = len(found.inputs) == 1 and len(found.inputs[0].shape) == 2 and found.inputs[0].shape[1] == len(items)

    def ask(feed: dict[str, Any]) -> Floats:
        with telling_memory():
            given = np.asarray(session.run([wanted], feed)[0])
        if given.ndim == 2:
            if given.shape[1] > 1 and index is None:
                raise ValueError("the model gives several numbers for a row and the card names none of them")
            given = given[:, index or 0]
        return given.astype(np.float64)

    def score(batch: pa.RecordBatch) -> Floats:
        if one_matrix:
            one = found.inputs[0]
            feed = {one.name: matrix(items, batch.columns, _DTYPES[one.type])}
        else:
            by_name = {item["column"]: (item, column) for item, column in zip(items, batch.columns, strict=True)}
            feed = {one.name: _column(one, *by_name[one.name]) for one in found.inputs}
        if not told["together"]:
            return one_by_one(ask, feed, batch.num_rows)
        scores = ask(feed)
        if scores.shape == (batch.num_rows,):
            _require_alone(ask, feed, scores, (output["max"] - output["min"]) * _NOTICED)
        return scores

    return score


def one_by_one(ask: Ask, feed: dict[str, Any], rows: int) -> Floats:
    """Each row by itself: whatever the model does with what it is given, it is given nobody else's."""
    found = [ask({name: values[at : at + 1] for name, values in feed.items()}) for at in range(rows)]
    if any(one.shape != (1,) for one in found):
        return _NONE  # another number of scores than rows, which the worker refuses
    return np.concatenate([_NONE, *found])


def _require_alone(ask: Ask, feed: dict[str, Any], scores: Floats, tolerance: float) -> None:
    """Some rows again, by themselves: should `kinds.onnx_rows` be wrong about a model, this is where it shows.

    Raises ValueError. Rounding depends on how many rows a matrix has; what no release shows is no difference.
    """
    if not len(scores):
        return
    for at in default_rng().integers(0, len(scores), _AGAIN):
        alone = ask({name: values[at : at + 1] for name, values in feed.items()})
        if alone.shape != (1,) or not np.isclose(alone[0], scores[at], rtol=0, atol=tolerance, equal_nan=True):
            raise ValueError("the model scores a row otherwise when it stands alone")


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.enable_profiling = False
    options.enable_cpu_mem_arena = False  # it never gives memory back, and a job's is counted
    options.log_severity_level = _FATAL
    return options


def _column(tensor: Any, item: dict[str, Any], column: pa.Array) -> Any:
    """One column as the tensor of its name: shape (rows,) or (rows, 1)."""
    if tensor.type == STRING:
        values: Any = np.array(item["codes"], dtype=object)[codes(item, column)]
    else:
        read = numbers if item["kind"] == "number" else floats
        values = read(item, column).astype(_DTYPES[tensor.type])
    return values.reshape(-1, 1) if len(tensor.shape) == 2 else values
