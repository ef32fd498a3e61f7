"""Fits the demonstration's scorecard: logistic regression on binned inputs, written as points.

Method: maximum likelihood by iteratively reweighted least squares with a small ridge (Hastie, Tibshirani, Friedman,
*The Elements of Statistical Learning*, §4.4.1); points scaled as credit scorecards are: 20 points double the odds.
"""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = {"tenure": (6, 12, 24, 48), "monthly_charges": (35, 60, 80, 95)}
CATEGORIES = ("contract", "internet_service", "payment_method", "tech_support")
INPUTS = (*NUMBERS, *CATEGORIES)
_PER_DOUBLING = 20 / math.log(2)


def fit(training: Path, target: Path) -> dict[str, Any]:
    """Fit on the rows of `training` and write the scorecard to `target`; a higher score means likelier to stay."""
    with training.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    values = {name: sorted({row[name] for row in rows}) for name in CATEGORIES}
    design = np.array([_encode(row, values) for row in rows])
    stayed = np.array([row["churn"] == "No" for row in rows], dtype=float)
    weights = _logistic(design, stayed)
    scorecard = _as_points(weights, values, len(rows))
    target.write_text(json.dumps(scorecard, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return scorecard


def _encode(row: dict[str, str], values: dict[str, list[str]]) -> list[float]:
    """An intercept and one indicator for every bin and category but the first of each input."""
    line = [1.0]
    for name, cuts in NUMBERS.items():
        place = sum(float(row[name]) >= cut for cut in cuts)
        line += [float(place == number) for number in range(1, len(cuts) + 1)]
    for name in CATEGORIES:
        line += [float(row[name] == value) for value in values[name][1:]]
    return line


def _logistic(design: NDArray[np.float64], outcome: NDArray[np.float64], ridge: float = 1.0) -> NDArray[np.float64]:
    weights = np.zeros(design.shape[1])
    penalty = np.diag([0.0, *[ridge] * (design.shape[1] - 1)])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (outcome - chance) - penalty @ weights
        step = np.linalg.solve((design.T * (chance * (1 - chance))) @ design + penalty, slope)
        weights += step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def _as_points(weights: NDArray[np.float64], values: dict[str, list[str]], rows: int) -> dict[str, Any]:
    points = [round(weight * _PER_DOUBLING, 1) for weight in weights.tolist()]
    base, rest = 500 + points[0], iter(points[1:])
    inputs: list[dict[str, Any]] = []
    smallest = largest = base
    for name, cuts in NUMBERS.items():
        edges = [None, *cuts, None]
        given = [0.0, *(next(rest) for _ in cuts)]
        bins = [{"from": edges[n], "to": edges[n + 1], "points": given[n]} for n in range(len(given))]
        inputs.append({"column": name, "kind": "number", "bins": bins, "missing": 0})
        smallest, largest = smallest + min(0, *given), largest + max(0, *given)
    for name in CATEGORIES:
        given = [0.0, *(next(rest) for _ in values[name][1:])]
        table = dict(zip(values[name], given, strict=True))
        inputs.append({"column": name, "kind": "category", "points": table, "other": 0, "missing": 0})
        smallest, largest = smallest + min(0, *given), largest + max(0, *given)
    return {
        "format": "shudu-scorecard/1",
        "name": "客户留存评分卡",
        "base": round(base, 1),
        "inputs": inputs,
        "output": {"name": "score", "min": math.floor(smallest), "max": math.ceil(largest)},
        "card": {
            "task": "Likelihood that a telecom customer stays; 20 points double the odds.",
            "trained_on": f"{rows} real customers (modeldata wa_churn, one half of the rows).",
            "intended_use": "Comparing groups of customers, released as averages of at least ten.",
            "limits": "One company, one month; not for decisions about a single person.",
            "contact": "model@example.invalid",
        },
    }
