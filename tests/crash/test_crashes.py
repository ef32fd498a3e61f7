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


def drive(*words: object) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(DRIVER), *map(str, words)], capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(1600)
@pytest.mark.parametrize(("operation", "least"), [("publish", 10), ("order", 4), ("run", 30)])
def test_killed_at_every_point(home: Path, operation: str, least: int) -> None:
    *trials, end = drive("matrix", home, operation)
    assert end["points"] >= least, "the operation passes fewer points than it has steps: is the harness still in place?"
    assert [trial for trial in trials if trial["wrong"]] == []
