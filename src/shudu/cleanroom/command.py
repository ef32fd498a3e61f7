"""The command line of one sandboxed process: the guard, bubblewrap and its options, the launcher, the worker."""

from __future__ import annotations

import base64
import json
import os
import random
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .evaluators import EVALUATORS
from .runtime import Runtime, packages
from .sandbox import Limits

NOBODY = 65_534
# All a job is told by its environment: one thread, and as little address space as that needs.
ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "LD_LIBRARY_PATH": "/py/lib",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}
_BENEATH = Path(__file__).parent
_STAGED = "/tmp"  # noqa: S108 - in a mount namespace of the job's own


@dataclass(frozen=True, slots=True)
class Descriptors:
    """What the guard inherits: where the job is told from, the filter, and where bubblewrap gives its account."""

    told: int
    rules: int
    status: int


@dataclass(frozen=True, slots=True)
class Order:
    """What shall be started: the worker, the kind it works on, the folder its rows will come to, and its bounds."""

    worker: Path
    kind: str
    rows: Path
    limits: Limits
    joins: tuple[Path, ...]


def command(parts: Runtime, order: Order, passed: Descriptors) -> list[str]:
    """The guard, and what it shall start; root's guard finds every source in a place of its own below /tmp."""
    evaluator = EVALUATORS[order.kind]
    binds = [*parts.binds, *packages(evaluator.packages)]
    binds += [(_BENEATH / "walls.py", "/in/walls.py"), (order.worker, "/in/worker.py")]
    binds += [*evaluator.binds(), (order.rows, "/in/rows")]
    binds += [(Path("/proc/cpuinfo"), "/proc/cpuinfo")] if evaluator.cpuinfo else []
    sources = [os.path.realpath(source) for source, _ in binds]
    plan: dict[str, Any] = {"uid": None, "binds": [], "stdin": passed.told, "joins": [str(one) for one in order.joins]}
    program = str(parts.bwrap)
    if (uid := job_uid()) is not None:
        # Numbered, so that no name of the host's shows in the job's mounts.
        staged = [(source, f"{_STAGED}/{place}") for place, source in enumerate(sources)]
        sources = [target for _, target in staged]
        if parts.bundled:
            staged += [(str(one), f"{_STAGED}/b/{one.name}") for one in parts.bundled if one.is_dir()]
            program = f"{_STAGED}/b/{parts.bwrap.relative_to(parts.bundled[0].parent)}"
        plan |= {"uid": uid, "binds": staged}
    options = _options([(source, place) for source, (_, place) in zip(sources, binds, strict=True)], parts)
    options += ["--symlink", "rows/data", "/in/data", "--chdir", "/in", "--remount-ro", "/"]
    options += ["--seccomp", str(passed.rules), "--json-status-fd", str(passed.status), "--"]
    told = _plan(parts, order.limits, [place for _, place in binds])
    inside = [parts.python, "-I", "-S", "-B", "-c", _text("launch.py"), told]
    plan["argv"] = [program, *options, *inside, "/in/worker.py"]
    return [sys.executable, "-I", "-S", "-B", "-c", _text("guard.py"), json.dumps(plan)]


def _options(binds: list[tuple[str, str]], parts: Runtime) -> list[str]:
    """What bubblewrap is told for every job."""
    options = [f"--unshare-{name}" for name in ("user", "pid", "net", "ipc", "uts", "cgroup-try")]
    options += ["--disable-userns", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    options += ["--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "job", "--clearenv"]
    for source, place in binds:
        options += ["--ro-bind", source, place]
    options += parts.options
    for name, value in ENVIRONMENT.items():
        options += ["--setenv", name, value]
    return options


def _plan(parts: Runtime, limits: Limits, bound: list[str]) -> str:
    """What launch.py is told."""
    resources = {
        "AS": (limits.memory_mb << 20,) * 2,
        "CORE": (0, 0),
        "CPU": (limits.cpu_seconds, limits.cpu_seconds + 1),
        "FSIZE": (0, 0),
        "NOFILE": (limits.open_files,) * 2,
        "NPROC": (1, 1),
    }
    rules = base64.b64encode(parts.sealing).decode("ascii")
    return json.dumps({"limits": resources, "readable": sorted(bound), "filter": rules})


@cache
def _text(name: str) -> str:
    return (_BENEATH / name).read_text("utf-8")


def job_uid() -> int | None:
    """A user id nobody has: drawn from the top of those this machine (or container) knows, below 2³¹.

    None when we are not root, or root of a namespace that knows too few.
    """
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text("ascii").splitlines()]
    top = min(max(int(first) + int(count) for first, _, count in ranges), 1 << 31)
    if os.geteuid() != 0 or top <= NOBODY:
        return None
    return top - 2 - random.SystemRandom().randrange(min(1 << 24, top // 64))
