"""Control groups of this machine: made for one job, read back, gone afterwards, swept after a crash."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shudu.cleanroom import cgroups
from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.cgroups import CONTROLLERS, group, tree
from shudu.cleanroom.execution import Started
from shudu.cleanroom.sandbox import JobSpec, Limits, SandboxError
from shudu.cleanroom.selfcheck import INSIDE

JobMaker = Callable[..., JobSpec]


def ours() -> set[Path]:
    """The groups of this process; others may run models beside it."""
    return {one for _, folder in tree().folders for one in folder.glob(f"shudu-{os.getpid()}-*")}


def test_what_is_reported_is_what_a_job_is_in() -> None:
    """Where there are none, that is what is reported; where there are, the kernel says who is in them."""
    with Started(INSIDE, "scorecard", Limits()) as process:
        assert process.cgroups == tree().controllers == Bubblewrap().capabilities().cgroups
        assert process.interfaces() == ["lo"]  # waits until it has begun
        told = Path(f"/proc/{process._process.pid}/cgroup").read_text()
        inside = [line for line in told.splitlines() if "/shudu-" in line]
        assert len(inside) == len({folder for _, folder in tree().folders})


def test_the_limits_are_set_and_swap_is_none() -> None:
    with group(Limits(memory_mb=300)) as made:
        for place in made.joins:
            for file, value in cgroups._values(Limits(memory_mb=300)).items():
                if (place.parent / file).exists():
                    assert (place.parent / file).read_text().strip() == value, file
        assert set(made.controllers) <= set(CONTROLLERS)


def test_memory_of_the_whole_job_is_limited(
    make_job: JobMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an address space far above it, the group ends a job that takes too much."""
    if "memory" not in tree().controllers:
        assert "memory" not in Bubblewrap().capabilities().cgroups, "and it is not claimed"
        return
    monkeypatch.setattr(cgroups, "_AROUND_MB", -3_700)
    worker = tmp_path / "worker.py"
    worker.write_text("x = bytearray(1 << 30)\nfor at in range(0, 1 << 30, 4096): x[at] = 1")
    worker.chmod(0o644)
    with pytest.raises(SandboxError) as caught:
        Bubblewrap(worker).run(make_job(10, memory_mb=4_000))
    assert caught.value.code == "model.memory"


def test_nothing_is_left_after_a_job_or_a_failure(make_job: JobMaker) -> None:
    Bubblewrap().run(make_job(10))
    with pytest.raises(SandboxError):
        Bubblewrap().run(make_job(10, wall_seconds=0.01))
    assert ours() == set()


def test_one_in_use_is_kept_and_one_left_behind_is_swept() -> None:
    script = "import time\nfrom shudu.cleanroom.cgroups import *\nfrom shudu.cleanroom.sandbox import Limits\n"
    script += (
        "with group(Limits()) as made:\n    print(*(one.parent for one in made.joins), flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        left = {Path(one) for one in owner.stdout.readline().split()}
        with group(Limits()):
            assert all(one.exists() for one in left)
        owner.kill()
    deadline = time.monotonic() + 10
    while any(one.exists() for one in left):
        assert time.monotonic() < deadline
        with group(Limits()):
            pass


def test_version_2_with_whatever_controllers_it_has_here(make_job: JobMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where version 1 has ours, version 2 is tried with one it has: found, handed on, limited, joined, removed.

    What only a machine with ours in version 2 shows are the names of their files.
    """
    second = [one for one in cgroups._hierarchies() if one[0] == {""}]
    monkeypatch.setattr(cgroups, "_hierarchies", lambda: iter(second))
    tree.cache_clear()
    try:
        if not tree().folders:
            monkeypatch.setattr(cgroups, "CONTROLLERS", ("hugetlb",))
            monkeypatch.setitem(cgroups._LIMITS, 2, {"hugetlb": ("hugetlb.2MB.max",)})
            monkeypatch.setattr(cgroups, "_values", lambda limits: {"hugetlb.2MB.max": "0"})
            tree.cache_clear()
        if not tree().folders:
            assert tree().version == 0
            assert tree().reason, "there is no version 2 to be had, and it is said why"
            return
        assert tree().version == 2
        with Started(INSIDE, "scorecard", Limits()) as process:
            assert process.cgroups == tree().controllers != ()
            assert process.interfaces() == ["lo"]
            told = Path(f"/proc/{process._process.pid}/cgroup").read_text()
            assert any(line.startswith("0::") and "/shudu-" in line for line in told.splitlines())
            assert len(ours()) == 1
            assert process.run(make_job(10), 10_000).out
        assert ours() == set()
    finally:
        tree.cache_clear()


def test_without_any_a_job_still_runs_and_says_so(make_job: JobMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the trees cannot be written: the resource limits of the process hold by themselves."""
    monkeypatch.setattr(cgroups, "_hierarchies", lambda: iter(()))
    tree.cache_clear()
    try:
        assert tree() == cgroups.Tree(0, (), "no cgroup file system")
        with Started(INSIDE, "scorecard", Limits()) as process:
            assert process.cgroups == ()
            assert process.run(make_job(10), 10_000).out
    finally:
        tree.cache_clear()
