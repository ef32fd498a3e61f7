"""The laws of terms: `covers` orders them, `meet` is the greatest lower bound, `evaluate` agrees with both."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from shudu.agreements.codes import Basis, OnRevocation, Purpose, ReleaseClass, UseAction
from shudu.agreements.evaluation import ProposedUse, evaluate, evaluate_onward
from shudu.agreements.order import covers, meet, onward_covers, onward_meet
from shudu.agreements.reading import from_json, onward_from_json
from shudu.agreements.spans import Span, common, conjunction, inside
from shudu.agreements.terms import (
    ALL,
    NOTHING,
    RELEASING,
    Nothing,
    Onward,
    Release,
    Terms,
    Use,
    Window,
    make,
    onward_to_json,
    shown,
    terms_sha256,
    to_json,
)
from shudu.lake.types import Mask

# Small tables, so that any two terms often share something.
PARTIES = st.sampled_from(["pty_a", "pty_b"])
PURPOSES = st.sampled_from([Purpose.STATISTICS, Purpose.RESEARCH, Purpose.MARKETING])
BASES = st.sampled_from([Basis.CONSENT, Basis.NO_PERSONAL_DATA])
ACTIONS = st.sampled_from(list(UseAction))
COLUMNS = st.sampled_from(["age", "region", "tenure"])
DIGESTS = st.sampled_from(["0" * 64, "f" * 64])
GROUPS = st.integers(10, 12)
START = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 4).map(lambda days: START + timedelta(days=days))
NUMBERS = st.one_of(st.integers(0, 4), st.sampled_from([0.5, 2.5]))
WORDS = st.sampled_from(["a", "b", "成都", "𠮷"])


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[frozenset[Any]]:
    return st.frozensets(values, min_size=1)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    column = draw(COLUMNS)
    if draw(st.booleans()):
        return Span(column=column, in_=draw(some(NUMBERS | WORDS)))
    kind = draw(st.sampled_from([NUMBERS, WORDS]))
    low, high = sorted([draw(kind), draw(kind)])
    ends = draw(
        st.sampled_from([("from_", "to"), ("above", "to"), ("from_", "below"), ("from_",), ("above",), ("below",)])
    )
    if len(ends) == 2 and low == high:
        ends = ("from_", "to")
    given = {end: low if end in ("from_", "above") else high for end in ends}
    but = draw(st.none() | st.frozensets(NUMBERS | WORDS, min_size=1, max_size=2))
    form = draw(st.sampled_from(["interval", "but", "null"]))
    if form == "null":
        return Span(column=column, null=draw(st.booleans()))
    if form == "but" and but:
        return Span(column=column, except_=but)
    return Span(column=column, except_=but, **given)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    first, last = sorted([draw(MOMENTS), draw(MOMENTS)])
    return draw(st.sampled_from([Window(from_=a, until=b) for a in (None, first) for b in (None, last)]))


ROWS = st.lists(spans(), max_size=2).filter(lambda rows: conjunction(rows) is not None).map(tuple)
MASKED = st.dictionaries(COLUMNS, st.sampled_from([Mask.NAME, Mask.MOBILE, Mask.WHOLE])).map(
    lambda masks: tuple(sorted(masks.items()))
)
RELEASES = st.builds(
    Release,
    class_=st.just(ReleaseClass.A),
    group_by=st.frozensets(COLUMNS),
    min_group=GROUPS,
    label=st.none(),
    metrics=st.just(frozenset()),
    review=st.booleans(),
) | st.builds(
    Release,
    class_=st.just(ReleaseClass.B),
    group_by=st.just(frozenset()),
    min_group=GROUPS,
    label=st.sampled_from("xy"),
    metrics=st.frozensets(st.sampled_from(["auc", "ks", "rmse"]), min_size=1),
    review=st.booleans(),
)


@st.composite
def uses(draw: st.DrawFn) -> Use:
    actions = draw(some(ACTIONS))
    columns = draw(st.just(ALL) | st.frozensets(COLUMNS))
    return Use(
        assignee=draw(st.none() | PARTIES),
        purposes=draw(some(PURPOSES)),
        bases=draw(some(BASES)),
        actions=actions,
        **shown(columns, dict(draw(MASKED)), draw(st.frozensets(COLUMNS))),
        rows=draw(ROWS),
        models=draw(st.just(ALL) | some(DIGESTS)),
        release=draw(RELEASES) if actions & RELEASING else None,
        runs=draw(st.none() | st.integers(1, 3)),
        window=draw(windows()),
    )


ONWARDS = st.builds(
    Onward,
    purposes=some(PURPOSES),
    actions=some(ACTIONS),
    min_group=GROUPS,
    window=windows(),
    on_revocation=st.sampled_from(list(OnRevocation)),
)
TERMS = st.builds(make, uses(), ONWARDS | st.just(NOTHING))
# Actions and release are changed together, and columns with their masks, or terms would come out that cannot be.
TOGETHER = [("actions", "release"), ("columns", "masks", "clear")]
CHANGES: list[tuple[str, ...]] = [(name,) for name in Use.model_fields if name not in {*TOGETHER[0], *TOGETHER[1]}]
CHANGES += [*TOGETHER, ("release",), ("onward",)]


@st.composite
def families(draw: st.DrawFn, size: int) -> tuple[Terms | Nothing, ...]:
    """Terms that differ from the first in an operand or two: unrelated ones hardly ever have anything in common."""
    first = draw(TERMS)
    family: list[Terms | Nothing] = [first]
    for _ in range(size - 1):
        other, use, onward = draw(uses()), first.use, first.onward
        for names in draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=2)):
            if names == ("onward",):
                onward = draw(ONWARDS)
            elif names != ("release",):
                use = use.model_copy(update={name: getattr(other, name) for name in names})
            elif use.release is not None:
                use = use.model_copy(update={"release": draw(RELEASES)})
        near: Terms | Nothing = make(use, onward)
        family.append(draw(st.sampled_from([near, near, near, near, NOTHING])))
    return tuple(draw(st.permutations(family)))


TERMS_OR_NOTHING = TERMS | st.just(NOTHING)


@st.composite
def proposals(draw: st.DrawFn, *near: Terms | Nothing) -> ProposedUse:
    """A use that mostly keeps to one of `near` and strays on at most two operands."""
    actions = draw(some(ACTIONS | st.just("teleport")))
    stray = ProposedUse(
        party=draw(PARTIES),
        purpose=draw(PURPOSES | st.just("gossip")),
        bases=draw(st.frozensets(BASES)),
        actions=actions,
        columns=draw(st.frozensets(COLUMNS)),
        masks=draw(MASKED),
        clear=draw(st.frozensets(COLUMNS, max_size=1)),
        rows=draw(ROWS),
        model=draw(st.none() | DIGESTS),
        release=draw(st.none() | RELEASES),
        runs=draw(st.integers(0, 4)),
    )
    known = [terms for terms in near if isinstance(terms, Terms)]
    if not known:
        return stray
    terms = draw(st.sampled_from(known))
    purpose = draw(st.sampled_from(sorted(terms.use.purposes)))
    kept = ProposedUse.whole(terms, party=terms.use.assignee or draw(PARTIES), purpose=purpose)
    names = draw(st.lists(st.sampled_from(ProposedUse.__slots__), max_size=2))
    return replace(kept, **{name: getattr(stray, name) for name in names})


@given(families(2))
@settings(max_examples=300)
def test_covers_and_meet_are_one_order(pair: tuple[Terms | Nothing, ...]) -> None:
    a, b = pair
    both = meet(a, b)
    assert both == meet(b, a)
    assert covers(a, both)
    assert covers(b, both)
    assert covers(a, b) == (both == b)
    # And once more on a pair of which the one is known to be the stricter.
    assert meet(a, both) == both


@given(families(3))
def test_meet_is_associative(three: tuple[Terms | Nothing, ...]) -> None:
    a, b, c = three
    assert meet(meet(a, b), c) == meet(a, meet(b, c))


@given(TERMS_OR_NOTHING)
def test_meet_is_idempotent_and_covers_reflexive(a: Terms | Nothing) -> None:
    assert meet(a, a) == a
    assert covers(a, a)


@given(families(4))
def test_covers_is_transitive(four: tuple[Terms | Nothing, ...]) -> None:
    # Chains are built downwards, or hardly any three terms would lie below one another.
    a, other, another, unrelated = four
    b = meet(a, other)
    c = meet(b, another)
    assert covers(a, c)
    for middle in (b, c, other):
        if covers(a, middle) and covers(middle, unrelated):
            assert covers(a, unrelated)


@given(families(2), st.data())
@settings(max_examples=300)
def test_the_meet_permits_exactly_what_both_permit(pair: tuple[Terms | Nothing, ...], data: st.DataObject) -> None:
    a, b = pair
    both = meet(a, b)
    proposed, now = data.draw(proposals(a, b, both)), data.draw(MOMENTS)
    assert bool(evaluate(both, proposed, now)) == (
        bool(evaluate(a, proposed, now)) and bool(evaluate(b, proposed, now))
    )


@given(families(2), st.data())
def test_whoever_covers_permits_no_less(pair: tuple[Terms | Nothing, ...], data: st.DataObject) -> None:
    a, b = pair
    b = data.draw(st.sampled_from([b, meet(a, b)]))
    proposed, now = data.draw(proposals(b)), data.draw(MOMENTS)
    if covers(a, b) and evaluate(b, proposed, now):
        assert evaluate(a, proposed, now)


def test_the_laws_are_not_true_of_nothing_only() -> None:
    """Both sides of the law above are reached: some use is permitted by two different terms, some by one alone."""

    def judge(pair: tuple[Terms | Nothing, ...]) -> list[bool]:
        known = [terms for terms in pair if isinstance(terms, Terms)]
        first = known[0]
        proposed = ProposedUse.whole(first, party=first.use.assignee or "pty_a", purpose=min(first.use.purposes))
        return [bool(evaluate(terms, proposed, START)) for terms in pair]

    quick = settings(max_examples=5000, phases=[Phase.generate])
    find(families(2), lambda pair: pair[0] != pair[1] and judge(pair) == [True, True], settings=quick)
    find(families(2), lambda pair: judge(pair) == [True, False], settings=quick)
    find(families(2), lambda pair: NOTHING not in pair and meet(*pair) == NOTHING, settings=quick)


@given(st.data())
def test_the_meet_of_onward_parts_permits_exactly_what_both_permit(data: st.DataObject) -> None:
    a, b = data.draw(ONWARDS), data.draw(ONWARDS | st.just(NOTHING))
    both = onward_meet(a, b)
    assert both == onward_meet(b, a)
    assert onward_covers(a, both)
    assert onward_covers(a, b) == (both == b)
    asked: dict[str, Any] = {
        "action": data.draw(ACTIONS),
        "purpose": data.draw(PURPOSES),
        "min_group": data.draw(GROUPS),
        "now": data.draw(MOMENTS),
    }
    expected = bool(evaluate_onward(a, **asked)) and bool(evaluate_onward(b, **asked))
    assert bool(evaluate_onward(both, **asked)) == expected


@given(ONWARDS, ONWARDS)
def test_results_follow_the_stricter_owner(a: Onward, b: Onward) -> None:
    both = onward_meet(a, b)
    if isinstance(both, Onward):
        assert both.min_group == max(a.min_group, b.min_group)
        order = ["stand", "withdrawn", "erased"]
        assert order.index(both.on_revocation) == max(order.index(a.on_revocation), order.index(b.on_revocation))


@given(TERMS)
def test_terms_survive_json_and_keep_their_digest(terms: Terms) -> None:
    text = json.dumps(to_json(terms))
    again = from_json(json.loads(text))
    assert again == terms
    assert terms_sha256(again) == terms_sha256(terms)
    assert hash(again) == hash(terms)


@given(TERMS, TERMS)
def test_different_terms_have_different_digests(a: Terms, b: Terms) -> None:
    assert (terms_sha256(a) == terms_sha256(b)) == (a == b)


@given(ONWARDS | st.just(NOTHING))
def test_what_a_result_carries_survives_json(onward: Onward | Nothing) -> None:
    assert onward_from_json(json.loads(json.dumps(onward_to_json(onward)))) == onward


# Every interval drawn above has its ends in these quarters and more of them inside: they tell any two spans apart.
POINTS: list[Any] = (
    [None] + [quarter / 4 for quarter in range(-4, 24)] + ["", "a", "ab", "b", "bb", "成都", "成都市", "𠮷", "𠮷𠮷"]
)
CANONICAL = spans().map(lambda span: conjunction([span])).filter(bool).map(lambda rows: rows[0])


@given(CANONICAL, CANONICAL)
@settings(max_examples=300)
def test_spans_agree_with_their_points(a: Span, b: Span) -> None:
    b = b.model_copy(update={"column": a.column})
    both = common(a, b)
    assert both is None or (both,) == conjunction([both])
    for point in POINTS:
        assert (both is not None and both.holds(point)) == (a.holds(point) and b.holds(point))
    if inside(a, b):
        assert all(b.holds(point) for point in POINTS if a.holds(point))
    elif a.in_ is None and b.in_ is None:
        assert any(a.holds(point) and not b.holds(point) for point in POINTS)
    elif a.in_ is not None:
        assert any(not b.holds(value) for value in a.in_)
    else:
        assert b.in_ is not None, "an interval holds more than any set"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"column": "age", "from": 3, "to": 3}, {"column": "age", "in": [3]}),
        ({"column": "age", "from": 3, "except": [3, 2, "x"]}, {"column": "age", "above": 3, "to": None}),
        ({"column": "age", "from": 3, "to": 4, "except": [3, 9]}, {"column": "age", "above": 3, "to": 4}),
        ({"column": "age", "in": [1.0, 2]}, {"column": "age", "in": [2, 1, 1]}),
        ({"column": "name", "in": ["e\u0301"]}, {"column": "name", "in": ["é"]}),
    ],
)
def test_one_meaning_has_one_form(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert conjunction([Span.model_validate(one)]) == conjunction([Span.model_validate(other)])
