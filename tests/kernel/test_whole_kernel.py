"""Thousands of operations on the whole kernel, at random, beside a model in dicts (`machine`, `model`)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from kernel.machine import Kernel
from kernel.world import World
from shudu.cleanroom import steps
from shudu.policy import clock as port

STEPS = 100
REACHED = {
    *("accept", "cancel", "deliver", "draft", "erase", "place", "revoke", "start_run", "withdraw"),
    *("accept refused", "cancel refused", "deliver refused", "place refused", "revoke refused", "start_run refused"),
    *("place killed", "start_run killed", "dispatch killed", "sequence killed", "worker killed"),
    *("worker well: closed", "worker well: failed", "worker broken: failed", "worker unforeseen: queued"),
    *("worker slow: queued", "worker overtaken: closed", "worker overtaken: failed"),
    *("worker robbed: queued", "worker revoked: failed"),
    *("asked again", "delivered anew", "expired", "ring killed"),
}


@pytest.fixture
def world(transactional_db: None, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, home)
    monkeypatch.setattr(steps, "sandbox", world.sandbox)
    monkeypatch.setattr(Kernel, "world", world, raising=False)
    previous = port.use(world.clock)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")
    world.found(Kernel)
    yield world
    port.use(previous)
    connection.close()
    shutil.rmtree(world.lake, ignore_errors=True)


def walk(examples: int) -> None:
    """So many walks of `STEPS` steps; prints how often each situation was reached."""
    Kernel.seen.clear()
    run_state_machine_as_test(
        Kernel,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    for what, often in sorted(Kernel.seen.items()):
        print(f"{often:8} {what}")


# Ten thousand steps take about a minute and a half of a processor: the price of whole transactions.
@pytest.mark.timeout(1800)
def test_the_kernel_does_what_the_model_says(world: World) -> None:
    walk(100)


@pytest.mark.soak
def test_the_kernel_does_what_the_model_says_for_long(world: World) -> None:
    walk(1_000)
    # Of a short walk chance may leave one out; a long one that misses what matters most is not the test it was.
    assert sorted(REACHED - Kernel.seen.keys()) == []
