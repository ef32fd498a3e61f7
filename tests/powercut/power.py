"""Works on a home while its disk is recorded, cuts the power, and looks at what is left.

    python power.py work ROOT WORK           do it (under the recorder), saying after each step what was acknowledged
    python power.py cut ROOT BEFORE LOG WORK EVERY TORN
                                             one line of JSON for every EVERY-th point at which something was synced or
                                             renamed, and for each of TORN throws of the dice in between

ROOT holds the home and its keys; BEFORE is a copy of ROOT as it was, BEFORE.inodes its inodes. Acknowledgements go to
ROOT/acknowledged, which is no part of the disk.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

import driver
from replay import Disk, Record, records

TOLD = "acknowledged"


def acknowledge(root: Path, step: str, proof: str = "") -> None:
    with (root / TOLD).open("a") as file:
        file.write(json.dumps([step, proof]) + "\n")


def checkpoint() -> str:
    from shudu.ledger import queries

    return queries.checkpoint()


def trade(root: Path) -> None:
    """Publish, order, and give both their places in the log."""
    driver.setup(root / "home")
    driver.publish()
    acknowledge(root, "publish")
    driver.order()
    acknowledge(root, "order")
    driver.news()
    acknowledge(root, "sequence", checkpoint())


def careless(root: Path) -> None:
    """The same by a lake that forgets to sync: what a power cut test must notice."""
    from shudu.lake import folders

    folders.sync = lambda path: None
    trade(root)


def begin(root: Path) -> None:
    """The first command on a new machine."""
    driver.setup(root / "home")
    driver.news()
    acknowledge(root, "init", checkpoint())


def files(root: Path) -> None:
    """Four ways to write a file, of which one lasts."""

    def write(name: str, *, synced: bool) -> None:
        with (root / name).open("w") as file:
            file.write(name)
            file.flush()
            if synced:
                os.fsync(file.fileno())

    def sync_names() -> None:
        handle = os.open(root, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)

    write("nothing synced", synced=False)
    sync_names()  # of this one the name lasts, and no byte
    write("both synced", synced=True)
    sync_names()
    write("only content synced", synced=True)
    os.rename(root / "both synced", root / "renamed")


WORKS: dict[str, Callable[[Path], None]] = {"trade": trade, "careless": careless, "begin": begin, "files": files}


def look(root: Path, work: str, told: dict[str, str]) -> list[str]:
    """What is wrong with what the cut left, given what had been acknowledged by then."""
    if work == "begin":
        if "init" not in told:
            return []  # it is done again, whatever is there
        if not (root / "home" / "shudu.sqlite3").exists():
            return ["the home is lost"]
    driver.setup(root / "home")
    from shudu.catalog.models import Version
    from shudu.exchange.models import Order
    from shudu.ledger.integrity import against, check

    found = [f"ledger: {finding.where}" for finding in check()]
    for step, kept in told.items():
        if kept:
            found += [f"after {step}: {finding.message.en}" for finding in against(kept)]
    if work == "begin":
        from shudu.ledger import queries

        queries.signed("said with the log's key\n")  # raises when the key is lost
        return found
    if "publish" in told and Version.objects.count() != 3:
        found.append("the published version is lost")
    if "order" in told and Order.objects.count() != 2:
        found.append("the order is lost")
    # What a person does next: the same things once more, with the same keys.
    driver.publish()
    driver.order()
    driver.news()
    return found + driver.wrong("order", 2, 3)


def moments(log: list[Record], every: int, torn: int) -> Iterator[tuple[int, random.Random | None]]:
    """How many records are played before the power goes, and the dice when more than the least lasts."""
    points = [number for number, record in enumerate(log) if record.kind in "SR" or record.name.endswith(TOLD)]
    ends = sorted({number + half for number in points for half in (0, 1)} | {len(log)})
    yield from ((number, None) for number in sorted({*ends[::every], len(log)}))
    dice = random.Random(20260302)
    for _ in range(torn):
        yield dice.randrange(len(log)), random.Random(dice.random())


def cut(root: Path, before: Path, log: Path, work: str, every: int, torn: int) -> None:
    played, numbers = list(records(log)), json.loads(Path(f"{before}.inodes").read_text())
    answer = root.with_name("answer")
    for number, dice in moments(played, every, torn):
        disk = Disk(root, before, numbers)
        said = b""
        for record in played[:number]:
            if record.name != str(root / TOLD):
                disk.play(record)
            else:
                said += record.data
        told = dict(json.loads(line) for line in said.decode().splitlines())
        disk.leave(dice)

        def judge(told: dict[str, str] = told) -> None:
            answer.write_text(json.dumps(look(root, work, told)))

        wrong = json.loads(answer.read_text()) if driver.in_child(judge) == 0 else ["it cannot be opened"]
        print(json.dumps({"at": number, "torn": dice is not None, "told": sorted(told), "wrong": wrong}), flush=True)


if __name__ == "__main__":
    command, place, *more = sys.argv[1:]
    if command == "work":
        WORKS[more[0]](Path(place))
    else:
        cut(Path(place), Path(more[0]), Path(more[1]), more[2], int(more[3]), int(more[4]))
