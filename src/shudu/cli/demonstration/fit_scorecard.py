"""Fits the demonstration's scorecards: logistic regression on binned inputs, written as points.

Method: maximum likelihood by iteratively reweighted least squares with a small ridge (Hastie, Tibshirani, Friedman,
*The Elements of Statistical Learning*, §4.4.1); points scaled as credit scorecards are: 20 points double the odds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PER_DOUBLING = 20 / math.log(2)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to fit: number inputs with their cuts, category inputs, and which rows are good (a higher score)."""

    name: str
    numbers: Mapping[str, tuple[float, ...]]
    categories: tuple[str, ...]
    good: Callable[[Row], bool]
    card: Mapping[str, str]

    @property
    def inputs(self) -> tuple[str, ...]:
        return (*self.numbers, *self.categories)


def fit(recipe: Recipe, rows: Iterable[Row], target: Path) -> None:
    """Fit on those of `rows` that lack no input, and write the scorecard to `target`."""
    whole = [row for row in rows if all(row[name] not in (None, "") for name in recipe.inputs)]
    values = {name: sorted({str(row[name]) for row in whole}) for name in recipe.categories}
    design = np.array([_encode(recipe, row, values) for row in whole])
    good = np.array([recipe.good(row) for row in whole], dtype=float)
    points = _logistic(design, good) * _PER_DOUBLING
    scorecard = _as_scorecard(recipe, points, design.mean(axis=0), values)
    target.write_text(json.dumps(scorecard, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _encode(recipe: Recipe, row: Row, values: dict[str, list[str]]) -> list[float]:
    """An intercept and one indicator for every bin and category but the first of each input."""
    line = [1.0]
    for name, cuts in recipe.numbers.items():
        place = sum(float(row[name]) >= cut for cut in cuts)
        line += [float(place == number) for number in range(1, len(cuts) + 1)]
    for name in recipe.categories:
        line += [float(str(row[name]) == value) for value in values[name][1:]]
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


def _as_scorecard(
    recipe: Recipe, points: NDArray[np.float64], shares: NDArray[np.float64], values: dict[str, list[str]]
) -> dict[str, Any]:
    """A value that is missing, or was never seen, gets the average of its input: it says nothing either way."""
    rest = iter(zip([round(one, 1) for one in points.tolist()], shares.tolist(), strict=True))
    base = 500 + next(rest)[0]
    inputs: list[dict[str, Any]] = []
    smallest = largest = base
    for name in recipe.inputs:
        cuts = recipe.numbers.get(name)
        fitted = [next(rest) for _ in (values[name][1:] if cuts is None else cuts)]
        given = [0.0, *(one for one, _ in fitted)]
        usual = round(sum(one * share for one, share in fitted), 1)
        if cuts is None:
            table = dict(zip(values[name], given, strict=True))
            inputs.append({"column": name, "kind": "category", "points": table, "other": usual, "missing": usual})
        else:
            edges = [None, *cuts, None]
            bins = [{"from": edges[n], "to": edges[n + 1], "points": given[n]} for n in range(len(given))]
            inputs.append({"column": name, "kind": "number", "bins": bins, "missing": usual})
        smallest, largest = smallest + min(*given, usual), largest + max(*given, usual)
    return {
        "format": "shudu-scorecard/1",
        "name": recipe.name,
        "base": round(base, 1),
        "inputs": inputs,
        "output": {"name": "score", "min": math.floor(smallest), "max": math.ceil(largest)},
        "card": {**recipe.card, "contact": "model@example.invalid"},
    }
