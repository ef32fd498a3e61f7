"""Thousands of operations on the whole kernel, at random, beside a model in dicts (`machine`, `model`)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from kernel.machine import Kernel, World, found_house
from shudu.cleanroom import steps
from shudu.policy import clock as port

STEPS = 100


@pytest.fixture
def world(transactional_db: None, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(steps, "sandbox", world.sandbox)
    previous = port.use(world.clock)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")
    found_house()
    world.keep()
    yield world
    port.use(previous)
    connection.close()
    shutil.rmtree(home / "lake", ignore_errors=True)


def walk(world: World, examples: int) -> None:
    Kernel.world = world
    Kernel.seen.clear()
    run_state_machine_as_test(
        Kernel,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    for what, often in sorted(Kernel.seen.items()):
        print(f"{often:8} {what}")


@pytest.mark.timeout(900)
def test_the_kernel_does_what_the_model_says(world: World) -> None:
    walk(world, 12)


@pytest.mark.soak
def test_the_kernel_does_what_the_model_says_for_long(world: World) -> None:
    walk(world, 1_000)
