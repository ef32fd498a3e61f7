"""Procedures as data: which tables are sound, and that the drawing is the table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.cases.procedures import Procedure, Transition, current, known, procedures, register
from shudu.policy.types import Actor, Role, Text

REVIEW = Procedure(
    name="test_review",
    version=1,
    initial="draft",
    transitions=(
        Transition("submit", ("draft", "returned"), "open", by=("owner",)),
        Transition("give_back", "open", "returned", by=(Role.AUTHORITY,)),
        Transition("approve", "open", "done", by=(Role.AUTHORITY, Role.OPERATOR)),
        Transition("drop", ("draft", "returned"), "dropped"),
    ),
    final=("done", "dropped"),
    words={"draft": Text("草稿", "draft"), "submit": Text("提交", "submit")},
)


def faults(*transitions: Transition, final: tuple[str, ...] = (), initial: str = "a", version: int = 1) -> list[str]:
    return Procedure("p", version, initial, transitions, final).faults()


def test_a_sound_table_has_no_faults() -> None:
    assert REVIEW.faults() == []
    assert REVIEW.states == ("draft", "returned", "open", "done", "dropped")
    assert [step.name for step in REVIEW.possible("returned")] == ["submit", "drop"]
    assert REVIEW.step("open", "submit") is None


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (faults(Transition("go", "a", "b")), "b leads to no end"),
        (faults(Transition("go", "a", "b"), final=("b", "c")), "c cannot be reached"),
        (faults(Transition("go", "a", "b"), Transition("on", "c", "b"), final=("b",)), "c cannot be reached"),
        (
            faults(Transition("go", "a", "b"), Transition("back", "b", "a"), final=("b",)),
            "b is final and has a way out",
        ),
        (faults(Transition("go", "a", "b"), Transition("go", "b", "a")), "go is declared twice"),
        (faults(Transition("go", ("a", "a"), "b"), final=("b",)), "go repeats a source"),
        (faults(Transition("go", (), "a"), Transition("on", "a", "a")), "go starts nowhere"),
        (faults(Transition("go", "a", "b", by=()), final=("b",)), "go is for nobody"),
        (faults(Transition("Go on", "a", "b"), final=("b",)), "Go on is no name"),
        (faults(Transition("go", "a", "b"), final=("b",), version=0), "a version is 1 or more"),
        (
            faults(
                Transition("go", "a", "b"),
                Transition("stray", "a", "c"),
                Transition("stay", "c", "c"),
                final=("b",),
            ),
            "c leads to no end",
        ),
        (Procedure("p", 1, "a", (), ("a",), {"z": Text("z", "z")}).faults(), "z is worded but not declared"),
    ],
)
def test_every_fault_is_named(found: list[str], fault: str) -> None:
    assert fault in found


def test_a_procedure_may_go_round_for_ever() -> None:
    assert faults(Transition("go", "a", "b"), Transition("back", "b", "a")) == []


def test_registration_keeps_versions_apart() -> None:
    register(REVIEW)
    register(REVIEW)
    with pytest.raises(ValueError, match="differently"):
        register(Procedure("test_review", 1, "a", (), ("a",)))
    with pytest.raises(ValueError, match="leads to no end"):
        register(Procedure("test_broken", 1, "a", ()))
    second = Procedure("test_review", 2, "a", (), ("a",))
    register(second)
    try:
        assert current("test_review") is second
        assert known("test_review", 1) == REVIEW
        assert {REVIEW.version, 2} <= {row.version for row in procedures() if row.name == "test_review"}
    finally:
        from shudu.cases.procedures import _known

        del _known["test_review"]
    with pytest.raises(KeyError):
        current("test_review")


def test_who_may_take_a_step() -> None:
    owner, other = Actor("pty_a"), Actor("pty_b", frozenset({Role.OPERATOR}))
    submit, approve, drop = (REVIEW.step(*at) for at in (("draft", "submit"), ("open", "approve"), ("draft", "drop")))
    assert submit
    assert approve
    assert drop
    assert [step.allows(owner, "pty_a") for step in (submit, approve, drop)] == [True, False, True]
    assert [step.allows(other, "pty_a") for step in (submit, approve, drop)] == [False, True, True]
    assert not submit.allows(Actor(""), "")


NAMES = st.sampled_from("abcd")
tables = st.builds(
    lambda arrows, final: Procedure(
        "p",
        1,
        "a",
        tuple(Transition(f"t{n}", source, to) for n, (source, to) in enumerate(arrows)),
        tuple(sorted(final)),
    ),
    st.lists(st.tuples(NAMES, NAMES), max_size=6),
    st.sets(NAMES, max_size=2),
)


@given(tables, st.data())
def test_in_a_sound_table_every_walk_can_end(table: Procedure, data: st.DataObject) -> None:
    if table.faults():
        return
    state = table.initial
    for _ in range(data.draw(st.integers(0, 6))):
        ways = table.possible(state)
        assert bool(ways) != (state in table.final)
        if not ways:
            break
        state = data.draw(st.sampled_from(ways)).to
    edge, seen = {state}, set[str]()
    while edge - seen:
        seen |= edge
        edge = {step.to for each in edge for step in table.possible(each)}
    assert seen & set(table.final) if table.final else all(table.possible(each) for each in seen)


@given(tables)
def test_the_drawing_holds_every_arrow_once(table: Procedure) -> None:
    lines = table.draw().splitlines()
    arrows = sorted(line.split(":")[0].strip() for line in lines if "-->" in line and "[*]" not in line)
    assert arrows == sorted(f"{source} --> {step.to}" for step in table.transitions for source in step.sources)
    assert [line.strip() for line in lines if line.endswith("[*]")] == [f"{state} --> [*]" for state in table.final]


def test_a_drawing_in_full() -> None:
    assert REVIEW.draw("zh").splitlines() == [
        "stateDiagram-v2",
        "    [*] --> draft",
        "    draft: 草稿",
        "    draft --> open: 提交 (owner)",
        "    returned --> open: 提交 (owner)",
        "    open --> returned: give_back (authority)",
        "    open --> done: approve (authority, operator)",
        "    draft --> dropped: drop (anyone)",
        "    returned --> dropped: drop (anyone)",
        "    done --> [*]",
        "    dropped --> [*]",
    ]
