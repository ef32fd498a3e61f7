"""Terms as they lie in the database: a golden row of every version, and what is refused when read."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785

from shudu.agreements.codes import Basis, OnRevocation, Purpose, ReleaseClass, UseAction
from shudu.agreements.reading import from_json, onward_from_json, upcast
from shudu.agreements.spans import Span
from shudu.agreements.terms import (
    ALL,
    NOTHING,
    Onward,
    Release,
    Terms,
    Use,
    Window,
    for_assignee,
    make,
    onward_to_json,
    terms_sha256,
    to_json,
)
from shudu.policy.types import Invalid
from unit.agreements.conftest import PLAIN

# As version 1 was written. This text and its digest never change: rows and ledger leaves that hold them exist.
GOLDEN = """
{"v": 1,
 "use": {"assignee": null, "purposes": ["research", "statistics"], "bases": ["no_personal_data"],
         "actions": ["compute", "deliver_derived"], "columns": ["age", "customer_no", "region"],
         "rows": [{"column": "age", "from": 18, "to": null}, {"column": "region", "in": ["成都", "眉山"]}],
         "models": ["0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"],
         "release": {"class": "A", "group_by": ["region"], "min_group": 10},
         "runs": 3, "window": {"from": null, "until": "2026-12-31T15:59:59.999999Z"}},
 "onward": {"purposes": ["statistics"], "actions": ["download", "read"], "min_group": 10,
            "window": {"from": null, "until": null}, "on_revocation": "stand"}}
"""
GOLDEN_SHA256 = "eaf691aec1b404373c1355f2373512dba829eff5a2d19d4fcb3ad56d4c220e7d"
GOLDEN_3_SHA256 = "edd2450fe68e7a8fe24523fbdbbb637d94a7d22df58f9af4da1d33bb0bf51bde"
GOLDEN_2_SHA256 = "f4f66c77897b7de9923b9e2c617b4be105b1a9b17097870068ebd798a89a925e"

EXPECTED = make(
    Use(
        assignee=None,
        purposes=frozenset({Purpose.STATISTICS, Purpose.RESEARCH}),
        bases=frozenset({Basis.NO_PERSONAL_DATA}),
        actions=frozenset({UseAction.COMPUTE, UseAction.DELIVER_DERIVED}),
        columns=frozenset({"age", "region", "customer_no"}),
        masks=(),
        clear=frozenset(),
        rows=(Span(column="region", in_=frozenset({"眉山", "成都"})), Span(column="age", from_=18)),
        models=frozenset({"0123456789abcdef" * 4}),
        release=Release(class_=ReleaseClass.A, group_by=frozenset({"region"}), min_group=10, **PLAIN),
        runs=3,
        window=Window(from_=None, until=datetime(2026, 12, 31, 15, 59, 59, 999999, tzinfo=UTC)),
    ),
    Onward(
        purposes=frozenset({Purpose.STATISTICS}),
        actions=frozenset({UseAction.READ, UseAction.DOWNLOAD}),
        min_group=10,
        window=Window(from_=None, until=None),
        on_revocation=OnRevocation.STAND,
    ),
)


def golden() -> dict[str, Any]:
    row: dict[str, Any] = json.loads(GOLDEN)
    return row


def test_the_golden_row_of_version_1() -> None:
    assert from_json(golden()) == EXPECTED
    assert hashlib.sha256(rfc8785.dumps(golden())).hexdigest() == GOLDEN_SHA256


def golden_2() -> dict[str, Any]:
    row = golden()
    row["v"] = 2
    row["use"]["release"] |= {"label": None, "metrics": [], "review": False}
    return row


def test_the_golden_row_of_version_2() -> None:
    assert from_json(golden_2()) == EXPECTED
    assert hashlib.sha256(rfc8785.dumps(golden_2())).hexdigest() == GOLDEN_2_SHA256


def test_the_golden_row_of_version_3() -> None:
    row = golden_2()
    row["v"] = 3
    row["use"] |= {
        "masks": {"age": "whole"},
        "clear": ["region"],
        "rows": [
            {"column": "age", "above": 18, "below": 65, "except": [40]},
            {"column": "customer_no", "null": False},
            {"column": "region", "except": ["眉山"]},
        ],
    }
    read = from_json(row)
    assert to_json(read) == row
    assert terms_sha256(read) == GOLDEN_3_SHA256


@pytest.mark.parametrize(
    "wrong",
    [
        {"masks": {"age": "whole"}, "clear": ["age"]},
        {"masks": {"phone": "mobile"}},
        {"clear": ["phone"]},
        {"masks": {"age": "thin"}},
        {"rows": [{"column": "age", "null": True, "in": [1]}]},
        {"rows": [{"column": "age", "from": 1, "above": 1, "to": None}]},
        {"rows": [{"column": "age", "above": 1, "to": 1}]},
        {"rows": [{"column": "age", "from": 1, "to": 1, "except": [1]}]},
    ],
)
def test_masks_and_rows_that_cannot_be(wrong: dict[str, Any]) -> None:
    row = to_json(EXPECTED)
    row["use"] |= wrong
    with pytest.raises(Invalid):
        from_json(row)


@pytest.mark.parametrize(
    ("release", "fits"),
    [
        ({"class": "B", "group_by": [], "label": "churn", "metrics": ["auc", "ks"]}, True),
        ({"class": "B", "group_by": [], "label": "churn", "metrics": []}, False),
        ({"class": "B", "group_by": [], "label": None, "metrics": ["auc"]}, False),
        ({"class": "B", "group_by": ["region"], "label": "churn", "metrics": ["auc"]}, False),
        ({"class": "A", "group_by": ["region"], "label": "churn", "metrics": []}, False),
        ({"class": "A", "group_by": ["region"], "label": None, "metrics": ["auc"]}, False),
        ({"class": "B", "group_by": [], "label": "churn", "metrics": ["accuracy"]}, False),
    ],
)
def test_metrics_come_with_their_class(release: dict[str, Any], fits: bool) -> None:
    row = to_json(EXPECTED)
    row["use"]["release"] |= release
    if fits:
        assert to_json(from_json(row)) == row
    else:
        with pytest.raises(Invalid):
            from_json(row)


def test_an_older_row_is_brought_up_step_by_step() -> None:
    """The hook itself, with two later versions: one that renames an operand and one that adds one."""
    old = golden()

    def to_2(row: dict[str, Any]) -> dict[str, Any]:
        use = dict(row["use"])
        return {**row, "v": 2, "use": {**{k: v for k, v in use.items() if k != "runs"}, "times": use["runs"]}}

    def to_3(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "v": 3, "use": {**row["use"], "places": "all"}}

    new = upcast(old, {1: to_2, 2: to_3}, 3)
    assert new["v"] == 3
    assert new["use"]["times"] == 3
    assert new["use"]["places"] == "all"
    assert "runs" not in new["use"]
    assert old == golden(), "the stored row is left as it was"
    assert upcast(new, {1: to_2, 2: to_3}, 3) == new


@pytest.mark.parametrize("version", [0, 4, None, "1", True, 1.5])
def test_a_version_nobody_knows_is_refused(version: Any) -> None:
    with pytest.raises(Invalid) as caught:
        from_json({**golden(), "v": version})
    assert caught.value.code == "terms.version"


SECRET = "骨髓增生异常综合征"


def _set(row: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        row = row[name]
    row[last] = value


def _drop(row: dict[str, Any], path: str) -> None:
    *parents, last = path.split(".")
    for name in parents:
        row = row[name]
    del row[last]


@pytest.mark.parametrize(
    ("path", "value", "code", "operand"),
    [
        ("use.colour", "red", "terms.unknown", "use.colour"),
        ("use.release.epsilon", 1, "terms.unknown", "use.release.epsilon"),
        ("onward.resale", True, "terms.unknown", "onward.resale"),
        ("use.word", "red", "terms.unknown", "use.word"),
        ("price", 3, "terms.unknown", "price"),
        ("use.rows", [{"column": "age", "in": [1], "not_in": [SECRET]}], "terms.unknown", "use.rows.not_in"),
        ("use.purposes", ["gossip"], "terms.unknown", "use.purposes"),
        ("use.actions", ["compute", "deliver_derived", "teleport"], "terms.unknown", "use.actions"),
        ("use.bases", ["because"], "terms.unknown", "use.bases"),
        ("use.release.class", "Z", "terms.unknown", "use.release.class"),
        ("onward.on_revocation", "shrug", "terms.unknown", "onward.on_revocation"),
        ("use.columns", "some", "terms.unknown", "use.columns"),
        ("onward", "everything", "terms.unknown", "onward"),
        ("use.purposes", [], "terms.invalid", "use.purposes"),
        ("use.release", None, "terms.invalid", "use"),
        ("use.release.min_group", 0, "terms.invalid", "use.release.min_group"),
        ("use.release.min_group", True, "terms.invalid", "use.release.min_group"),
        ("use.runs", -1, "terms.invalid", "use.runs"),
        ("use.models", ["ABC"], "terms.invalid", "use.models"),
        ("use.window.until", 1767225600, "terms.invalid", "use.window.until"),
        ("use.window.until", "2026-12-31T15:59:59", "terms.invalid", "use.window.until"),
        ("use.window.from", "2027-01-01T00:00:00Z", "terms.invalid", "use.window"),
        ("use.rows", [{"column": SECRET, "in": []}], "terms.invalid", "use.rows.in"),
        ("use.rows", [{"column": "a", "from": SECRET, "to": 3}], "terms.invalid", "use.rows"),
        ("use.rows", [{"column": "a", "in": [2**53]}], "terms.invalid", "use.rows.in"),
        ("use.rows", [{"column": "a", "in": [SECRET]}, {"column": "a", "from": 3}], "terms.invalid", "use.rows"),
        ("use", "all", "terms.invalid", "use"),
    ],
)
def test_what_is_unknown_or_ill_formed_is_refused_by_name(path: str, value: Any, code: str, operand: str) -> None:
    row = golden()
    _set(row, path, value)
    with pytest.raises(Invalid) as caught:
        from_json(row)
    error = caught.value
    assert (error.code, error.where["operand"]) == (code, operand)
    assert error.remedy is not None
    said = f"{error.message} {error.remedy} {dict(error.where)}"
    assert SECRET not in said, "a value of the terms may be somebody's data"


@pytest.mark.parametrize(
    "path", ["use.runs", "use.assignee", "use.rows", "use.release", "use.window.from", "onward", "use"]
)
def test_a_forgotten_operand_permits_nothing(path: str) -> None:
    row = golden()
    _drop(row, path)
    with pytest.raises(Invalid) as caught:
        from_json(row)
    assert caught.value.code == "terms.missing"
    assert caught.value.where["operand"] == path


@pytest.mark.parametrize("row", [None, [], "terms", 3])
def test_terms_are_an_object(row: Any) -> None:
    for read in (from_json, onward_from_json):
        with pytest.raises(Invalid):
            read(row)


def test_every_refusal_is_said_in_both_languages() -> None:
    broken: list[Callable[[dict[str, Any]], None]] = [
        lambda row: _set(row, "use.colour", 1),
        lambda row: _set(row, "use.purposes", ["gossip"]),
        lambda row: _drop(row, "use.runs"),
        lambda row: _set(row, "use.runs", 0),
        lambda row: _set(row, "v", 9),
    ]
    for spoil in broken:
        row = golden()
        spoil(row)
        with pytest.raises(Invalid) as caught:
            from_json(row)
        for text in (caught.value.message, caught.value.remedy):
            assert text is not None
            assert re.search(r"[\u4e00-\u9fff]", text.zh)
            assert re.search(r"[A-Za-z]", text.en)
            assert not re.search(r"[\u4e00-\u9fff]", text.en)


def test_filling_in_the_assignee_changes_only_that() -> None:
    filled = for_assignee(EXPECTED, "pty_buyer")
    row = to_json(EXPECTED)
    row["use"]["assignee"] = "pty_buyer"
    assert to_json(filled) == row
    assert terms_sha256(filled) != GOLDEN_2_SHA256
    assert isinstance(filled, Terms)


def test_special_values_stand_in_the_json() -> None:
    row = to_json(EXPECTED)
    row["use"]["columns"] = row["use"]["models"] = "all"
    row["onward"] = "nothing"
    terms = from_json(row)
    assert (terms.use.columns, terms.use.models, terms.onward) == (ALL, ALL, NOTHING)
    assert to_json(terms) == row
    assert onward_to_json(NOTHING) == {"v": 3, "onward": "nothing"}
    assert onward_from_json({"v": 1, "onward": copy.deepcopy(golden()["onward"])}) == EXPECTED.onward
