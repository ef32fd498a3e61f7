"""Memory stays flat as files grow, in rows and in the width of a cell."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
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


LAND = """
import re, sys
from pathlib import Path
import django
django.setup()
from shudu.govern.observers import KeyObserver, LevelObserver, QualityObserver
from shudu.govern.profile import ProfileObserver
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place, Reading

observers = {"key": KeyObserver, "level": LevelObserver, "quality": QualityObserver, "profile": ProfileObserver}
store = DuckDBStore(Path(sys.argv[2]), None, observers)
stored = store.land(Path(sys.argv[1]), Place("o", "a", "v"), Reading(), key="no")
print(stored.rows, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""
# Twenty columns, about 184 bytes a row: 29 million rows are the largest file a home takes as it comes, 5 GB.
CITY = """
SELECT 'C' || lpad(i::VARCHAR, 9, '0') AS no, ['锦江区', '青羊区', '金牛区'][(hash(i) % 3 + 1)::INT] AS district,
  DATE '2020-01-01' + (hash(i, 1) % 2000)::INT AS day, '备注，第' || (hash(i, 2) % 5000) || '条' AS note,
  {numbers} FROM range({rows}) AS t(i)
"""


@pytest.mark.parametrize("rows", [2_000, pytest.param(29_000_000, marks=pytest.mark.soak)])
def test_the_largest_file_takes_a_declared_amount_of_memory(rows: int, tmp_path: Path) -> None:
    numbers = ", ".join(f"(hash(i, {n + 3}) % 1000000) / {10 ** (n % 3)} AS n{n}" for n in range(16))
    with duckdb.connect() as connection:
        source = tmp_path / "city.csv"
        connection.execute(f"COPY ({CITY.format(numbers=numbers, rows=rows)}) TO '{source}' (FORMAT csv, HEADER)")
    done = subprocess.run([sys.executable, "-c", LAND, source, tmp_path / "home"], check=True, capture_output=True)
    told, megabytes = map(int, done.stdout.split())
    assert told == rows
    assert megabytes < 1_000
