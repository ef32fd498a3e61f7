"""`shudu sandbox check`: the parts, the outcome, in both languages and for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .machine import REPOSITORY

MACHINE = Path(__file__).with_name("machine.py")


def shudu(home: Path, *words: str, without: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shudu.cli", *words, "--home", str(home)]
    if without:
        command = [sys.executable, str(MACHINE), without, "--", *command]
    told = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "src"), "HOME": str(home), **environment}
    return subprocess.run(command, env=told, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("house") / "home"


def test_a_machine_with_everything(home: Path) -> None:
    done = shudu(home, "sandbox", "check", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["ready"]
    assert found["capabilities"]["interfaces"] == ["lo"]
    assert {part["name"] for part in found["parts"] if part["needed"]} == {
        "bubblewrap",
        "landlock",
        "namespaces",
        "seccomp",
    }
    assert all(part["there"] for part in found["parts"] if part["needed"])
    (kept,) = (home / "sandbox").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600, "and the next command need not look again"


def test_a_machine_without_landlock_is_told_how_to_get_it(home: Path) -> None:
    """What was found with it does not hold without it."""
    done = shudu(home, "sandbox", "check", without="landlock", SHUDU_LANGUAGE="zh")
    assert done.returncode == 1
    assert "✗ Landlock" in done.stdout
    assert "5.13" in done.stdout
    assert "模型不予运行" in done.stderr
    assert "sandbox.unavailable" in done.stderr
