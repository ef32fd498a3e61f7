"""ONNX inside the sandbox: checked once more, then ONNX Runtime on one thread, the model as bytes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pyarrow as pa

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


def load(model: bytes, inputs: list[list[str]], output: dict[str, Any]) -> Callable[[pa.RecordBatch], Floats]:
    """The scorer of one model; see `declared` for the card it comes with. Raises `onnx_checks.Unacceptable`."""
    told, raw = unpack(model)
    require_columns(told, inputs)
    found = check(raw)
    items, wanted, index = told["inputs"], told["output"]["tensor"], told["output"]["index"]
    with telling_memory():
        session = onnxruntime.InferenceSession(raw, _options(), providers=["CPUExecutionProvider"])
    together = len(found.inputs) == 1 and len(found.inputs[0].shape) == 2 and found.inputs[0].shape[1] == len(items)

    def score(batch: pa.RecordBatch) -> Floats:
        if together:
            one = found.inputs[0]
            feed = {one.name: matrix(items, batch.columns, _DTYPES[one.type])}
        else:
            by_name = {item["column"]: (item, column) for item, column in zip(items, batch.columns, strict=True)}
            feed = {one.name: _column(one, *by_name[one.name]) for one in found.inputs}
        with telling_memory():
            given = np.asarray(session.run([wanted], feed)[0])
        if given.ndim == 2:
            if given.shape[1] > 1 and index is None:
                raise ValueError("the model gives several numbers for a row and the card names none of them")
            given = given[:, index or 0]
        return given.astype(np.float64)

    return score


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
