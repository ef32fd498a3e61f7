"""Memory stays flat as files grow, in rows and in the width of a cell."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

WRITE = """
import re, sys
from pathlib import Path
import django
django.setup()
from shudu.govern.observers import KeyObserver, LevelObserver
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place, View

store = DuckDBStore(Path(sys.argv[2]), None, {"key": KeyObserver, "level": LevelObserver})
stored = store.write_csv(Path(sys.argv[1]), Place("o", "a", "v"), key="no")
store.export_ipc(stored.files, Place("o", "a", "v"), View(("no", "text")), Path(sys.argv[2]) / "data.arrow")
# Not ru_maxrss, which starts with what the parent held.
print(stored.rows, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def narrow(rows: int) -> str:
    return "no,text\n" + "".join(f"K{number:012d},words of number {number * 7919 % 10**9}\n" for number in range(rows))


def wide(rows: int) -> str:
    return "no,text\n" + "".join(f"K{number},{f'{number:08d}' * 8_000}\n" for number in range(rows))


def peak(path: Path, home: Path) -> tuple[int, int]:
    """Rows written, and the megabytes the writing process held at its height."""
    done = subprocess.run([sys.executable, "-c", WRITE, path, home], check=True, capture_output=True, text=True)
    rows, megabytes = done.stdout.split()
    return int(rows), int(megabytes)


@pytest.mark.soak
@pytest.mark.parametrize(("make", "small", "large"), [(narrow, 6_000_000, 24_000_000), (wide, 4_000, 16_000)])
def test_four_times_the_rows_take_no_more_memory(
    make: Callable[[int], str], small: int, large: int, write: Callable[..., Path], tmp_path: Path
) -> None:
    rows, before = peak(write(make(small)), tmp_path / "small")
    assert rows == small
    rows, after = peak(write(make(large)), tmp_path / "large")
    assert rows == large
    assert after < 1.5 * before
    assert after < 1_000
