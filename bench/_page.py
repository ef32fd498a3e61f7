"""docs/benchmarks.md: one section for each file of bench/, written by the command itself."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from ._measure import ROOT, exponent, said

PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = """\
# Benchmarks

Written by `make bench`; each section by a file of `bench/`, in a process of its own. What is compared runs side by
side in one sitting on one machine, so the ratios mean more than the seconds, and processor seconds more than the
clock's: other work on the machine stretches the clock and, through shared caches, the processor a little too.
`exponent` says how a cost grows with the amount of work: 1 is proportional, 0 is constant. The budgets are those of the
design.
"""


def machine() -> str:
    """The machine in a line: nothing that names it."""
    info = Path("/proc/cpuinfo").read_text("utf-8")
    model = re.search(r"model name\s*:\s*(.*)", info)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    place = subprocess.run(
        ["df", "--output=fstype", os.environ.get("TMPDIR", "/tmp")], capture_output=True, text=True, check=False
    )
    return (
        f"{os.cpu_count()} × {model[1].strip() if model else platform.machine()}, {memory:.0f} GiB, "
        f"Linux {platform.release().split('-')[0]}, {place.stdout.split()[-1]}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, numbers to the right."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, rule, *rows])


def growth(sizes: Sequence[int], costs: Sequence[float]) -> str:
    """The exponent as it stands in a table."""
    return f"{exponent(sizes, costs):.2f}" if len(sizes) > 1 else "–"


def amount(value: float, digits: int = 3) -> str:
    """A number with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.{digits}g}"


def write(name: str, title: str, sizes: Sequence[int], *paragraphs: str) -> None:
    """Replace this benchmark's section, and print it."""
    load = os.getloadavg()
    command = (
        f'make bench ARGS="{name}={",".join(said(size).lower() for size in sizes)}"'
        if sizes
        else f"make bench ARGS={name}"
    )
    taken = f"`{command}` on {date.today():%Y-%m-%d}: {machine()}. Load average meanwhile: {load[0]:.1f}."
    section = "\n\n".join([f"## {title}", *paragraphs, taken]) + "\n"
    mark = f"<!-- {name} -->\n"
    kept = PAGE.read_text("utf-8").split("<!-- ")[1:] if PAGE.exists() else []
    sections = {f"<!-- {part}".split("\n", 1)[0] + "\n": part.split("\n", 1)[1].strip() + "\n" for part in kept}
    sections[mark] = section
    text = "\n".join([HEAD, *(f"{key}{sections[key]}" for key in sorted(sections))])
    PAGE.write_text(text, "utf-8")
    sys.stdout.write(f"\n{section}\n")
