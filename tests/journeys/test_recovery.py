"""The home is lost and comes back: what was backed up is there, what was erased is not, and receipts still hold."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from journeys.console import BUYER, EXAMPLE, PROVIDER, Console

PRICE = 120_001


def digests(home: Path) -> dict[str, str]:
    lake = home / "lake"
    there = [path for path in lake.rglob("*") if path.is_file() and ".staging" not in path.parts]
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in there}


def rows(home: Path, sql: str) -> list[Any]:
    with sqlite3.connect(home / "shudu.sqlite3") as database:
        return database.execute(sql).fetchall()


def first_entry(home: Path) -> dict[str, Any]:
    """The fields of the present log's first entry, as its holder can open them."""
    [(fields,)] = rows(
        home,
        "SELECT fields FROM ledger_disclosure JOIN ledger_entry ON id = entry_id"
        " WHERE log_id = (SELECT max(id) FROM ledger_log) AND `index` = 0",
    )
    return {name: one["value"] for name, one in json.loads(fields).items()}


def test_lost_and_restored(console: Console) -> None:
    name = "backup.tar"
    console.do("init")
    console.register()
    console.do("accounts", "deposit", BUYER, "--yuan", "5000")
    order = console.order(console.live_offer(runs=3))
    run = console.do("runs", "start", order, "--wait")
    console.do("receipts", "get", run["id"], "-o", "receipt.json")
    console.do("results", "download", run["result"], "-o", "product.csv")
    console.do("ledger", "key", "-o", "old.key")
    secret = console.do("publish", EXAMPLE / "customers.csv", "--owner", PROVIDER, "--title", "密", "--level", "L3")
    before, funds = digests(console.home), console.funds(BUYER)
    taken = console.do("backup", name)
    assert taken["signed"]
    assert taken["damaged"] == []
    assert not list(console.folder.glob(".backup*"))

    # Life goes on, and what it leaves is lost, but for what others hold: a checkpoint, and the note of an erasure.
    again = console.do("runs", "start", order, "--wait")
    console.do("assets", "erase", secret["version"], "--as", PROVIDER)
    (console.folder / "held.txt").write_text(console.say("ledger", "checkpoint").out)
    console.close()
    console._zygote = None
    shutil.rmtree(console.home)

    restored = console.do("restore", name, "--checkpoint", "held.txt")
    assert restored["erased"] == [secret["version"]]
    assert restored["findings"] == []
    gone = {path for path in before if secret["version"] in path}
    assert gone
    assert digests(console.home) == {path: digest for path, digest in before.items() if path not in gone}
    assert rows(console.home, f"SELECT wrapped FROM lake_datakey WHERE version = '{secret['version']}'") == [("",)]
    assert console.do("assets", "show", secret["id"], "--as", PROVIDER)["version"] is None

    opening = first_entry(console.home)
    assert opening["pins"] == (console.folder / "held.txt").read_text()
    assert opening["origin"] == restored["origin"] != (console.folder / "old.key").read_text().split("+")[0]
    assert console.do("ledger", "check", "--against", "receipt.json")["ok"]
    verified = console.do("receipts", "verify", "receipt.json", "--key", "old.key", "--product", "product.csv")
    assert verified["says"]["run"] == run["id"]
    # The old log ends where the backup ends, and says so to whoever holds more of it.
    assert console.say("ledger", "check", "--against", "held.txt").code == 1

    assert console.funds(BUYER) == funds
    assert console.say("runs", "show", again["id"], "--json").error == "not_found"
    console.do("results", "download", run["result"], "-o", "again.csv")
    assert (console.folder / "again.csv").read_bytes() == (console.folder / "product.csv").read_bytes()
    third = console.do("runs", "start", order, "--wait")
    assert third["state"] == "closed"
    assert console.funds(BUYER) == (funds[0] - PRICE, 0)
    console.do("receipts", "get", third["id"], "-o", "third.json")
    console.do("ledger", "key", "-o", "new.key")
    assert console.do("receipts", "verify", "third.json", "--key", "new.key")["ok"]
    assert console.do("ledger", "check")["ok"]
    assert console.refused("restore", name) == "restore.not_empty"


def test_a_backup_while_a_worker_works_is_of_one_moment(console: Console) -> None:
    console.do("init")
    console.register()
    console.do("accounts", "deposit", BUYER, "--yuan", "20000")
    offer = console.live_offer(runs=5)
    orders = [console.order(offer) for _ in range(2)]
    worker = subprocess.Popen([sys.executable, "-m", "shudu.cli", "worker"], env=console.env, cwd=console.folder)
    try:
        for number, order in enumerate(orders):
            console.do("runs", "start", order)
            console.do("backup", f"moment-{number}")
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
    console.fresh = True  # what was forked from another home would go on in that one
    keys = {"SHUDU_KEYS": f"{console.home}.keys"}
    for number in range(2):
        home = console.folder / f"again-{number}"
        said = console.say("restore", f"moment-{number}", "--home", home, "--json", env=keys)
        assert said.code == 0, said.out
        assert said.json["findings"] == []
        assert rows(home, "SELECT unit FROM accounts_account GROUP BY unit HAVING sum(balance) <> 0") == []
        waiting = rows(home, "SELECT id FROM runs_run WHERE state = 'queued'")
        assert len(rows(home, "SELECT id FROM runs_run")) == number + 1
        made = rows(home, "SELECT files FROM catalog_version WHERE state <> 'erased'")
        expected = {file["path"]: file["sha256"] for (files,) in made for file in json.loads(files)}
        found = digests(home)
        assert expected.items() <= found.items()
        assert len(found) - len(expected) <= 2 * len(waiting)  # what a run has made and not yet entered
