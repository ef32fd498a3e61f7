"""The whole battery once more, started by an ordinary user instead of root: other ways in the guard, the same walls."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import PLAIN, REPOSITORY

HERE = Path(__file__).parent
# Neither the moments of a kill nor a spinning processor depend on the user who started it.
LEFT_OUT = "not (dies_with_whoever or capabilities_say or spinning)"


@pytest.fixture
def own() -> Iterator[Path]:
    """A folder of that user's, which it can reach."""
    with tempfile.TemporaryDirectory(prefix="shudu-plain-", ignore_cleanup_errors=True) as made:
        os.chown(made, PLAIN, PLAIN)
        yield Path(made)


def test_the_battery_as_an_ordinary_user(own: Path) -> None:
    command = [sys.executable, str(HERE / "machine.py"), "plain", "--", sys.executable, "-B", "-m", "pytest", "-q"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", "--basetemp", str(own / "pytest"), "-k", LEFT_OUT]
    command += [str(HERE / "test_sandbox.py"), str(HERE / "test_port.py")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(own), "TMPDIR": str(own)}
    done = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
