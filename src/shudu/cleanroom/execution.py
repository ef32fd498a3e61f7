"""One job as a process: started in its namespaces, told its job, watched, and ended.

A process is started for one job and never given a second. Whatever happens — an error, too much output, the wall clock,
our own death — the guard (guard.py) ends all of it.
"""

from __future__ import annotations

import json
import os
import select
import selectors
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from shudu.policy.types import Text

from .cgroups import group
from .command import Descriptors, Order, command
from .inside import OUTPUT_EXIT
from .inside_kinds.declared import INPUT_EXIT
from .launch import MEMORY_EXIT, NO_WALLS_EXIT
from .runtime import runtime, unavailable
from .sandbox import JobSpec, Limits, failure, job_folder, require_private

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
_START_SECONDS = 60
_DOES_NOT_START = Text("数据沙箱无法启动，模型不予运行。", "The clean room does not start, so no model is run.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job wrote, what it said, and the ids of the namespaces it ran in."""

    out: bytes
    log: bytes
    namespaces: dict[str, int]


def execute(worker: Path, job: JobSpec, cap: int) -> Outcome:
    """Run `worker` on `job` and wait for it. Raises SandboxError, or SandboxUnavailable if it never started."""
    require_private(job.data.parent)
    with Started(worker, job.kind, job.limits) as process:
        return process.run(job, cap)


class Started:
    """A process in the sandbox that imports what its kind of model needs and then waits to be told its one job.

    While it waits it holds nothing of anybody's: no model, no row, no name. Raises SandboxUnavailable.
    """

    def __init__(self, worker: Path, kind: str, limits: Limits) -> None:
        self.worker, self.kind, self.limits = worker, kind, limits
        self._said = b""
        parts = runtime()
        with ExitStack() as undo:
            self._rows = undo.enter_context(job_folder()) / "rows"
            self._rows.mkdir()
            self._rows.chmod(0o755)  # its folder keeps everybody else out
            try:
                joined = undo.enter_context(group(limits))
            except OSError as error:
                raise unavailable(_DOES_NOT_START, detail=f"control group: {error}") from None
            self.cgroups = joined.controllers
            told, self._tell = os.pipe()
            self._status, status = os.pipe()
            undo.callback(os.close, self._tell)
            undo.callback(os.close, self._status)
            passed = Descriptors(told, _memory_file("filter", parts.filter), status)
            try:
                self._process = subprocess.Popen(
                    command(parts, Order(worker, kind, self._rows, limits, joined.joins), passed),
                    stdin=subprocess.PIPE,  # the guard's lifeline
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    # bwrap --clearenv alone would leave ours readable in the /proc of its first process.
                    env={},
                    cwd="/",
                    pass_fds=(passed.told, passed.rules, passed.status),
                    start_new_session=True,
                )
            except OSError as error:
                raise unavailable(_DOES_NOT_START, detail=str(error)) from None
            finally:
                for descriptor in (passed.told, passed.rules, passed.status):
                    os.close(descriptor)
            undo.callback(self._end)
            self._held = undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and remove what was made for it."""
        self._held.close()

    def lives(self) -> bool:
        return self._process.poll() is None

    def interfaces(self) -> list[str]:
        """The network interfaces it has, as seen from outside; none if it does not start."""
        ready = select.poll()
        ready.register(self._status, select.POLLIN)
        while b"\n" not in self._said:
            if not ready.poll(_START_SECONDS * 1_000) or not (piece := os.read(self._status, 4_096)):
                return []
            self._said += piece
        pid = json.loads(self._said.splitlines()[0])["child-pid"]
        lines = Path(f"/proc/{pid}/net/dev").read_text("ascii").splitlines()[2:]
        return sorted(line.partition(":")[0].strip() for line in lines)

    def run(self, job: JobSpec, cap: int) -> Outcome:
        """Tell it `job` and wait; the wall clock begins now. At most `cap` bytes of output are taken. Once only."""
        require_private(job.data.parent)
        job.data.chmod(0o444)
        try:
            os.link(job.data, self._rows / "data")
        except OSError:  # on another file system
            shutil.copyfile(job.data, self._rows / "data")
        began = time.monotonic()
        out, log, stopped = self._drain(frame(job), cap, began + job.limits.wall_seconds)
        self._end()
        found = self._account()
        code = self._process.returncode
        if stopped:
            raise failure(stopped, log)
        if "exit-code" not in found or code == NO_WALLS_EXIT:
            raise unavailable(_DOES_NOT_START, detail=log.decode("utf-8", "replace").strip()[-300:])
        if code:
            raise failure(_code(code, time.monotonic() - began, job.limits), log)
        return Outcome(out, log, {name: int(found.get(f"{name}-namespace", 0)) for name in NAMESPACES})

    def _drain(self, told: bytes, cap: int, deadline: float) -> tuple[bytes, bytes, str]:
        """What the job wrote, what it said, and why it was stopped, if it was; it is told its job meanwhile."""
        out, log, stopped = bytearray(), bytearray(), ""
        process, rest = self._process, memoryview(told)
        os.set_blocking(self._tell, False)
        ended = os.pidfd_open(process.pid)
        try:
            with selectors.DefaultSelector() as waiting:
                for source in (process.stdout, process.stderr, ended):
                    assert source is not None
                    waiting.register(source, selectors.EVENT_READ)
                waiting.register(self._tell, selectors.EVENT_WRITE)
                while waiting.get_map() and not stopped:
                    ready = waiting.select(max(0.0, deadline - time.monotonic()))
                    if not ready:
                        stopped = "model.timeout"
                    for key, _ in ready:
                        if key.fileobj == self._tell:
                            rest = _write(self._tell, rest)
                            if not rest:
                                waiting.unregister(self._tell)
                        elif key.fileobj == ended:
                            waiting.unregister(ended)
                        elif not (piece := os.read(key.fd, 1 << 20)):
                            waiting.unregister(key.fileobj)
                        elif key.fileobj is process.stderr:
                            log += piece[: max(0, self.limits.log_bytes - len(log))]
                        else:
                            out += piece
                            stopped = "model.output" if len(out) > cap else stopped
        finally:
            os.close(ended)
        return bytes(out), bytes(log), stopped

    def _account(self) -> dict[str, Any]:
        """Bubblewrap's own: the namespaces it made, and an exit code only if the job really began."""
        found: dict[str, Any] = {}
        with open(self._status, "rb", closefd=False) as told:
            for line in (self._said + told.read()).splitlines():
                found |= json.loads(line)
        return found

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()


def frame(job: JobSpec) -> bytes:
    """The job as `inside.read_job` reads it."""
    told = {
        "inputs": job.inputs,
        "output": {"name": job.output.name, "min": job.output.min, "max": job.output.max},
        "rows": job.rows,
        "model": len(job.model),
    }
    head = json.dumps(told).encode()
    return len(head).to_bytes(8, "little") + head + job.model


def _write(descriptor: int, rest: memoryview) -> memoryview:
    """What is still to be written; nothing once nobody reads any more."""
    try:
        return rest[os.write(descriptor, rest[: 1 << 20]) :]
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        return rest[len(rest) :]


def _code(exit_code: int, seconds: float, limits: Limits) -> str:
    if exit_code == MEMORY_EXIT:
        return "model.memory"
    if exit_code in (INPUT_EXIT, OUTPUT_EXIT):
        return "model.input" if exit_code == INPUT_EXIT else "model.output"
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
