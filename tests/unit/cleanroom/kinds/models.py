"""One small model of each kind on the same four inputs, its card, and rows for it."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.evaluators import EVALUATORS
from shudu.cleanroom.inside import Floats
from shudu.cleanroom.kinds import KINDS
from shudu.cleanroom.kinds.admitted import Admitted
from shudu.cleanroom.sandbox import JobSpec, Limits, OutputSpec, job_folder, read_scores

Card = dict[str, Any]
PLANS = ["month", "一年", "𠮷"]

CARD: Card = {
    "format": "shudu-model-card/1",
    "name": "Loyalty",
    "inputs": [
        {"column": "tenure", "kind": "number", "min": 0, "max": 100, "missing": "pass"},
        {"column": "charge", "kind": "number", "missing": {"as": 50.0}},
        {"column": "age", "kind": "number", "min": 0, "max": 120, "outside": "clip", "missing": "pass"},
        {"column": "plan", "kind": "category", "codes": PLANS, "other": {"as": "month"}, "missing": {"as": "𠮷"}},
    ],
    "output": {"min": 0.0, "max": 1.0},
    "card": {
        "task": {"zh": "客户是否流失", "en": "Whether a customer leaves"},
        "trained_on": "Made-up customers",
        "intended_use": "Tests",
        "limits": "Not for people",
        "metrics": "AUC 0.9 on made-up rows",
        "contact": "models@example.org",
    },
}
SELECT = """
-- a logistic model by hand
SELECT 1 / (1 + exp(-(CASE WHEN tenure IS NULL THEN 0.5 ELSE tenure / 40 - 1 END
                     + CASE plan WHEN 'month' THEN -1 WHEN '一年' THEN 0.25 ELSE 0 END
                     + ln(1 + abs(charge)) / 10 - coalesce(age, 40) / 100))) AS score
FROM input
"""


def rows(count: int, seed: int = 1) -> pa.Table:
    """Rows with every kind of value the card speaks of: missing ones, others, some out of range."""
    chance = np.random.default_rng(seed)

    def holes(values: Any, share: float = 0.1) -> pa.Array:
        return pa.array(values, mask=chance.random(count) < share)

    return pa.table(
        {
            "tenure": holes(chance.integers(0, 100, count)),
            "charge": holes(chance.normal(60, 30, count).round(2)),
            "age": holes(chance.uniform(-30, 160, count)),
            "plan": holes(np.array([*PLANS, "other", ""])[chance.integers(0, 5, count)]),
        }
    )


def prepared(table: pa.Table) -> Floats:
    """What the model is to see of these rows, worked out value by value from the words of the card."""
    made = []
    for row in table.to_pylist():
        line = []
        for item in CARD["inputs"]:
            value, missing = row[item["column"]], item["missing"]
            if value is None:
                value = None if missing == "pass" else missing["as"]
            if item["kind"] == "category":
                value = PLANS.index(value if value in PLANS else item["other"]["as"])
            elif value is not None and item.get("outside") == "clip":
                value = min(max(value, item["min"]), item["max"])
            line.append(np.nan if value is None else float(value))
        made.append(line)
    return np.array(made, np.float64).reshape(len(made), len(CARD["inputs"]))


@functools.cache
def training() -> tuple[Floats, Any]:
    seen = prepared(rows(1_500, seed=7))
    chance = np.random.default_rng(3)
    pull = np.nan_to_num(seen[:, 0], nan=30) / 40 - 1 + (seen[:, 3] - 1) + chance.normal(0, 0.5, len(seen))
    return seen, (pull > 0).astype(np.int64)


@functools.cache
def booster(trees: int = 20, categorical: bool = True) -> Any:
    """A LightGBM model of the library itself."""
    import lightgbm

    seen, wanted = training()
    data = lightgbm.Dataset(
        seen, wanted, feature_name=["tenure", "charge", "age", "plan"], categorical_feature=[3] if categorical else []
    )
    told = {"objective": "binary", "verbose": -1, "num_leaves": 15, "seed": 1, "num_threads": 1, "deterministic": True}
    return lightgbm.train(told, data, trees)


@functools.cache
def lightgbm_text() -> bytes:
    return str(booster().model_to_string()).encode()


@functools.cache
def xgbooster() -> Any:
    import xgboost

    seen, wanted = training()
    names, types = ["tenure", "charge", "age", "plan"], ["float", "float", "float", "c"]
    data = xgboost.DMatrix(seen, wanted, feature_names=names, feature_types=types, enable_categorical=True, nthread=1)
    return xgboost.train({"objective": "binary:logistic", "nthread": 1, "max_depth": 4, "seed": 1}, data, 15)


@functools.cache
def xgboost_bytes(form: str) -> bytes:
    return bytes(xgbooster().save_raw(form))


@functools.cache
def onnx_trees() -> bytes:
    """The LightGBM model (without native categories, which ONNX has not) as its users would export it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        made = convert_lightgbm(
            booster(categorical=False),
            initial_types=[("rows", FloatTensorType([None, 4]))],
            zipmap=False,
            target_opset=15,
        )
    return bytes(made.SerializeToString())


def onnx_card() -> Card:
    found = copy.deepcopy(CARD)
    found["output"] |= {"tensor": "probabilities", "index": 1}
    return found


def admit(kind: str, data: bytes, given: Card | None = None) -> Admitted:
    return KINDS[kind].admit(data, given)


MODELS: dict[str, Callable[[], Admitted]] = {
    "lightgbm": lambda: admit("lightgbm", lightgbm_text(), CARD),
    "onnx": lambda: admit("onnx", onnx_trees(), onnx_card()),
    "sql": lambda: admit("sql", SELECT.encode(), CARD),
    "xgboost json": lambda: admit("xgboost", xgboost_bytes("json"), CARD),
    "xgboost ubj": lambda: admit("xgboost", xgboost_bytes("ubj"), CARD),
}


def write_rows(path: Path, table: pa.Table, batch_rows: int = 65_536) -> Path:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return path


def run(model: Admitted, table: pa.Table, batch_rows: int = 65_536, limits: Limits | None = None) -> Floats:
    """The scores of a model through the real sandbox. Raises SandboxError."""
    output = OutputSpec("score", *model.range)
    with job_folder() as folder:
        data = write_rows(folder / "data", table, batch_rows)
        told = limits or EVALUATORS[model.kind].limits
        job = JobSpec(model.kind, model.job, data, len(table), model.inputs, output, told)
        return read_scores(Bubblewrap().run(job), len(table), output)
