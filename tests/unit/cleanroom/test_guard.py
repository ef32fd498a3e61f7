"""The guard on its own, around ordinary processes: it passes on how they end, and lets nothing outlive its pipe."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shudu.cleanroom import guard

# A process that leaves its session and its parent, as bubblewrap's do, and says who it is.
STRAY = """
import os, sys, time
heard, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        os.write(told, b"!")
        time.sleep(120)
    os._exit(0)
os.read(heard, 1)  # the job goes on, or ends, once its stray has said who it is
"""

Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a Python script under the guard; standard input is its lifeline."""
    started: list[subprocess.Popen[str]] = []

    def run(script: str) -> subprocess.Popen[str]:
        plan = json.dumps(
            {"argv": [sys.executable, "-c", script], "binds": [], "joins": [], "uid": None, "stdin": None}
        )
        command = [sys.executable, "-I", "-S", str(Path(guard.__file__)), plan]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        process.wait(20)


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("script", "code"),
    [("", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137), ("import os; os.abort()", 134)],
)
def test_it_ends_as_the_job_ends(start: Start, script: str, code: int) -> None:
    process = start(script)
    assert process.wait(20) == code


def test_a_program_that_is_not_there_fails() -> None:
    plan = json.dumps({"argv": ["/nowhere/bwrap"], "binds": [], "joins": [], "uid": None, "stdin": None})
    command = [sys.executable, "-I", "-S", str(Path(guard.__file__)), plan]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert done.returncode != 0


def test_the_job_does_not_hold_the_lifeline(start: Start) -> None:
    process = start("import os; print(os.readlink('/proc/self/fd/0'), flush=True)")
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "/dev/null"


@pytest.mark.parametrize("rest", ["import time; time.sleep(120)", ""])
def test_strays_end_with_the_lifeline_or_with_the_job(start: Start, rest: str) -> None:
    process = start(STRAY + rest)
    assert process.stdout is not None
    assert process.stdin is not None
    stray = int(process.stdout.readline())
    if rest:
        assert alive(stray)
        time.sleep(0.2)
        assert process.poll() is None, "it waits as long as the pipe is open"
        process.stdin.close()
    process.wait(20)
    assert not alive(stray)


def test_it_outlives_a_kill_of_whoever_holds_the_pipe(tmp_path: Path) -> None:
    said = tmp_path / "stray"
    job = STRAY.replace("print(os.getpid(), flush=True)", f"open({str(said)!r}, 'w').write(str(os.getpid()))")
    plan = json.dumps(
        {"argv": [sys.executable, "-c", job + "time.sleep(120)"], "binds": [], "joins": [], "uid": None, "stdin": None}
    )
    holder = (
        "import subprocess, sys, time\n"
        "subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)\n"
        "time.sleep(120)"
    )
    command = [sys.executable, "-c", holder, sys.executable, "-I", "-S", str(Path(guard.__file__)), plan]
    with subprocess.Popen(command) as process:
        deadline = time.monotonic() + 20
        while not (said.exists() and said.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        stray = int(said.read_text())
        assert alive(stray)
        process.kill()
    deadline = time.monotonic() + 20
    while alive(stray):
        assert time.monotonic() < deadline
        time.sleep(0.02)
