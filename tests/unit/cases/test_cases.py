"""Running cases: what they refuse and how, their history, and that of two steps at once one wins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection

from shudu.cases import actions as cases
from shudu.cases import queries
from shudu.cases.models import Case, CaseStep
from shudu.cases.procedures import Procedure, Transition, _known, register
from shudu.policy.actions import action, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Conflict, NotFound, Refused, Role, Text, Via

NAME = "test_request"
TABLE = Procedure(
    name=NAME,
    version=1,
    initial="draft",
    transitions=(
        Transition("submit", "draft", "open", by=("owner",)),
        Transition("approve", "open", "done", by=(Role.AUTHORITY,)),
        Transition("refuse", "open", "refused", by=(Role.AUTHORITY,)),
    ),
    final=("done", "refused"),
    words={
        "draft": Text("草稿", "draft"),
        "open": Text("已受理", "accepted"),
        "done": Text("已办结", "done"),
        "submit": Text("提交", "submit"),
        "approve": Text("同意", "approve"),
        "refuse": Text("不同意", "refuse"),
    },
)
OWNER = Actor("pty_owner", frozenset({Role.PROVIDER}), Via.API)
CHIEF = Actor("pty_chief", frozenset({Role.AUTHORITY}), Via.PAGE)
_CALLER = Actor("pty_caller", frozenset({Role.OPERATOR}))


@action(Permission.PARTY_CREATE, Event.PARTY_CREATED)
def _act(actor: Actor, work: Callable[[], Any]) -> Any:
    require(actor, Permission.PARTY_CREATE)
    record_nothing()
    return work()


def within(work: Callable[[], Any]) -> Any:
    return _act(_CALLER, work)


@pytest.fixture(autouse=True)
def procedure() -> Iterator[None]:
    register(TABLE)
    yield
    del _known[NAME]


@pytest.fixture
def case(db: None) -> Case:
    return within(lambda: cases.open_case(NAME, "ast_1", OWNER.party))  # type: ignore[no-any-return]


def test_a_case_runs_to_its_end(case: Case, clock: Any) -> None:
    assert queries.state("ast_1") == "draft"
    within(lambda: cases.advance("ast_1", "submit", OWNER))
    clock.advance(days=1)
    assert within(lambda: cases.advance("ast_1", "approve", CHIEF, "ab" * 32)).state == "done"
    steps = queries.history("ast_1")
    assert [(step.from_state, step.to_state, step.party, step.via) for step in steps] == [
        ("draft", "open", "pty_owner", "api"),
        ("open", "done", "pty_chief", "page"),
    ]
    assert [step.opinion_sha256 for step in steps] == ["", "ab" * 32]
    assert steps[1].time - steps[0].time == timedelta(days=1)


def test_what_was_when(db: None, clock: Any) -> None:
    opened = clock.now()
    within(lambda: cases.open_case(TABLE, "ast_1", OWNER.party))
    submitted = clock.advance(hours=1)
    within(lambda: cases.advance("ast_1", "submit", OWNER))
    approved = clock.advance(hours=1)
    within(lambda: cases.advance("ast_1", "approve", CHIEF))
    tick = timedelta(microseconds=1)
    asked = [opened - tick, opened, submitted - tick, submitted, approved - tick, approved, approved + tick]
    assert [queries.state_at("ast_1", moment) for moment in asked] == [
        None,
        "draft",
        "draft",
        "open",
        "open",
        "done",
        "done",
    ]


def test_what_only_the_worker_does_is_not_offered(db: None) -> None:
    steps = (Transition("start", "idle", "busy"), Transition("finish", "busy", "idle", by=(Role.SYSTEM,)))
    name = f"{NAME}_worked"
    try:
        register(Procedure(name, 1, "idle", steps))
        within(lambda: cases.open_case(name, "run_1", OWNER.party))
        within(lambda: cases.advance("run_1", "start", OWNER))
        with pytest.raises(Conflict) as caught:
            within(lambda: cases.advance("run_1", "start", OWNER))
    finally:
        del _known[name]
    assert caught.value.where["possible"] == []
    assert caught.value.remedy
    assert caught.value.remedy.en == "Wait until the present step is done, then try again."


def test_an_impossible_step_says_where_it_stands_and_what_is_possible(case: Case) -> None:
    within(lambda: cases.advance("ast_1", "submit", OWNER))
    with pytest.raises(Conflict) as caught:
        within(lambda: cases.advance("ast_1", "submit", OWNER))
    error = caught.value
    assert error.code == "cases.transition"
    assert error.where == {"state": "open", "possible": ["approve", "refuse"]}
    assert error.message == Text(
        "当前状态为“已受理”，不能“提交”。", "It is “accepted” now, so “submit” is not possible."
    )
    assert error.remedy == Text("现在可以：同意、不同意。", "Possible now: approve, refuse.")
    within(lambda: cases.advance("ast_1", "approve", CHIEF))
    with pytest.raises(Conflict) as caught:
        within(lambda: cases.advance("ast_1", "approve", CHIEF))
    assert caught.value.remedy
    assert "办结" in caught.value.remedy.zh
    with pytest.raises(Conflict):
        within(lambda: cases.advance("ast_1", "unheard_of", CHIEF))
    assert len(queries.history("ast_1")) == 2


def test_a_step_is_taken_by_whom_the_table_names(case: Case) -> None:
    with pytest.raises(Refused) as caught:
        within(lambda: cases.advance("ast_1", "submit", CHIEF))
    assert caught.value.code == f"cases.{NAME}.submit"
    within(lambda: cases.advance("ast_1", "submit", OWNER))
    with pytest.raises(Refused):
        within(lambda: cases.advance("ast_1", "approve", OWNER))
    assert queries.state("ast_1") == "open"
    assert CaseStep.objects.count() == 1


def test_one_case_per_procedure_and_subject(case: Case) -> None:
    with pytest.raises(Conflict) as caught:
        within(lambda: cases.open_case(NAME, "ast_1", OWNER.party))
    assert caught.value.code == "cases.open"
    register(Procedure("test_other", 1, "new", (), ("new",)))
    try:
        within(lambda: cases.open_case("test_other", "ast_1", OWNER.party))
    finally:
        del _known["test_other"]
    assert queries.state("ast_1", "test_other") == "new"
    assert queries.state("ast_1", NAME) == "draft"
    with pytest.raises(ValueError, match="several"):
        queries.state("ast_1")
    with pytest.raises(NotFound):
        queries.state("ast_2")


def test_a_running_case_keeps_its_version(case: Case) -> None:
    register(
        Procedure(
            NAME,
            2,
            "draft",
            (Transition("submit", "draft", "screened", by=("owner",)), Transition("pass_on", "screened", "done")),
            ("done",),
        )
    )
    newer = within(lambda: cases.open_case(NAME, "ast_2", OWNER.party))
    assert (case.version, newer.version) == (1, 2)
    for subject, state in (("ast_1", "open"), ("ast_2", "screened")):
        assert within(partial(cases.advance, subject, "submit", OWNER)).state == state


def test_parts_do_not_run_alone(case: Case) -> None:
    with pytest.raises(RuntimeError, match="part of an action"):
        cases.advance("ast_1", "submit", OWNER)
    with pytest.raises(RuntimeError, match="part of an action"):
        cases.open_case(NAME, "ast_2", OWNER.party)


def test_a_step_is_not_taken_from_a_state_already_left(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The read and the update are two statements; here the case moves on between them."""
    found = queries.case("ast_1")
    within(lambda: cases.advance("ast_1", "submit", OWNER))
    monkeypatch.setattr(queries, "case", lambda *_: found)
    with pytest.raises(Conflict) as caught:
        within(lambda: cases.advance("ast_1", "submit", OWNER))
    assert caught.value.where["state"] == "open"
    assert CaseStep.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_steps_at_once_one_is_taken() -> None:
    rounds = 10
    for number in range(rounds):
        within(partial(cases.open_case, NAME, f"ast_{number}", OWNER.party))
        within(partial(cases.advance, f"ast_{number}", "submit", OWNER))
    barrier = threading.Barrier(2)
    outcomes: list[tuple[int, bool]] = []
    broken: list[BaseException] = []

    def decide(transition: str) -> None:
        try:
            for number in range(rounds):
                barrier.wait(timeout=30)
                try:
                    within(partial(cases.advance, f"ast_{number}", transition, CHIEF))
                    outcomes.append((number, True))
                except Conflict:
                    outcomes.append((number, False))
        except BaseException as error:
            barrier.abort()
            broken.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(transition,)) for transition in ("approve", "refuse")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not broken
    assert sorted(outcomes) == sorted([(number, taken) for number in range(rounds) for taken in (True, False)])
    assert CaseStep.objects.count() == 2 * rounds
