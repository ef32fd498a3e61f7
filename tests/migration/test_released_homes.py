"""A home that an earlier release made is opened by this one: rows migrate, receipts hold, work goes on.

Each folder here named for a release is such a home, as `make_home.py` wrote it with that release's own code.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from journeys.console import Console

RELEASES = sorted(path.parent for path in Path(__file__).parent.glob("*/rows.sql"))
PRICE = 120_001


def unpack(kept: Path, console: Console) -> dict[str, Any]:
    """The home as it was, and what its maker noted."""
    shutil.copytree(kept / "lake", console.home / "lake")
    shutil.copytree(kept / "keys", f"{console.home}.keys")
    for key in Path(f"{console.home}.keys").iterdir():
        key.chmod(0o600)  # which a checkout does not keep
    with closing(sqlite3.connect(console.home / "shudu.sqlite3")) as rows:
        rows.executescript((kept / "rows.sql").read_text("utf-8"))
    for name in ("receipt.json", "log.key"):
        shutil.copyfile(kept / name, console.folder / name)
    facts: dict[str, Any] = json.loads((kept / "facts.json").read_text("utf-8"))
    return facts


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Console, dict[str, Any]]]:
    console = Console(tmp_path)
    facts = unpack(request.param, console)
    yield console, facts
    console.close()


def test_there_is_a_home_of_a_release() -> None:
    assert RELEASES


def test_an_old_home_goes_on(opened: tuple[Console, dict[str, Any]]) -> None:
    console, facts = opened
    buyer = facts["buyer"]
    # Reading: the old rows, the old receipt, the old product.
    assert console.do("ledger", "check", "--against", "receipt.json")["ok"]
    assert console.say("ledger", "key").out == (console.folder / "log.key").read_text()
    run = console.do("runs", "show", facts["run"], "--as", buyer)
    assert (run["state"], run["settlement"]["state"]) == ("closed", "settled")
    console.do("results", "download", run["result"], "-o", "product.csv", "--as", buyer)
    verify = ("receipts", "verify", "receipt.json", "--key", "log.key", "--product", "product.csv")
    assert console.do(*verify)["says"]["run"] == facts["run"]
    console.do("receipts", "get", facts["run"], "-o", "again.json")
    assert console.do("receipts", "verify", "again.json", "--key", "log.key", "--product", "product.csv")["ok"]
    assert console.funds(buyer) == (1_000_000 - 2 * PRICE, PRICE)
    # Going on: the old order runs once more, and the old offer is ordered anew. Data, model and key are the old ones.
    again = console.do("runs", "start", facts["order"], "--wait", "--as", buyer)
    assert again["state"] == "closed"
    assert console.funds(buyer) == (1_000_000 - 3 * PRICE, PRICE)
    offer = console.do("orders", "show", facts["order"], "--as", buyer)["offer"]
    order = console.do("orders", "place", offer, "--buyer", buyer, "--purpose", "research")["id"]
    assert console.do("runs", "start", order, "--wait", "--as", buyer)["state"] == "closed"
    console.do("receipts", "get", again["id"], "-o", "new.json")
    assert console.do("receipts", "verify", "new.json", "--key", "log.key")["ok"]
    assert console.do("ledger", "check", "--against", "receipt.json")["ok"]
    with closing(sqlite3.connect(console.home / "shudu.sqlite3")) as rows:
        assert rows.execute("SELECT unit FROM accounts_account GROUP BY unit HAVING sum(balance) <> 0").fetchall() == []
        assert rows.execute("PRAGMA foreign_key_check").fetchall() == []


def test_an_old_home_can_be_backed_up_and_restored(opened: tuple[Console, dict[str, Any]]) -> None:
    """The encrypted table comes along, the erased one stays erased."""
    console, _ = opened
    taken = console.do("backup", "old.tar")
    assert taken["damaged"] == []
    console.close()
    console._zygote = None
    shutil.rmtree(console.home)
    assert console.do("restore", "old.tar")["findings"] == []
    assert console.do("ledger", "check", "--against", "receipt.json")["ok"]
