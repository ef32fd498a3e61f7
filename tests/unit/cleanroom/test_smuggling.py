"""A modeller who wants rows, not averages: what is tried through the real sandbox, and what is left of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishModel
from shudu.cleanroom.release import DEFAULTS, rounded_to, step_of
from unit.agreements.conftest import SCORECARD, Market, market
from unit.cleanroom.test_guarded import city, product, sold

__all__ = ["city", "market"]
VICTIM = 35  # tenure of the people spied on: seven times a number, modulo sixty


def model(market: Market, folder: Path, points: list[tuple[float, float]], base: float = 500) -> None:
    """Publish a scorecard that gives these (from, points) over the tenure."""
    edges = [None, *(float(start) for start, _ in points[1:]), None]
    bins = [
        {"from": low, "to": high, "points": value}
        for low, high, (_, value) in zip(edges, edges[1:], points, strict=False)
    ]
    card: dict[str, Any] = {**SCORECARD, "base": base, "output": {"name": "score", "min": 0, "max": 1000}}
    card["inputs"] = [{"column": "tenure", "kind": "number", "bins": bins, "missing": 0}]
    path = folder / f"card{len(list(folder.glob('card*')))}.json"
    path.write_text(json.dumps(card), encoding="utf-8")
    request = PublishModel(source=path, title="评分卡", inputs=("tenure",))
    market.model = catalog.publish_model(market.modeller, request).id


@pytest.mark.django_db(transaction=True)
def test_a_band_of_scores_around_one_value_does_not_leave(city: Market, tmp_path: Path) -> None:
    model(city, tmp_path, [(0, 0), (VICTIM, 400), (VICTIM + 1, 0)])
    run = sold(city, city.buyer, group_by=("region", "plan"))
    # Three of a hundred and fifty have that tenure: whatever is grouped, their points make the mean. A person decides.
    assert (run.state, run.done["compute"]["held_for"]) == ("held", ["singled_out"])


@pytest.mark.django_db(transaction=True)
def test_low_bits_of_the_scores_are_gone(city: Market, tmp_path: Path) -> None:
    """The same model with and without a secret in the fourth digit gives the same bytes."""
    left = []
    for secret in (0.0, 0.004):
        points = [(0.0, 0.0), *((float(at), (at % 2) * 40 + secret * at) for at in range(1, 60))]
        model(city, tmp_path, points)
        left.append(product(sold(city, city.buyer, group_by=("region",))))
    assert left[0] == left[1]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 1000), (300, 850), (-1, 1), (-500, 499.5), (0, 999_999)])
def test_a_number_carries_at_most_twelve_bits(low: float, high: float) -> None:
    """The figure of the threat model: how many different means can leave, whatever a model computes and declares."""
    step = step_of(low, high, DEFAULTS.resolution)
    means = np.concatenate([np.linspace(low, high, 200_001), np.geomspace(1e-300, 1, 500)])
    found = {rounded_to(float(mean), DEFAULTS.significant_digits, step) for mean in means}
    assert math.log2(len(found)) <= 12
