"""Release class B: named metrics of a model's scores against a label the model never saw. Trusted code only.

The library is fixed: nobody brings a formula. Positives and negatives must each be as many entities as a released
group, and so must both within every bin of the calibration table; who was in which of these is compared with earlier
releases as any group is. Three significant digits, as everywhere.

Sources: AUC as the Mann–Whitney statistic, ties counting half (Hanley and McNeil, Radiology 143, 1982); KS as the
two-sample Kolmogorov–Smirnov distance of the scores of positives and negatives; log loss with natural logarithms
(Good, J. R. Stat. Soc. B 14, 1952); calibration by equally large bins of the score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shudu.policy.types import Text

from .cells import Bools, Cells, Floats, Ints, encode, renumber
from .release import Checks, History, Released, Watch, require_size, rounded_to, step_of
from .release_policy import DEFAULTS, ReleasePolicy

METRICS = ("auc", "ks", "log_loss", "rmse", "calibration", "counts")
BINS = 10
TABLE = pa.schema(
    [
        pa.field("metric", pa.string(), nullable=False),
        pa.field("bin", pa.int64()),
        pa.field("value", pa.float64(), nullable=False),
    ]
)
# How a label says yes and no, in lower case; whole numbers and booleans say it as 1 and 0.
_YES = frozenset({"1", "1.0", "true", "t", "yes", "y", "是", "有"})
_NO = frozenset({"0", "0.0", "false", "f", "no", "n", "否", "无"})


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """What was agreed to leave: these metrics of the scores against `label`, counted on `key`, under `policy`.

    `output` is the range the model declares.
    """

    key: str
    label: str
    metrics: frozenset[str]
    output: tuple[float, float]
    policy: ReleasePolicy = DEFAULTS


def auc(scores: Floats, positive: Bools) -> float:
    """The probability that a positive scores higher than a negative, ties counting half. Both must be there."""
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    # The mean rank of equal scores.
    rank = (np.cumsum(times) - (times - 1) / 2)[place]
    yes, no = int(positive.sum()), int((~positive).sum())
    return float((rank[positive].sum() - yes * (yes + 1) / 2) / (yes * no))


def ks(scores: Floats, positive: Bools) -> float:
    """The largest distance between the distribution functions of the positives' and the negatives' scores."""
    _, place = np.unique(scores, return_inverse=True)
    count = int(place.max()) + 1
    yes = np.cumsum(np.bincount(place[positive], minlength=count)) / positive.sum()
    no = np.cumsum(np.bincount(place[~positive], minlength=count)) / (~positive).sum()
    return float(np.abs(yes - no).max())


def squared_errors(scores: Floats, label: Floats) -> Floats:
    """What each row adds to the mean whose root is the RMSE."""
    return (scores - label) ** 2


def log_losses(scores: Floats, positive: Bools) -> Floats:
    """-ln of the probability given to what came true, by row; scores are probabilities, kept off 0 and 1 by 2⁻⁵²."""
    given = np.clip(scores, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
    return -np.log(np.where(positive, given, 1 - given))


def calibration_bins(scores: Floats, positive: Bools, entity: Ints, least: int) -> Ints:
    """The bin of every row, from 0 upwards by score: about a tenth of the rows each, equal scores together, and joined
    to the next until each holds `least` positive and `least` negative entities."""
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(times) - times / 2
    tenth = np.minimum((middle * BINS / len(scores)).astype(np.int64), BINS - 1)
    bins = renumber(tenth[place])
    joined, last = np.zeros(int(bins.max()) + 1, np.int64), 0
    yes, no = (_distinct(bins[of], entity[of], len(joined)) for of in (positive, ~positive))
    have = np.zeros(2)
    for one in range(len(joined)):
        joined[one] = last
        have += yes[one], no[one]
        if have.min() >= least:
            last, have = last + 1, np.zeros(2)
    # What is left at the end joins the last full bin.
    return np.minimum(joined, max(last - 1, 0))[bins]


def _distinct(bins: Ints, entity: Ints, count: int) -> Ints:
    """Entities by bin, each in the first of its bins only, so that joined bins hold at least their sum."""
    order = np.lexsort((bins, entity))
    _, first = np.unique(entity[order], return_index=True)
    return np.bincount(bins[order][first], minlength=count)


def measure(scores: Floats, rows: pa.Table, spec: MetricSpec, history: History | None = None) -> Released:
    """Compute the metrics of one finite score per row against `rows`' label, counted on its key; check and round.

    Rows without a label take no part. Raises ReleaseRefused (`release.key`, `label`, `metric_range`, `too_few`,
    `differencing`).
    """
    if len(scores) != len(rows) or not np.isfinite(scores).all():
        raise ValueError("one finite score per row is needed")
    checks, policy = Checks(), spec.policy
    labelled = pc.is_valid(rows.column(spec.label)).to_numpy(zero_copy_only=False)
    rows, scores = rows.filter(pa.array(labelled)), scores[labelled]
    value, positive = _label(checks, rows.column(spec.label), spec, int((~labelled).sum()))
    _check_range(checks, spec)
    keys = rows.column(spec.key)
    checks.require_key(keys)
    entity, names = encode(keys)
    sides = [np.ones(len(scores), bool)] if positive is None else [positive, ~positive]
    counts = [len(np.unique(entity[side])) for side in sides]
    dominated = sum(_dominated(np.bincount(entity[side]), policy) for side in sides)
    checks.require(
        "too_few",
        min(counts) >= policy.min_group and not dominated,
        Text("正例或负例背后的主体过少，不予输出。", "Too few entities stand behind the positives or the negatives."),
        Text("请使用更多数据。", "Use more data."),
        min_group=policy.min_group,
        entities_in=len(names),
        positives=counts[0],
        negatives=counts[-1],
        sides_dominated=dominated,
    )
    cell = np.zeros(len(scores), np.int64) if positive is None else (~positive).astype(np.int64)
    bins = None
    if positive is not None and "calibration" in spec.metrics:
        bins = calibration_bins(scores, positive, entity, policy.min_group)
        cell = bins * 2 + cell
    _check_lone(checks, scores, entity, value, positive, spec)
    cells = Cells(renumber(cell), entity, scores, policy)
    watch = Watch(cells, names, history)
    alone = np.zeros(cells.count, bool)
    checks.compared(watch, failed=watch.offends(alone) is not None, told_apart=0)
    table = _table(scores, value, positive, bins, entity, spec)
    require_size(checks, table, policy)
    return Released(table, tuple(checks), tuple(checks.held), watch.sketch(np.arange(cells.count)))


def _label(checks: Checks, column: pa.ChunkedArray, spec: MetricSpec, missing: int) -> tuple[Floats, Bools | None]:
    """The label as numbers, and as yes or no if it is that."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    words = [str(word).strip().lower() for word in pc.unique(column.cast(kind)).to_pylist()]
    binary = set(words) <= _YES | _NO
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    value: Floats = np.empty(0)
    positive: Bools | None = None
    if binary and words:
        yes = pc.utf8_lower(pc.utf8_trim_whitespace(column.cast(pa.string())))
        positive = pc.is_in(yes, value_set=pa.array(sorted(_YES))).to_numpy(zero_copy_only=False)
        value = positive.astype(np.float64)
    elif number:
        value = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    checks.require(
        "label",
        bool(len(value)) and bool(np.isfinite(value).all()) and (positive is not None or spec.metrics <= {"rmse"}),
        Text(
            "标签列须为是/否（1/0、true/false、是/否等）；只算 RMSE 时可为数值。",
            "The label must say yes or no (1/0, true/false, yes/no …); for RMSE alone it may be a number.",
        ),
        Text("请改用合适的标签列。", "Choose a fitting label column."),
        rows_without=missing,
        values_found=min(len(words), 1_000),
    )
    return value, positive


def _check_range(checks: Checks, spec: MetricSpec) -> None:
    low, high = spec.output
    checks.require(
        "metric_range",
        "log_loss" not in spec.metrics or (low >= 0 and high <= 1),
        Text(
            "只有输出概率（0 至 1）的模型才能计算对数损失。",
            "Log loss is of models that give a probability from 0 to 1.",
        ),
        Text("请去掉 log_loss，或选用输出概率的模型。", "Leave log_loss out, or choose such a model."),
        metrics=len(spec.metrics),
    )


def _check_lone(
    checks: Checks, scores: Floats, entity: Ints, value: Floats, positive: Bools | None, spec: MetricSpec
) -> None:
    """A score that only a few have, or an error that a few make, tells of their labels: a person looks."""
    everybody = np.zeros(len(scores), np.int64)
    lone = int(Cells(everybody, entity, scores, spec.policy).lone.sum())
    parts = []
    if "rmse" in spec.metrics:
        parts.append(squared_errors(scores, value))
    if "log_loss" in spec.metrics and positive is not None:
        parts.append(log_losses(scores, positive))
    dominated = sum(_dominated(np.bincount(entity, part), spec.policy) for part in parts)
    if lone or dominated:
        checks.hold("singled_out", groups_lone=lone, metrics_dominated=dominated)


def _dominated(sizes: Floats | Ints, policy: ReleasePolicy) -> bool:
    top = np.sort(sizes)[-policy.dominant_entities :].sum()
    return bool(top > policy.dominant_share * sizes.sum())


def _table(
    scores: Floats, value: Floats, positive: Bools | None, bins: Ints | None, entity: Ints, spec: MetricSpec
) -> pa.Table:
    digits, step = spec.policy.significant_digits, step_of(*spec.output, spec.policy.resolution)
    fine = step_of(0.0, 1.0, spec.policy.resolution)
    found: list[tuple[str, int | None, float]] = []
    if positive is not None:
        if "auc" in spec.metrics:
            found.append(("auc", None, rounded_to(auc(scores, positive), digits, fine)))
        if "ks" in spec.metrics:
            found.append(("ks", None, rounded_to(ks(scores, positive), digits, fine)))
        if "log_loss" in spec.metrics:
            found.append(("log_loss", None, rounded_to(float(log_losses(scores, positive).mean()), digits, fine)))
    if "rmse" in spec.metrics:
        found.append(("rmse", None, rounded_to(math.sqrt(squared_errors(scores, value).mean()), digits, step)))
    if "counts" in spec.metrics:
        found.append(("entities", None, float(len(np.unique(entity)))))
        if positive is not None:
            found.append(("positives", None, float(len(np.unique(entity[positive])))))
            found.append(("negatives", None, float(len(np.unique(entity[~positive])))))
    for one in range(int(bins.max()) + 1 if bins is not None else 0):
        inside = bins == one
        found.append(("calibration_entities", one, float(len(np.unique(entity[inside])))))
        found.append(("calibration_mean_score", one, rounded_to(float(scores[inside].mean()), digits, step)))
        found.append(("calibration_positive_rate", one, rounded_to(float(value[inside].mean()), digits, fine)))
    names, places, values = zip(*found, strict=True)
    return pa.table([names, pa.array(places, pa.int64()), pa.array(values, pa.float64())], schema=TABLE)
