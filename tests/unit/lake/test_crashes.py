"""Whatever the moment of a kill, a version is there whole or not at all, and the sweep takes the rest."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place
from unit.lake.forked import killed_at, run

PLACE = Place("pty_one", "ast_one", "ver_one")
ROWS = 200_000
Operation = Callable[[DuckDBStore, Path], Any]


def write_csv(store: DuckDBStore, source: Path) -> None:
    store.write_csv(source, PLACE, key="no")


def write_files(store: DuckDBStore, source: Path) -> None:
    store.write_files({"a.csv": b"a" * 1000, "b.csv": b"b"}, PLACE)


def erase(store: DuckDBStore, source: Path) -> None:
    store.erase(PLACE)


class NoKeys:
    """Nothing here is encrypted."""

    def create(self, place: Place) -> bytes:
        raise AssertionError

    secret = create

    def destroy(self, place: Place) -> None:
        pass

    def forget(self, there: Callable[[Place], bool], older_than: float) -> None:
        pass

    erase = destroy


@pytest.fixture
def store(tmp_path: Path) -> DuckDBStore:
    return DuckDBStore(tmp_path / "home", NoKeys())


def check_whole(store: DuckDBStore, rows: int) -> bool:
    """Is the version there? Then it must be whole."""
    folder = store.home / PLACE.folder
    if not folder.exists():
        return False
    names = {path.name for path in folder.iterdir()}
    if names == {"a.csv", "b.csv"}:
        assert (folder / "a.csv").read_bytes() == b"a" * 1000
        assert (folder / "b.csv").read_bytes() == b"b"
    else:
        assert names == {"data.parquet"}
        assert pq.read_table(folder / "data.parquet").num_rows == rows
    return True


def check_swept(store: DuckDBStore, there: bool) -> None:
    """Unless a version row knows it, everything goes; what one knows stays."""
    known = {str(PLACE.folder)} if there else set()
    store.sweep(known, older_than=0)
    left = {path for path in (store.home / "lake").rglob("*") if path.is_file()}
    assert all(store.home / PLACE.folder in path.parents for path in left)
    assert bool(left) == there
    assert not list((store.home / "lake").glob(".staging/*"))
    store.sweep(set(), older_than=0)
    assert not [path for path in (store.home / "lake").rglob("*") if path.name != ".staging"]


@pytest.mark.parametrize("operation", [write_csv, write_files, erase])
def test_killed_at_every_change(operation: Operation, store: DuckDBStore, write: Callable[..., Path]) -> None:
    source = write("no,half\n1,2\n3,4\n")
    point, seen = 0, set()
    while True:
        if operation is erase:
            write_files(store, source)
        ended, _ = run(lambda: operation(store, source), killed_at(point))
        there = check_whole(store, rows=2)
        seen.add(there)
        if ended == 0:
            assert there is (operation is not erase)
            break
        assert ended == signal.SIGKILL
        check_swept(store, there)
        point += 1
    # The kills fell on both sides of the moment that counts.
    assert point > 10
    assert seen == {False, True}


def test_killed_at_any_time(store: DuckDBStore, write: Callable[..., Path]) -> None:
    source = write("no,half\n" + "".join(f"{number},{number / 7}\n" for number in range(ROWS)))
    dice = random.Random(20260302)
    for _ in range(15):
        delay = dice.uniform(0, 0.6)

        def die(delay: float = delay) -> None:
            threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()

        run(lambda: write_csv(store, source), die)
        check_swept(store, check_whole(store, ROWS))
    write_csv(store, source)
    assert check_whole(store, ROWS)


def test_a_write_in_progress_is_not_swept(store: DuckDBStore, write: Callable[..., Path]) -> None:
    source = write("no,half\n" + "".join(f"{number},{number / 7}\n" for number in range(ROWS)))
    working = threading.Thread(target=write_csv, args=(store, source))
    working.start()
    while working.is_alive():
        store.sweep({str(PLACE.folder)}, older_than=0)
    working.join()
    assert check_whole(store, ROWS)
