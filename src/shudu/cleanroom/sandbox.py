"""The sandbox port: what a job is, what comes back, and what is said when it does not.

A job goes in as bytes of a model and a file of rows; bytes come out, never more than the rows need. Whoever implements
`Sandbox` starts nothing it cannot contain: there is no way to ask for a job without it.
"""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from shudu.policy.types import ShuduError, Text, Unavailable

from .inside import BATCH_ROWS, SCORES, Floats

_END = b"\xff\xff\xff\xff\0\0\0\0"


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """The promised score: its name and its range, both ends included."""

    name: str
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use. `memory_mb` is address space: 320 is enough when a batch of data is 20 MB or less."""

    memory_mb: int = 512
    cpu_seconds: int = 300
    wall_seconds: float = 600.0
    open_files: int = 64
    log_bytes: int = 65_536


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One run of one model.

    `kind` is one of `evaluators.EVALUATORS`. `inputs` are the declared columns and what they are (`number`,
    `category`), in declared order. `data` is an uncompressed Arrow IPC file of exactly these, in a folder made by
    `job_folder()`; write it in batches of about 100,000 rows, for the job holds one batch at a time.
    """

    kind: str
    model: bytes = field(repr=False)
    data: Path
    rows: int
    inputs: tuple[tuple[str, str], ...]
    output: OutputSpec
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the sandbox was seen to do on this machine; every receipt commits to the report."""

    backend: str
    version: str
    kinds: tuple[str, ...]
    kernel: str
    namespaces: tuple[str, ...]
    interfaces: tuple[str, ...]
    seccomp: int
    seccomp_sha256: str
    landlock: int
    no_new_privs: int
    capabilities: int
    uid: int
    uid_per_job: bool
    limits: tuple[str, ...]
    cgroup_version: int
    cgroups: tuple[str, ...]

    @classmethod
    def from_report(cls, report: dict[str, Any]) -> Capabilities:
        """The inverse of `report`. Raises TypeError when fields are missing or unknown."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in report.items()}
        return cls(**values)

    def report(self) -> dict[str, Any]:
        """The same as JSON takes it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


class Sandbox(Protocol):
    """Runs untrusted models."""

    def run(self, job: JobSpec) -> bytes:
        """The scores of `job` as an Arrow IPC stream, for `read_scores`. Raises SandboxError or SandboxUnavailable."""
        ...

    def capabilities(self) -> Capabilities:
        """What this sandbox does, as checked on this machine. Raises SandboxUnavailable when a check fails."""
        ...


class SandboxUnavailable(Unavailable):
    """This machine cannot contain a model, so none is run."""


class SandboxError(ShuduError):
    """A job failed. The code is all a buyer sees; `owner_log` is what the model wrote, for the data owner only."""

    owner_log: bytes = b""


_SAID = {
    "model.input": (
        Text(
            "数据中有模型说明不接受的值（缺失、超出范围或不在代码表中），模型未运行完毕。",
            "The data holds values the model card refuses (missing, out of range or not in the list of codes).",
        ),
        Text(
            "数据提供方可在运行日志中查看是哪一列；请改正数据，或请模型提供方放宽说明后重新发布。",
            "The data owner's log names the column. Correct the data, or ask the modeller for a wider card.",
        ),
    ),
    "model.failed": (
        Text("模型运行失败。", "The model stopped with an error."),
        Text(
            "请模型提供方核对模型；数据提供方可查看运行日志。",
            "The modeller should check the model; the data owner can read its log.",
        ),
    ),
    "model.memory": (
        Text("模型超出内存限制，已停止。", "The model was stopped: it needed more memory than allowed."),
        Text("请减小数据批次，或提高内存限制。", "Use smaller batches of data, or raise the memory limit."),
    ),
    "model.timeout": (
        Text("模型超出时间限制，已停止。", "The model was stopped: it took longer than allowed."),
        Text("请减少行数，或提高时间限制。", "Use fewer rows, or raise the time limit."),
    ),
    "model.output": (
        Text(
            "模型输出的不是每行一个有限得分，已拒收。",
            "The model's output is not one finite score per row; it was refused.",
        ),
        Text("请模型提供方核对模型。", "The modeller should check the model."),
    ),
    "model.out_of_range": (
        Text(
            "模型得分超出其声明的范围，已拒收。",
            "The model's scores leave the range it declares; they were refused.",
        ),
        Text(
            "请模型提供方改正声明的范围后重新发布。",
            "The modeller should correct the declared range and publish again.",
        ),
    ),
}


def failure(code: str, owner_log: bytes = b"") -> SandboxError:
    """The error for one of the codes of `_SAID`."""
    error = SandboxError(code, *_SAID[code])
    error.owner_log = owner_log
    return error


_FOLDER = "shudu-job-"
_STALE_SECONDS = 60.0


@contextmanager
def job_folder() -> Iterator[Path]:
    """A 0700 folder outside the home for one job's data, gone afterwards whatever happened.

    Only a killed process leaves one behind; the next call removes it. A lock tells whose are still in use.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder)


def _sweep() -> None:
    """Remove folders of ours that nobody holds; one just made may not be locked yet, so young ones are left alone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        with suppress(OSError):  # another sweep was faster, or somebody else's
            found = folder.lstat()
            if found.st_uid != os.geteuid() or time.time() - found.st_mtime < _STALE_SECONDS:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)


def require_private(folder: Path) -> None:
    """A job's file is made readable for the job's user, so its folder must keep everybody else out."""
    found = folder.stat()
    if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
        raise ValueError("a job's data must lie in a private folder; use job_folder()")


def output_bytes(rows: int) -> int:
    """The exact size of the only stream `read_scores` takes for that many rows."""
    full, rest = divmod(rows, BATCH_ROWS)
    heads = full * len(_head(BATCH_ROWS)) + (len(_head(rest)) if rest else 0)
    return len(_schema()) + heads + rows * 8 + len(_END)


def read_scores(raw: bytes, rows: int, output: OutputSpec) -> Floats:
    """The scores in `raw`, one per row, float64.

    Nothing a model wrote is parsed: for a given number of rows every byte but the values is known beforehand (schema,
    no metadata, no dictionary, no compression, batches of `inside.BATCH_ROWS`), and any other stream is refused.
    Raises SandboxError `model.output` (also for NaN and infinity) or `model.out_of_range`.
    """
    if len(raw) != output_bytes(rows):
        raise failure("model.output")
    view, at = memoryview(raw), 0

    def expect(known: bytes) -> None:
        nonlocal at
        if view[at : at + len(known)] != known:
            raise failure("model.output")
        at += len(known)

    scores = np.empty(rows, np.float64)
    expect(_schema())
    for start in range(0, rows, BATCH_ROWS):
        count = min(BATCH_ROWS, rows - start)
        expect(_head(count))
        scores[start : start + count] = np.frombuffer(view, "<f8", count, at)
        at += count * 8
    expect(_END)
    if not np.isfinite(scores).all():
        raise failure("model.output")
    tiny = 1e-9 * max(1.0, math.fabs(output.min), math.fabs(output.max))
    if rows and not (output.min - tiny <= scores.min() and scores.max() <= output.max + tiny):
        raise failure("model.out_of_range")
    return scores


@cache
def _schema() -> bytes:
    return bytes(SCORES.serialize().to_pybytes())


@lru_cache(maxsize=8)
def _head(rows: int) -> bytes:
    """What precedes the values of a batch of that many rows."""
    batch = pa.record_batch([pa.array(np.zeros(rows))], schema=SCORES)
    return bytes(batch.serialize().to_pybytes()[: -rows * 8])
