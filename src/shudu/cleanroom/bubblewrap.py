"""The sandbox on Linux namespaces: bubblewrap, seccomp, resource limits and a wall clock.

The job sees a read-only root of its own with system libraries, a Python, numpy, pyarrow, the worker, the model and the
data; no network, no /proc, no /dev, nowhere to write. Started by root it runs under a user id of its own, started by
anybody else under that user's. What is not promised stands in docs/threat-model.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from shudu.policy.types import Text

from .command import ENVIRONMENT, NOBODY
from .evaluators import EVALUATORS
from .execution import NAMESPACES, execute
from .runtime import has_packages, runtime, unavailable
from .sandbox import (
    Capabilities,
    JobSpec,
    Limits,
    OutputSpec,
    Sandbox,
    SandboxError,
    job_folder,
    output_bytes,
    read_scores,
)

INSIDE = Path(__file__).with_name("inside.py")
_CANARY = Path(__file__).with_name("canary.py")


class Bubblewrap:
    """The `Sandbox` of one machine. `worker` is another script in tests only, which try to get out."""

    def __init__(self, worker: Path = INSIDE) -> None:
        self.worker = worker

    def run(self, job: JobSpec) -> bytes:
        """See `Sandbox.run`. The data file becomes read-only for everybody; its folder keeps others out."""
        if job.kind not in self.capabilities().kinds:
            raise ValueError(f"no sandbox runs models of kind {job.kind}")
        return execute(self.worker, job, output_bytes(job.rows)).out

    def capabilities(self) -> Capabilities:
        """See `Sandbox.capabilities`; checked once for this process and boot."""
        return _check(Path("/proc/sys/kernel/random/boot_id").read_text("ascii"))

    def check(self) -> Capabilities:
        """Check again, whatever was found before."""
        _check.cache_clear()
        runtime.cache_clear()
        return self.capabilities()


def sandbox() -> Sandbox:
    """The sandbox of this machine."""
    return Bubblewrap()


# The self-check: one job that must succeed, and one that tries what must fail.

_CARD = {
    "base": 1.0,
    "inputs": [
        {"column": "x", "kind": "number", "bins": [{"to": 2.0, "points": 0.5}, {"points": 4.0}], "missing": 8.0}
    ],
}
_LIMITS = Limits(memory_mb=400, cpu_seconds=20, wall_seconds=60.0)


@cache
def _check(boot: str) -> Capabilities:
    """One job that must succeed and one that tries what must fail; any miss raises SandboxUnavailable."""
    with job_folder() as folder:
        data = folder / "data"
        table = pa.table({"x": [1.0, 2.0, None]})
        with pa.OSFile(str(data), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        secret = folder / "secret"
        secret.write_bytes(b"canary")
        secret.chmod(0o644)
        spec = OutputSpec("score", 0.0, 10.0)
        job = JobSpec("scorecard", json.dumps(_CARD).encode(), data, 3, (("x", "number"),), spec, _LIMITS)
        try:
            good = execute(INSIDE, job, output_bytes(3))
            scores = read_scores(good.out, 3, spec)
            bad = execute(_CANARY, replace(job, model=os.fsencode(secret)), 65_536)
            seen = json.loads(bad.out)
        except (SandboxError, ValueError) as error:
            detail = getattr(error, "owner_log", b"").decode("utf-8", "replace")[-300:]
            raise unavailable(
                Text(
                    "数据沙箱自检未能完成，模型不予运行。",
                    "The clean room's self-check did not finish, so no model is run.",
                ),
                detail=detail or str(error),
            ) from None
    missed = [name for name, allowed in _EXPECTED.items() if seen.get(name) not in allowed]
    missed += [] if np.array_equal(scores, [1.5, 5.0, 9.0]) else ["benign"]
    missed += [] if set(seen["root"]) <= {"in", "lib", "lib64", "py", "site", "usr"} else ["root"]
    missed += [] if set(seen["environment"]) <= {*ENVIRONMENT, "LC_CTYPE", "PWD"} else ["environment"]
    apart = [name for name in NAMESPACES if bad.namespaces[name] not in (0, os.stat(f"/proc/self/ns/{name}").st_ino)]
    missed += [f"namespace {name}" for name in NAMESPACES if name not in apart and name != "cgroup"]
    if missed:
        raise unavailable(
            Text(
                f"数据沙箱自检不合格（{'、'.join(missed)}），模型不予运行。",
                f"The clean room's self-check failed ({', '.join(missed)}), so no model is run.",
            ),
            missed=missed,
        )
    return Capabilities(
        backend="bubblewrap",
        version=runtime().version,
        kinds=tuple(kind for kind, one in EVALUATORS.items() if has_packages(one.packages)),
        kernel=platform.release(),
        namespaces=(*apart, "user"),
        seccomp=seen["seccomp"],
        seccomp_sha256=hashlib.sha256(runtime().filter).hexdigest(),
        no_new_privs=seen["no_new_privs"],
        capabilities=seen["capabilities"],
        uid=seen["uid"][0],
        uid_per_job=os.geteuid() == 0,
        limits=tuple(seen["limits"]),
    )


_EXPECTED: dict[str, tuple[Any, ...]] = {
    "capabilities": (0,),
    "descriptors": ([0, 1, 2],),
    "fork": ("EPERM",),
    "host_file": ("ENOENT",),
    "hostname": ("job",),
    "limits": (
        {
            "AS": _LIMITS.memory_mb << 20,
            "CORE": 0,
            "CPU": _LIMITS.cpu_seconds + 1,
            "FSIZE": 0,
            "NOFILE": _LIMITS.open_files,
            "NPROC": 1,
        },
    ),
    "mount": ("EPERM",),
    "no_new_privs": (1,),
    "pids": ([1, 2],),
    "proc": ("ENOENT",),
    "ptrace": ("EPERM",),
    "seccomp": (2,),
    "tcp": ("EPERM",),
    "udp": ("EPERM",),
    "uid": ([NOBODY, NOBODY],),
    "unix": ("EPERM",),
    "unshare": ("EPERM",),
    "write_data": ("EACCES", "EROFS"),
    "write_root": ("EACCES", "EROFS"),
}
