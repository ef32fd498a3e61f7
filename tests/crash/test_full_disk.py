"""A disk that is really full, a small tmpfs: refusals say so, nothing is lost, and work goes on once there is room."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from journeys.console import BUYER, EXAMPLE, PROVIDER, Console

SPACE = {"lake.space", "home.space", "backup.space"}
MEGABYTES = 48


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Console]:
    """Somebody whose home lies on a disk of `MEGABYTES`, with a stick too small for a backup."""
    if os.getuid() != 0:
        pytest.skip("mounting a small disk takes root")
    disks = {tmp_path / "home": MEGABYTES, tmp_path / "stick": 1}
    for place, size in disks.items():
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=700", "none", str(place)], check=True)
    console = Console(tmp_path)
    console.env["SHUDU_LEASE_SECONDS"] = "1"
    try:
        yield console
    finally:
        console.close()
        for place in disks:
            subprocess.run(["umount", "-l", str(place)], check=True)


def fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4_096)


@contextlib.contextmanager
def worker_of(console: Console) -> Iterator[None]:
    worker = subprocess.Popen([sys.executable, "-m", "shudu.cli", "worker"], env=console.env, stderr=subprocess.DEVNULL)
    try:
        yield
        assert worker.poll() is None, "the worker goes on whatever happens"
    finally:
        worker.terminate()
        worker.wait(30)


def test_full_and_free_again(small: Console) -> None:
    small.do("init")
    small.register()
    small.do("accounts", "deposit", BUYER, "--yuan", "5000")
    order = small.order(small.live_offer(runs=3))
    run = small.do("runs", "start", order)["id"]
    before = small.do("accounts", "show", BUYER)
    ballast = small.home / "ballast"
    publish = ["publish", EXAMPLE / "customers.csv", "--owner", PROVIDER, "--title", "又一份", "--key", "customer_no"]

    fill(ballast)
    with worker_of(small):
        time.sleep(5)
    fill(ballast)  # what a log or a journal gave back
    refused = [small.refused(*publish), small.refused("publish", *sheet(small), "--owner", PROVIDER, "--title", "表")]
    assert set(refused) <= SPACE
    assert small.refused("backup", small.folder / "stick" / "backup.tar") in SPACE
    assert not list((small.folder / "stick").iterdir())
    for _ in range(40):  # what the journal still has room for is done; then it is refused, in words
        said = small.say("accounts", "deposit", BUYER, "--yuan", "1", "--json")
        if said.code:
            assert said.error in SPACE, said.out
            break
    else:
        raise AssertionError("the disk is full, and forty deposits found room")
    deposited = _

    ballast.unlink()
    assert not list((small.home / "lake" / ".staging").iterdir())
    after = small.do("accounts", "show", BUYER)
    assert after["available_fen"] == before["available_fen"] + deposited * 100
    with worker_of(small):
        until = time.monotonic() + 60
        while small.do("runs", "show", run)["state"] != "closed":
            assert time.monotonic() < until, "there is room again, and the run does not go on"
            time.sleep(0.3)
    small.do(*publish)
    small.do("backup", small.folder / "backup.tar")
    small.do("ledger", "check")


def sheet(console: Console) -> list[object]:
    import openpyxl

    book = openpyxl.Workbook()
    assert book.active is not None
    for line in (EXAMPLE / "customers.csv").read_text("utf-8").splitlines()[:2_000]:
        book.active.append(line.split(","))
    book.save(console.folder / "table.xlsx")
    return [console.folder / "table.xlsx"]
