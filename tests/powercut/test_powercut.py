"""The power goes at any moment: what was acknowledged is there afterwards, and nothing half done is seen.

The disk is recorded by a library of our own (recorder.c) and played up to that moment without anything that had not
been synced. In `make test` the power goes at some of the moments, in `make soak` at all of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from powercut.replay import Disk, inodes, records

HERE = Path(__file__).parent
POWER = HERE / "power.py"
DRIVER = HERE.parent / "crash" / "driver.py"


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("recorder") / "recorder.so"
    words = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library), str(HERE / "recorder.c")]
    subprocess.run([os.environ.get("CC", "gcc"), *words, "-ldl", "-lpthread"], check=True, timeout=60)
    return library


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which an order stands, with its keys."""
    made = tmp_path_factory.mktemp("made")
    run(DRIVER, "prepare", made / "home")
    before = made / "before"
    before.mkdir()
    for suffix in ("", ".keys"):
        (made / f"home.template{suffix}").rename(before / f"home{suffix}")
    return before


def run(*words: object, env: dict[str, str] | None = None) -> str:
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.fixture
def disk(tmp_path: Path, recorder: Path) -> Recorded:
    return Recorded(tmp_path, recorder)


class Recorded:
    """A folder whose disk is recorded."""

    def __init__(self, place: Path, recorder: Path) -> None:
        self.root, self.before, self.log = place / "root", place / "before", place / "log"
        self.env = {"LD_PRELOAD": str(recorder), "CUT_ROOT": str(self.root), "CUT_LOG": str(self.log)}

    def work(self, work: str, begin: Path | None = None) -> None:
        if begin:
            shutil.copytree(begin, self.root)
        else:
            self.root.mkdir()
        shutil.copytree(self.root, self.before)
        Path(f"{self.before}.inodes").write_text(json.dumps(inodes(self.root)))
        run(POWER, "work", self.root, work, env=self.env)

    def cut(self, work: str, every: int, torn: int) -> list[dict[str, Any]]:
        said = run(POWER, "cut", self.root, self.before, self.log, work, every, torn)
        return [json.loads(line) for line in said.splitlines()]


def damage(cuts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [cut for cut in cuts if cut["wrong"]]


SOME = [pytest.param(9, 4, id="some"), pytest.param(1, 200, id="all", marks=pytest.mark.soak)]


@pytest.mark.timeout(3000)
@pytest.mark.parametrize(("every", "torn"), SOME)
def test_what_was_acknowledged_survives(disk: Recorded, market: Path, every: int, torn: int) -> None:
    disk.work("trade", market)
    cuts = disk.cut("trade", every, torn)
    assert damage(cuts) == []
    assert {tuple(cut["told"]) for cut in cuts} >= {(), ("order", "publish", "sequence")}


@pytest.mark.timeout(3000)
@pytest.mark.parametrize(("every", "torn"), [pytest.param(25, 2, id="some"), SOME[1]])
def test_a_home_that_was_made_is_there(disk: Recorded, every: int, torn: int) -> None:
    disk.work("begin")
    cuts = disk.cut("begin", every, torn)
    assert damage(cuts) == []
    assert cuts[0]["told"] == []
    assert any(cut["told"] == ["init"] for cut in cuts)


@pytest.mark.timeout(600)
def test_a_lake_that_does_not_sync_is_caught(disk: Recorded, market: Path) -> None:
    """The same trade with the lake's syncing taken out: its version is visible without its files."""
    disk.work("careless", market)
    [*_, last] = disk.cut("careless", 1_000_000, 0)
    assert last["told"] == ["order", "publish", "sequence"]
    assert last["wrong"]


def test_what_is_not_synced_is_gone(disk: Recorded) -> None:
    disk.work("files")
    told = list(records(disk.log))
    left = [dict(replayed(disk, number)) for number in range(len(told) + 1)]
    assert left[0] == {}
    # The last of the four calls were a rename and a file without its name synced: neither lasts.
    assert left[-1] == {"nothing synced": b"", "both synced": b"both synced"}
    live = {path.name: path.read_bytes() for path in disk.root.iterdir()}
    assert set(live) == {"both synced", "nothing synced"}, "the disk is what the cut left"


def replayed(disk: Recorded, number: int) -> Iterator[tuple[str, bytes]]:
    after = Disk(disk.root, disk.before, json.loads(Path(f"{disk.before}.inodes").read_text()))
    for record in list(records(disk.log))[:number]:
        after.play(record)
    after.leave()
    for path in disk.root.iterdir():
        yield path.name, path.read_bytes()
