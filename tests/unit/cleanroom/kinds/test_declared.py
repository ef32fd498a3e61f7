"""What a card makes of a column equals the words of the card, value by value, however the rows are cut into batches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.cleanroom.inside_kinds.declared import matrix, unpack
from unit.cleanroom.kinds import models as kinds

ROWS = st.fixed_dictionaries(
    {
        "tenure": st.none() | st.integers(0, 100),
        "charge": st.none() | st.floats(-1e6, 1e6),
        "age": st.none() | st.floats(-1e3, 1e3),
        "plan": st.none() | st.sampled_from([*kinds.PLANS, "", "other", " month"]),
    }
)
TYPES = {"tenure": pa.int16(), "charge": pa.float64(), "age": pa.float64()}


@given(
    rows=st.lists(ROWS, max_size=12),
    batch_rows=st.integers(1, 12),
    text=st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())]),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_card_applied_equals_its_words(rows: list[kinds.Card], batch_rows: int, text: pa.DataType) -> None:
    types = {**TYPES, "plan": text}
    table = pa.table({name: pa.array([row[name] for row in rows], type=kind) for name, kind in types.items()})
    told, _ = unpack(kinds.MODELS["sql"]().job)
    parts = [matrix(told["inputs"], batch.columns, np.float64) for batch in table.to_batches(max_chunksize=batch_rows)]
    made = np.concatenate([np.empty((0, 4)), *parts])
    assert np.array_equal(made, kinds.prepared(table), equal_nan=True)
