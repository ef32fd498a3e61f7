"""The main job by hand, from a clean home: a model earns on data its buyer never sees."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from pathlib import Path

import pytest

from journeys.console import BUYER, EXAMPLE, MODELLER, PROVIDER, Console
from journeys.outsider import audit_home

PRICE = 120_001  # fen


@pytest.fixture
def traded(console: Console) -> tuple[Console, str, str]:
    """A home in which an order stands, with its id and the operator's party."""
    operator = console.do("init")["id"]
    console.register()
    console.do("accounts", "deposit", BUYER, "--yuan", "5000")
    return console, console.order(console.live_offer()), operator


def expected_groups() -> dict[str, tuple[int, float]]:
    """Entities and mean score by contract, from the file and the scorecard by hand, sharing no code with Shudu."""
    card = json.loads((EXAMPLE / "scorecard.json").read_text("utf-8"))
    tenure, contract = card["inputs"]
    scores = defaultdict(list)
    with (EXAMPLE / "customers.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            points = tenure["missing"]
            if row["tenure"]:
                months = float(row["tenure"])
                points = next(
                    one["points"]
                    for one in tenure["bins"]
                    if (one["from"] is None or months >= one["from"]) and (one["to"] is None or months < one["to"])
                )
            scores[row["contract"]].append(card["base"] + points + contract["points"][row["contract"]])
    return {name: (len(given), sum(given) / len(given)) for name, given in scores.items()}


def test_from_file_to_receipt(traded: tuple[Console, str, str]) -> None:
    console, order, operator = traded
    assert console.funds(BUYER) == (500_000 - PRICE, PRICE)

    run = console.do("runs", "start", order, "--wait")
    assert run["state"] == "closed"
    assert run["settlement"] == {
        "state": "settled",
        "split_fen": {"provider": 72_001, "modeller": 36_000, "platform": 12_000},
    }
    assert console.funds(BUYER) == (500_000 - PRICE, 0)
    assert [console.funds(org)[0] for org in (PROVIDER, MODELLER, operator)] == [72_001, 36_000, 12_000]

    product = console.folder / "product.csv"
    console.do("results", "download", run["result"], "-o", product)
    with product.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["contract"]: row for row in csv.DictReader(file)}
    expected = expected_groups()
    assert set(rows) == set(expected)
    for name, (entities, mean) in expected.items():
        assert int(rows[name]["entities"]) == entities
        assert float(rows[name]["mean_score"]) == pytest.approx(mean, rel=0.005)  # three significant digits
        assert len(rows[name]["mean_score"].rstrip("0").replace(".", "").lstrip("0")) <= 3

    console.do("receipts", "get", run["id"], "-o", console.folder / "receipt.json")
    console.do("ledger", "key", "-o", console.folder / "log.key")
    verified = console.do("receipts", "verify", "receipt.json", "--key", "log.key", "--product", "product.csv")
    assert verified["ok"] is True
    assert verified["says"]["type"] == "run.closed"
    assert verified["says"]["run"] == run["id"]
    receipt = json.loads((console.folder / "receipt.json").read_text("utf-8"))
    shown = {name: one["value"] for name, one in receipt["disclosures"].items()}
    assert shown["via"] == "worker"
    assert shown["outputs"][0]["files"]["product.csv"] == hashlib.sha256(product.read_bytes()).hexdigest()
    assert {item["agreement"] for item in shown["inputs"]} == set(console.do("orders", "show", order)["agreements"])


def test_verifying_needs_neither_home_nor_keys(traded: tuple[Console, str, str], tmp_path: Path) -> None:
    console, order, _ = traded
    run = console.do("runs", "start", order, "--wait")
    console.do("results", "download", run["result"], "-o", "product.parquet")
    console.do("receipts", "get", run["id"], "-o", "receipt.json")
    console.do("ledger", "key", "-o", "log.key")
    elsewhere = {"SHUDU_HOME": "/nonexistent/home", "HOME": "/nonexistent"}
    words = ("receipts", "verify", "receipt.json", "--key", "log.key", "--product", "product.parquet")
    assert console.say(*words, env=elsewhere).code == 0


def test_flipped_bytes_are_noticed(traded: tuple[Console, str, str]) -> None:
    """In receipt, product and log: a changed byte is false (1) or unreadable (2), never good."""
    console, order, _ = traded
    run = console.do("runs", "start", order, "--wait")
    for words in (
        ("results", "download", run["result"], "-o", "product.csv"),
        ("receipts", "get", run["id"], "-o", "receipt.json"),
        ("ledger", "key", "-o", "log.key"),
    ):
        console.do(*words)
    verify = ("receipts", "verify", "receipt.json", "--key", "log.key", "--product", "product.csv")
    for name in ("receipt.json", "product.csv", "log.key"):
        file = console.folder / name
        whole = file.read_bytes()
        for position in (0, len(whole) // 3, len(whole) // 2, len(whole) - 2):
            file.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            assert console.say(*verify).code in (1, 2), f"{name} at {position}"
        file.write_bytes(whole)
    assert console.say(*verify).code == 0

    assert console.do("ledger", "check")["ok"] is True
    flip_in_log(console.home / "shudu.sqlite3")
    said = console.say("ledger", "check", "--json")
    assert said.code == 1
    assert said.json["findings"]


def flip_in_log(database: Path) -> None:
    """As root would: change one byte of one entry behind the application's back."""
    import sqlite3

    with sqlite3.connect(database) as connection:
        (position, leaf) = connection.execute("SELECT id, leaf FROM ledger_entry ORDER BY id LIMIT 1").fetchone()
        changed = bytes([leaf[0], leaf[1], leaf[2], leaf[3] ^ 1]) + leaf[4:]
        connection.execute("UPDATE ledger_entry SET leaf = ? WHERE id = ?", (changed, position))
    connection.close()


def test_outsiders_recompute_the_ledger(traded: tuple[Console, str, str]) -> None:
    """The root from the tiles and from the entries, by code that shares nothing with `ledger/`."""
    console, order, _ = traded
    console.do("runs", "start", order, "--wait")
    size, root = audit_home(console)
    assert size >= 12
    assert console.do("ledger", "checkpoint")["id"] == root


def test_a_log_cut_short_is_noticed_by_who_kept_a_receipt(traded: tuple[Console, str, str]) -> None:
    """As root, thoroughly: the last entries, their heads, disclosures, outbox rows and hashes are gone."""
    import sqlite3

    console, order, _ = traded
    kept = console.folder / "kept.checkpoint"
    run = console.do("runs", "start", order, "--wait")
    kept.write_text(console.say("ledger", "checkpoint").out, encoding="utf-8")
    console.do("receipts", "get", run["id"], "-o", "receipt.json")
    for file in (kept, "receipt.json"):
        assert console.do("ledger", "check", "--against", file)["ok"] is True
    console.do("orgs", "create", "丁公司", "--code", "91510104123456788F")
    assert console.do("ledger", "check", "--against", kept)["ok"] is True  # it has grown, and that is all
    with sqlite3.connect(console.home / "shudu.sqlite3") as rows:
        heads = [size for (size,) in rows.execute("SELECT size FROM ledger_treehead ORDER BY size")]
        size = heads[len(heads) // 2]
        gone = [one for (one,) in rows.execute('SELECT outbox FROM ledger_entry WHERE "index" >= ?', (size,))]
        rows.execute(
            'DELETE FROM ledger_disclosure WHERE entry_id IN (SELECT id FROM ledger_entry WHERE "index" >= ?)', (size,)
        )
        rows.execute('DELETE FROM ledger_entry WHERE "index" >= ?', (size,))
        rows.execute("DELETE FROM ledger_treehead WHERE size > ?", (size,))
        rows.executemany("DELETE FROM policy_handled WHERE outbox_id = ?", [(one,) for one in gone])
        rows.executemany("DELETE FROM policy_outbox WHERE id = ?", [(one,) for one in gone])
        rows.execute("UPDATE ledger_hashtile SET hashes = substr(hashes, 1, ?) WHERE level = 0", (size * 32,))
    rows.close()
    for file in (kept, "receipt.json"):
        said = console.say("ledger", "check", "--against", file, "--json")
        assert said.code == 1
        assert any(str(heads[-2]) in one["where"] or "checkpoint" in one["where"] for one in said.json["findings"])
