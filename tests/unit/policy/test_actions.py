"""An action commits its rows, its outbox row and its idempotency key together, or nothing at all."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, connections

from shudu.policy.actions import action, part_of_action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.models import IdempotencyKey, Outbox
from shudu.policy.permissions import Permission
from shudu.policy.rules import grant, holders
from shudu.policy.types import Actor, Conflict, Refused, Role, Via

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_rules")]

OPERATOR = Actor("pty_operator", frozenset({Role.OPERATOR}), Via.API)
BUYER = Actor("pty_buyer", frozenset({Role.BUYER}), Via.PAGE)
FIELDS = {"party": "pty_buyer", "unit": "CNY.fen", "amount": 100}


@part_of_action
def write(name: str) -> Session:
    """A row of no room: what actions do with theirs is what is looked at."""
    return Session.objects.create(session_key=name, session_data="", expire_date=datetime(2026, 1, 1, tzinfo=UTC))


@action(Permission.FUNDS_DEPOSIT, Event.FUNDS_DEPOSITED)
def deposit(actor: Actor, name: str) -> Session:
    require(actor, Permission.FUNDS_DEPOSIT)
    row = write(name)
    record(name, FIELDS)
    return row


def names() -> set[str]:
    return set(Session.objects.values_list("session_key", flat=True))


@pytest.fixture(autouse=True)
def rules(no_rules: None) -> None:
    grant(Permission.FUNDS_DEPOSIT, holders(Role.OPERATOR))
    grant(Permission.MODEL_PUBLISH, holders(Role.OPERATOR))


def test_it_leaves_its_row_and_one_outbox_row(clock: Any) -> None:
    row = deposit(OPERATOR, "a")
    assert names() == {"a"}
    entry = Outbox.objects.get()
    assert (entry.event, entry.version, entry.subject, entry.time) == ("funds.deposited", 1, "a", clock.now())
    assert entry.fields == {**FIELDS, "by": "pty_operator", "via": "api"}
    assert not entry.sequenced
    assert not entry.dispatched
    assert row.pk == "a"


def test_a_refusal_explains_itself_and_leaves_nothing() -> None:
    with pytest.raises(Refused) as refusal:
        deposit(BUYER, "a", idempotency_key="k")
    assert refusal.value.decision.refusal is not None
    assert "funds.deposit" in refusal.value.message.en
    assert refusal.value.remedy is not None
    assert (names(), Outbox.objects.count(), IdempotencyKey.objects.count()) == (set(), 0, 0)


def never_asks(actor: Actor) -> Session:
    row = write("a")
    record("a", FIELDS)
    return row


def asks_for_something_else(actor: Actor) -> Session:
    require(actor, Permission.MODEL_PUBLISH)
    return never_asks(actor)


def never_records(actor: Actor) -> Session:
    require(actor, Permission.FUNDS_DEPOSIT)
    return write("a")


def records_too_little(actor: Actor) -> Session:
    row = never_records(actor)
    record("a", {"party": "pty_buyer"})
    return row


def records_too_much(actor: Actor) -> Session:
    row = never_records(actor)
    record("a", {**FIELDS, "name": "x"})
    return row


def records_twice(actor: Actor) -> Session:
    row = never_records(actor)
    record("a", FIELDS)
    record("a", FIELDS)
    return row


def fails_at_the_end(actor: Actor) -> Session:
    row = never_records(actor)
    record("a", FIELDS)
    raise RuntimeError(f"after {row.pk}")


@pytest.mark.parametrize(
    "wrong",
    [
        never_asks,
        asks_for_something_else,
        never_records,
        records_too_little,
        records_too_much,
        records_twice,
        fails_at_the_end,
    ],
)
def test_one_that_forgets_its_duty_or_fails_does_not_commit(wrong: Any) -> None:
    act = action(Permission.FUNDS_DEPOSIT, Event.FUNDS_DEPOSITED)(wrong)
    with pytest.raises(RuntimeError):
        act(OPERATOR, idempotency_key="k")
    assert (names(), Outbox.objects.count(), IdempotencyKey.objects.count()) == (set(), 0, 0)


def test_work_found_done_is_not_recorded() -> None:
    @action(Permission.FUNDS_DEPOSIT, Event.FUNDS_DEPOSITED)
    def again(actor: Actor) -> Session:
        require(actor, Permission.FUNDS_DEPOSIT)
        record_nothing()
        return Session.objects.get(pk="a")

    deposit(OPERATOR, "a")
    assert again(OPERATOR).pk == "a"
    assert Outbox.objects.count() == 1


def test_an_action_within_an_action_records_both_or_neither() -> None:
    def outer(actor: Actor, fail: bool) -> Session:
        require(actor, Permission.MODEL_PUBLISH)
        row = deposit(actor, "inner")
        write("outer")
        fields = dict.fromkeys(("party", "unit", "amount"), 1)
        record("outer", fields)
        if fail:
            raise RuntimeError("too late")
        return row

    act = action(Permission.MODEL_PUBLISH, Event.FUNDS_DEPOSITED)(outer)
    with pytest.raises(RuntimeError, match="too late"):
        act(OPERATOR, True)
    assert (names(), Outbox.objects.count()) == (set(), 0)
    act(OPERATOR, False)
    assert names() == {"inner", "outer"}
    assert list(Outbox.objects.order_by("id").values_list("subject", flat=True)) == ["inner", "outer"]


def test_the_inner_actions_question_does_not_authorise_the_outer_one() -> None:
    @action(Permission.FUNDS_DEPOSIT, Event.FUNDS_DEPOSITED)
    def outer(actor: Actor) -> Session:
        row = deposit(actor, "inner")
        record("outer", FIELDS)
        return row

    with pytest.raises(RuntimeError, match="never asked"):
        outer(OPERATOR)
    assert names() == set()


def test_a_part_of_an_action_refuses_to_run_alone() -> None:
    with pytest.raises(RuntimeError, match="only as part of an action"):
        write("a")
    assert names() == set()


def test_the_same_key_gives_the_first_result_and_changes_nothing() -> None:
    first = deposit(OPERATOR, "a", idempotency_key="k")
    second = deposit(OPERATOR, "a", idempotency_key="k")
    assert second.pk == first.pk
    assert (names(), Outbox.objects.count()) == ({"a"}, 1)


def test_the_same_key_for_another_request_is_a_conflict() -> None:
    deposit(OPERATOR, "a", idempotency_key="k")
    with pytest.raises(Conflict) as conflict:
        deposit(OPERATOR, "b", idempotency_key="k")
    assert conflict.value.code == "idempotency.reused"
    assert names() == {"a"}


def test_a_key_belongs_to_one_party_and_one_action() -> None:
    other = Actor("pty_other", frozenset({Role.OPERATOR}))

    @action(Permission.FUNDS_DEPOSIT, Event.FUNDS_DEPOSITED)
    def another(actor: Actor, name: str) -> Session:
        require(actor, Permission.FUNDS_DEPOSIT)
        record(name, FIELDS)
        return write(name)

    deposit(OPERATOR, "a", idempotency_key="k")
    deposit(other, "b", idempotency_key="k")
    another(OPERATOR, "c", idempotency_key="k")
    assert names() == {"a", "b", "c"}


def test_a_key_whose_action_failed_can_be_used_again() -> None:
    attempts: list[int] = []

    @action(Permission.FUNDS_DEPOSIT, Event.FUNDS_DEPOSITED)
    def flaky(actor: Actor, name: str) -> Session:
        require(actor, Permission.FUNDS_DEPOSIT)
        attempts.append(1)
        row = write(name)
        if len(attempts) == 1:
            raise OSError("disk full")
        record(name, FIELDS)
        return row

    with pytest.raises(OSError, match="disk full"):
        flaky(OPERATOR, "a", idempotency_key="k")
    flaky(OPERATOR, "a", idempotency_key="k")
    assert (names(), len(attempts)) == ({"a"}, 2)


@pytest.mark.django_db(transaction=True)
def test_preparation_runs_before_the_transaction_and_not_for_a_replay() -> None:
    prepared: list[bool] = []

    def prepare(actor: Actor, name: str) -> str:
        prepared.append(connection.in_atomic_block)
        return name.upper()

    @action(Permission.FUNDS_DEPOSIT, Event.FUNDS_DEPOSITED, prepare=prepare)
    def heavy(actor: Actor, name: str, *, prepared: str) -> Session:
        require(actor, Permission.FUNDS_DEPOSIT)
        record(name, FIELDS)
        return write(prepared)

    first = heavy(OPERATOR, "a", idempotency_key="k")
    assert (first.pk, prepared) == ("A", [False])
    assert heavy(OPERATOR, "a", idempotency_key="k").pk == "A"
    assert prepared == [False]


@pytest.mark.django_db(transaction=True)
def test_callers_racing_with_one_key_do_the_work_once() -> None:
    start = threading.Barrier(8)

    def call(number: int) -> str:
        try:
            start.wait()
            return str(deposit(OPERATOR, "once", idempotency_key="k").pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(call, range(8))) == {"once"}
    assert (names(), Outbox.objects.count(), IdempotencyKey.objects.count()) == ({"once"}, 1, 1)
