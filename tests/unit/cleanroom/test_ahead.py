"""A process made ready before its job: as contained as any, used once, holding nothing while it waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shudu.cleanroom import bubblewrap
from shudu.cleanroom.bubblewrap import Bubblewrap, prepare
from shudu.cleanroom.execution import Started
from shudu.cleanroom.sandbox import JobSpec, Limits, SandboxError

JobMaker = Callable[..., JobSpec]


@pytest.fixture
def nothing_ahead() -> Iterator[None]:
    bubblewrap._ahead.dismiss()
    yield
    bubblewrap._ahead.dismiss()


def waiting() -> Started:
    """The process that stands ready."""
    found = bubblewrap._ahead._waiting
    assert found is not None
    return found


def settled(process: Started, seconds: float = 0.3) -> None:
    """It has imported what it needs: from outside, it no longer uses the processor."""
    used, deadline = -1.0, time.monotonic() + 30
    while (now := processor_seconds(process._process.pid)) != used:
        assert time.monotonic() < deadline
        used = now
        time.sleep(seconds)


def processor_seconds(pid: int) -> float:
    """Of a process and all below it."""
    total, todo = 0.0, [pid]
    while todo:
        one = todo.pop()
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += float(fields[11]) + float(fields[12])
        todo += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
    return total


@pytest.mark.usefixtures("nothing_ahead")
def test_it_gives_what_a_cold_one_gives_and_serves_once(make_job: JobMaker) -> None:
    job = make_job(1_000)
    prepare()
    assert bubblewrap._ahead._waiting is None, "nothing is started before anybody ran a model"
    cold = Bubblewrap().run(job)
    prepare()
    first = waiting()
    prepare()
    assert waiting() is first, "there is never more than one"
    assert Bubblewrap().run(job) == cold
    assert bubblewrap._ahead._waiting is None
    assert not first.lives(), "it is not used again"
    prepare()
    assert waiting() is not first


@pytest.mark.usefixtures("nothing_ahead")
def test_it_holds_nothing_while_it_waits(make_job: JobMaker) -> None:
    """No row, no model, no name: the folder it sees is empty, and its pipe was never written to."""
    Bubblewrap().run(make_job(10))
    prepare()
    ready = waiting()
    settled(ready)
    assert list(ready._rows.iterdir()) == []
    for part in Path(f"/proc/{ready._process.pid}/cmdline").read_bytes().split(b"\0"):
        assert b"tenure" not in part
    assert ready.lives()


@pytest.mark.usefixtures("nothing_ahead")
@pytest.mark.parametrize("other", ["limits", "worker"])
def test_another_job_does_not_get_it(make_job: JobMaker, tmp_path: Path, other: str) -> None:
    job = make_job(10)
    Bubblewrap().run(job)
    prepare()
    ready = waiting()
    if other == "limits":
        Bubblewrap().run(replace(job, limits=Limits(memory_mb=600)))
    else:
        worker = tmp_path / "worker.py"
        worker.write_text("raise SystemExit(1)")
        worker.chmod(0o644)
        with pytest.raises(SandboxError):
            Bubblewrap(worker).run(job)
    assert not ready.lives(), "it is put away, so that there is still only one"


@pytest.mark.usefixtures("nothing_ahead")
def test_one_that_died_is_replaced_by_a_cold_start(make_job: JobMaker) -> None:
    job = make_job(10)
    cold = Bubblewrap().run(job)
    prepare()
    os.kill(waiting()._process.pid, signal.SIGKILL)
    waiting()._process.wait()
    assert Bubblewrap().run(job) == cold


@pytest.mark.usefixtures("nothing_ahead")
def test_one_nobody_wanted_is_put_away_and_not_replaced(make_job: JobMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    Bubblewrap().run(make_job(10))
    prepare()
    ready = waiting()
    monkeypatch.setattr(bubblewrap, "PATIENCE_SECONDS", 0.0)
    prepare()
    assert not ready.lives()
    prepare()
    assert bubblewrap._ahead._waiting is None


@pytest.mark.usefixtures("nothing_ahead")
def test_the_wall_clock_begins_with_the_job(make_job: JobMaker) -> None:
    job = make_job(10, wall_seconds=2.5)
    process = Started(bubblewrap.INSIDE, job.kind, job.limits)
    with process:
        settled(process)
        time.sleep(2.6)
        assert len(process.run(job, 10_000).out) > 80


LEFT = """
import sys, time
from pathlib import Path
from shudu.cleanroom import bubblewrap
from shudu.cleanroom.sandbox import Limits
bubblewrap._ahead.expect(bubblewrap.INSIDE, "scorecard", Limits())
bubblewrap.prepare()
print(bubblewrap._ahead._waiting._process.pid, bubblewrap._ahead._waiting._rows.parent, flush=True)
if sys.argv[1] == "killed":
    time.sleep(120)
"""


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_it_ends_with_whoever_made_it_ready(how: str) -> None:
    with subprocess.Popen([sys.executable, "-c", LEFT, how], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        if how == "killed":
            owner.kill()
        owner.wait()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert Path(folder).exists() == (how == "killed"), "what a kill leaves the next sweep removes"
