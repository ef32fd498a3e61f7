"""A control group for each job, where the machine gives them: memory without swap, processes, processor time.

Both versions occur. Version 1 has a tree for each controller; version 2 has one tree, where a group with processes in
it cannot hand controllers on, so the groups are made beside our own (systemd: `Delegate=yes`, `DelegateSubgroup=`) or
below the root. What a killed worker leaves is removed before the next group is made. A job's resource limits hold
without any of this; groups add what those cannot count: all of a job's processes together, and the page cache.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .sandbox import Limits

CONTROLLERS = ("cpu", "memory", "pids")
_PREFIX = "shudu-"
_AROUND_MB = 64  # the guard and bubblewrap live in the group as well
_PROCESSES = 8  # the guard, bubblewrap twice, the worker, and air
_PERIOD = 100_000  # microseconds; a job has one processor


@dataclass(frozen=True, slots=True)
class Tree:
    """Where groups are made: the version (0: nowhere), a folder for each controller, and why others are missing."""

    version: int
    folders: tuple[tuple[str, Path], ...]
    reason: str = ""

    @property
    def controllers(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.folders)


@dataclass(frozen=True, slots=True)
class Group:
    """One job's group: the files a process writes 0 to in order to join, and the controllers that were read back."""

    joins: tuple[Path, ...]
    controllers: tuple[str, ...]


@cache
def tree() -> Tree:
    """The first place that takes groups with limits. Tried, not guessed, and remembered for the process."""
    second = [(mount, own) for kinds, mount, own in _hierarchies() if kinds == {""}]
    first = {kind: (mount, own) for kinds, mount, own in _hierarchies() for kind in kinds & set(CONTROLLERS)}
    found = {name: folder for name in CONTROLLERS for folder in _first(name, *first.get(name, ()))}
    if found:
        return Tree(1, tuple(sorted(found.items())), "" if len(found) == len(CONTROLLERS) else "v1: not writable")
    reasons = ["no cgroup file system"]
    for mount, own in second:
        for base in dict.fromkeys((own, own.parent if own != mount else own, mount)):
            try:
                usable = _delegate(base)
            except OSError as error:
                reasons = [f"{base}: {os.strerror(error.errno or 0)}"]
                continue
            if usable:
                return Tree(2, tuple((name, base) for name in usable))
            reasons = [f"{base}: no controllers"]
    return Tree(0, (), reasons[0])


def _hierarchies() -> Iterator[tuple[set[str], Path, Path]]:
    """Every mounted tree: its controllers ({""} is version 2), where it is mounted, and our own group in it."""
    ours = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines()]
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        root, mount = before.split()[3:5]
        if kind not in ("cgroup", "cgroup2"):
            continue
        for _, names, path in ours:
            kinds = {""} if kind == "cgroup2" else set(names.split(",")) & set(options.split(","))
            if (not names and kind == "cgroup2") or (names and kind == "cgroup" and kinds):
                inside = path.removeprefix(root) if root != "/" else path
                own = Path(mount, inside.lstrip("/"))
                yield kinds, Path(mount), own if own.is_dir() else Path(mount)


def _first(controller: str, *places: Path) -> list[Path]:
    """Our own group in a version 1 tree, if groups can be made there."""
    for place in reversed(places):
        with suppress(OSError):
            trial = place / f"{_PREFIX}{os.urandom(6).hex()}"
            trial.mkdir()
            takes = (trial / _LIMITS[1][controller][0]).exists()
            trial.rmdir()
            if takes:
                return [place]
    return []


def _delegate(base: Path) -> list[str]:
    """The controllers a version 2 group hands on, asked to hand on all of ours. Raises OSError where it may not."""
    wanted = set(CONTROLLERS) & set((base / "cgroup.controllers").read_text("ascii").split())
    if wanted - set((base / "cgroup.subtree_control").read_text("ascii").split()):
        (base / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(wanted)), "ascii")
    trial = base / f"{_PREFIX}{os.urandom(6).hex()}"
    trial.mkdir()
    trial.rmdir()
    return sorted(wanted)


# The file that must take its value, by version and controller; the value by `_values`.
_LIMITS = {
    1: {
        "cpu": ("cpu.cfs_quota_us",),
        "memory": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.swappiness"),
        "pids": ("pids.max",),
    },
    2: {"cpu": ("cpu.max",), "memory": ("memory.max", "memory.swap.max"), "pids": ("pids.max",)},
}


def _values(limits: Limits) -> dict[str, str]:
    memory = str((limits.memory_mb + _AROUND_MB) << 20)
    return {
        "cpu.cfs_quota_us": str(_PERIOD),
        "cpu.max": f"{_PERIOD} {_PERIOD}",
        "memory.limit_in_bytes": memory,
        "memory.max": memory,
        "memory.memsw.limit_in_bytes": memory,
        "memory.swap.max": "0",
        "memory.swappiness": "0",
        "pids.max": str(_PROCESSES),
    }


@contextmanager
def group(limits: Limits) -> Iterator[Group]:
    """A group for one job, gone afterwards; without controllers where the machine gives none."""
    where, made, held = tree(), list[Path](), list[int]()
    name, works = f"{_PREFIX}{os.getpid()}-{os.urandom(8).hex()}", list[str]()
    try:
        for folder in dict.fromkeys(folder for _, folder in where.folders):
            with _alone(folder):  # between being made and being held, a group looks as if left behind
                _sweep(folder)
                (folder / name).mkdir()
                made.append(folder / name)
                held.append(os.open(folder / name, os.O_RDONLY | os.O_DIRECTORY))
                fcntl.flock(held[-1], fcntl.LOCK_EX)
        for controller, folder in where.folders:
            if _limit(folder / name, _LIMITS[where.version][controller], _values(limits)):
                works.append(controller)
        yield Group(tuple(folder / "cgroup.procs" for folder in made), tuple(works))
    finally:
        for descriptor in held:
            os.close(descriptor)
        for folder in made:
            _remove(folder)


def _limit(folder: Path, files: tuple[str, ...], values: dict[str, str]) -> bool:
    """Set and read back; only the first file must exist, swap is not accounted for on every machine."""
    for place, file in enumerate(files):
        if place and not (folder / file).exists():
            continue
        try:
            (folder / file).write_text(values[file], "ascii")
            if (folder / file).read_text("ascii").strip() != values[file]:
                return False
        except OSError:
            return False
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _sweep(folder: Path) -> None:
    """Remove groups nobody holds; one whose processes are still being ended is left to the next sweep."""
    for one in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            lock = os.open(one, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                one.rmdir()
            finally:
                os.close(lock)


def _remove(folder: Path) -> None:
    """A process just reaped may count for a moment longer."""
    for _ in range(200):
        with suppress(FileNotFoundError):
            try:
                folder.rmdir()
            except OSError:
                time.sleep(0.005)
                continue
        return
