"""Release class A: what may leave, and that nothing else ever does."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import fields, replace
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shudu.agreements.lines import LEAST_GROUP, LEAST_SENSITIVE_GROUP
from shudu.cleanroom.release import (
    DEFAULTS,
    Released,
    ReleasePolicy,
    ReleaseRefused,
    ReleaseSpec,
    release,
    strictest,
    to_csv,
)
from shudu.cleanroom.release_policy import FILE, REASONS, read

Row = tuple[str, str | None, int | None, float]


OFF = 1e-9  # a fraction of carriers that every group has


def spec(group_by: tuple[str, ...] = ("g",), **rules: Any) -> ReleaseSpec:
    return ReleaseSpec("k", group_by, frozenset({"g", "h", "b", "d"}), replace(DEFAULTS, **rules))


def table(rows: list[Row]) -> pa.Table:
    keys, g, h, _ = zip(*rows, strict=True) if rows else ((), (), (), ())
    return pa.table({"k": pa.array(keys, pa.string()), "g": pa.array(g, pa.string()), "h": pa.array(h, pa.int32())})


def scores(rows: list[Row]) -> np.ndarray:
    return np.array([row[3] for row in rows], np.float64)


def group(name: str | None, size: int, score: float = 1.0, start: int = 0) -> list[Row]:
    return [(f"{name}{start + i}", name, None, score) for i in range(size)]


def shown(released: Released) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in released.table.to_pylist()]


def evidence(released: Released | ReleaseRefused, name: str) -> dict[str, int]:
    return dict(next(check.evidence for check in released.checks if check.name == name))


def attempt(rows: list[Row], of: ReleaseSpec) -> Released | ReleaseRefused:
    """What is released, or why nothing is."""
    try:
        return release(scores(rows), table(rows), of)
    except ReleaseRefused as error:
        return error


def refused(rows: list[Row], of: ReleaseSpec) -> ReleaseRefused:
    with pytest.raises(ReleaseRefused) as caught:
        release(scores(rows), table(rows), of)
    error = caught.value
    assert not error.decision
    assert not error.checks[-1].ok
    assert error.code == f"release.{error.checks[-1].name}"
    assert error.message.zh
    assert error.remedy is not None
    return error


# --- the law -------------------------------------------------------------------------------------------------------

# Whole scores: their sums are exact in any order, so results can be compared to the last bit.
ROWS = st.lists(
    st.tuples(
        st.integers(0, 40).map(lambda n: f"e{n}"),
        st.none() | st.sampled_from("abcdef"),
        st.none() | st.integers(-1, 1),
        st.integers(-100, 100).map(float),
    ),
    max_size=120,
)
GROUPINGS = st.sampled_from([(), ("g",), ("h",), ("g", "h"), ("h", "g")])


def entity_means(rows: list[Row]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for key, _, _, score in rows:
        found[key].append(score)
    return {key: sum(one) / len(one) for key, one in found.items()}


def dominated(rows: list[Row], policy: ReleasePolicy) -> bool:
    sizes = sorted((abs(one) for one in entity_means(rows).values()), reverse=True)
    return sum(sizes[: policy.dominant_entities]) > policy.dominant_share * sum(sizes) * (1 + 1e-12)


def lone(rows: list[Row], policy: ReleasePolicy) -> bool:
    """By exact fractions: is one side of the mean carried by too few?"""
    found: dict[str, list[Fraction]] = defaultdict(list)
    for key, _, _, score in rows:
        found[key].append(Fraction(score))
    means = [sum(one, Fraction()) / len(one) for one in found.values()]
    mean = sum(means, Fraction()) / len(means)
    least = min(policy.min_group, policy.carrier_fraction * len(means)) - 1e-6
    for side in ([one - mean for one in means if one > mean], [mean - one for one in means if one < mean]):
        if side and sum(side) ** 2 < least * float(sum(one * one for one in side)) * (1 - 1e-6):
            return True
    return False


@given(
    rows=ROWS,
    group_by=GROUPINGS,
    k=st.integers(1, 6),
    share=st.sampled_from([0.5, 0.9, 1.0]),
    carriers=st.sampled_from([OFF, 0.125]),
    once=st.booleans(),
)
@example(rows=[], group_by=("g",), k=1, share=1.0, carriers=OFF, once=True)
@settings(max_examples=500, deadline=None)
def test_no_row_leaves_with_fewer_than_k_entities_or_dominated_or_singling_out(
    rows: list[Row], group_by: tuple[str, ...], k: int, share: float, carriers: float, once: bool
) -> None:
    if once:  # the usual data: one row for each entity
        rows = [(f"e{place}", *row[1:]) for place, row in enumerate(rows)]
    of = spec(group_by, min_group=k, dominant_share=share, carrier_fraction=carriers)
    cells: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        cells[tuple({"g": row[1], "h": row[2]}[name] for name in group_by)].append(row)
    released = attempt(rows, of)
    if isinstance(released, ReleaseRefused):
        assert released.code == "release.too_few"
        assert len({row[0] for row in rows}) < k or dominated(rows, of.policy)
        return
    left, seen = dict(cells), 0
    for *name, is_remainder, entities, mean in shown(released):
        assert not is_remainder or all(one is None for one in name)
        behind = [row for cell in left.values() for row in cell] if is_remainder else left.pop(tuple(name))
        means = entity_means(behind)
        assert entities == len(means) >= k
        assert not dominated(behind, of.policy)
        assert released.held or not lone(behind, of.policy)
        assert mean == pytest.approx(math.fsum(means.values()) / len(means), rel=6e-3, abs=1e-12)
        seen += len(behind)
    assert not released.held or lone(rows, of.policy), "held only where all rows together would not do"
    assert seen == len(rows), "no row is lost and none is counted in two cells"
    if not shown(released)[-1][-3]:
        assert not left
    elif share == 1.0 and once and carriers == OFF:
        # A remainder takes in no more than it needs: one group besides the small ones.
        assert sum(len(cell) >= k for cell in left.values()) <= 1
    if once:
        assert sum(released.table.column("entities").to_pylist()) == len(rows)


@given(rows=ROWS, group_by=GROUPINGS, seed=st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_the_order_of_rows_does_not_show(rows: list[Row], group_by: tuple[str, ...], seed: Any) -> None:
    mixed = list(rows)
    seed.shuffle(mixed)
    first, second = (attempt(one, spec(group_by, min_group=3)) for one in (rows, mixed))
    assert first.checks == second.checks
    if isinstance(first, Released) and isinstance(second, Released):
        assert to_csv(first.table) == to_csv(second.table)


# --- cases ---------------------------------------------------------------------------------------------------------


def test_groups_are_sorted_and_the_remainder_is_last() -> None:
    rows = group("c", 12, 3.0) + group("a", 10, 1.0) + group("b", 9, 2.0) + group(None, 4, 9.0)
    released = release(scores(rows), table(rows), spec())
    assert shown(released) == [("a", False, 10, 1.0), ("c", False, 12, 3.0), (None, True, 13, 4.15)]
    assert released.table.schema == pa.schema(
        [
            pa.field("g", pa.string()),
            pa.field("is_remainder", pa.bool_(), nullable=False),
            pa.field("entities", pa.int64(), nullable=False),
            pa.field("mean_score", pa.float64(), nullable=False),
        ]
    )
    assert evidence(released, "too_few") == {
        "min_group": 10,
        "entities_in": 35,
        "groups_in": 4,
        "groups_small": 2,
        "groups_dominated": 0,
        "groups_lone": 0,
        "groups_pulled_in": 0,
        "groups_merged": 2,
        "groups_out": 2,
    }


def test_a_group_without_a_value_is_a_group_if_large_enough() -> None:
    rows = group("a", 10) + group(None, 10, 2.0)
    assert shown(release(scores(rows), table(rows), spec())) == [("a", False, 10, 1.0), (None, False, 10, 2.0)]


def test_a_small_remainder_takes_in_the_smallest_group() -> None:
    rows = group("a", 30) + group("b", 11, 2.0) + group("c", 11, 3.0) + group("d", 1, 9.0)
    released = release(scores(rows), table(rows), spec(carrier_fraction=OFF))
    assert [row[0] for row in shown(released)] == ["a", "c", None]
    assert shown(released)[-1][1:3] == (True, 12)
    assert evidence(released, "too_few")["groups_pulled_in"] == 1


def test_entities_are_counted_not_rows() -> None:
    rows = group("a", 10) + [("b0", "b", None, 1.0)] * 500
    released = release(scores(rows), table(rows), spec())
    assert shown(released) == [(None, True, 11, 1.0)]


def test_an_entity_with_many_rows_weighs_as_much_as_any_other() -> None:
    rows = group("a", 9, 0.0) + [("heavy", "a", None, score) for score in [10.0] * 999 + [1010.0]]
    released = release(scores(rows), table(rows), spec(dominant_share=1.0))
    assert shown(released) == [("a", False, 10, 1.1)]


def test_a_dictionary_that_holds_a_key_twice_counts_it_once() -> None:
    keys = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 10, pa.int8()), pa.array(["same", "same"]))
    data = pa.table({"k": keys, "g": ["a"] * 20})
    with pytest.raises(ReleaseRefused) as caught:
        release(np.ones(20), data, spec(min_group=2))
    assert evidence(caught.value, "too_few")["entities_in"] == 1


def test_too_few_in_all_is_refused() -> None:
    error = refused(group("a", 5) + group("b", 4), spec())
    assert error.code == "release.too_few"
    assert evidence(error, "too_few")["entities_in"] == 9
    assert refused([], spec()).code == "release.too_few"


def test_a_group_that_two_entities_dominate_is_not_shown_alone() -> None:
    rich = group("a", 18, 1.0) + group("a", 2, 500.0, start=100)
    rows = rich + group("b", 400, 5.0) + group("c", 15, 2.0) + group("d", 500, 5.0)
    released = release(scores(rows), table(rows), spec(carrier_fraction=OFF))
    # With c alone the two would still dominate the remainder; with b they do not.
    assert shown(released) == [("d", False, 500, 5.0), (None, True, 435, 7.01)]
    assert evidence(released, "too_few")["groups_dominated"] == 1
    assert evidence(released, "too_few")["groups_pulled_in"] == 2
    assert refused(rich, spec()).code == "release.too_few"


def test_scores_of_both_signs_do_not_hide_a_dominant_one() -> None:
    rows = group("a", 10, 0.1) + group("a", 1, 1000.0, start=50) + group("a", 1, -1000.0, start=60)
    assert refused(rows, spec()).code == "release.too_few"


def test_scores_that_are_all_zero_are_dominated_by_nobody() -> None:
    rows = group("a", 10, 0.0)
    assert shown(release(scores(rows), table(rows), spec())) == [("a", False, 10, 0.0)]


def test_points_for_one_rare_value_do_not_show_who_holds_it() -> None:
    # Three of two hundred hold the value that the model gives a thousand points: a mean of 15 would tell of three.
    rare = group("b", 197, 0.0) + group("b", 3, 1_000.0, start=500)
    even = group("a", 100, 0.0) + group("a", 100, 1_000.0, start=500)
    released = release(scores(rare + even), table(rare + even), spec(dominant_share=1.0))
    assert shown(released) == [(None, True, 400, 258.0)]
    assert evidence(released, "too_few")["groups_lone"] == 1
    # Alone nothing can take it in: a person decides, over the table as it would be without this rule.
    alone = release(scores(rare), table(rare), spec(dominant_share=1.0))
    assert alone.held == ("singled_out",)
    assert shown(alone) == [("b", False, 200, 15.0)]
    assert evidence(alone, "singled_out") == {"groups_lone": 1, "groups_in": 1}
    # Ten of two hundred are a group that may be told of.
    ten = group("b", 190, 0.0) + group("b", 10, 1_000.0, start=500)
    assert not release(scores(ten), table(ten), spec(dominant_share=1.0)).held


@pytest.mark.parametrize(
    ("low", "high", "mean", "rounded"),
    [
        (0, 500, 1.23e-87, 0.0),
        (0, 500, 77.77, 77.8),
        (0, 1, 0.012345, 0.012),
        (-1, 1, -0.0004, 0.0),
        (300, 850, 612.3, 612),
    ],
)
def test_a_mean_is_no_finer_than_the_range_allows(low: float, high: float, mean: float, rounded: float) -> None:
    rows = group("a", 10, mean)
    found = shown(release(scores(rows), table(rows), replace(spec(), output=(low, high))))[0][-1]
    assert found == rounded
    assert math.copysign(1, found) == math.copysign(1, rounded or 1)


def test_the_policy_is_one_file_that_gives_each_rule_a_value_and_a_reason() -> None:
    text = FILE.read_text("utf-8")
    assert read(text)[0] == DEFAULTS
    assert DEFAULTS.min_group == LEAST_GROUP
    assert DEFAULTS.min_group_sensitive == LEAST_SENSITIVE_GROUP
    assert all(len(reason) > 10 for reason in REASONS.values())
    for spoilt in (
        text.replace("[max_text]", "[max_texts]"),
        text.replace("value = 10\n", "value = 0\n", 1),
        text.replace("value = 10\n", 'value = "10"\n', 1),
        text.replace('stricter = "larger"', 'stricter = "bigger"', 1),
    ):
        with pytest.raises(ValueError, match="rule"):
            read(spoilt)


@pytest.mark.parametrize(
    ("score", "rounded"),
    [(1234.567, 1230.0), (0.00123456, 0.00123), (-0.0, 0.0), (99.96, 100.0), (-2.346e-9, -2.35e-9)],
)
def test_means_have_three_significant_digits(score: float, rounded: float) -> None:
    rows = group("a", 10, score)
    mean = shown(release(scores(rows), table(rows), spec()))[0][-1]
    assert mean == rounded
    assert math.copysign(1, mean) == math.copysign(1, rounded)


def test_groups_of_other_types_and_several_columns() -> None:
    data = pa.table(
        {
            "k": [f"k{i}" for i in range(40)],
            "h": pa.array([2, 10] * 20, pa.int16()),
            "b": [True, True, False, False] * 10,
            "d": pa.array([date(2026, 3, 2)] * 40),
            "g": pa.array(["一环"] * 40).dictionary_encode(),
        }
    )
    released = release(np.ones(40), data, spec(("h", "b", "d", "g")))
    assert shown(released) == [
        (2, "false", "2026-03-02", "一环", False, 10, 1.0),
        (2, "true", "2026-03-02", "一环", False, 10, 1.0),
        (10, "false", "2026-03-02", "一环", False, 10, 1.0),
        (10, "true", "2026-03-02", "一环", False, 10, 1.0),
    ]
    assert [str(kind) for kind in released.table.schema.types[:4]] == ["int64", "string", "string", "string"]


def test_the_schema_hangs_on_no_value() -> None:
    data = pa.table({"k": [f"k{i}" for i in range(10)], "h": pa.array([None] * 10, pa.int64())})
    assert release(np.ones(10), data, spec(("h",))).table.schema.field("h").type == pa.int64()


@pytest.mark.parametrize("group_by", [("k",), ("x",), ("g", "g"), ("entities",), ("f",)])
def test_only_agreed_categories_may_group(group_by: tuple[str, ...]) -> None:
    data = pa.table({name: [f"{name}{i}" for i in range(20)] for name in ("k", "g", "x", "entities")})
    data = data.append_column("f", pa.array(np.ones(20)))
    of = ReleaseSpec("k", group_by, frozenset({"k", "g", "entities", "f"}))
    with pytest.raises(ReleaseRefused) as caught:
        release(np.ones(20), data, of)
    assert caught.value.code == "release.group_by"


def test_a_key_without_a_value_stops_the_release() -> None:
    rows = group("a", 20)
    data = table(rows).set_column(0, "k", pa.array([None, *[f"k{i}" for i in range(19)]]))
    with pytest.raises(ReleaseRefused) as caught:
        release(scores(rows), data, spec())
    assert caught.value.code == "release.key"


def test_free_text_does_not_leave_and_is_not_in_the_message() -> None:
    secret = "张三，" * 22
    assert refused(group(secret, 20), spec()).code == "release.text"
    error = refused(group(secret, 20) + group("b", 20), spec())
    assert "张三" not in repr(error)
    assert shown(release(np.ones(20), table(group("x" * 64, 20)), spec()))


def test_too_many_groups_are_refused_before_anything_is_counted() -> None:
    rows = [(f"k{i}", f"g{i}", None, 1.0) for i in range(1_001)]
    error = refused(rows, spec())
    assert error.code == "release.too_many_groups"
    assert evidence(error, "too_many_groups") == {"groups_in": 1_001, "max_rows": 1_000}


def test_a_release_over_its_caps_is_refused() -> None:
    rows = [row for i in range(30) for row in group(f"{'g' * 60}{i:02}", 10)]
    assert refused(rows, spec(max_bytes=1_500)).code == "release.too_large"
    assert refused(rows, spec(max_columns=3)).code == "release.too_large"
    assert evidence(release(scores(rows), table(rows), spec()), "too_large")["rows"] == 30


def test_scores_of_other_rows_are_not_taken() -> None:
    rows = group("a", 10)
    for bad in (np.ones(9), np.array([math.nan] * 10), np.array([math.inf] * 10)):
        with pytest.raises(ValueError, match="score"):
            release(bad, table(rows), spec())


def test_evidence_is_counts_only() -> None:
    rows = group("a", 10) + group("b", 3)
    told = json.dumps([check.to_json() for check in release(scores(rows), table(rows), spec()).checks])
    assert all(isinstance(value, int) for check in json.loads(told) for value in check["evidence"].values())


POLICIES = st.builds(
    ReleasePolicy,
    min_group=st.integers(1, 100),
    min_group_sensitive=st.integers(1, 100),
    dominant_entities=st.integers(1, 5),
    dominant_share=st.floats(0.1, 1.0),
    carrier_fraction=st.floats(0.01, 1.0),
    significant_digits=st.integers(1, 6),
    group_by=st.none() | st.frozensets(st.sampled_from("ghb")),
    max_rows=st.integers(1, 2_000),
    max_columns=st.integers(1, 30),
    max_bytes=st.integers(1, 10**6),
    max_text=st.integers(1, 100),
    resolution=st.integers(1, 10**4),
    releases_per_day=st.integers(1, 100),
    decide_days=st.integers(1, 100),
)


@given(a=POLICIES, b=POLICIES, c=POLICIES)
def test_strictest_is_a_meet(a: ReleasePolicy, b: ReleasePolicy, c: ReleasePolicy) -> None:
    assert strictest(a, a) == a
    assert strictest(a, b) == strictest(b, a)
    assert strictest(strictest(a, b), c) == strictest(a, strictest(b, c))
    both = strictest(a, b)
    assert both.min_group == max(a.min_group, b.min_group)
    assert both.max_bytes == min(a.max_bytes, b.max_bytes)
    assert both.dominant_share == min(a.dominant_share, b.dominant_share)
    for name in (one.name for one in fields(ReleasePolicy)):
        # Never laxer than either: with the one once more, no rule changes.
        for one in (a, b):
            assert getattr(strictest(both, one), name) == getattr(both, name)
        assert getattr(both, name) in (getattr(a, name), getattr(b, name)) or name == "group_by"


@given(rows=ROWS, a=POLICIES, b=POLICIES)
@settings(max_examples=100, deadline=None)
def test_what_the_stricter_policy_lets_out_each_would(rows: list[Row], a: ReleasePolicy, b: ReleasePolicy) -> None:
    released = attempt(rows, replace(spec(), policy=strictest(a, b)))
    if isinstance(released, ReleaseRefused):
        return
    for policy in (a, b):
        assert min(released.table.column("entities").to_pylist()) >= policy.min_group
        assert len(released.table) <= policy.max_rows
        assert len(to_csv(released.table)) <= policy.max_bytes
