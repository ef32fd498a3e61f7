"""What pages show that the demonstration does not hold: rows put aside, a next version, batches, a held release and,
where `screenshots` started a PostgreSQL, a database with feeds. Told the home, and where the database is.
"""

# ruff: noqa: E402 — the home is opened before the rooms can be read
from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shudu.cli.house import open_home

open_home(Path(sys.argv[1]))

from shudu.agreements import actions as agreements
from shudu.agreements.types import DraftOffer
from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishModel, PublishTable, PublishVersion, Reading
from shudu.cli.demonstration.parties import CAST
from shudu.collect import actions as collect
from shudu.collect import queries, received
from shudu.collect.types import AddSource, BatchHeader, OpenFeed, Rule, Survey
from shudu.exchange import actions as exchange
from shudu.exchange.types import PlaceOrder
from shudu.identity import queries as identity
from shudu.lake.types import Mode
from shudu.policy.types import Conflict, Invalid
from shudu.runs import worker

EXAMPLE = Path(__file__).parents[1] / "docs" / "example"
FIRST = "编号,站点,读数\n1,武侯,3\n2,青羊,4\n3\n4,成华,5,6\n"
NEXT = "编号,站点,读数\n2,青羊,40\n5,锦江,7\n"
MORE = "编号,站点,读数\n6,锦江,5\n7,成华,6\n"
provider, modeller, buyer = (
    identity.actor_for(identity.resolve(CAST[who].code).id) for who in ("provider", "modeller", "retailer")
)


def versions(folder: Path) -> None:
    """A table read with two rows put aside, its next version, then a batch for it and one that is refused."""
    file = folder / "readings.csv"
    file.write_text(FIRST, "utf-8")
    told = PublishTable(
        source=file, title="站点读数", title_en="Station readings", key="编号", reading=Reading(tolerant=True)
    )
    table = catalog.publish(provider, told)
    file.write_text(NEXT, "utf-8")
    catalog.publish_version(provider, PublishVersion(asset=table.id, source=file, mode=Mode.UPSERT))
    file.write_text(MORE, "utf-8")
    collect.accept_batch(provider, header(file, table.code, "2026-03-02-1"), file)
    try:
        collect.accept_batch(provider, header(file, table.code, "2026-03-02-2", record_count=3), file)
    except (Invalid, Conflict):
        return
    raise AssertionError("a batch with too few rows was accepted")


def header(file: Path, code: str, number: str, **other: Any) -> BatchHeader:
    size, _, sm3 = received.digests(file, sm3=True)
    collection = {
        "channel": "administrative", "duty": "空气质量监测", "matter": "站点读数上报", "department": "锦官市生态环境局",
        "obtainable_by_sharing": False, "form_version": "2026-1", "frequency": "4",
    }  # fmt: skip
    told = {
        "batch_id": number, "source_id": "station-7", "catalog_code": code, "schema_version": 1, "record_count": 2,
        "bytes": size, "sm3": sm3, "period_from": "2026-02-01", "period_to": "2026-02-28",
        "collected_at": "2026-03-01T08:00:00Z", "submitted_by": provider.party,
        "legal_basis": "《成都市公共数据管理应用规定》", "class_level": "L2", "collection": collection,
    }  # fmt: skip
    return BatchHeader.model_validate({**told, **other})


def held() -> None:
    """A run whose terms ask the data's owner to look at its result."""
    told = PublishTable(source=EXAMPLE / "customers.csv", title="社区客户", title_en="Customers", key="customer_no")
    data = catalog.publish(provider, told)
    scores = PublishModel(source=EXAMPLE / "scorecard.json", title="在网评分", inputs=("tenure", "contract"))
    model = catalog.publish_model(modeller, scores)
    offer = agreements.draft(
        provider,
        DraftOffer(
            data=data.id, model=model.id, group_by=("contract",), purposes=["research"], bases=["contract"], runs=9,
            until="2035-12-31", price_fen=100, split={"provider": 60, "modeller": 30, "platform": 10}, review=True,
        ),
    )  # fmt: skip
    for owner in (provider, modeller):
        agreements.accept(owner, offer.id)
    order = exchange.place(buyer, PlaceOrder(offer=offer.id, purpose="research"))
    worker.settle(exchange.start_run(buyer, order.id).id)
    agreements.withdraw(provider, offer.id)


def feeds(host: str) -> None:
    """A database that was looked at, a feed that went well and one whose table is not there."""
    where = {"kind": "postgresql", "host": host, "database": "city", "user": "reader", "tls": "off"}
    source = collect.add_source(provider, AddSource(name="业务库", **where)).id
    for told in (Survey(), Survey(table="public.clients")):
        collect.survey(provider, source, told)
        worker.settle(queries.surveyed(queries.source(provider, source), told.table).run.id)
    for title, table in {"来源客户": "public.clients", "来源账单": "public.bills"}.items():
        rule = Rule(mode="upsert", watermark="changed", every_minutes=1440)
        made = collect.open_feed(provider, OpenFeed(source=source, table=table, title=title, key="id", rule=rule))
        worker.settle(made.run)


with TemporaryDirectory() as made:
    versions(Path(made))
held()
if len(sys.argv) > 2:
    feeds(sys.argv[2])
