"""The house on PostgreSQL: the main job, and what must hold when many write at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from journeys.console import BUYER, EXAMPLE, PROVIDER, Console
from shudu.config.database import database

from .conftest import Server


class Market(Console):
    """A person at the command line of a home whose rows lie in a server; the main job up to a live offer."""

    offer_id: str
    ids: dict[str, str]

    def race(self, *words: object) -> Any:
        program = Path(__file__).with_name("races.py")
        done = subprocess.run(
            [sys.executable, str(program), *map(str, words)], env=self.env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def market(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    made = Market(tmp_path_factory.mktemp("market"))
    made.env["SHUDU_DATABASE_URL"] = server.database("shudu")
    made.do("init")
    (made.home / "shudu.sqlite3").touch()  # only so that `Console` forks: nothing is ever written there
    made.register()
    made.ids = {row["name"]: row["id"] for row in made.do("orgs", "list")["organisations"]}
    made.do("accounts", "deposit", BUYER, "--yuan", "6000.05")
    made.offer_id = made.live_offer(runs=5, purpose="research,statistics")
    yield made
    made.close()


def test_the_main_job(market: Market, tmp_path: Path) -> None:
    order = market.do("orders", "place", market.offer_id, "--buyer", BUYER, "--purpose", "research")
    run = market.do("runs", "start", order["id"], "--wait")
    assert run["state"] == "closed"
    assert run["settlement"]["state"] == "settled"
    product, receipt, key = (tmp_path / name for name in ("product.csv", "receipt.json", "key"))
    market.do("results", "download", run["result"], "--output", product)
    market.do("receipts", "get", run["id"], "--output", receipt)
    market.do("ledger", "key", "--output", key)
    assert market.say("receipts", "verify", receipt, "--key", key, "--product", product, "--json").code == 0
    assert market.do("ledger", "check")["ok"] is True
    assert len(market.do("assets", "list", "--as", PROVIDER)["assets"]) >= 2
    assert (market.home / "shudu.sqlite3").stat().st_size == 0, "no row lies in the home"


def test_orders_at_once_never_spend_what_is_not_there(market: Market) -> None:
    """Four prices are left; eight buy at once."""
    told = market.race("reserve", market.ids[BUYER], market.offer_id)
    assert told["answers"] == {"Order": 3, "accounts.funds": 5} or told["answers"] == {"Order": 4, "accounts.funds": 4}
    assert 0 <= told["left"] < 120_001
    assert told["drift"] == {}
    assert set(told["books"].values()) == {0}


def test_one_key_at_once_does_the_thing_once(market: Market) -> None:
    market.do("accounts", "deposit", BUYER, "--yuan", "20000")
    told = market.race("idempotent", market.ids[BUYER], market.offer_id)
    assert told["made"] == 1
    refused = told["answers"].pop("idempotency.reused")
    ((order, same),) = told["answers"].items()
    assert order.startswith("ord_")
    # Whichever came first, six ask for research and two for statistics.
    assert (same, refused) in {(6, 2), (2, 6)}


def test_codes_given_at_once_are_different(market: Market) -> None:
    told = market.race("publish", market.ids[PROVIDER], EXAMPLE / "customers.csv")
    assert told["assets"] == told["codes"] >= 9


def test_places_in_the_log_given_at_once(market: Market) -> None:
    operator = next(one for name, one in market.ids.items() if "运营" in name)
    told = market.race("sequence", operator)
    assert (told["unsequenced"], told["undelivered"]) == (0, 0)
    assert told["entries"] == told["outbox"] == told["size"]
    assert told["heads_once"]
    assert told["handled_once"]
    assert told["findings"] == []
    assert told["vendor"] == "postgresql"


def test_what_does_not_fit_is_said_in_words(market: Market) -> None:
    assert market.refused("orders", "place", market.offer_id, "--buyer", BUYER, "--purpose", "x" * 41) == "input"
    key = "k" * 300
    words = ("accounts", "deposit", BUYER, "--yuan", "1", "--idempotency-key", key)
    assert market.refused(*words) == "input.size"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://x/y",
        "postgresql://host",
        "postgresql://host/",
        "postgresql://h/a/b",
        "postgresql://h/a?options=-c",
        "x",
    ],
)
def test_a_url_that_names_no_database_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="not a PostgreSQL URL"):
        database(url, Path("/nowhere"))
    env = {**os.environ, "SHUDU_DATABASE_URL": url, "SHUDU_HOME": "/nowhere", "SHUDU_KEYS": "/nowhere.keys"}
    words = [sys.executable, "-c", "from shudu.config.options import load; load()"]
    said = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "database_url" in said.stderr
    assert url not in said.stderr or len(url) < 3


def test_a_url_in_full(tmp_path: Path) -> None:
    made = database("postgresql://us%40er:p%2Fw@db.example.cn:5433/rows?sslmode=verify-full", tmp_path)
    assert (made["USER"], made["PASSWORD"], made["HOST"], made["PORT"]) == ("us@er", "p/w", "db.example.cn", "5433")
    assert (made["NAME"], made["OPTIONS"]["sslmode"]) == ("rows", "verify-full")
