"""One job as a process: started in its namespaces, fed, watched, and ended.

Whatever happens — an error, too much output, the wall clock, our own death — the guard (guard.py) ends all of it.
"""

from __future__ import annotations

import json
import os
import random
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from shudu.policy.types import Text

from .launch import MEMORY_EXIT
from .runtime import Runtime, runtime, unavailable
from .sandbox import JobSpec, Limits, failure, require_private

NOBODY = 65_534
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
# All a job is told by its environment: one thread, and as little address space as that needs.
ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "LD_LIBRARY_PATH": "/py/lib",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_BENEATH = Path(__file__).parent
_STAGED = "/tmp"  # noqa: S108 - in a mount namespace of the job's own


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job wrote, what it said, and the ids of the namespaces it ran in."""

    out: bytes
    log: bytes
    namespaces: dict[str, int]


def execute(worker: Path, job: JobSpec, arguments: tuple[str, ...], cap: int) -> Outcome:
    """Run `worker` on `job` and wait for it. Raises SandboxError, or SandboxUnavailable if it never started."""
    require_private(job.data.parent)
    job.data.chmod(0o444)
    parts = runtime()
    began = time.monotonic()
    status, status_in = os.pipe()
    model, rules = _memory_file("model", job.model), _memory_file("filter", parts.filter)
    try:
        argv = _command(parts, worker, job, arguments, model, rules, status_in)
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,  # the guard's lifeline
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # bwrap --clearenv alone would leave ours readable in the /proc of its first process.
            env={},
            cwd="/",
            pass_fds=(model, rules, status_in),
            start_new_session=True,
        )
    except OSError as error:
        os.close(status)
        raise unavailable(
            Text("数据沙箱无法启动，模型不予运行。", "The clean room does not start, so no model is run."),
            detail=str(error),
        ) from None
    finally:
        for descriptor in (model, rules, status_in):
            os.close(descriptor)
    with process, open(status, "rb") as told:
        out, log, stopped = _drain(process, cap, job.limits, began)
        found = _status(told)
    code = process.returncode
    if stopped:
        raise failure(stopped, log)
    if "exit-code" not in found:
        raise unavailable(
            Text("数据沙箱无法启动，模型不予运行。", "The clean room does not start, so no model is run."),
            detail=log.decode("utf-8", "replace").strip()[-300:],
        )
    if code:
        raise failure(_code(code, time.monotonic() - began, job.limits), log)
    return Outcome(out, log, {name: int(found.get(f"{name}-namespace", 0)) for name in NAMESPACES})


def _command(
    parts: Runtime, worker: Path, job: JobSpec, arguments: tuple[str, ...], model: int, rules: int, status: int
) -> list[str]:
    """The guard, and what it shall start; root's guard finds every source in a place of its own below /tmp."""
    binds = [*parts.binds, (worker, "/in/worker.py"), (job.data, "/in/data")]
    sources = [os.path.realpath(source) for source, _ in binds]
    plan: dict[str, Any] = {"uid": None, "binds": []}
    program = str(parts.bwrap)
    if os.geteuid() == 0:
        # Numbered, so that no name of the host's shows in the job's mounts.
        staged = [(source, f"{_STAGED}/{place}") for place, source in enumerate(sources)]
        sources = [target for _, target in staged]
        if parts.bundled:
            staged += [(str(one), f"{_STAGED}/b/{one.name}") for one in parts.bundled if one.is_dir()]
            program = f"{_STAGED}/b/{parts.bwrap.relative_to(parts.bundled[0].parent)}"
        plan = {"uid": _job_uid(), "binds": staged}
    options = _options([(source, place) for source, (_, place) in zip(sources, binds, strict=True)], parts)
    options += ["--perms", "0444", "--ro-bind-data", str(model), "/in/model", "--chdir", "/in", "--remount-ro", "/"]
    options += ["--seccomp", str(rules), "--json-status-fd", str(status), "--"]
    limits = {
        "AS": (job.limits.memory_mb << 20,) * 2,
        "CORE": (0, 0),
        "CPU": (job.limits.cpu_seconds, job.limits.cpu_seconds + 1),
        "FSIZE": (0, 0),
        "NOFILE": (job.limits.open_files,) * 2,
        "NPROC": (1, 1),
    }
    inside = [parts.python, "-I", "-S", "-B", "-c", _text("launch.py"), json.dumps(limits)]
    plan["argv"] = [program, *options, *inside, "/in/worker.py", job.kind, *arguments]
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


def _drain(process: subprocess.Popen[bytes], cap: int, limits: Limits, began: float) -> tuple[bytes, bytes, str]:
    """What the job wrote (at most `cap` bytes), what it said, and why it was stopped, if it was."""
    out, log, stopped = bytearray(), bytearray(), ""
    deadline = began + limits.wall_seconds
    ended = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as waiting:
            for source in (process.stdout, process.stderr, ended):
                assert source is not None
                waiting.register(source, selectors.EVENT_READ)
            while waiting.get_map() and not stopped:
                ready = waiting.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    stopped = "model.timeout"
                for key, _ in ready:
                    if key.fileobj is ended:
                        waiting.unregister(ended)
                        continue
                    if not (piece := os.read(key.fd, 1 << 20)):
                        waiting.unregister(key.fileobj)
                    elif key.fileobj is process.stderr:
                        log += piece[: max(0, limits.log_bytes - len(log))]
                    else:
                        out += piece
                        stopped = "model.output" if len(out) > cap else stopped
    finally:
        os.close(ended)
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    return bytes(out), bytes(log), stopped


def _status(told: IO[bytes]) -> dict[str, Any]:
    """Bubblewrap's own account: the namespaces it made, and an exit code only if the job really began."""
    found: dict[str, Any] = {}
    for line in told.read().splitlines():
        found |= json.loads(line)
    return found


def _code(exit_code: int, seconds: float, limits: Limits) -> str:
    if exit_code == MEMORY_EXIT:
        return "model.memory"
    if exit_code == 128 + signal.SIGXCPU:
        return "model.timeout"
    if exit_code == 128 + signal.SIGKILL:
        # A job that ignores SIGXCPU is killed a second later; nobody else but a machine out of memory kills it.
        return "model.timeout" if seconds >= limits.cpu_seconds else "model.memory"
    return "model.failed"


def _memory_file(name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


@cache
def _text(name: str) -> str:
    return (_BENEATH / name).read_text("utf-8")


def _job_uid() -> int:
    """A user id nobody has: drawn from the top of those this machine (or container) knows, below 2³¹."""
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text("ascii").splitlines()]
    top = min(max(int(first) + int(count) for first, _, count in ranges), 1 << 31)
    return top - 2 - random.SystemRandom().randrange(min(1 << 24, top // 64))
