"""Every kind through the real sandbox: equal to an independent evaluation, and every way to fail has its own word."""

from __future__ import annotations

import numpy as np
import pytest

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
