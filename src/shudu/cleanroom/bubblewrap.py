"""The sandbox on Linux namespaces: bubblewrap, seccomp, Landlock, control groups, resource limits and a wall clock.

The job sees a read-only root of its own with system libraries, a Python, numpy, pyarrow, the worker and its rows; no
network, no /proc, no /dev, nowhere to write. Started by root it runs under a user id of its own, started by anybody
else under that user's. What is not promised stands in docs/threat-model.md.
"""

from __future__ import annotations

import atexit
import threading
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

from shudu.policy.types import Text

from . import remembered
from .cgroups import tree
from .evaluators import EVALUATORS
from .execution import Started
from .inside import PATIENCE_SECONDS
from .runtime import has_packages, runtime, unavailable
from .sandbox import Capabilities, JobSpec, Limits, Sandbox, output_bytes
from .selfcheck import INSIDE, look


class Bubblewrap:
    """The `Sandbox` of one machine. `worker` is another script in tests only, which try to get out."""

    def __init__(self, worker: Path = INSIDE) -> None:
        self.worker = worker

    def run(self, job: JobSpec) -> bytes:
        """See `Sandbox.run`. The data file becomes read-only for everybody; its folder keeps others out."""
        found = self.capabilities()
        if job.kind not in found.kinds:
            raise ValueError(f"no sandbox runs models of kind {job.kind}")
        wanted = (self.worker, job.kind, job.limits)
        with _ahead.take(*wanted) or Started(*wanted) as process:
            if process.cgroups != found.cgroups:
                raise unavailable(
                    Text(
                        "控制组与自检时不同，模型不予运行。",
                        "Control groups are not what the self-check found, so no model is run.",
                    ),
                    found=process.cgroups,
                )
            out = process.run(job, output_bytes(job.rows)).out
        _ahead.expect(*wanted)
        return out

    def capabilities(self) -> Capabilities:
        """See `Sandbox.capabilities`; checked once for this boot and what of us could change it."""
        return _check(Path("/proc/sys/kernel/random/boot_id").read_text("ascii"))

    def check(self) -> Capabilities:
        """Check again, whatever was found before."""
        forget()
        remembered.forget()
        return self.capabilities()


def sandbox() -> Sandbox:
    """The sandbox of this machine."""
    return Bubblewrap()


def forget() -> None:
    """Let this process find out anew what the machine has."""
    _ahead.dismiss()
    for found in (_check, runtime, tree):
        found.cache_clear()


@cache
def _check(boot: str) -> Capabilities:
    found = remembered.recall(boot)
    if found is None:
        found = look()
        remembered.remember(boot, found)
    kinds = tuple(kind for kind, one in EVALUATORS.items() if has_packages(one.packages))
    return replace(found, kinds=kinds)


class _Ahead:
    """At most one process that has its imports behind it, for the next job of the kind and limits run last.

    It is given one job, as every other; only a program that calls `prepare` between jobs has one waiting. It ends with
    us (the guard), when told nothing for PATIENCE_SECONDS (inside.py), or when another kind of job came instead.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Started | None = None
        self._since = 0.0
        self._wanted: tuple[Path, str, Limits] | None = None

    def take(self, worker: Path, kind: str, limits: Limits) -> Started | None:
        """The waiting process, if it is for such a job and alive."""
        with self._lock:
            found, self._waiting = self._waiting, None
            if found is None:
                return None
            if (found.worker, found.kind, found.limits) == (worker, kind, limits) and self._fresh(found):
                return found
            found.close()
            return None

    def expect(self, worker: Path, kind: str, limits: Limits) -> None:
        """Another such job may follow."""
        with self._lock:
            self._wanted = (worker, kind, limits)

    def prepare(self) -> None:
        """Start one, if a job ran since the last was started and none waits; put away one that gave up waiting."""
        with self._lock:
            if self._waiting is not None:
                if not self._fresh(self._waiting):
                    self._waiting.close()
                    self._waiting = None
            elif self._wanted is not None:
                wanted, self._wanted = self._wanted, None
                self._waiting, self._since = Started(*wanted), time.monotonic()

    def dismiss(self) -> None:
        with self._lock:
            if self._waiting is not None:
                self._waiting.close()
            self._waiting = self._wanted = None

    def _fresh(self, process: Started) -> bool:
        return process.lives() and time.monotonic() - self._since < PATIENCE_SECONDS - 60.0


_ahead = _Ahead()
atexit.register(_ahead.dismiss)
prepare = _ahead.prepare
