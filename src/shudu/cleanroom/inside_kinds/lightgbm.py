"""LightGBM inside the sandbox: the library's own loader and predictor, through its C interface, on one thread."""

import ctypes
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
    places = [Path(place, "lightgbm", "lib", "lib_lightgbm.so") for place in sys.path]
    library = ctypes.CDLL(str(next(place for place in places if place.is_file())))
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library


def _log(line: bytes) -> None:
    """The library would write to standard output, where the scores go."""
    sys.stderr.write(line.decode("utf-8", "replace"))


_LIBRARY = _library()
_LISTENER = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(_log)  # kept for as long as the library may call it
_LIBRARY.LGBM_RegisterLogCallback(_LISTENER)
_FLOAT64, _ROW_MAJOR, _NORMAL = 1, 1, 0


def load(model: bytes, inputs: list[list[str]], output: dict[str, Any]) -> Callable[[pa.RecordBatch], Floats]:
    """The scorer of one model; see `declared` for the card it comes with."""
    told, text = unpack(model)
    require_columns(told, inputs)
    items, classes, index = told["inputs"], told["classes"], told["output"]["index"] or 0
    booster, rounds = ctypes.c_void_p(), ctypes.c_int()
    _must(_LIBRARY.LGBM_BoosterLoadModelFromString(text, ctypes.byref(rounds), ctypes.byref(booster)))

    def score(batch: pa.RecordBatch) -> Floats:
        rows = matrix(items, batch.columns, np.float64)
        given, found = np.empty((len(rows), classes)), ctypes.c_int64()
        if not len(rows):
            return given[:, 0]
        shape = (ctypes.c_int32(rows.shape[0]), ctypes.c_int32(rows.shape[1]))
        how = (ctypes.c_int(_ROW_MAJOR), ctypes.c_int(_NORMAL), ctypes.c_int(0), ctypes.c_int(-1), b"num_threads=1")
        _must(
            _LIBRARY.LGBM_BoosterPredictForMat(
                booster, _at(rows), ctypes.c_int(_FLOAT64), *shape, *how, ctypes.byref(found), _at(given)
            )
        )
        if found.value != given.size:
            raise ValueError("the model gave another number of scores than it has classes")
        return np.ascontiguousarray(given[:, index])

    return score


def _at(values: Floats) -> ctypes.c_void_p:
    return values.ctypes.data_as(ctypes.c_void_p)


def _must(result: int) -> None:
    if result:
        with telling_memory():
            raise ValueError(_LIBRARY.LGBM_GetLastError().decode("utf-8", "replace"))
