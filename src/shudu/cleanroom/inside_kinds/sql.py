"""SQL models inside the sandbox: one expression over one table, in a DuckDB of this job's own that is locked up."""

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shudu.cleanroom.inside_kinds.declared import codes, numbers, require_columns, telling_memory, unpack

Floats = npt.NDArray[np.float64]

# No file, no network, no extension, nothing spilled; one thread, so rows stay in their order.
_OPTIONS: dict[str, Any] = {
    "allocator_background_threads": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "memory_limit": "256MB",
    "preserve_insertion_order": "true",
    "temp_directory": "",
    "threads": "1",
}


def load(model: bytes, inputs: list[list[str]], output: dict[str, Any]) -> Callable[[pa.RecordBatch], Floats]:
    """The scorer of one model: its statement as admission wrote it anew, which selects one column from `input`."""
    told, statement = unpack(model)
    require_columns(told, inputs)
    connection = duckdb.connect(":memory:", config=_OPTIONS)
    connection.execute("SET python_enable_replacements = false")  # a table's name is never a Python variable
    connection.execute("SET lock_configuration = true")
    text = statement.decode("utf-8")

    def score(batch: pa.RecordBatch) -> Floats:
        arrays = [_array(item, column) for item, column in zip(told["inputs"], batch.columns, strict=True)]
        prepared = pa.record_batch(arrays, names=batch.schema.names)
        # As a C stream: a scan of a pyarrow table would start threads, and wait for ever where there are none.
        stream = pa.RecordBatchReader.from_batches(prepared.schema, [prepared]).__arrow_c_stream__()
        connection.register("input", stream)
        with telling_memory():
            ((_, given),) = connection.execute(text).fetchnumpy().items()
        return np.ma.filled(given.astype(np.float64), np.nan)

    return score


def _array(item: dict[str, Any], column: pa.Array) -> pa.Array:
    if item["kind"] == "number":
        values = numbers(item, column)
        return pa.array(values, mask=np.isnan(values))
    found = codes(item, column)
    places = pa.array(found, type=pa.int64(), mask=found < 0)
    return pa.array(item["codes"], type=pa.string()).take(places)
