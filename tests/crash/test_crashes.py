"""kill -9 at every step: nothing acknowledged is lost, nothing is done twice, nothing half done is seen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).with_name("driver.py")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("crash") / "home"
    drive("prepare", place)
    return place


def drive(*words: object, script: Path = DRIVER) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, str(script), *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


# Each operation, how many points it must pass at least, and which of them `make test` kills at: every n-th. A run
# costs seconds, so of its points only some; the strides are odd, so that kills fall before and after things.
# `make soak` takes every point.
MATRIX = {
    "publish": (24, 5),
    "sheet": (28, 15),
    "tolerant": (30, 21),
    "version": (24, 13),
    "order": (4, 1),
    "command": (4, 3),
    "run": (30, 13),
    "worker": (30, 21),
    "settlement": (6, 1),
    "rotation": (20, 5),
}


@pytest.mark.timeout(1600)
@pytest.mark.parametrize("operation", MATRIX)
def test_killed_at_some_points(home: Path, operation: str) -> None:
    least, every = MATRIX[operation]
    survives(home, operation, least, every)


@pytest.mark.soak
@pytest.mark.parametrize("operation", MATRIX)
def test_killed_at_every_point(home: Path, operation: str) -> None:
    survives(home, operation, MATRIX[operation][0], 1)


@pytest.mark.parametrize("every", [pytest.param(11, id="some"), pytest.param(1, id="every", marks=pytest.mark.soak)])
@pytest.mark.timeout(1600)
def test_no_half_batch(home: Path, every: int) -> None:
    holds(drive(home, every, script=DRIVER.with_name("batches.py")), 24, every)


@pytest.mark.parametrize("every", [pytest.param(23, id="some"), pytest.param(1, id="every", marks=pytest.mark.soak)])
@pytest.mark.timeout(1600)
def test_a_delivery_is_taken_once(home: Path, every: int) -> None:
    holds(drive(home, every, script=DRIVER.with_name("inboxes.py")), 60, every)


def survives(home: Path, operation: str, least: int, every: int) -> None:
    holds(drive("matrix", home, operation, every), least, every)


def holds(told: list[dict[str, Any]], least: int, every: int) -> None:
    whole, *trials = told
    assert whole["points"] >= least, "it passes fewer points than it has steps: is the harness still in place?"
    assert len(trials) >= whole["points"] // every - 2, "it was to die at every one of these points"
    assert [trial for trial in (whole, *trials) if trial["wrong"]] == []
