"""The metric library against independent ones, and what of it may leave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score, roc_curve

from shudu.agreements.codes import METRICS as CODES
from shudu.cleanroom import metrics
from shudu.cleanroom.metrics import METRICS, MetricSpec, calibration_bins, measure
from shudu.cleanroom.release import DEFAULTS, History, Released, ReleaseRefused

SECRET = bytes(range(16))
CASES = st.lists(st.tuples(st.integers(0, 8).map(lambda n: n / 8), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: len({yes for _, yes in rows}) == 2
)


def spec(*names: str, output: tuple[float, float] = (0.0, 1.0), **rules: Any) -> MetricSpec:
    return MetricSpec("k", "y", frozenset(names), output, replace(DEFAULTS, **rules))


def table(labels: list[Any], keys: list[str] | None = None) -> pa.Table:
    return pa.table({"k": keys or [f"e{place}" for place in range(len(labels))], "y": labels})


def found(released: Released) -> dict[tuple[str, int | None], float]:
    return {(row["metric"], row["bin"]): row["value"] for row in released.table.to_pylist()}


@given(rows=CASES)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_formulas_agree_with_scikit_learn_and_scipy_with_ties(rows: list[tuple[float, bool]]) -> None:
    scores, yes = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assert metrics.auc(scores, yes) == pytest.approx(roc_auc_score(yes, scores))
    false, true, _ = roc_curve(yes, scores, drop_intermediate=False)
    assert metrics.ks(scores, yes) == pytest.approx(np.abs(true - false).max())
    assert metrics.log_losses(scores, yes).mean() == pytest.approx(log_loss(yes, scores, labels=[False, True]))
    assert metrics.squared_errors(scores, yes.astype(float)).mean() == pytest.approx(mean_squared_error(yes, scores))


@given(rows=CASES, k=st.integers(1, 6), shared=st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_calibration_bin_holds_k_of_each(rows: list[tuple[float, bool]], k: int, shared: bool) -> None:
    scores, yes = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    entity = np.arange(len(rows)) // (2 if shared else 1)
    bins = calibration_bins(scores, yes, entity, k)
    enough = min(len(set(entity[yes])), len(set(entity[~yes]))) >= k
    for one in range(int(bins.max()) + 1):
        inside = bins == one
        assert inside.any()
        if enough and bins.max() > 0:
            assert min(len(set(entity[inside & yes])), len(set(entity[inside & ~yes]))) >= k
    order = np.argsort(scores, kind="stable")
    assert (np.diff(bins[order]) >= 0).all()
    assert all(len(set(bins[scores == value])) == 1 for value in set(scores))


def test_the_codes_of_terms_are_the_library() -> None:
    assert set(CODES.labels) == set(METRICS)


def churn(count: int = 400) -> tuple[np.ndarray, list[str]]:
    chance = np.random.default_rng(4)
    scores = chance.uniform(0, 1, count)
    return scores, ["Yes" if one else "No" for one in chance.uniform(0, 1, count) < scores]


def test_what_leaves_is_a_small_rounded_table() -> None:
    scores, labels = churn()
    released = measure(scores, table(labels), spec(*METRICS), History(SECRET))
    values = found(released)
    yes = np.array(labels) == "Yes"
    assert values["auc", None] == round(roc_auc_score(yes, scores), 3)
    assert (values["entities", None], values["positives", None]) == (400, yes.sum())
    bins = [place for name, place in values if name == "calibration_entities"]
    assert 5 <= len(bins) <= 10
    assert sum(values["calibration_entities", one] for one in bins) == 400
    assert [str(kind) for kind in released.table.schema.types] == ["string", "int64", "double"]
    assert released.sketch is not None
    assert not released.held


@pytest.mark.parametrize(("yes", "no", "k", "leaves"), [(10, 300, 10, True), (9, 300, 10, False), (300, 9, 10, False)])
def test_positives_and_negatives_must_each_be_k(yes: int, no: int, k: int, leaves: bool) -> None:
    scores = np.random.default_rng(1).uniform(0, 1, yes + no)
    labels = [1] * yes + [0] * no
    if leaves:
        assert found(measure(scores, table(labels), spec("counts", min_group=k)))["positives", None] == yes
    else:
        with pytest.raises(ReleaseRefused) as caught:
            measure(scores, table(labels), spec("counts", min_group=k))
        assert caught.value.code == "release.too_few"


def test_people_are_counted_not_rows() -> None:
    labels = [1] * 50 + [0] * 50
    keys = [f"p{place % 9}" for place in range(50)] + [f"n{place}" for place in range(50)]
    with pytest.raises(ReleaseRefused):
        measure(np.linspace(0, 1, 100), table(labels, keys), spec("auc"))


def test_a_model_that_marks_one_person_does_not_get_its_label() -> None:
    """AUC of a score that only one person has is ½ ± 1/(2n): it would tell that person's label."""
    labels = ["Yes"] * 60 + ["No"] * 60
    for victim in (0, 119):
        scores = np.zeros(120)
        scores[victim] = 1.0
        released = measure(scores, table(labels), spec("auc"))
        assert found(released)["auc", None] != 0.5, "the attack would work"
        assert released.held == ("singled_out",)


def test_an_error_one_person_makes_is_held() -> None:
    amounts = [*range(100), 1_000_000]
    assert measure(np.arange(101) / 101, table(amounts), spec("rmse")).held == ("singled_out",)
    assert not measure(np.arange(100) / 100, table(amounts[:100]), spec("rmse")).held


@pytest.mark.parametrize(
    ("labels", "names", "output", "code"),
    [
        (["a", "b"] * 50, ("auc",), (0, 1), "release.label"),
        ([1, 2] * 50, ("auc",), (0, 1), "release.label"),
        ([None] * 100, ("auc",), (0, 1), "release.label"),
        ([0, 1] * 50, ("log_loss",), (0, 100), "release.metric_range"),
    ],
)
def test_labels_and_metrics_that_do_not_fit_are_refused(
    labels: list[Any], names: tuple[str, ...], output: tuple[float, float], code: str
) -> None:
    with pytest.raises(ReleaseRefused) as caught:
        measure(np.linspace(0, 1, 100), table(labels), spec(*names, output=output))
    assert caught.value.code == code


def test_labels_say_yes_and_no_in_many_ways() -> None:
    scores = np.linspace(0, 1, 80)
    for pair in ((0, 1), (False, True), ("no", "YES"), ("否", "是"), ("0", "1"), (0.0, 1.0)):
        labels = [pair[place % 2] for place in range(80)]
        assert found(measure(scores, table(labels), spec("counts")))["positives", None] == 40
    some = [*["是", "否"] * 40, None, None]
    assert found(measure(np.append(scores, [0.5, 0.5]), table(some), spec("counts")))["entities", None] == 80


def test_two_measurements_that_differ_by_one_person_do_not_both_leave() -> None:
    scores, labels = churn()
    first = measure(scores, table(labels), spec("auc"), History(SECRET))
    assert first.sketch is not None
    history = History(SECRET, (first.sketch,))
    assert not measure(1 - scores, table(labels), spec("auc"), history).held
    with pytest.raises(ReleaseRefused) as caught:
        measure(scores[:-1], table(labels[:-1]), spec("auc"), history)
    assert caught.value.code == "release.differencing"
