"""A decision explains itself: which rule, what was asked, what is permitted, and what would change it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from shudu.agreements.codes import ReleaseClass, UseAction
from shudu.agreements.evaluation import ProposedUse, evaluate, evaluate_onward
from shudu.agreements.spans import Span
from shudu.agreements.terms import ALL, NOTHING, Nothing, Onward, Release, Terms, to_json
from shudu.lake.types import Mask
from shudu.policy.types import Decision, Reason, Text
from unit.agreements.conftest import PLAIN

NOW = datetime(2026, 6, 1, tzinfo=UTC)
UNTIL = datetime(2026, 12, 31, 15, 59, 59, 999999, tzinfo=UTC)
OPERANDS = [
    *("assignee", "purposes", "bases", "actions", "columns", "masks", "clear", "rows", "models", "release"),
    *("runs", "window"),
]
HAN = re.compile(r"[\u4e00-\u9fff]")


def whole(terms: Terms) -> ProposedUse:
    return ProposedUse.whole(terms, party="pty_buyer", purpose="statistics")


def refused(decision: Decision) -> list[str]:
    assert not decision
    return [reason.rule for reason in decision.reasons if not reason.allowed]


def refusal(decision: Decision) -> Reason:
    assert decision.refusal is not None
    return decision.refusal


def test_every_operand_gives_one_reason(terms: Terms) -> None:
    decision = evaluate(terms, whole(terms), NOW)
    assert decision
    assert sorted(reason.rule for reason in decision.reasons) == sorted(f"terms.{name}" for name in OPERANDS)


AGREED = Release(class_=ReleaseClass.A, group_by=frozenset({"region"}), min_group=10, **PLAIN)


def released(**change: Any) -> dict[str, Any]:
    return {"release": AGREED.model_copy(update=change)}


@pytest.mark.parametrize(
    ("change", "rule", "asked", "permitted"),
    [
        ({"party": "pty_other"}, "assignee", "pty_other", "pty_buyer"),
        ({"party": ""}, "assignee", "nobody named", "pty_buyer"),
        ({"purpose": "marketing"}, "purposes", "marketing", "research, statistics"),
        ({"purpose": "gossip"}, "purposes", "unknown code", "research, statistics"),
        ({"bases": frozenset({"consent"})}, "bases", "consent of the person", "no personal data"),
        ({"bases": frozenset()}, "bases", "none", "no personal data"),
        ({"bases": frozenset({"because"})}, "bases", "unknown code", "no personal data"),
        (
            {"actions": frozenset({"compute", "download"}), "release": None},
            "actions",
            "download",
            "deliver derived results",
        ),
        ({"actions": frozenset({"compute", "teleport"}), "release": None}, "actions", "unknown code", "compute"),
        ({"actions": frozenset(), "release": None}, "actions", "none", "compute"),
        ({"columns": frozenset({"region", "income"})}, "columns", "income", "tenure"),
        ({"masks": ()}, "masks", "none", "region (address to the street)"),
        ({"masks": (("region", Mask.NAME),)}, "masks", "region (name)", "region (address to the street)"),
        ({"clear": frozenset({"region"})}, "clear", "region", "tenure"),
        ({"rows": ()}, "rows", "all", "region"),
        ({"rows": (Span(column="region", in_=frozenset({"上海"})),)}, "rows", "region", "region"),
        ({"model": "b" * 64}, "models", "bbbbbbbbbbbb…", "aaaaaaaaaaaa…"),
        ({"model": None}, "models", "no model", "aaaaaaaaaaaa…"),
        ({"release": None}, "release", "no release", "at least 10"),
        (released(group_by=frozenset({"region", "age"})), "release", "age", "at least 10"),
        (released(min_group=9), "release", "at least 9", "at least 10"),
        (released(class_=ReleaseClass.C), "release", "class C", "class A"),
        ({"runs": 4}, "runs", "4", "at most 3"),
        ({"runs": 0}, "runs", "0", "at most 3"),
    ],
)
def test_a_refusal_names_rule_asked_permitted_and_remedy(
    terms: Terms, change: dict[str, Any], rule: str, asked: str, permitted: str
) -> None:
    decision = evaluate(terms, replace(whole(terms), **change), NOW)
    assert refused(decision) == [f"terms.{rule}"]
    first = refusal(decision)
    assert decision.reasons[0] == first, "refusals come first"
    said, allowed = first.message.en.split("; the terms permit ")
    assert asked in said
    assert permitted in allowed
    assert first.remedy is not None
    for text in (first.message, first.remedy):
        assert HAN.search(text.zh)
        assert not HAN.search(text.en)


def test_a_narrower_use_is_permitted(terms: Terms) -> None:
    narrower = replace(
        whole(terms),
        columns=frozenset({"tenure"}),
        rows=(Span(column="region", in_=frozenset({"成都"})), Span(column="tenure", from_=3)),
        release=Release(class_=ReleaseClass.A, group_by=frozenset(), min_group=50, **PLAIN),
    )
    assert evaluate(terms, narrower, NOW)


def test_values_that_narrow_rows_are_not_repeated_in_words(terms: Terms) -> None:
    proposed = replace(whole(terms), rows=(Span(column="region", in_=frozenset({"上海"})),))
    for reason in evaluate(terms, proposed, NOW).reasons:
        for text in filter(None, (reason.message, reason.remedy)):
            for value in ("上海", "成都", "眉山"):
                assert value not in text.zh + text.en


def test_conditions_no_row_can_meet_are_refused(terms: Terms) -> None:
    rows = (Span(column="region", in_=frozenset({"成都"})), Span(column="region", in_=frozenset({"眉山"})))
    decision = evaluate(terms, replace(whole(terms), rows=rows), NOW)
    assert refused(decision) == ["terms.rows"]


@pytest.mark.parametrize(
    ("moment", "allowed", "remedy"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), True, ""),
        (datetime(2026, 1, 1, tzinfo=UTC) - timedelta(microseconds=1), False, "has not begun"),
        (UNTIL, True, ""),
        (UNTIL + timedelta(microseconds=1), False, "has ended"),
    ],
)
def test_the_window_includes_its_ends(terms: Terms, moment: datetime, allowed: bool, remedy: str) -> None:
    decision = evaluate(terms, whole(terms), moment)
    assert bool(decision) is allowed
    if not allowed:
        assert refused(decision) == ["terms.window"]
        assert remedy in (refusal(decision).remedy or Text("", "")).en
        assert "2026-12-31 23:59" in refusal(decision).message.zh, "days are Beijing's"


def test_all_that_is_wrong_is_said_at_once(terms: Terms) -> None:
    proposed = replace(whole(terms), purpose="marketing", columns=frozenset({"income"}), runs=9)
    assert sorted(refused(evaluate(terms, proposed, NOW))) == ["terms.columns", "terms.purposes", "terms.runs"]


def test_nothing_permits_nothing(terms: Terms) -> None:
    nothing: Nothing = NOTHING
    assert refused(evaluate(nothing, whole(terms), NOW)) == ["terms.nothing"]
    assert refused(evaluate_onward(nothing, action="download", now=NOW)) == ["terms.nothing"]


def test_open_operands_permit_anything(terms: Terms) -> None:
    use = terms.use.model_copy(update={"assignee": None, "columns": ALL, "models": ALL, "runs": None, "rows": ()})
    proposed = replace(whole(terms), party="pty_x", columns=frozenset({"z"}), model=None, runs=10**6)
    assert evaluate(terms.model_copy(update={"use": use}), proposed, NOW)


def test_a_release_needs_an_action_that_releases(terms: Terms) -> None:
    proposed = replace(whole(terms), actions=frozenset({"compute"}))
    assert refused(evaluate(terms, proposed, NOW)) == ["terms.release"]


def test_computing_asks_for_what_a_clean_room_run_does(terms: Terms) -> None:
    agreement = SimpleNamespace(assignee="pty_buyer", terms=to_json(terms))
    proposed = ProposedUse.computing(agreement, "research")
    assert proposed.actions == {"compute", "deliver_derived"}
    assert proposed.columns == {"customer_no", "region", "tenure"}
    assert proposed.model == "a" * 64
    assert evaluate(terms, proposed, NOW)
    reading = terms.use.model_copy(update={"actions": frozenset({UseAction.READ}), "release": None})
    only_read = terms.model_copy(update={"use": reading})
    asked = ProposedUse.computing(SimpleNamespace(assignee="pty_buyer", terms=to_json(only_read)), "research")
    assert refused(evaluate(only_read, asked, NOW)) == ["terms.actions"]


@pytest.mark.parametrize(
    ("asked", "rules"),
    [
        ({"action": "download"}, []),
        ({"action": "read", "purpose": "statistics", "min_group": 10}, []),
        ({"action": "query"}, ["onward.actions"]),
        ({"action": "teleport"}, ["onward.actions"]),
        ({"action": "download", "purpose": "research"}, ["onward.purposes"]),
        ({"action": "download", "min_group": 9}, ["onward.min_group"]),
    ],
)
def test_onward_use_is_explained_too(terms: Terms, asked: dict[str, Any], rules: list[str]) -> None:
    assert isinstance(terms.onward, Onward)
    decision = evaluate_onward(terms.onward, **asked, now=NOW)
    assert [reason.rule for reason in decision.reasons if not reason.allowed] == rules
    assert bool(decision) is not bool(rules)
