"""The worker: it drives runs, delivers events and sequences the ledger, and does the rooms' chores beside that. Nothing
else schedules anything.

A worker claims a run by a conditional update that sets a lease; the step runs outside any transaction; its result and
the next step are written only while the lease still holds. A killed worker leaves a lease that ends, and the step is
done again.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, models, transaction

from shudu.cases.actions import ring
from shudu.catalog import queries as catalog
from shudu.identity import queries as identity
from shudu.lake import queries as lake
from shudu.ledger.actions import sequence
from shudu.policy import clock, outbox, storage
from shudu.policy.types import Conflict, ShuduError, Text

from . import actions
from .models import Run
from .queries import inputs_of, stored_digests
from .types import Hold, Outcome, Work, chores, idle, kind_of

log = logging.getLogger("shudu.worker")
MAX_ATTEMPTS = 5
WHEN_FULL = timedelta(seconds=30)
SWEEP_EVERY = 3600.0  # seconds
CHORES_EVERY = 60.0


class Worker:
    """One claimant of runs; its name tells its leases from those of others."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()[:20]}:{os.getpid()}:{os.urandom(4).hex()}"
        self.lease = timedelta(seconds=settings.OPTIONS.lease_seconds)

    def tick(self, only: str | None = None) -> bool:
        """Carry one free run (`only` that one) and spread the news; returns whether there was anything to do."""
        run = self._claim(only)
        if run is not None:
            self._carry(run)
        return spread_news() or run is not None

    def loop(self, stopped: threading.Event, pause: float = 0.2) -> None:
        """Carry runs and spread the news until told to stop; an error is logged and never ends the loop."""
        while not stopped.is_set():
            try:
                busy = self.tick()
                if not busy:
                    idle()
            except Exception:
                log.exception("the worker met an error and goes on")
                connection.close()
                busy = False
            if not busy:
                stopped.wait(pause)

    def _claim(self, only: str | None) -> Run | None:
        now = clock.now()
        free = Run.objects.filter(state=Run.State.QUEUED).filter(
            models.Q(lease_until=None) | models.Q(lease_until__lt=now)
        )
        if only:
            free = free.filter(pk=only)
        for run_id in list(free.order_by("id").values_list("id", flat=True)[:5]):
            with transaction.atomic():
                taken = free.filter(pk=run_id).update(
                    lease_until=now + self.lease, lease_holder=self.name, attempt=models.F("attempt") + 1
                )
            if taken:
                return Run.objects.get(pk=run_id)
        return None

    def _carry(self, run: Run) -> None:
        """Do the run's steps one after another while the lease holds."""
        kind = kind_of(run.kind)
        while True:
            step = kind.step(run.step)
            try:
                if run.attempt > MAX_ATTEMPTS:
                    raise _gave_up(run.id)
                with self._renewing(run.id):
                    outcome = step.do(_work(run))
                if isinstance(outcome, Outcome):
                    actions.close(identity.system(), run.id, self.name, outcome)
                    return
                if isinstance(outcome, Hold):
                    actions.hold(identity.system(), run.id, self.name, outcome)
                    return
                if not self._advance(run, kind.after(step.name) or "", step.name, dict(outcome)):
                    return
            except Conflict as error:
                if error.code == "run.lease_lost":
                    return
                self._fail(run, error)
                return
            except Exception as error:
                if storage.passes(error):
                    # Nobody's fault and soon over: it waits its turn again, and this was no attempt.
                    log.error("run %s, step %s: no space, or no database; it is tried again", run.id, step.name)
                    self._give_back(run, WHEN_FULL, attempt=max(run.attempt - 1, 0))
                    return
                if isinstance(error, ShuduError):
                    self._fail(run, error)
                    return
                # Unforeseen: the row keeps its step and another attempt follows when the lease is given back.
                log.error("run %s, step %s, attempt %d: %s", run.id, step.name, run.attempt, type(error).__name__)
                log.debug("its traceback", exc_info=True)
                self._give_back(run)
                return

    def _advance(self, run: Run, following: str, finished: str, result: dict[str, Any]) -> bool:
        done = {**run.done, finished: result}
        with transaction.atomic():
            moved = Run.objects.filter(
                pk=run.pk, state=Run.State.QUEUED, step=finished, lease_holder=self.name, lease_until__gt=clock.now()
            ).update(step=following, done=done, attempt=1, lease_until=clock.now() + self.lease)
        run.refresh_from_db()
        return bool(moved)

    def _fail(self, run: Run, error: ShuduError) -> None:
        try:
            actions.fail(identity.system(), run.id, self.name, error)
        except Conflict:
            log.warning("run %s: the lease was lost before its failure was recorded", run.id)

    def _give_back(self, run: Run, after: timedelta = timedelta(seconds=1), **changed: int) -> None:
        with transaction.atomic():
            Run.objects.filter(pk=run.pk, lease_holder=self.name).update(lease_until=clock.now() + after, **changed)

    @contextmanager
    def _renewing(self, run_id: str) -> Iterator[None]:
        """Keep the lease alive from a thread while a long step works; it dies with the process, as it should."""
        finished = threading.Event()

        def renew() -> None:
            try:
                while not finished.wait(self.lease.total_seconds() / 3):
                    with transaction.atomic():
                        Run.objects.filter(pk=run_id, lease_holder=self.name, lease_until__gt=clock.now()).update(
                            lease_until=clock.now() + self.lease
                        )
            finally:
                connection.close()

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            finished.set()
            thread.join()


def drive(stopped: threading.Event) -> None:
    """All a worker does, until told to stop: the loop here, the chores in a thread beside it.

    So a delivery of gigabytes keeps no run waiting, and a long run no delivery. They are no nearer to each other than
    two workers are, of which any number may run.
    """
    beside = threading.Thread(target=look_after, args=(stopped,), name="chores")
    beside.start()
    try:
        Worker().loop(stopped)
    finally:
        stopped.set()
        beside.join()


def look_after(stopped: threading.Event) -> None:
    """Sweep, and do every room's chores each minute, until told to stop; one that fails stops no other."""
    swept: float | None = None
    try:
        while not stopped.is_set():
            if (swept is None or time.monotonic() - swept > SWEEP_EVERY) and _done(sweep):
                swept = time.monotonic()
            for chore in chores():
                if not stopped.is_set():
                    _done(chore)
            stopped.wait(CHORES_EVERY)
    finally:
        connection.close()


def _done(chore: Callable[[], object]) -> bool:
    try:
        chore()
    except Exception:
        log.exception("a chore of the worker met an error and is done again")
        connection.close()
        return False
    return True


def sweep() -> list[str]:
    """Remove files that no version vouches for and no waiting run is about to enter; returns what was removed.

    An erasure that was killed between its tombstone and its end is finished first.
    """
    noted = lake.keyring().erased()
    for version in catalog.tombstones():
        if version.id not in noted:
            lake.store().erase(catalog.place(version))
    return lake.store().sweep(set(stored_digests()))


def spread_news() -> bool:
    """Do what is due, deliver waiting events and give waiting entries their place in the ledger."""
    rung = ring()
    delivered = outbox.dispatch()
    return bool(sequence() or delivered or rung)


def settle(run_id: str, timeout: float = 3600.0) -> None:
    """Work in this process until a run has ended and everything it led to is done and sequenced.

    Safe beside a live worker: whoever holds the lease works, the other waits. Raises Conflict `run.news_waits` when the
    run has ended and what follows from it, such as its settlement, keeps failing; the worker goes on trying.
    """
    worker = Worker()
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        busy = worker.tick(run_id)
        if not busy and not Run.objects.filter(pk=run_id, state=Run.State.QUEUED).exists():
            tries = outbox.waiting(run_id)
            if tries is None:
                return
            if tries >= MAX_ATTEMPTS:
                raise _news_waits(run_id)
        if not busy:
            time.sleep(0.1)
    raise Conflict(
        "run.waiting",
        Text("任务仍在进行。", "The run is still going on."),
        Text("稍后再查看其状态。", "Look at its state again later."),
        {"run": run_id},
    )


def _work(run: Run) -> Work:
    return Work(
        run=run.id,
        kind=run.kind,
        party=run.party,
        purpose=run.purpose,
        inputs=inputs_of(run),
        params=run.params,
        done=run.done,
        attempt=run.attempt,
    )


def _news_waits(run_id: str) -> Conflict:
    return Conflict(
        "run.news_waits",
        Text(
            "任务已结束，但后续处理（如结算）未能完成，预留的款项仍未动用。",
            "The run has ended, but what follows from it, such as its settlement, keeps failing. What was reserved is"
            " still reserved.",
        ),
        Text(
            "后台进程会继续重试，不会重复扣款；请运营机构查看日志。",
            "The worker goes on trying and nothing is charged twice; ask the operating company to look at its log.",
        ),
        {"run": run_id},
    )


def _gave_up(run_id: str) -> ShuduError:
    return ShuduError(
        "run.internal",
        Text("任务多次意外中断，已停止重试。", "The run stopped unexpectedly several times and was given up."),
        Text("未扣款。请联系运营机构查看日志。", "Nothing was charged. Ask the operating company to look at its log."),
        {"run": run_id},
    )
