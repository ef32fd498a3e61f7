"""Every kind through the real sandbox: equal to an independent evaluation, and every way to fail has its own word."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.cleanroom.kinds import models as kinds


def expected(name: str, seen: kinds.Floats) -> kinds.Floats:
    """The libraries themselves, outside any sandbox; for SQL the formula again in numpy."""
    if name == "lightgbm":
        return np.asarray(kinds.booster().predict(seen))
    if name == "onnx":
        return np.asarray(kinds.booster(categorical=False).predict(seen))
    if name.startswith("xgboost"):
        return np.asarray(kinds.xgbooster().inplace_predict(seen, validate_features=False)).astype(np.float64)
    tenure, charge, age, plan = seen.T
    pull = np.where(np.isnan(tenure), 0.5, tenure / 40 - 1) + np.array([-1, 0.25, 0])[plan.astype(int)]
    pull = pull + np.log1p(np.abs(charge)) / 10 - np.where(np.isnan(age), 40, age) / 100
    return np.asarray(1 / (1 + np.exp(-pull)))


@pytest.mark.parametrize("name", kinds.MODELS)
def test_equals_an_independent_evaluation(name: str) -> None:
    table = kinds.rows(2_500)
    scores = kinds.run(kinds.MODELS[name](), table, batch_rows=999)
    wanted = expected(name, kinds.prepared(table))
    assert np.abs(scores - wanted).max() <= 1e-6
    assert len(set(scores.tolist())) > 50


ROWS = 4_000
# What a table can hold and the card lets through, edges first; every row of a batch takes one of each at random.
POOLS = st.fixed_dictionaries(
    {
        "tenure": st.lists(st.none() | st.integers(0, 100), min_size=1, max_size=30),
        "charge": st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=30),
        "age": st.lists(st.none() | st.floats(-1e300, 1e300), min_size=1, max_size=30),
        "plan": st.lists(st.none() | st.sampled_from(kinds.PLANS) | st.text(max_size=3), min_size=1, max_size=6),
    }
)
KEPT = {"tenure": pa.int64(), "charge": pa.float64(), "age": pa.float64(), "plan": pa.string()}


def native(name: str, seen: kinds.Floats) -> kinds.Floats:
    """As `expected`; ONNX in ONNX's own runtime, for single precision may take another branch than the trees did."""
    if name != "onnx":
        return expected(name, seen)
    session = onnxruntime.InferenceSession(kinds.onnx_trees(), providers=["CPUExecutionProvider"])
    found = session.run(["probabilities"], {"rows": seen.astype(np.float32)})[0]
    return np.asarray(found[:, 1], np.float64)


@pytest.mark.parametrize("name", kinds.MODELS)
@settings(max_examples=2, deadline=None)
@given(pools=POOLS, seed=st.integers(0, 2**32 - 1), batch=st.integers(1_000, ROWS))
def test_native_and_sandboxed_scores_are_the_same(
    name: str, pools: dict[str, list[object]], seed: int, batch: int
) -> None:
    chance = np.random.default_rng(seed)
    table = pa.table(
        {
            column: pa.array([pools[column][at] for at in chance.integers(0, len(pools[column]), ROWS)], kept)
            for column, kept in KEPT.items()
        }
    )
    scores = kinds.run(kinds.MODELS[name](), table, batch_rows=batch)
    assert np.abs(scores - native(name, kinds.prepared(table))).max() <= 1e-6
