"""The queue: leases, takeovers, retries, failures. Steps are real unless a test needs one to misbehave."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from shudu.accounts import queries as accounts
from shudu.agreements import actions as agreements
from shudu.agreements import queries as agreement_queries
from shudu.agreements.types import REVOCATION_REASONS
from shudu.catalog import queries as catalog
from shudu.catalog.models import Asset
from shudu.exchange import queries as exchange
from shudu.identity import queries as identity
from shudu.lake import queries as lake
from shudu.lake.engine import no_space
from shudu.policy import clock as port
from shudu.policy.models import Handled, Outbox
from shudu.policy.types import Conflict, Invalid, Text
from shudu.runs import actions, queries, types, worker
from shudu.runs.models import Run
from shudu.runs.types import RunKind, Step, Work
from shudu.runs.worker import MAX_ATTEMPTS, Worker, drive, look_after, spread_news, sweep
from unit.runs.conftest import Ordered

pytestmark = pytest.mark.django_db(transaction=True)


def drain() -> None:
    while spread_news():
        pass


def finish(ordered: Ordered) -> Run:
    run = ordered.start()
    while ordered.worker.tick():
        pass
    run.refresh_from_db()
    assert run.state == "closed", run.error
    return run


def test_a_chore_that_fails_stops_no_other(ordered: Ordered, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    stopped = threading.Event()

    def fails() -> None:
        tried.append("fails")
        raise ZeroDivisionError

    def does() -> None:
        tried.append("does")
        if len(tried) > 2:
            stopped.set()

    monkeypatch.setattr(types, "_chores", [fails, does])
    monkeypatch.setattr(worker, "CHORES_EVERY", 0.01)
    look_after(stopped)
    assert tried == ["fails", "does"] * 2


def test_a_chore_that_takes_long_keeps_no_run_waiting(ordered: Ordered, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a delivery of gigabytes."""
    run = ordered.start()
    stopped, seen = threading.Event(), []

    def chore() -> None:
        until = time.monotonic() + 60
        while not (ended := Run.objects.filter(pk=run.id, state="closed").exists()) and time.monotonic() < until:
            time.sleep(0.05)
        seen.append(ended)
        stopped.set()

    monkeypatch.setattr(types, "_chores", [chore])
    drive(stopped)
    assert seen == [True]


def test_a_run_that_takes_long_keeps_no_chore_waiting(ordered: Ordered, monkeypatch: pytest.MonkeyPatch) -> None:
    going, done, stopped = threading.Event(), threading.Event(), threading.Event()
    real = types._kinds["compute"]
    seen: list[bool] = []

    def step(work: Work) -> dict[str, str]:
        going.set()
        seen.append(done.wait(60))
        stopped.set()
        return {}

    types.register_kind(RunKind("compute", (Step(real.steps[0].name, step), *real.steps[1:])))
    monkeypatch.setattr(types, "_chores", [lambda: done.set() if going.is_set() else None])
    monkeypatch.setattr(worker, "CHORES_EVERY", 0.01)
    ordered.start()
    try:
        drive(stopped)
    finally:
        types.register_kind(real)
    assert seen[0]


@pytest.fixture
def misbehaving() -> Iterator[list[str]]:
    """Replaces the scoring run by one whose only step does what the list says next: "crash", "refuse" or nothing."""
    script: list[str] = []
    real = types._kinds["compute"]

    def step(work: Work) -> dict[str, str]:
        match script.pop(0) if script else "":
            case "crash":
                raise ZeroDivisionError
            case "refuse":
                raise Invalid("model.failed", Text("模型失败。", "The model failed."))
        return {}

    types.register_kind(RunKind("compute", (Step("only", step), *real.steps[-1:])))
    yield script
    types.register_kind(real)


def test_closes_settles_and_records(ordered: Ordered) -> None:
    run = finish(ordered)
    output = queries.output_of(run.id)
    assert output is not None
    result = catalog.asset(ordered.market.buyer, output.asset)
    assert (result.owner, result.level, result.run) == (ordered.market.buyer.party, "L2", run.id)
    assert {right.kind for right in catalog.rights(result.id)} == {"hold", "use"}
    assert not catalog.may_offer(ordered.market.buyer.party, result.id)
    assert {item.version for item in queries.made_from(output.version)} == {
        item.version for item in queries.inputs_of(run)
    }
    assert exchange.state(ordered.order) == "settled"
    events = list(
        Outbox.objects.filter(event__in=("run.closed", "order.settled")).order_by("id").values_list("event", flat=True)
    )
    assert events == ["run.closed", "order.settled"]


def test_a_lease_keeps_others_away_until_it_ends(ordered: Ordered, clock: Any) -> None:
    run = ordered.start()
    first, second = ordered.worker, Worker()
    assert first._claim(None) is not None
    assert second._claim(None) is None
    clock.advance(seconds=61)
    taken = second._claim(None)
    assert taken is not None
    assert taken.attempt == 2
    # The first wakes up and wants to end what is no longer its own.
    with pytest.raises(Conflict, match="lease_lost"):
        actions.fail(identity.system(), run.id, first.name, Invalid("x", Text("x", "x")))
    run.refresh_from_db()
    assert run.state == "queued"


def test_a_worker_that_lost_its_lease_in_a_step_lets_go(ordered: Ordered, clock: Any) -> None:
    run = ordered.start()
    real = types._kinds["compute"]
    done = []

    def slow(work: Work) -> dict[str, str]:
        if not done:
            done.append(work.attempt)
            clock.advance(seconds=120)
            assert Worker()._claim(None) is not None
        return {}

    types.register_kind(RunKind("compute", (Step(real.steps[0].name, slow), *real.steps[1:])))
    try:
        ordered.worker.tick()
    finally:
        types.register_kind(real)
    run.refresh_from_db()
    assert (run.step, run.done) == (real.steps[0].name, {})


def test_unforeseen_errors_are_tried_again_then_given_up(misbehaving: list[str], ordered: Ordered, clock: Any) -> None:
    misbehaving += ["crash"] * 20
    run = ordered.start()
    for _ in range(MAX_ATTEMPTS + 1):
        ordered.worker.tick()
        clock.advance(seconds=61)
    drain()
    run.refresh_from_db()
    assert run.state == "failed"
    assert run.error["code"] == "run.internal"
    assert "ZeroDivision" not in str(run.error)
    balance = accounts.balance(ordered.market.buyer.party, "CNY.fen")
    assert (balance.available, balance.reserved) == (500_000, 0)


@pytest.mark.parametrize(
    "error",
    [OperationalError("database or disk is full"), OSError(errno.ENOSPC, "full"), no_space()],
)
def test_a_full_disk_is_waited_for_however_long_it_takes(ordered: Ordered, clock: Any, error: Exception) -> None:
    run = ordered.start()
    real = types._kinds["compute"]
    full = [True]

    def step(work: Work) -> dict[str, str]:
        if full:
            raise error
        return dict(real.steps[0].do(work))  # type: ignore[arg-type]

    types.register_kind(RunKind("compute", (Step(real.steps[0].name, step), *real.steps[1:])))
    try:
        for _ in range(MAX_ATTEMPTS + 3):
            ordered.worker.tick()
            run.refresh_from_db()
            assert (run.state, run.attempt) == ("queued", 0)
            clock.advance(seconds=31)
        full.clear()
        while ordered.worker.tick():
            pass
    finally:
        types.register_kind(real)
    run.refresh_from_db()
    assert run.state == "closed"


def test_a_refusal_ends_the_run_at_once_and_costs_nothing(misbehaving: list[str], ordered: Ordered) -> None:
    misbehaving += ["refuse"]
    run = ordered.start()
    while ordered.worker.tick():
        pass
    run.refresh_from_db()
    assert (run.state, run.error["code"]) == ("failed", "model.failed")
    balance = accounts.balance(ordered.market.buyer.party, "CNY.fen")
    assert (balance.available, balance.reserved) == (500_000, 0)
    assert exchange.state(ordered.order) == "failed"
    # The same news twice changes nothing.
    Outbox.objects.update(dispatched=False)
    drain()
    assert accounts.balance(ordered.market.buyer.party, "CNY.fen") == balance


def test_news_told_twice_settles_once(ordered: Ordered) -> None:
    finish(ordered)
    before = accounts.balance(ordered.market.provider.party, "CNY.fen")
    Handled.objects.all().delete()  # the worst case: nothing remembers that it was handled
    Outbox.objects.update(dispatched=False)
    drain()
    assert accounts.balance(ordered.market.provider.party, "CNY.fen") == before
    assert accounts.books()["CNY.fen"] == 0


def test_revoked_between_steps(ordered: Ordered) -> None:
    """An agreement revoked while the model runs stops the run before anything leaves."""
    run = ordered.start()
    agreement = exchange.agreements_of(ordered.order)[0]
    real = types._kinds["compute"]

    def revoke_after(work: Work) -> Any:
        made = real.step("compute").do(work)
        agreements.revoke(ordered.market.provider, agreement, _a_reason())
        return made

    types.register_kind(RunKind("compute", (real.steps[0], Step("compute", revoke_after), real.steps[2])))
    try:
        while ordered.worker.tick():
            pass
    finally:
        types.register_kind(real)
    run.refresh_from_db()
    assert (run.state, run.error["code"]) == ("failed", "agreement.revoked")
    assert Asset.objects.filter(run=run.id).count() == 0
    assert accounts.balance(ordered.market.buyer.party, "CNY.fen").reserved == 0


def _a_reason() -> str:
    return next(iter(REVOCATION_REASONS.labels))


@pytest.mark.parametrize(("fate", "state"), [("stand", "live"), ("withdrawn", "withdrawn"), ("erased", "erased")])
def test_what_becomes_of_results(ordered: Ordered, monkeypatch: pytest.MonkeyPatch, fate: str, state: str) -> None:
    run = finish(ordered)
    output = queries.output_of(run.id)
    assert output is not None
    monkeypatch.setattr(agreement_queries, "on_revocation", lambda _: fate)
    agreements.revoke(ordered.market.provider, exchange.agreements_of(ordered.order)[0], _a_reason())
    drain()
    version = catalog.version_row(output.version)
    assert version.state == state
    folder = lake.store().home / catalog.place(version).folder
    assert folder.exists() == (fate != "erased")
    if fate != "stand":
        with pytest.raises(Conflict, match=r"result\.withdrawn"):
            actions.deliver(ordered.market.buyer, output.asset, "product.csv")


def test_the_sweep_spares_what_a_waiting_run_will_enter(ordered: Ordered) -> None:
    run = ordered.start()
    real = types._kinds["compute"]
    stopped = RunKind("compute", (*real.steps[:2], Step("close", _never)))
    types.register_kind(stopped)
    try:
        ordered.worker.tick()
    finally:
        types.register_kind(real)
    run.refresh_from_db()
    assert run.step == "close"
    made = lake.store().home / run.done["compute"]["files"][0]["path"]
    old = port.now().timestamp() - 10_000_000
    for folder in (made, made.parent):
        os.utime(folder, (old, old))
    sweep()
    assert made.exists()
    Run.objects.filter(pk=run.pk).update(state="failed")
    sweep()
    assert not made.exists()


def _never(work: Work) -> dict[str, str]:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("operand", "narrowed"),
    [("models", ["0" * 64]), ("columns", ["customer_no", "region"])],
)
def test_a_run_is_judged_by_what_it_really_binds(ordered: Ordered, operand: str, narrowed: list[str]) -> None:
    """Terms that name another model, or fewer columns than the model reads, stop the run however it came about."""
    agreement = agreement_queries.agreement_row(exchange.agreements_of(ordered.order)[0])
    assert agreement.assigner == ordered.market.provider.party
    agreement.terms["use"][operand] = narrowed
    agreement.save(update_fields=["terms"])
    run = ordered.start()
    while ordered.worker.tick():
        pass
    run.refresh_from_db()
    assert (run.state, run.error["code"]) == ("failed", f"terms.{operand}")
    balance = accounts.balance(ordered.market.buyer.party, "CNY.fen")
    assert (balance.available, balance.reserved) == (500_000, 0)
