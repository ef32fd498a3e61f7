"""Reading a hostile file in a process apart: limited in memory, time and what it may write, with nothing to inherit.

The child (`readers.__main__`) holds the source as an open descriptor and an empty environment. Its answers are treated
as hostile too: every batch is validated, every message is a sentence of a known shape. What this is worth, and what it
is not, stands in docs/threat-model.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.ipc

from shudu.policy.types import Invalid, ShuduError, Text, Unavailable

from .engine import no_space
from .progress import asked, rows_read
from .readers.port import FIXED, Finish, from_json
from .recipe import Note, Reading, Recipe

MEMORY = 3 << 30
SECONDS = 3_600
UNPACKED = 8 << 30  # bytes a single file may unpack to
_LONGEST_SAYING = 8 << 20


@dataclass
class Reader:
    """A reading that has begun: what was understood, and its rows."""

    recipe: Recipe
    notes: tuple[Note, ...]
    rows: pa.RecordBatchReader
    _control: IO[bytes] = field(repr=False)
    _verdict: Callable[[], ShuduError] = field(repr=False)

    def finish(self) -> Finish:
        """What the reader knows in the end. Raises what stopped it."""
        told = _heard(self._control, self._verdict)
        return Finish(
            tuple(Note(**note) for note in told.get("notes", ())), tuple(int(n) for n in told.get("texts", ()))
        )


@contextmanager
def begun(
    handle: int,
    name: str,
    format_: str,
    reading: Reading,
    work: Path,
    *,
    limit: int | None = None,
) -> Iterator[Reader]:
    """Start reading the open file `handle`. Raises Invalid for what cannot be read, in the reader's words."""
    control, told = os.pipe()
    request = {
        "path": f"/proc/self/fd/{handle}",
        "name": name,
        "format": format_,
        "reading": reading.model_dump(mode="json"),
        "work": str(work),
        "limit": limit,
        "limits": {"AS": MEMORY, "CPU": SECONDS, "FSIZE": UNPACKED, "NOFILE": 64, "CORE": 0},
    }
    child = subprocess.Popen(
        [sys.executable, "-I", "-m", "shudu.lake.readers", str(told)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the parsers' own words may quote the file
        pass_fds=(handle, told),
        env={"OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8", "ARROW_DEFAULT_MEMORY_POOL": "system"},
        cwd=work,
        start_new_session=True,
    )
    os.close(told)
    clock = threading.Timer(SECONDS, child.kill)
    clock.daemon = True
    clock.start()

    def verdict() -> ShuduError:
        """Why a reader stopped without a word."""
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
        return _stopped("time" if child.returncode in (-9, -24) else "damaged")

    try:
        with os.fdopen(control, "rb") as hears:
            assert child.stdin is not None
            assert child.stdout is not None
            try:
                child.stdin.write(json.dumps(request).encode() + b"\n")
                child.stdin.close()
            except BrokenPipeError:
                raise verdict() from None
            said = _heard(hears, verdict)
            recipe, notes = Recipe(**said["recipe"]), tuple(Note(**note) for note in said["notes"])
            rows = _checked(child.stdout, hears, verdict)
            yield Reader(recipe, notes, rows, hears, verdict)
    finally:
        clock.cancel()
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _checked(stdout: IO[bytes], control: IO[bytes], verdict: Callable[[], ShuduError]) -> pa.RecordBatchReader:
    """The child's batches, each validated whole before anyone looks at it."""
    try:
        stream = pa.ipc.open_stream(stdout)
    except (pa.ArrowInvalid, OSError):
        _heard(control, verdict)
        raise verdict() from None
    if stream.schema.names[: len(FIXED)] != [name for name, _ in FIXED]:
        raise _stopped("damaged")

    progress = asked()

    def batches() -> Iterator[pa.RecordBatch]:
        seen = 0
        while True:
            try:
                batch = stream.read_next_batch()
                batch.validate(full=True)
            except StopIteration:
                return
            except (pa.ArrowInvalid, OSError):
                return  # `finish` hears why
            seen += batch.num_rows
            progress(rows_read(seen))
            yield batch

    return pa.RecordBatchReader.from_batches(stream.schema, batches())


def _heard(control: IO[bytes], verdict: Callable[[], ShuduError]) -> dict[str, Any]:
    """The child's next words. Raises what it says went wrong, or what its silence means."""
    line = control.readline(_LONGEST_SAYING)
    if not line.endswith(b"\n"):
        raise verdict()
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError:
        raise _stopped("damaged") from None
    if "error" in told:
        raise from_json(told["error"])
    if "failed" in told:
        if told["failed"] == "space":
            raise no_space()
        raise _stopped(str(told["failed"]))
    return told


def _stopped(why: str) -> ShuduError:
    if why == "memory":
        return Invalid(
            "publish.memory",
            Text(
                f"读取这个文件需要超过 {MEMORY >> 30} GB 的内存。",
                f"Reading this file takes more than {MEMORY >> 30} GB of memory.",
            ),
            Text("请拆分文件，或另存为 CSV 或 Parquet。", "Split it, or save it as CSV or Parquet."),
        )
    if why == "time":
        return Invalid(
            "publish.time",
            Text("读取这个文件用时过长，已停止。", "Reading this file took too long and was stopped."),
            Text("请拆分文件，或另存为 CSV 或 Parquet。", "Split it, or save it as CSV or Parquet."),
        )
    if why == "ModuleNotFoundError":
        return Unavailable(
            "lake.reader",
            Text("本机缺少读取这种格式的部件。", "This machine lacks the part that reads this format."),
            Text("请运行 make setup 重新安装依赖。", "Run `make setup` to install the dependencies again."),
        )
    return Invalid(
        "publish.damaged",
        Text("文件已损坏或不完整，无法读取。", "The file is damaged or incomplete and cannot be read."),
        Text("请从来源重新导出后再试。", "Export it again from where it came and try again."),
        {"kind": why[:60]},
    )
