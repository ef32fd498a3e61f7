"""A release that a program cannot judge waits for the data's owner; the buyer learns nothing of why."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shudu.accounts import actions as accounts
from shudu.accounts import queries as balances
from shudu.cases import queries as cases
from shudu.catalog import actions as catalog
from shudu.catalog import queries as assets
from shudu.catalog.types import PublishTable
from shudu.cleanroom import actions, handlers, queries
from shudu.exchange import actions as exchange
from shudu.exchange import queries as orders
from shudu.exchange.types import PlaceOrder
from shudu.lake import queries as lake
from shudu.policy.models import Outbox
from shudu.policy.types import Actor, Conflict, Invalid, NotFound, Refused
from shudu.runs import actions as run_actions
from shudu.runs import queries as runs
from shudu.runs.models import Run
from shudu.runs.worker import Worker, sweep
from unit.agreements.conftest import Market, market
from unit.cleanroom.conftest import HouseRules

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)
PRICE = 50_000


@dataclass
class Held:
    """A market whose scorecard gives its points to one customer of sixty: what is released would tell of that one."""

    market: Market
    order: str
    run: str

    def again(self) -> Run:
        work()
        return runs.run_row(self.run)


def work() -> None:
    worker = Worker()
    while worker.tick():
        pass


def available(actor: Actor) -> int:
    return balances.balance(actor.party, "CNY.fen").available


@pytest.fixture
def held(market: Market, tmp_path: Path) -> Held:
    table = tmp_path / "rare.csv"
    rows = [f"C{number:04d},{5 if number == 30 else 40},{'东' if number % 2 else '西'}区" for number in range(60)]
    table.write_text("\n".join(["customer_no,tenure,region", *rows]) + "\n", encoding="utf-8")
    market.data = catalog.publish(market.provider, PublishTable(source=table, title="客户", key="customer_no")).id
    accounts.deposit(market.operator, market.buyer.party, 10 * PRICE)
    order = exchange.place(market.buyer, PlaceOrder(offer=market.live().id, purpose="research")).id
    run = exchange.start_run(market.buyer, order).id
    work()
    return Held(market, order, run)


def test_what_a_program_cannot_judge_waits_and_stays_reserved(held: Held, home: Path) -> None:
    run = runs.run_row(held.run)
    assert (run.state, orders.state(held.order)) == ("held", "running")
    assert available(held.market.buyer) == 9 * PRICE
    assert runs.output_of(held.run) is None
    assert runs.checks(held.market.buyer, run) == []
    waiting = list(queries.held(held.market.provider))
    assert [(row.run, row.held_for) for row in waiting] == [(held.run, ["singled_out"])]
    assert "singled_out" in {check["name"] for check in queries.checks(waiting[0]) if not check["ok"]}
    # The evidence lies with the data, not with the result, and is not readable in the home.
    path = home / waiting[0].evidence["file"]["path"]
    assert held.market.provider.party in str(path)
    assert b"singled_out" not in path.read_bytes()
    assert not [gone for gone in sweep() if gone in (waiting[0].evidence["file"]["path"],)]
    assert queries.held_file(waiting[0], "product.csv").startswith(b"region,is_remainder,entities,mean_score\n")


def test_approved_exactly_those_bytes_leave_and_the_receipt_says_by_whom(held: Held) -> None:
    row = queries.release(held.market.provider, held.run)
    content = queries.held_file(row, "product.csv")
    actions.approve(held.market.provider, held.run, "人数与地域均为公开信息。")
    run = held.again()
    assert run.state == "closed", run.error
    assert orders.state(held.order) == "settled"
    output = runs.output_of(held.run)
    assert output is not None
    version = assets.version_row(output.version)
    file = next(file for file in assets.files(version) if file.name == "product.csv")
    assert lake.store().read_file(file, assets.place(version)) == content
    closed = Outbox.objects.get(event="run.closed", subject=held.run).fields
    assert closed["outputs"][0]["files"]["product.csv"] == hashlib.sha256(content).hexdigest()
    assert closed["decision"]["by"] == held.market.provider.party
    assert closed["decision"]["held_for"] == ["singled_out"]
    opinion = hashlib.sha256("人数与地域均为公开信息。".encode()).hexdigest()
    assert closed["decision"]["opinion_sha256"] == opinion
    decided = Outbox.objects.get(event="release.decided").fields
    assert (decided["decision"], decided["opinion_sha256"]) == ("approved", opinion)
    assert "公开信息" not in json.dumps([row.fields for row in Outbox.objects.all()], ensure_ascii=False)
    assert [step.transition for step in cases.history(held.run, "release")] == ["approve"]
    assert not queries.held(held.market.provider)


def test_refused_the_buyer_gets_its_money_back_and_one_code(held: Held) -> None:
    actions.refuse(held.market.provider, held.run, "一人可被认出。")
    run = held.again()
    assert (run.state, run.error["code"]) == ("failed", "release.withheld")
    assert available(held.market.buyer) == 10 * PRICE
    assert orders.state(held.order) == "failed"
    with pytest.raises(Conflict):
        actions.approve(held.market.provider, held.run, "改主意了。")


def test_only_the_datas_owner_decides(held: Held) -> None:
    market = held.market
    for actor in (market.buyer, market.modeller, market.operator):
        assert not list(queries.held(actor))
        with pytest.raises(NotFound):
            queries.release(actor, held.run)
        for decide in (actions.approve, actions.refuse):
            with pytest.raises(Refused):
                decide(actor, held.run, "放行")
    with pytest.raises(Invalid):
        actions.approve(market.provider, held.run, "  ")
    assert runs.run_row(held.run).state == "held"


def test_what_nobody_decides_about_lapses_after_thirty_days(held: Held, clock: Any) -> None:
    clock.advance(days=29)
    handlers.lapse_held()
    assert runs.run_row(held.run).state == "held"
    clock.advance(days=2)
    with pytest.raises(Conflict, match=r"release\.lapsed"):
        actions.approve(held.market.provider, held.run, "太晚")
    handlers.lapse_held()
    handlers.lapse_held()
    run = held.again()
    assert (run.state, run.error["code"]) == ("failed", "release.withheld")
    assert available(held.market.buyer) == 10 * PRICE
    assert cases.state(held.run, "release") == "lapsed"


def test_an_approval_holds_thirty_days(held: Held, clock: Any) -> None:
    actions.approve(held.market.provider, held.run, "可以。")
    clock.advance(days=31)
    assert held.again().error["code"] == "release.withheld"


def test_files_that_are_not_those_approved_do_not_leave(held: Held, home: Path) -> None:
    file = runs.run_row(held.run).done["compute"]["files"][0]
    path = home / file["path"]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b"x")
    actions.approve(held.market.provider, held.run, "可以。")
    assert held.again().state == "failed"


def test_suppression_and_refusal_look_alike(market: Market, tmp_path: Path) -> None:
    """Whatever rule lets nothing out, buyer and modeller see one code and no checks; the owner sees which it was."""
    accounts.deposit(market.operator, market.buyer.party, 10 * PRICE)
    said = []
    for changes in ({"min_group": 100}, {"group_by": ("region",), "min_group": 61}):
        order = exchange.place(market.buyer, PlaceOrder(offer=market.live(**changes).id, purpose="research")).id
        run = exchange.start_run(market.buyer, order).id
        work()
        row = runs.run_row(run)
        said.append((row.state, row.error))
        assert runs.checks(market.buyer, row) == runs.checks(market.modeller, row) == []
        assert runs.checks(market.provider, row)[-1]["name"] == "too_few"
        assert queries.checks(queries.release_row(run)) == runs.checks(market.provider, row)
    assert said[0] == said[1]
    assert said[0][1]["code"] == "release.withheld"


def test_so_many_releases_a_day(market: Market, house_rules: HouseRules, clock: Any) -> None:
    """Of all who have a say one: the modeller, whose model is run."""
    house_rules(f"[owner.{market.modeller.party}]\nreleases_per_day = 1\n")
    accounts.deposit(market.operator, market.buyer.party, 10 * PRICE)
    order = exchange.place(market.buyer, PlaceOrder(offer=market.live().id, purpose="research")).id
    ended = []
    for _ in range(2):
        run = exchange.start_run(market.buyer, order).id
        work()
        ended.append(runs.run_row(run).error.get("code"))
    clock.advance(days=1)
    run = exchange.start_run(market.buyer, order).id
    work()
    assert [*ended, runs.run_row(run).error.get("code")] == [None, "release.daily_cap", None]


def test_a_held_run_cannot_be_taken_or_resumed_by_the_way(held: Held) -> None:
    assert Worker()._claim(held.run) is None
    with pytest.raises(RuntimeError):
        run_actions.resume(held.run)
