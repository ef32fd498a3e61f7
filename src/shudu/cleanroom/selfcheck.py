"""The sandbox tries itself before the first model: one job that must succeed, and one that tries what must fail.

Each forbidden act must fail for the reason we expect; a wall that holds for another reason may not be there tomorrow.
What was found is remembered for this boot, this program and these rights (`remembered.py`); for others it is checked
anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from shudu.policy.types import Text

from .cgroups import tree
from .command import ENVIRONMENT, NOBODY, job_uid
from .execution import NAMESPACES, Outcome, Started, execute
from .inside import Floats
from .runtime import runtime, unavailable
from .sandbox import (
    Capabilities,
    JobSpec,
    Limits,
    OutputSpec,
    SandboxError,
    job_folder,
    output_bytes,
    read_scores,
)

INSIDE = Path(__file__).with_name("inside.py")
_CANARY = Path(__file__).with_name("canary.py")
_CARD = {
    "base": 1.0,
    "inputs": [
        {"column": "x", "kind": "number", "bins": [{"to": 2.0, "points": 0.5}, {"points": 4.0}], "missing": 8.0}
    ],
}
_LIMITS = Limits(memory_mb=400, cpu_seconds=20, wall_seconds=60.0)


def look() -> Capabilities:
    """Try the sandbox of this machine. Raises SandboxUnavailable naming every miss."""
    scores, tried, seen = _try()
    missed = [name for name, allowed in _EXPECTED.items() if seen.get(name) not in allowed]
    missed += [] if np.array_equal(scores, [1.5, 5.0, 9.0]) else ["benign"]
    missed += [] if set(seen["root"]) <= {"in", "lib", "lib64", "proc", "py", "site", "usr"} else ["root"]
    missed += [] if set(seen["environment"]) <= {*ENVIRONMENT, "LC_CTYPE", "PWD"} else ["environment"]
    missed += [] if seen["interfaces"] == ["lo"] else ["interfaces"]
    missed += [] if seen["cgroups"] == tree().controllers else ["cgroups"]
    apart = [name for name in NAMESPACES if tried.namespaces[name] not in (0, os.stat(f"/proc/self/ns/{name}").st_ino)]
    missed += [f"namespace {name}" for name in NAMESPACES if name not in apart and name != "cgroup"]
    if missed:
        raise unavailable(
            Text(
                f"数据沙箱自检不合格（{'、'.join(missed)}），模型不予运行。",
                f"The clean room's self-check failed ({', '.join(missed)}), so no model is run.",
            ),
            missed=missed,
        )
    parts = runtime()
    return Capabilities(
        backend="bubblewrap",
        version=parts.version,
        kinds=(),
        kernel=platform.release(),
        namespaces=(*apart, "user"),
        interfaces=tuple(seen["interfaces"]),
        seccomp=seen["seccomp"],
        seccomp_sha256=hashlib.sha256(parts.filter + parts.sealing).hexdigest(),
        landlock=seen["landlock"],
        no_new_privs=seen["no_new_privs"],
        capabilities=seen["capabilities"],
        uid=seen["uid"][0],
        uid_per_job=job_uid() is not None,
        limits=tuple(seen["limits"]),
        cgroup_version=tree().version,
        cgroups=tree().controllers,
    )


def _try() -> tuple[Floats, Outcome, dict[str, Any]]:
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
            scores = read_scores(execute(INSIDE, job, output_bytes(3)).out, 3, spec)
            with Started(_CANARY, job.kind, job.limits) as canary:
                outside = {"interfaces": canary.interfaces(), "cgroups": canary.cgroups}
                tried = canary.run(replace(job, model=os.fsencode(secret)), 65_536)
            return scores, tried, json.loads(tried.out) | outside
        except (SandboxError, ValueError) as error:
            detail = getattr(error, "owner_log", b"").decode("utf-8", "replace")[-300:]
            raise unavailable(
                Text(
                    "数据沙箱自检未能完成，模型不予运行。",
                    "The clean room's self-check did not finish, so no model is run.",
                ),
                detail=detail or str(error),
            ) from None


_EXPECTED: dict[str, tuple[Any, ...]] = {
    "capabilities": (0,),
    "descriptors": ([0, 1, 2],),
    "executable_memory": ("done",),
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
    "program": ("EACCES",),  # only Landlock says so
    "ptrace": ("EPERM",),
    "sealed_executable_memory": ("EPERM",),
    "sealed_filter": ("EPERM",),
    "sealed_landlock": ("EPERM",),
    "sealed_program": ("EPERM",),
    "seccomp": (2,),
    "tcp": ("EPERM",),
    "udp": ("EPERM",),
    "uid": ([NOBODY, NOBODY],),
    "unix": ("EPERM",),
    "unshare": ("EPERM",),
    "write_data": ("EACCES", "EROFS"),
    "write_root": ("EACCES", "EROFS"),
}
