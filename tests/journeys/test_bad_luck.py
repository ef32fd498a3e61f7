"""The unlucky user at the command line: an explained error with what to do, nothing lost, nothing charged."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from journeys.console import BUYER, EXAMPLE, MODELLER, PROVIDER, Console

SECRET = "绝密值8231"  # stands in the provider's rows; no message may ever hold it


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A home with parties, a live offer in `offer.id`, and no money anywhere."""
    console = Console(tmp_path_factory.mktemp("market"))
    console.do("init")
    console.register()
    (console.folder / "offer.id").write_text(console.live_offer())
    yield console
    console.close()


def offer_of(market: Console) -> str:
    return (market.folder / "offer.id").read_text()


TABLES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "publish."),
    "only a header": ("no,name\n", "publish."),
    "ragged": (f"no,name\n1,{SECRET}\n2,b,c\n", "row.width"),
    "unclosed quote": (f'no,name\n1,"{SECRET}\n2,b\n', "row.quotes"),
    "two headers alike": ("no,no\n1,2\n", "publish."),
    "an empty header": ("no,\n1,2\n", "publish."),
    "a spreadsheet": (b"PK\x03\x04" + b"\0" * 60, "publish."),
    "NUL bytes": (b"no,name\n1,\0\n", "row.nul"),
    "a key twice": (f"no,name\n1,{SECRET}\n1,b\n", "publish.key"),
    "a key missing": (f"no,name\n1,{SECRET}\n,b\n", "publish.key"),
    "another key": (f"number,name\n1,{SECRET}\n", "publish.key"),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_cannot_be_published(market: Console, tmp_path: Path, name: str) -> None:
    content, code = TABLES[name]
    file = tmp_path / "file.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    said = market.say("publish", file, "--owner", PROVIDER, "--title", "t", "--key", "no", "--json")
    assert said.code == 1
    assert said.error.startswith(code), said.out
    assert said.json["error"]["remedy"]["zh"]
    assert said.json["error"]["remedy"]["en"]
    assert SECRET not in said.out + said.err


def test_files_that_are_not_there(market: Console, tmp_path: Path) -> None:
    for file in (tmp_path / "missing.csv", tmp_path):
        assert market.refused("publish", file, "--owner", PROVIDER, "--title", "t").startswith("publish.")
    assert market.refused("models", "publish", tmp_path / "no.json", "--owner", MODELLER, "--inputs", "a") == (
        "model.unreadable"
    )


def changed(change: Callable[[dict[str, Any]], None]) -> str:
    card: dict[str, Any] = json.loads((EXAMPLE / "scorecard.json").read_text("utf-8"))
    change(card)
    return json.dumps(card)


MODELS = {
    "not JSON": ("{", "tenure,contract"),
    "pickle": ("\x80\x04", "tenure,contract"),
    "unknown key": (changed(lambda card: card.update(code="import os")), "tenure,contract"),
    "no model card": (changed(lambda card: card.pop("card")), "tenure,contract"),
    "scores beyond the range": (changed(lambda card: card["output"].update(max=510)), "tenure,contract"),
    "a gap between bins": (changed(lambda card: card["inputs"][0]["bins"][1].update({"from": 7})), "tenure,contract"),
    "inputs not declared": ((EXAMPLE / "scorecard.json").read_text("utf-8"), "tenure"),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_that_cannot_be_published(market: Console, tmp_path: Path, name: str) -> None:
    content, inputs = MODELS[name]
    (tmp_path / "model.json").write_text(content, encoding="latin-1" if name == "pickle" else "utf-8")
    code = market.refused("models", "publish", tmp_path / "model.json", "--owner", MODELLER, "--inputs", inputs)
    assert code.split(".")[0] in ("model", "scorecard")


def test_a_scorecard_with_columns_the_table_lacks(market: Console, tmp_path: Path) -> None:
    card = json.loads((EXAMPLE / "scorecard.json").read_text("utf-8"))
    card["inputs"][0]["column"] = "income"
    (tmp_path / "model.json").write_text(json.dumps(card), encoding="utf-8")
    model = market.publish_model(tmp_path / "model.json", "income,contract")
    words = offer_words(market, model=model)
    said = market.say(*words, "--json")
    assert said.code == 1
    assert "income" in said.out


def offer_words(market: Console, model: str = "", **other: str) -> list[str]:
    from itertools import chain

    shown = market.do("offers", "show", offer_of(market), "--as", PROVIDER)
    lines = {line["role"]: line["asset"] for line in shown["lines"]}
    terms = {
        "--data": lines["data"],
        "--model": model or lines["model"],
        "--group-by": "contract",
        "--purpose": "research",
        "--basis": "contract",
        "--runs": "1",
        "--until": "2035-12-31",
        "--price": "10",
        "--split": "provider=60,modeller=30,platform=10",
        **{f"--{name.replace('_', '-')}": value for name, value in other.items()},
    }
    return ["offers", "create", *chain.from_iterable(terms.items())]


@pytest.mark.parametrize(
    ("other", "names"),
    [
        ({"purpose": "spying"}, "spying"),
        ({"basis": "because"}, "because"),
        ({"group_by": "shoe_size"}, "shoe_size"),
        ({"group_by": "customer_no"}, "customer_no"),
        ({"min_group": "3"}, "10"),
        ({"split": "provider=60,modeller=30"}, "platform"),
        ({"split": "provider=60,modeller=30,platform=20"}, "100"),
        ({"price": "12.345"}, "12.345"),
        ({"price": "-1"}, "-1"),
        ({"runs": "0"}, ""),
        ({"until": "2020-01-01"}, ""),
        ({"until": "soon"}, "soon"),
    ],
)
def test_terms_nobody_can_offer(market: Console, other: dict[str, str], names: str) -> None:
    said = market.say(*offer_words(market, **other), "--json")
    assert said.code == 1
    assert names in said.out


def test_parties_without_rights(market: Console) -> None:
    offer = offer_of(market)
    assert market.refused("offers", "accept", offer, "--as", BUYER)
    assert market.refused(*offer_words(market), "--as", BUYER)
    assert market.refused("accounts", "deposit", BUYER, "--yuan", "1", "--as", BUYER).startswith("funds.deposit")
    assert market.refused("orgs", "create", "丁公司", "--code", "91510104123456788F", "--as", BUYER)
    assert market.refused("orders", "place", offer, "--buyer", BUYER, "--as", PROVIDER, "--purpose", "research") == (
        "console.two_parties"
    )
    # The operating company never buys on its own exchange.
    assert market.refused("orders", "place", offer, "--buyer", "数都数据运营有限公司", "--purpose", "research")


def test_codes_that_are_wrong(market: Console) -> None:
    for code in ("91510100MA0000103H", "123", "91510100MA0000103I", "９１５１"):
        assert market.refused("orgs", "create", "戊公司", "--code", code)
    assert market.refused("orgs", "create", "别名", "--code", "91510100MA0000103G") == "identity.code_taken"


def test_an_unaccepted_line_and_a_buyer_without_funds(market: Console) -> None:
    offer = market.do(*offer_words(market))["id"]
    place = ("orders", "place", offer, "--buyer", BUYER, "--purpose", "research")
    assert market.refused(*place)  # nobody accepted
    market.do("offers", "accept", offer, "--as", PROVIDER)
    assert market.refused(*place)  # the modeller has not
    assert market.refused("offers", "accept", offer, "--as", PROVIDER) == "offer.accepted"
    market.do("offers", "accept", offer, "--as", MODELLER)
    said = market.say(*place, "--json")
    assert said.error == "accounts.funds"
    assert "10.00" in said.out  # what it costs
    assert rows(market, "agreements_agreement") == 0  # all or none


def rows(console: Console, table: str) -> int:
    with sqlite3.connect(console.home / "shudu.sqlite3") as connection:
        count: int = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
    connection.close()
    return count


def test_core_data_and_important_data(market: Console) -> None:
    words = ("publish", EXAMPLE / "customers.csv", "--owner", PROVIDER, "--title", "t", "--key", "customer_no")
    assert market.refused(*words, "--level", "L6") == "level.core"
    assert market.refused(*words, "--level", "L9") == "level.unknown"
    important = market.do(*words, "--level", "L5")
    assert important["state"] == "awaiting_review"
    offer = offer_words(market)
    offer[offer.index("--data") + 1] = important["id"]
    assert market.refused(*offer) == "asset.awaiting_review"
    market.do("assets", "review", important["id"], "--opinion", "已按国标审核")
    assert market.do(*offer)["state"] == "drafted"
    stored = b"".join(file.read_bytes() for file in (market.home / "lake").rglob(f"*{important['id']}*/**/*.parquet"))
    assert stored
    assert "按月".encode() not in stored
    assert b"K0001" not in stored


def test_a_home_that_cannot_be(tmp_path: Path) -> None:
    console = Console(tmp_path)
    (tmp_path / "home").write_text("a file, not a folder")
    assert console.refused("orgs", "list") == "home.unusable"


def test_numbers_beyond_measure(market: Console) -> None:
    assert market.refused(*offer_words(market, min_group="9" * 30)) == "offer.min_group"
    assert market.refused(*offer_words(market, runs="9" * 30)) == "offer.runs"
    assert market.refused(*offer_words(market, price="1e1000000")) == "money.amount"


def test_what_is_no_file_or_no_text(market: Console, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", tmp_path):
        assert market.refused("models", "publish", file, "--owner", MODELLER, "--inputs", "a") == "model.unreadable"
    assert market.refused("ledger", "key", "-o", ".") == "file.unwritable"
    assert market.refused("orders", "show", "ord_\udcff") in ("input.encoding", "not_found")


def test_a_lost_ledger_key_costs_no_answer(market: Console, tmp_path: Path) -> None:
    """What was done is said, once; that the ledger has to wait is a warning on the side."""
    keys, away = market.home.with_name("home.keys"), tmp_path / "away"
    away.mkdir()
    for key in keys.glob("ledger-*.key"):
        key.rename(away / key.name)
    try:
        said = market.say("accounts", "deposit", BUYER, "--yuan", "1", "--json")
    finally:
        for key in away.iterdir():
            key.rename(keys / key.name)
    assert said.code == 0
    assert said.json["id"]
    assert "ledger.key" in said.err
    assert market.do("ledger", "check")["ok"]


def test_a_damaged_database_is_said_in_words(tmp_path: Path) -> None:
    console = Console(tmp_path, fresh=True)
    console.do("init")
    (console.home / "shudu.sqlite3").write_bytes(b"no database" * 1000)
    assert console.refused("orgs", "list") == "home.damaged"


def test_nobody_else_reads_the_rows(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    console = Console(tmp_path)
    console.do("init")
    assert (console.home / "shudu.sqlite3").stat().st_mode & 0o077 == 0


def test_the_ends_of_the_calendar(market: Console) -> None:
    asset = market.publish()
    for day, count in (("0001-01-01", 0), ("9999-12-31", 1), ("9999-12-31T23:59:59", 1)):
        assert len(market.do("assets", "versions", asset, "--at", day)["versions"]) == count, day
