"""Delivery is at least once, the effect of each handler exactly once."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.contrib.sessions.models import Session
from django.db import connections

from shudu.policy.events import Event
from shudu.policy.models import Handled, Outbox
from shudu.policy.outbox import dispatch, on

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_handlers")]
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def happen(subject: str, event: Event = Event.RUN_CLOSED) -> Outbox:
    return Outbox.objects.create(event=event, version=1, subject=subject, fields={}, time=NOW)


def note(name: str) -> None:
    Session.objects.create(session_key=name, session_data="", expire_date=NOW)


def notes() -> set[str]:
    return set(Session.objects.values_list("session_key", flat=True))


def test_each_handler_of_an_event_hears_it_once_and_in_order() -> None:
    heard: list[str] = []

    @on(Event.RUN_CLOSED)
    def settle(row: Outbox) -> None:
        heard.append(f"settle {row.subject}")

    @on(Event.RUN_CLOSED)
    def tell(row: Outbox) -> None:
        heard.append(f"tell {row.subject}")

    @on(Event.RUN_FAILED)
    def release(row: Outbox) -> None:
        heard.append(f"release {row.subject}")

    for subject in ("a", "b"):
        happen(subject)
    assert dispatch() == 2
    assert dispatch() == 0
    assert heard == ["settle a", "tell a", "settle b", "tell b"]


def test_a_failing_handler_leaves_nothing_behind_and_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    broken = True

    @on(Event.RUN_CLOSED)
    def settle(row: Outbox) -> None:
        note("settled")
        if broken:
            raise OSError("disk full")

    happen("a")
    with caplog.at_level(logging.ERROR):
        assert dispatch() == 0
    assert "will be tried again" in caplog.text
    assert notes() == set()
    assert not Handled.objects.exists()
    broken = False
    assert dispatch() == 1
    assert notes() == {"settled"}


def test_an_event_that_cannot_be_handled_does_not_hold_up_the_rest() -> None:
    @on(Event.RUN_CLOSED)
    def settle(row: Outbox) -> None:
        if row.subject == "bad":
            raise OSError
        note(row.subject)

    happen("bad")
    for number in range(4):
        happen(f"good {number}")
    while dispatch(limit=1):
        pass
    dispatch(limit=1)
    for _ in range(10):
        dispatch(limit=1)
    assert notes() == {f"good {number}" for number in range(4)}
    assert Outbox.objects.get(subject="bad").attempts > 1


def test_a_handler_that_already_ran_for_an_event_is_not_run_again() -> None:
    @on(Event.RUN_CLOSED)
    def settle(row: Outbox) -> None:
        note("settled")

    row = happen("a")
    assert dispatch() == 1
    Outbox.objects.filter(id=row.id).update(dispatched=False)
    assert dispatch() == 1
    assert notes() == {"settled"}


@pytest.mark.django_db(transaction=True)
def test_dispatchers_side_by_side_share_the_work_and_double_none() -> None:
    @on(Event.RUN_CLOSED)
    def settle(row: Outbox) -> None:
        note(row.subject)  # the key is unique: a second one fails

    for number in range(30):
        happen(f"event {number}")
    start = threading.Barrier(4)

    def work(number: int) -> int:
        try:
            start.wait()
            return dispatch()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 30
    assert len(notes()) == 30
    assert not Outbox.objects.filter(attempts__gt=0).exists()
