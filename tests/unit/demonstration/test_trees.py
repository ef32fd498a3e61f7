"""The churn model as trees: ONNX through the sandbox equals LightGBM's own scores, and its card says what is so."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from shudu.cleanroom.kinds import KINDS
from shudu.cli.demonstration import fit_trees
from unit.cleanroom.kinds.models import run

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Rows]:
    """The half to train on, and the half that is offered."""
    folder = tmp_path_factory.mktemp("churn")
    script = Path(fit_trees.__file__).with_name("read_churn.py")
    subprocess.run([sys.executable, "-I", str(script), str(folder)], check=True)
    read = [
        list(csv.DictReader((folder / name).read_text("utf-8").splitlines()))
        for name in ("training.csv", "customers.csv")
    ]
    return read[0], read[1]


def table(rows: Rows) -> pa.Table:
    numbers = {name: [float(row[name]) if row[name] else None for row in rows] for name in fit_trees.NUMBERS}
    return pa.table({**numbers, **{name: [row[name] for row in rows] for name in fit_trees.CODES}})


def test_onnx_equals_the_native_score(halves: tuple[Rows, Rows]) -> None:
    training, offered = halves
    booster = fit_trees.fit(training)
    data = fit_trees.as_onnx(booster)
    model = KINDS["onnx"].admit(data, fit_trees.CARD)
    scores = run(model, table(offered), batch_rows=1_000)
    native = np.asarray(booster.predict(fit_trees.encoded(offered)))
    assert np.abs(scores - native).max() <= 1e-6
    assert len(set(scores.round(6).tolist())) > 1_000
    assert any(not row["total_charges"] for row in offered), "missing values are among them"
    assert fit_trees.as_onnx(fit_trees.fit(training)) == data, "the same rows give the same file"


def test_the_card_says_what_is_so(halves: tuple[Rows, Rows]) -> None:
    training, _ = halves
    assert f"{len(training):,}" in fit_trees.CARD["card"]["trained_on"]["en"]
    for name, codes in fit_trees.CODES.items():
        assert sorted({row[name] for row in training}) == codes
    held = training[::5]
    score = np.asarray(
        fit_trees.fit([row for at, row in enumerate(training) if at % 5]).predict(fit_trees.encoded(held))
    )
    left = np.array([row["churn"] == "Yes" for row in held])
    rank = score.argsort().argsort() + 1
    auc = (rank[left].sum() - left.sum() * (left.sum() + 1) / 2) / (left.sum() * (~left).sum())
    assert f"AUC {auc:.2f} " in fit_trees.CARD["card"]["metrics"]["en"]
