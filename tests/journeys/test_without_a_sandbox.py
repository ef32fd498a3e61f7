"""A machine that cannot contain a model: a run is refused with the reason, and nobody pays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from journeys.console import BUYER, Console

MACHINE = Path(__file__).parents[1] / "unit" / "cleanroom" / "machine.py"
REASON = "no model is run"


def poorer(without: str) -> list[str]:
    """`shudu` on this machine with a part of it really taken away."""
    return [sys.executable, str(MACHINE), without, "--", sys.executable, "-m", "shudu.cli"]


@pytest.mark.parametrize("without", ["bubblewrap", "namespaces"])
def test_a_run_at_the_command_line_is_refused_with_the_reason(console: Console, without: str) -> None:
    console.do("init")
    console.register()
    console.do("accounts", "deposit", BUYER, "--yuan", "5000")
    order = console.order(console.live_offer())
    words = [*poorer(without), "runs", "start", order, "--wait", "--as", BUYER]
    done = subprocess.run(
        words,
        env={**console.env, "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "SHUDU_LANGUAGE": "en"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert REASON in done.stdout + done.stderr
    assert "sandbox.unavailable" in done.stdout + done.stderr
    assert console.funds(BUYER) == (500_000, 0)
