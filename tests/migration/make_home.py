"""Makes the home that tests/migration keeps: run by the release that it is to come from.

    PYTHONPATH=RELEASE/src python tests/migration/make_home.py HOME
    python tests/migration/make_home.py --keep HOME FOLDER

The first writes HOME and HOME.keys with nothing but that release's own code: three parties, a table, an encrypted one,
an erased one, a model, an offer, a deposit, a token, an order whose run is settled and one that waits. The second turns
both into FOLDER, which is committed: the rows as SQL, each file as it is. The keys in it open this home only.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from datetime import date
from pathlib import Path

CARD = {
    "format": "shudu-scorecard/1",
    "name": "流失评分卡",
    "base": 500,
    "inputs": [
        {
            "column": "tenure",
            "kind": "number",
            "bins": [{"from": None, "to": 12, "points": 40}, {"from": 12, "to": None, "points": 0}],
            "missing": 0,
        }
    ],
    "output": {"name": "score", "min": 0, "max": 1000},
    "card": {"task": "流失", "trained_on": "合成", "intended_use": "测试", "limits": "无", "contact": "x@example.org"},
}


def make(home: Path) -> None:
    os.environ.update(SHUDU_HOME=str(home), SHUDU_KEYS=f"{home}.keys")
    from shudu.cli.house import open_home

    open_home(home, base_iri="https://data.example.org")
    from shudu.accounts import actions as accounts
    from shudu.agreements import actions as agreements
    from shudu.agreements.types import DraftOffer
    from shudu.catalog import actions as catalog
    from shudu.catalog import queries as assets
    from shudu.catalog.types import PublishModel, PublishTable
    from shudu.exchange import actions as exchange
    from shudu.exchange.types import PlaceOrder
    from shudu.identity import actions as parties
    from shudu.identity import queries as identity
    from shudu.identity.types import CreateParty, IssueToken
    from shudu.ledger import queries as ledger
    from shudu.ledger.types import receipt
    from shudu.policy.events import Event
    from shudu.runs.worker import settle, spread_news

    operator = identity.actor_for(identity.operator().id)
    codes = {"甲数据公司": "91510100MA0000103G", "乙模型公司": "91510100MA000020XN", "丙研究院": "52510100MA00003066"}
    made = [parties.create_party(operator, CreateParty(name=name, code=code)) for name, code in codes.items()]
    provider, modeller, buyer = (identity.actor_for(party.id) for party in made)
    accounts.deposit(operator, buyer.party, 1_000_000)
    parties.issue_token(provider, IssueToken(party=provider.party))

    source = home.with_name("customers.csv")
    lines = [f"C{number:02d},{number % 70},{'东' if number % 2 else '西'}区" for number in range(40)]
    source.write_text("\n".join(["customer_no,tenure,region", *lines]) + "\n", encoding="utf-8")
    card = home.with_name("scorecard.json")
    card.write_text(json.dumps(CARD, ensure_ascii=False), encoding="utf-8")
    table = catalog.publish(provider, PublishTable(source=source, title="客户", key="customer_no"))
    catalog.publish(provider, PublishTable(source=source, title="客户（三级）", key="customer_no", level="L3"))
    gone = catalog.publish(provider, PublishTable(source=source, title="已删除", level="L3"))
    catalog.erase(provider, assets.versions_of(gone.id)[0].id)
    model = catalog.publish_model(modeller, PublishModel(source=card, inputs=("tenure",)))
    offer = agreements.draft(
        provider,
        DraftOffer(
            data=table.id,
            model=model.id,
            group_by=("region",),
            purposes=frozenset({"research"}),
            bases=frozenset({"contract"}),
            runs=3,
            until=date(2099, 12, 31),
            price_fen=120_001,
            split={"provider": 60, "modeller": 30, "platform": 10},
        ),
    )
    agreements.accept(provider, offer.id)
    agreements.accept(modeller, offer.id)
    order = exchange.place(buyer, PlaceOrder(offer=offer.id, purpose="research"))
    run = exchange.start_run(buyer, order.id)
    settle(run.id)
    exchange.place(buyer, PlaceOrder(offer=offer.id, purpose="research"))
    while spread_news():
        pass
    told = receipt.encode(ledger.receipt_for(Event.RUN_CLOSED, run.id))
    home.with_name("receipt.json").write_bytes(told)
    home.with_name("log.key").write_text(ledger.verifier_key() + "\n", encoding="utf-8")
    home.with_name("facts.json").write_text(json.dumps({"order": order.id, "run": run.id, "buyer": buyer.party}) + "\n")


def keep(home: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with closing(sqlite3.connect(home / "shudu.sqlite3")) as rows:
        rows.execute("UPDATE runs_run SET lease_holder = 'kept'")  # the name of a machine is nobody's business
        sql = "\n".join(rows.iterdump())
    folder.mkdir(parents=True)
    (folder / "rows.sql").write_text(sql + "\n", encoding="utf-8")
    for path in sorted((home / "lake").glob("*/*/*/*")):
        if ".staging" not in path.parts:
            target = folder / path.relative_to(home)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    shutil.copytree(f"{home}.keys", folder / "keys")
    (folder / "keys" / "site.secret").unlink(missing_ok=True)
    for name in ("receipt.json", "log.key", "facts.json"):
        shutil.copyfile(home.with_name(name), folder / name)


if __name__ == "__main__":
    if sys.argv[1] == "--keep":
        keep(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        make(Path(sys.argv[1]))
