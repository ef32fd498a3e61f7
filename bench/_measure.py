"""Measuring: what a piece of work costs in processor seconds, memory and time, in a process of its own."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Cost:
    """`cpu` and `wall` in seconds; `peak_mb` the largest memory held, imports included; `found` what else was seen."""

    cpu: float
    wall: float
    peak_mb: float
    found: dict[str, Any]


def sizes(default: str) -> list[int]:
    """The sizes to measure, from the command line (`10k,100k,1m`), else the default ones."""
    asked = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BENCH_SIZES") or default
    return [count(size) for size in asked.split(",")]


def count(text: str) -> int:
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].isalpha() else (text, "")
    return int(number) * {"": 1, "k": 1_000, "m": 1_000_000}[unit]


def said(number: int) -> str:
    """1000 as 1k."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size and number % size == 0:
            return f"{number // size}{unit}"
    return str(number)


def _processor_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def cost_of(work: Callable[[], dict[str, Any] | None]) -> Cost:
    """Do it and say what it cost, with all its threads and the processes it waited for."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    cpu, began = _processor_seconds(), time.perf_counter()
    found = work() or {}
    wall, cpu = time.perf_counter() - began, _processor_seconds() - cpu
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
    return Cost(cpu, wall, int(status["VmHWM"].split()[0]) / 1024, found)


def cheapest(once: Callable[[], Cost], size: int) -> Cost:
    """Of three tries, if short, the one that cost the least."""
    tries: list[Cost] = []
    while len(tries) < (1 if size >= 1_000_000 else 3) and sum(cost.wall for cost in tries) < 10:
        tries.append(once())
    return min(tries, key=lambda cost: cost.cpu)


def least(module: str, kind: str, size: int, *words: object) -> Cost:
    """The cost a fresh `python -m bench.<module> -- kind size …` reports; of three tries, if short, the cheapest."""
    return cheapest(lambda: _told(module, kind, size, *words)[-1], size)


def each(module: str, kind: str, sizes: Sequence[int]) -> list[Cost]:
    """The costs one fresh `python -m bench.<module> -- kind size …` reports: what goes before is done once for all."""
    return _told(module, kind, *sizes)


def _told(module: str, *words: object) -> list[Cost]:
    command = [sys.executable, "-m", f"bench.{module}", "--", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [Cost(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith('{"cpu"')]


def report(cost: Cost) -> None:
    """Say it to the process that asked."""
    print(json.dumps(asdict(cost)))


def exponent(amounts: Sequence[int], costs: Sequence[float]) -> float:
    """How the cost grows with the amount: the slope of its logarithm, by least squares; 1 is proportional."""
    across, up = [math.log(amount) for amount in amounts], [math.log(max(cost, 1e-9)) for cost in costs]
    middle, height = sum(across) / len(across), sum(up) / len(up)
    spread = sum((x - middle) ** 2 for x in across)
    return sum((x - middle) * (y - height) for x, y in zip(across, up, strict=True)) / spread if spread else math.nan


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on the disk (TMPDIR chooses which), gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="shudu-bench-") as made:
        yield Path(made)


def open_house(place: Path) -> None:
    """Start the application on a home of its own, made at its first use."""
    for name in [name for name in os.environ if name.startswith("SHUDU_")]:
        del os.environ[name]
    from shudu.cli.house import open_home

    open_home(place)
