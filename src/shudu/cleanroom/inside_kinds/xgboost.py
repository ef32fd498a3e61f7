"""XGBoost inside the sandbox: the library's own loader and predictor, through its C interface, on one thread."""

import ctypes
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shudu.cleanroom.inside_kinds.declared import matrix, require_columns, telling_memory, unpack

Floats = npt.NDArray[np.float64]


def _library() -> ctypes.CDLL:
    """Without the Python package, which would import scipy."""
    places = [Path(place, "xgboost", "lib", "libxgboost.so") for place in sys.path]
    library = ctypes.CDLL(str(next(place for place in places if place.is_file())))
    library.XGBGetLastError.restype = ctypes.c_char_p
    return library


_LIBRARY = _library()
# `type` 0 is the objective's own output; `strict_shape` makes it (rows, classes) always.
_HOW = json.dumps(
    {
        "type": 0,
        "training": False,
        "iteration_begin": 0,
        "iteration_end": 0,
        "strict_shape": True,
        "missing": float("nan"),
    }
).encode()


def load(model: bytes, inputs: list[list[str]], output: dict[str, Any]) -> Callable[[pa.RecordBatch], Floats]:
    """The scorer of one model; see `declared` for the card it comes with."""
    told, raw = unpack(model)
    require_columns(told, inputs)
    items, classes, index = told["inputs"], told["classes"], told["output"]["index"] or 0
    booster = ctypes.c_void_p()
    _must(_LIBRARY.XGBoosterCreate(None, ctypes.c_uint64(0), ctypes.byref(booster)))
    _must(_LIBRARY.XGBoosterSetParam(booster, b"nthread", b"1"))
    _must(_LIBRARY.XGBoosterLoadModelFromBuffer(booster, raw, ctypes.c_uint64(len(raw))))

    def score(batch: pa.RecordBatch) -> Floats:
        rows = matrix(items, batch.columns, np.float32)
        if not len(rows):
            return np.empty(0)
        array = {"data": [rows.ctypes.data, True], "shape": rows.shape, "typestr": "<f4", "version": 3}
        shape, width = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        found = ctypes.POINTER(ctypes.c_float)()
        _must(
            _LIBRARY.XGBoosterPredictFromDense(
                booster,
                json.dumps(array).encode(),
                _HOW,
                None,
                ctypes.byref(shape),
                ctypes.byref(width),
                ctypes.byref(found),
            )
        )
        if shape[: width.value] != [len(rows), classes]:
            raise ValueError("the model gave another number of scores than it has classes")
        # The library keeps the buffer and writes the next batch over it.
        given = np.ctypeslib.as_array(found, (len(rows), classes))[:, index]
        return given.astype(np.float64)

    return score


def _must(result: int) -> None:
    if result:
        with telling_memory():
            raise ValueError(_LIBRARY.XGBGetLastError().decode("utf-8", "replace").splitlines()[0])
