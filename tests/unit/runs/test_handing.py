"""Rows handed over under an agreement: filtered and masked by it, counted, charged, receipted, and never more."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shudu.accounts import actions as accounts
from shudu.accounts import queries as books
from shudu.agreements import actions as agreements
from shudu.agreements import queries as offers
from shudu.agreements.models import Offer
from shudu.agreements.types import DraftTable, TableRows
from shudu.catalog import actions as catalog
from shudu.catalog import queries as assets
from shudu.catalog.types import PublishTable
from shudu.exchange import actions as exchange
from shudu.exchange import queries as orders
from shudu.exchange.types import PlaceOrder
from shudu.govern import queries as govern
from shudu.lake import queries as lake
from shudu.policy.models import Outbox
from shudu.policy.types import Invalid, NotFound, Refused
from shudu.runs import actions, handing, queries, types
from shudu.runs.models import Run
from shudu.runs.worker import Worker, settle, spread_news
from unit.agreements.conftest import Market, market

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)
PHONES = [f"138{at:08d}" for at in range(12345678, 12345678 + 40)]


@pytest.fixture(params=["L2", "L4"])
def town(market: Market, tmp_path: Path, request: pytest.FixtureRequest) -> Market:
    rows = [f"C{at:03d},{phone},{'东' if at % 2 else '西'},{at},=1+{at}" for at, phone in enumerate(PHONES)]
    table = tmp_path / "people.csv"
    table.write_text("\n".join(["no,手机号,region,tenure,note", *rows]) + "\n", encoding="utf-8")
    asked = PublishTable(source=table, title="居民", key="no", level=request.param)
    market.data = catalog.publish(market.provider, asked).id
    accounts.deposit(market.operator, market.buyer.party, 100_000)
    return market


def offered(town: Market, **changes: Any) -> str:
    given: dict[str, Any] = {
        "data": town.data,
        "purposes": ["research"],
        "bases": ["contract"],
        "runs": 2,
        "until": date(2026, 6, 30),
        "price_fen": 10_000,
    }
    offer = agreements.draft_table(town.provider, DraftTable.model_validate({**given, **changes}))
    return agreements.accept(town.provider, offer.id).id


def ordered(town: Market, **changes: Any) -> str:
    return exchange.place(town.buyer, PlaceOrder(offer=offered(town, **changes), purpose="research")).id


def handed(town: Market, order: str) -> Run:
    run = exchange.start_run(town.buyer, order).id
    worker = Worker()
    while worker.tick():
        pass
    return queries.run_row(run)


def files(run: Run) -> dict[str, bytes]:
    output = queries.output_of(run.id)
    assert output is not None, run.error
    version = assets.version_row(output.version)
    return {file.name: lake.store().read_file(file, assets.place(version)) for file in assets.files(version)}


def test_what_the_agreement_shows_is_all_that_leaves(town: Market) -> None:
    seen = {"where": ["tenure >= 30", "region = 东"], "masks": {"手机号": "mobile"}, "acknowledged_k": 1}
    order = ordered(town, **seen)
    run = handed(town, order)
    given = files(run)
    rows = list(csv.DictReader(io.StringIO(given["product.csv"].decode())))
    assert [row["no"] for row in rows] == ["C031", "C033", "C035", "C037", "C039"]
    assert [row["手机号"] for row in rows] == [f"138****{PHONES[at][-4:]}" for at in (31, 33, 35, 37, 39)]
    assert rows[0]["note"] == "'=1+31", "a spreadsheet must not run it"
    table = pq.read_table(io.BytesIO(given["product.parquet"]))
    assert table.column("tenure").to_pylist() == [31, 33, 35, 37, 39]
    assert table.column("note")[0].as_py() == "=1+31"
    assert not any(phone.encode() in content for phone in PHONES for content in given.values())
    # It keeps its level, costs its price, and its receipt names version, agreement and what was made.
    result = assets.asset_row(queries.output_of(run.id).asset)  # type: ignore[union-attr]
    assert (result.level, result.owner) == (assets.asset_row(town.data).level, town.buyer.party)
    assert books.balance(town.provider.party, "CNY.fen").available == 9_000
    told = json.dumps(Outbox.objects.get(event="run.closed", subject=run.id).fields)
    digests = [hashlib.sha256(content).hexdigest() for content in given.values()]
    assert all(digest in told for digest in digests)
    (item,) = queries.inputs_of(run)
    assert item.agreement == orders.agreements_of(order)[0]
    assert run.meters["rows_out"] == 5
    delivery = actions.deliver(town.buyer, result.id, "product.csv")
    told = json.dumps(Outbox.objects.get(event="run.closed", subject=delivery.id).fields)
    assert digests[list(given).index("product.csv")] in told


def test_what_is_erased_while_it_is_handed_over_leaves_nothing(town: Market) -> None:
    """Between the last step's question and the moment its answer is entered."""
    order, data = ordered(town), assets.latest(town.data)
    assert data is not None
    real = types.kind_of(types.HANDING_OVER)

    def too_late(work: types.Work) -> types.Outcome:
        outcome = handing.close(work)
        catalog.erase(town.provider, data.id)
        return outcome

    types.register_kind(types.RunKind(types.HANDING_OVER, (*real.steps[:2], types.Step("close", too_late))))
    try:
        run = handed(town, order)
    finally:
        types.register_kind(real)
    spread_news()
    assert (run.state, run.error["code"]) == ("failed", "asset.no_version")
    assert queries.output_of(run.id) is None
    assert books.balance(town.buyer.party, "CNY.fen").reserved == 0
    assert run.done["write"]["version"] in str(lake.store().sweep(set(queries.stored_digests()), older_than=0))


def test_personal_data_nobody_spoke_of_is_masked_whole(town: Market) -> None:
    rows = list(csv.DictReader(io.StringIO(files(handed(town, ordered(town)))["product.csv"].decode())))
    assert {row["手机号"] for row in rows} == {"***"}


def test_personal_data_shown_as_it_is_has_to_be_named(town: Market) -> None:
    order = ordered(town, columns=["no", "手机号"], clear=["手机号"], acknowledged_k=1)
    rows = list(csv.DictReader(io.StringIO(files(handed(town, order))["product.csv"].decode())))
    assert [row["手机号"] for row in rows] == PHONES
    assert list(rows[0]) == ["no", "手机号"]


def test_the_quota_ends_and_a_revoked_agreement_hands_nothing_over(town: Market) -> None:
    order = ordered(town)
    assert [handed(town, order).state for _ in range(2)] == ["closed", "closed"]
    with pytest.raises(Refused):
        exchange.start_run(town.buyer, order)
    other = ordered(town)
    run = exchange.start_run(town.buyer, other)
    agreements.revoke(town.provider, orders.agreements_of(other)[0], "breach")
    settle(run.id)
    while spread_news():
        pass
    assert queries.run_row(run.id).state == "failed"
    assert queries.output_of(run.id) is None
    with pytest.raises(Refused):
        exchange.start_run(town.buyer, other)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"columns": ["nobody"]}, "offer.columns"),
        ({"columns": ["no"], "masks": {"region": "whole"}}, "offer.masked"),
        ({"masks": {"region": "whole"}, "clear": ["region"]}, "offer.masked"),
        ({"where": ["手机号 = 1"]}, "rows.identifier"),
        ({"until": date(2020, 1, 1)}, "offer.until"),
        ({"runs": 0}, "offer.runs"),
    ],
)
def test_an_offer_that_cannot_be(town: Market, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        offered(town, **changes)
    assert caught.value.code == code


def test_only_its_owner_offers_its_rows(town: Market) -> None:
    given = {"data": town.data, "purposes": ["research"], "bases": ["contract"], "runs": 1, "price_fen": 0}
    asked = DraftTable.model_validate({**given, "until": date(2026, 6, 30)})
    with pytest.raises(Refused):
        agreements.draft_table(town.operator, asked)


def test_rows_that_set_people_apart_are_offered_only_by_who_says_so(town: Market) -> None:
    shown = {"columns": ["手机号", "region", "tenure"], "masks": {"手机号": "mobile"}}
    with pytest.raises(Refused) as caught:
        offered(town, **shown)
    assert caught.value.code == "offer.anonymity"
    found = govern.anonymity(town.provider, TableRows(data=town.data, **shown))
    assert found.quasi == ("手机号", "region")
    assert (found.found.k, found.found.records, found.found.below_controlled) == (1, 40, 40)
    assert [(step.column, step.mask, step.k) for step in found.steps] == [("手机号", "whole", 20)]
    assert offered(town, **shown, acknowledged_k=1)
    with pytest.raises(Refused):
        offered(town, **shown, acknowledged_k=2)
    assert offered(town, **{**shown, "masks": {"手机号": "whole"}})
    # Harmless columns come to the suggested ones; leaving one of those out stays on the offer and on record.
    with pytest.raises(Refused):
        offered(town, **shown, quasi=["tenure"])
    with pytest.raises(Refused):
        offered(town, **shown, quasi=["tenure"], not_quasi=["tenure", "no"])
    avoided = Offer.objects.get(pk=offered(town, **shown, not_quasi=["手机号", "tenure"]))
    kept = {"quasi": ["region"], "left_out": ["手机号"], "k": 20, "least": 5, "acknowledged": False}
    assert avoided.anonymity == kept
    assert Outbox.objects.get(event="offer.drafted", subject=avoided.id).fields["anonymity"] == kept
    for actor, sees in ((town.provider, True), (town.operator, True), (town.buyer, False), (town.modeller, False)):
        assert offers.anonymity_of(actor, avoided) == (kept if sees else None)
    # By columns of one's own choice, over the rows that would leave; and for nobody but the owner.
    chosen = TableRows(data=town.data, quasi=("tenure",), where=["tenure < 10"])  # type: ignore[arg-type]
    assert (
        govern.anonymity(town.provider, chosen).found.records,
        len(govern.anonymity(town.provider, chosen).steps),
    ) == (10, 1)
    for other in (town.buyer, town.modeller):
        with pytest.raises((Refused, NotFound)):
            govern.anonymity(other, chosen)


def test_columns_that_name_people_are_counted_by_whatever_is_said_of_them(market: Market, tmp_path: Path) -> None:
    table = tmp_path / "named.csv"
    rows = [f"{phone},{'张王李赵'[at % 4]}伟{'一二三四五六七八九十'[at // 4]},东" for at, phone in enumerate(PHONES)]
    table.write_text("\n".join(["手机号,姓名,region", *rows]) + "\n", encoding="utf-8")
    market.data = catalog.publish(market.provider, PublishTable(source=table, title="名册", key="手机号")).id
    for shown in (("手机号",), ("姓名",), ("手机号", "姓名")):
        clear: dict[str, Any] = {"columns": [*shown, "region"], "clear": shown}
        for quasi in (None, [], ["region"]):
            with pytest.raises(Refused, match=r"offer\.anonymity"):
                offered(market, **clear, quasi=quasi)
        for k in (None, 1):
            with pytest.raises(Invalid, match=r"anonymity\.identifying"):
                offered(market, **clear, quasi=[], not_quasi=shown, acknowledged_k=k)
        assert not Offer.objects.exists()
    with pytest.raises(Refused):
        offered(market, columns=["手机号"], masks={"手机号": "mobile"})
    with pytest.raises(Invalid, match=r"rows\.identifier"):
        offered(market, columns=["region"], where=["姓名 = 张伟一"])
    offer = Offer.objects.get(pk=offered(market, columns=shown, clear=shown, acknowledged_k=1))
    assert (offer.anonymity["quasi"], offer.anonymity["k"]) == (["手机号", "姓名"], 1)
    assert offered(market), "what is found to be personal is masked whole"
