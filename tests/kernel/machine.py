"""The whole kernel, driven at random beside a model in dicts, with the books looked at after every operation.

Everything is real but three things. The sandbox's walls are missing (`in_process`). SQLite does not wait for the disk,
as no power is cut here. And time stands still until it is moved: armed, the clock kills whoever looks at it the n-th
time, which is how an operation dies in the middle; every action looks several times within its transaction.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kernel.files import customers, scorecard
from kernel.in_process import InProcess
from kernel.model import ATTEMPTS, FEN, PURPOSE, RUN, Agreement, Asset, Model, Offer, Order, Run
from shudu.accounts import actions as accounts
from shudu.accounts import queries as book
from shudu.agreements import actions as agreements
from shudu.agreements.types import DraftOffer
from shudu.catalog import actions as catalog
from shudu.catalog.models import Version
from shudu.catalog.types import PublishModel, PublishTable
from shudu.cleanroom.sandbox import failure
from shudu.exchange import actions as exchange
from shudu.exchange.types import PlaceOrder
from shudu.identity import actions as parties
from shudu.identity import queries as identity
from shudu.identity.codes import make_uscc
from shudu.identity.types import CreateParty, founder
from shudu.ledger import actions as ledger
from shudu.ledger.integrity import check
from shudu.policy import outbox
from shudu.policy.models import Outbox
from shudu.policy.types import Actor, Role, ShuduError
from shudu.runs import actions as runs
from shudu.runs.models import Run as RunRow
from shudu.runs.models import RunOutput
from shudu.runs.worker import Worker

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
TRADE = frozenset({Role.BUYER, Role.MODELLER, Role.PROVIDER})


class Killed(BaseException):
    """The end of a process: nothing catches it, and what has not committed is gone."""


# A function that was called, what it was given, by whom and under which key, and the row that came of it.
Request = tuple[Callable[..., Any], tuple[Any, ...], str, str, str]


def nothing() -> None:
    pass


class Clock:
    """Stands still; armed, it kills at the n-th look."""

    def __init__(self) -> None:
        self.moment = START
        self.left: int | None = None

    def now(self) -> datetime:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Killed
        return self.moment


class World:
    """What all examples share: the files to publish, and the rows and files each of them begins with."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.lake, self.kept = home / "lake", folder / "lake"
        self.files = {"table": customers(folder, 60), "small": customers(folder, 6)}
        self.card = scorecard(folder)
        self.clock = Clock()
        self.before: Callable[[], None] = nothing
        self.rows = sqlite3.connect(":memory:")
        self.model = Model("")
        self.requests: list[Request] = []

    def sandbox(self) -> InProcess:
        return InProcess(lambda: self.before())

    def found(self) -> None:
        """The operating company, the log, three parties, and an offer between two of them that is live."""
        operator = parties.create_operator(founder(), CreateParty(name="锦水数据运营有限公司"))
        ledger.open_log(identity.actor_for(operator.id), base_iri="https://data.example.org", software="test")
        self.model = Model(operator.id)
        self.keep()
        first = Kernel()
        first.open_market()
        self.model, self.requests = first.model, first.requests
        self.keep()

    def keep(self) -> None:
        connection.ensure_connection()
        connection.connection.backup(self.rows)
        shutil.rmtree(self.kept, ignore_errors=True)
        if self.lake.exists():
            shutil.copytree(self.lake, self.kept)

    def restore(self) -> None:
        connection.ensure_connection()
        self.rows.backup(connection.connection)
        shutil.rmtree(self.lake, ignore_errors=True)
        if self.kept.exists():
            shutil.copytree(self.kept, self.lake)
        self.clock.moment, self.clock.left, self.before = START, None, nothing


PICK = st.integers(0, 1_000)
# Mostly whoever may; of every eight, one is somebody else.
WHO = st.integers(0, 7)
# Mostly nobody dies.
LOOKS = st.one_of(st.none(), st.none(), st.none(), st.integers(0, 12))
MANNERS = ("well", "well", "well", "broken", "unforeseen", "slow", "overtaken", "killed")

GOING: dict[str, Any] = {"pick": PICK, "manner": st.sampled_from(MANNERS), "looks": st.integers(0, 25)}


class Kernel(RuleBasedStateMachine):
    world: ClassVar[World]
    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world.restore()
        self.clock = self.world.clock
        self.model = deepcopy(self.world.model)
        self.requests = list(self.world.requests)

    def open_market(self) -> None:
        for _ in range(3):
            self.add_party(TRADE)
        provider, modeller, buyer = list(self.model.roles)[1:]
        self.give(buyer, 100_000)
        self.put(provider, "table")
        self.put(modeller, "model")
        offer = self.offer(provider, *self.model.assets, price=1_001, count=3, days=30, weights=(60, 30))
        for assigner in (provider, modeller):
            self.agree(assigner, offer)

    # --- doing, and comparing what came of it

    def act(
        self, function: Callable[..., Any], by: str, *given: Any, foretold: str | None, looks: int | None = None
    ) -> Any:
        """Do it under a key of its own; the row that came of it, or None when it was refused as foretold, or died."""
        key = f"key-{len(self.requests)}-{sum(self.seen.values())}"
        refused, row = None, None
        self.clock.left = looks
        try:
            row = function(self.actor(by), *given, idempotency_key=key)
        except ShuduError as error:
            refused = error
        except Killed:
            self.seen[f"{function.__name__} killed"] += 1
            return None
        finally:
            self.clock.left = None
        said = refused.code if refused else None
        assert said == foretold, f"{function.__name__} by {by}: {refused or 'allowed'}, foretold {foretold}"
        self.seen[f"{function.__name__} refused" if refused else function.__name__] += 1
        if row is not None:
            self.requests.append((function, given, by, key, row.pk))
        return row

    def actor(self, party: str) -> Actor:
        return Actor(party, frozenset(Role(role) for role in self.model.roles[party]))

    def choose(self, known: Any, pick: int) -> Any:
        there = list(known)
        return there[pick % len(there)]

    def likely(self, ways: list[Any], pick: int, who: int) -> Any:
        """Mostly something that would succeed, else None: then anything."""
        return self.choose(ways, pick) if ways and who else None

    def somebody(self, pick: int, who: int, right: str) -> str:
        return right if who else str(self.choose(self.model.roles, pick))

    # --- parties and funds

    def add_party(self, roles: frozenset[Role], looks: int | None = None) -> None:
        serial = len(self.model.roles)
        order = CreateParty(name=f"第{serial}号", code=make_uscc("510100", f"MA{serial:06d}"), roles=roles)
        row = self.act(parties.create_party, self.model.operator, order, foretold=None, looks=looks)
        if row is not None:
            self.model.roles[row.id] = frozenset(role.value for role in roles)
            self.model.events["party.created"] += 1

    @precondition(lambda self: len(self.model.roles) < 8)
    @rule(roles=st.sets(st.sampled_from(sorted(TRADE)), min_size=1), looks=LOOKS)
    def register(self, roles: set[Role], looks: int | None) -> None:
        self.add_party(frozenset(roles), looks)

    def give(self, party: str, fen: int, by: str = "", looks: int | None = None) -> None:
        by = by or self.model.operator
        foretold = None if by == self.model.operator else "funds.deposit.role"
        if self.act(accounts.deposit, by, party, fen, foretold=foretold, looks=looks):
            self.model.move(FEN, fen, (party, "issued"), (party, "available"))
            self.model.events["funds.deposited"] += 1

    @rule(pick=PICK, fen=st.integers(1, 5_000), who=WHO, looks=LOOKS)
    def deposit(self, pick: int, fen: int, who: int, looks: int | None) -> None:
        self.give(self.choose(self.model.roles, pick), fen, self.somebody(pick, who, self.model.operator), looks)

    # --- assets

    def put(self, owner: str, kind: str, looks: int | None = None) -> None:
        needed = "modeller" if kind == "model" else "provider"
        foretold = (
            None if needed in self.model.roles[owner] else f"{'model' if kind == 'model' else 'asset'}.publish.role"
        )
        if kind == "model":
            request: Any = PublishModel(source=self.world.card, inputs=("tenure",))
            row = self.act(catalog.publish_model, owner, request, foretold=foretold, looks=looks)
        else:
            request = PublishTable(source=self.world.files[kind], title="客户", key="customer_no")
            row = self.act(catalog.publish, owner, request, foretold=foretold, looks=looks)
        if row is not None:
            self.model.assets[row.id] = Asset(owner, kind, Version.objects.get(binding__asset=row.id).id)
            self.model.events["asset.published"] += 1

    @precondition(lambda self: len(self.model.assets) < 12)
    @rule(pick=PICK, kind=st.sampled_from(["table", "small", "model"]), looks=LOOKS)
    def publish(self, pick: int, kind: str, looks: int | None) -> None:
        self.put(self.choose(self.model.roles, pick), kind, looks)

    @precondition(lambda self: len(self.model.assets) > 3)
    @rule(pick=PICK, who=WHO, erase=st.booleans(), looks=LOOKS)
    def retire(self, pick: int, who: int, erase: bool, looks: int | None) -> None:
        """An owner takes its version out of use."""
        asset = self.choose(self.model.assets.values(), pick)
        by = self.somebody(pick, who, asset.owner)
        foretold = None if by == asset.owner else "asset.erase.owner"
        done = asset.state == "erased" or (asset.state == "withdrawn" and not erase)
        if erase:
            row = self.act(catalog.erase, by, asset.version, foretold=foretold, looks=looks)
        else:
            row = self.act(catalog.withdraw, by, asset.version, "owner", foretold=foretold, looks=looks)
        if row is not None and not done:
            asset.state = "erased" if erase else "withdrawn"
            self.model.events[f"version.{asset.state}"] += 1

    # --- offers

    def offer(
        self,
        by: str,
        data: str,
        model: str,
        *,
        price: int,
        count: int,
        days: int,
        weights: tuple[int, int],
        looks: int | None = None,
    ) -> str | None:
        provider, modeller = weights
        split = {"provider": provider, "modeller": modeller, "platform": 100 - provider - modeller}
        until = (self.clock.moment + timedelta(hours=8, days=days)).date()
        request = DraftOffer(
            data=data,
            model=model,
            group_by=("region",),
            purposes=frozenset({PURPOSE}),
            bases=frozenset({"contract"}),
            runs=count,
            until=until,
            price_fen=price,
            split=split,
        )
        row = self.act(agreements.draft, by, request, foretold=self.model.drafting(by, data, model), looks=looks)
        if row is None:
            return None
        self.model.offers[row.id] = Offer(by, data, model, price, count, split, end_of(until))
        self.model.events["offer.drafted"] += 1
        return str(row.id)

    @precondition(lambda self: len(self.model.offers) < 10)
    @rule(
        pick=PICK,
        which=PICK,
        who=WHO,
        price=st.sampled_from([0, 1, 7, 99, 1_000, 3_333]),
        count=st.integers(1, 3),
        days=st.sampled_from([0, 1, 30, 30]),
        provider=st.integers(0, 60),
        modeller=st.integers(0, 40),
        looks=LOOKS,
    )
    def draft(
        self,
        pick: int,
        which: int,
        who: int,
        price: int,
        count: int,
        days: int,
        provider: int,
        modeller: int,
        looks: int | None,
    ) -> None:
        known = self.model.assets.items()
        data = self.choose([name for name, asset in known if asset.kind != "model"], pick)
        model = self.choose([name for name, asset in known if asset.kind == "model"], which)
        by = self.somebody(pick, who, self.model.assets[(data, model)[pick % 2]].owner)
        self.offer(by, data, model, price=price, count=count, days=days, weights=(provider, modeller), looks=looks)

    @precondition(lambda self: len(self.model.offers) < 15)
    @rule(pick=PICK, which=PICK)
    def bring_to_market(self, pick: int, which: int) -> None:
        """An offer that goes live at once, if there is anything to offer."""
        known = [
            (name, asset) for name, asset in self.model.assets.items() if asset.state == "live" and not asset.result
        ]
        tables = [(name, asset.owner) for name, asset in known if asset.kind != "model"]
        models = [(name, asset.owner) for name, asset in known if asset.kind == "model"]
        if tables and models:
            (data, provider), (model, modeller) = self.choose(tables, pick), self.choose(models, which)
            offer = self.offer(provider, data, model, price=pick, count=1 + pick % 3, days=30, weights=(60, 30))
            for assigner in dict.fromkeys((provider, modeller)):
                self.agree(assigner, offer)
        else:
            self.put(list(self.model.roles)[1], "model" if tables else "table")

    def agree(self, by: str, offer_id: str | None, looks: int | None = None) -> None:
        assert offer_id is not None
        offer = self.model.offers[offer_id]
        foretold = self.model.accepting(by, offer, self.clock.moment)
        if self.act(agreements.accept, by, offer_id, foretold=foretold, looks=looks):
            offer.accepted.add(by)
            self.model.events["offer.accepted"] += 1
            if offer.accepted == self.model.assigners(offer):
                offer.state = "live"

    @precondition(lambda self: self.model.offers)
    @rule(pick=PICK, which=PICK, who=WHO, looks=LOOKS)
    def accept(self, pick: int, which: int, who: int, looks: int | None) -> None:
        now = self.clock.moment
        ways = [
            (name, by)
            for name, offer in self.model.offers.items()
            for by in sorted(self.model.assigners(offer))
            if self.model.accepting(by, offer, now) is None
        ]
        offer_id, by = self.likely(ways, pick, who) or (
            self.choose(self.model.offers, pick),
            self.choose(self.model.roles, which),
        )
        self.agree(by, offer_id, looks)

    @precondition(lambda self: len(self.model.offers) > 3)
    @rule(pick=PICK, who=WHO, looks=LOOKS)
    def withdraw(self, pick: int, who: int, looks: int | None) -> None:
        offer_id, offer = self.choose(self.model.offers.items(), pick)
        by = self.somebody(pick, who, self.choose(sorted(self.model.assigners(offer)), pick))
        if self.act(agreements.withdraw, by, offer_id, foretold=self.model.withdrawing(by, offer), looks=looks):
            offer.state = "withdrawn"
            self.model.events["offer.withdrawn"] += 1

    # --- orders and agreements

    @precondition(lambda self: self.model.offers)
    @rule(pick=PICK, which=PICK, who=WHO, purpose=st.sampled_from([PURPOSE] * 7 + ["marketing"]), looks=LOOKS)
    def order(self, pick: int, which: int, who: int, purpose: str, looks: int | None) -> None:
        now = self.clock.moment
        ways = [
            (name, by)
            for name, offer in self.model.offers.items()
            for by in self.model.roles
            if self.model.ordering(by, offer, PURPOSE, now) is None
        ]
        offer_id, by = self.likely(ways, pick, who) or (
            self.choose(self.model.offers, pick),
            self.choose(self.model.roles, which),
        )
        offer = self.model.offers[offer_id]
        foretold = self.model.ordering(by, offer, purpose, now)
        request = PlaceOrder(offer=offer_id, purpose=purpose)
        row = self.act(exchange.place, by, request, foretold=foretold, looks=looks)
        if row is None:
            return
        made = {line.role: line.agreement for line in row.lines.all()}
        for role, asset in (("data", offer.data), ("model", offer.model)):
            owner = self.model.assets[asset].owner
            self.model.agreements[made[role]] = Agreement(owner, by, asset, offer.until, offer.runs)
            self.model.move(RUN, offer.runs, (made[role], "issued"), (made[role], "available"))
        self.model.orders[row.id] = Order(offer_id, by, (made["data"], made["model"]))
        self.model.reserve(self.model.orders[row.id])
        self.model.events.update({"order.placed": 1, "agreement.concluded": 2})

    @precondition(lambda self: len(self.model.agreements) > 2)
    @rule(pick=PICK, who=WHO, looks=LOOKS)
    def revoke(self, pick: int, who: int, looks: int | None) -> None:
        agreement_id, agreement = self.choose(self.model.agreements.items(), pick)
        by = self.somebody(pick, who, agreement.assigner)
        foretold = self.model.revoking(by, agreement)
        if self.act(agreements.revoke, by, agreement_id, "breach", foretold=foretold, looks=looks):
            agreement.revoked = True
            self.model.events["agreement.revoked"] += 1

    # --- runs

    @precondition(lambda self: self.model.orders)
    @rule(pick=PICK, who=WHO, looks=LOOKS)
    def start(self, pick: int, who: int, looks: int | None) -> None:
        now = self.clock.moment
        ways = [
            (name, order.buyer)
            for name, order in self.model.orders.items()
            if self.model.starting(order.buyer, order, now) is None
        ]
        order_id, by = self.likely(ways, pick, who) or (
            self.choose(self.model.orders, pick),
            self.choose(self.model.roles, pick),
        )
        order = self.model.orders[order_id]
        foretold = self.model.starting(by, order, now)
        row = self.act(exchange.start_run, by, order_id, foretold=foretold, looks=looks)
        if row is None:
            return
        if not order.prepaid:
            self.model.reserve(order)
        order.prepaid, order.state = False, "running"
        self.model.runs[row.id] = Run(order_id)
        self.model.events["run.started"] += 1

    @precondition(lambda self: len(self.model.orders) > 1)
    @rule(pick=PICK, who=WHO, looks=LOOKS)
    def cancel(self, pick: int, who: int, looks: int | None) -> None:
        order_id, order = self.choose(self.model.orders.items(), pick)
        by = self.somebody(pick, who, order.buyer)
        if self.act(exchange.cancel, by, order_id, foretold=self.model.cancelling(by, order), looks=looks):
            self.model.cancel(order)

    @precondition(lambda self: any(run.state == "queued" for run in self.model.runs.values()))
    @rule(pick=PICK, manner=st.sampled_from(MANNERS), looks=st.integers(0, 25), news=st.booleans())
    def work(self, pick: int, manner: str, looks: int, news: bool) -> None:
        """A worker takes a waiting run as far as it comes."""
        run_id, run = self.choose([pair for pair in self.model.runs.items() if pair[1].state == "queued"], pick)
        free = run.lease is None or run.lease < self.clock.moment
        worker = Worker()
        if manner == "killed":
            self.clock.left = looks
        self.world.before = {
            "broken": self.break_down,
            "unforeseen": self.stumble,
            "slow": lambda: self.pass_time(LEASE + timedelta(seconds=1)),
            "overtaken": lambda: self.overtake(run_id),
        }.get(manner, nothing)
        outcome = self.foresee(run, manner) if free else None
        try:
            claimed = worker._claim(run_id)
            # Had nobody taken it, the claim would be looked for among others.
            assert (claimed is not None) == free or manner == "killed"
            if claimed is not None:
                worker._carry(claimed)
        except Killed:
            self.seen["worker killed"] += 1
        finally:
            self.clock.left, self.world.before = None, nothing
        if manner == "killed":
            self.observe(run_id)
        elif outcome is not None:
            run.state, run.step, run.attempt, run.lease = outcome
            self.seen[f"worker {manner}: {run.state}"] += 1
            if run.state != "queued":
                self.model.events[f"run.{run.state}"] += 1
                self.adopt(run_id)
        if news:
            self.spread(None)

    def foresee(self, run: Run, manner: str) -> tuple[str, str, int, datetime | None]:
        """State, step, attempt and lease after a worker that dies of nothing has done what it can."""
        order, now, step = self.model.orders[run.order], self.clock.moment, run.step
        attempt, lease = run.attempt + 1, now + LEASE
        while True:
            if attempt > ATTEMPTS or self.model.failing(order, step, now):
                return "failed", "", attempt, lease
            if step == "close":
                return "closed", "", attempt, lease
            if step == "compute":
                if manner == "broken":
                    return "failed", "", attempt, lease
                if manner == "unforeseen":
                    return "queued", step, attempt, now + timedelta(seconds=1)
                if manner == "slow":
                    return "queued", step, attempt, lease
                if self.model.assets[self.model.offers[order.offer].data].kind == "small" and manner != "overtaken":
                    return "failed", "", attempt, lease
                if manner == "overtaken":
                    later = now + LEASE + timedelta(seconds=1)
                    small = self.model.assets[self.model.offers[order.offer].data].kind == "small"
                    for following in ("compute", "close"):
                        if self.model.failing(order, following, later) or small:
                            return "failed", "", attempt + 1, later + LEASE
                    return "closed", "", 1, later + LEASE
            step, attempt, lease = {"bind": "compute", "compute": "close"}[step], 1, now + LEASE

    def break_down(self) -> None:
        raise failure("model.failed")

    def stumble(self) -> None:
        raise RuntimeError("nobody foresaw this")

    def overtake(self, run_id: str) -> None:
        """While one worker computes, its lease ends, and another does the whole run."""
        self.world.before = nothing
        self.pass_time(LEASE + timedelta(seconds=1))
        other = Worker()
        claimed = other._claim(run_id)
        assert claimed is not None
        other._carry(claimed)

    def pass_time(self, by: timedelta) -> None:
        self.clock.moment += by

    def observe(self, run_id: str) -> None:
        """After a death, see how far it came, which only the rows know; what follows from that is foretold again."""
        row, run = RunRow.objects.get(pk=run_id), self.model.runs[run_id]
        assert row.state in ("queued", "closed", "failed")
        run.state, run.step, run.attempt, run.lease = row.state, row.step, row.attempt, row.lease_until
        if row.state != "queued":
            self.model.events[f"run.{row.state}"] += 1
            foretold = self.model.failing(self.model.orders[run.order], "close", self.clock.moment)
            assert row.state == "failed" or foretold is None, f"closed in spite of {foretold}"
            self.adopt(run_id)

    def adopt(self, run_id: str) -> None:
        """What a closed run made belongs to the buyer."""
        made = list(RunOutput.objects.filter(run=run_id).values_list("asset", "version"))
        assert len(made) == (self.model.runs[run_id].state == "closed")
        for asset, version in made:
            buyer = self.model.orders[self.model.runs[run_id].order].buyer
            self.model.assets[asset] = Asset(buyer, "table", version, result=True)

    @precondition(lambda self: any(asset.result for asset in self.model.assets.values()))
    @rule(pick=PICK, who=WHO, looks=LOOKS)
    def deliver(self, pick: int, who: int, looks: int | None) -> None:
        asset_id, asset = self.choose([pair for pair in self.model.assets.items() if pair[1].result], pick)
        by = self.somebody(pick, who, asset.owner)
        foretold = self.model.delivering(by, asset)
        if self.act(runs.deliver, by, asset_id, "product.csv", foretold=foretold, looks=looks):
            self.model.events["run.closed"] += 1

    # Each rule is chosen about as often as any other; going on with the main job is worth more of the time.

    @rule(**GOING)
    def go_on(self, pick: int, manner: str, looks: int) -> None:
        self.next_step(pick, manner, looks)

    @rule(**GOING)
    def go_further(self, pick: int, manner: str, looks: int) -> None:
        self.next_step(pick, manner, looks)

    @rule(**GOING)
    def go_all_the_way(self, pick: int, manner: str, looks: int) -> None:
        self.next_step(pick, manner, looks)

    def next_step(self, pick: int, manner: str, looks: int) -> None:
        """The next step of the main job, whichever it is now."""
        now = self.clock.moment
        orders = self.model.orders.values()
        free = (run.lease is None or run.lease < now for run in self.model.runs.values() if run.state == "queued")
        if any(free):
            self.work(pick, manner, looks, pick % 3 > 0)
        elif any(self.model.starting(order.buyer, order, now) is None for order in orders):
            self.start(pick, 7, None)
        elif any(run.state == "queued" for run in self.model.runs.values()):
            self.wait(LEASE * 2)
        elif not all(run.told for run in self.model.runs.values()):
            self.spread(None)
        elif any(offer.state == "live" and now <= offer.until for offer in self.model.offers.values()):
            self.order(pick, pick, 7, PURPOSE, None)
        else:
            self.bring_to_market(pick, pick)

    # --- news, time, and asking again

    def spread(self, looks: int | None) -> None:
        self.clock.left = looks
        try:
            while outbox.dispatch():
                pass
            self.seen["dispatch"] += 1
        except Killed:
            self.seen["dispatch killed"] += 1
        finally:
            self.clock.left = None
        heard = Outbox.objects.filter(event__in=["run.closed", "run.failed", "agreement.revoked"], dispatched=True)
        for event, subject in heard.order_by("id").values_list("event", "subject"):
            if event == "agreement.revoked":
                if not self.model.agreements[subject].told:
                    self.model.revoked(subject)
            elif subject in self.model.runs and not self.model.runs[subject].told:  # a delivery is nobody's order
                self.model.ended(self.model.runs[subject])

    @rule(looks=st.one_of(st.none(), st.integers(0, 6)), again=st.sampled_from([True, False, False, False]))
    def dispatch(self, looks: int | None, again: bool) -> None:
        """The news is spread; whoever heard it already is not told again, even when all of it is delivered anew."""
        self.spread(looks)
        if looks is None:
            assert not Outbox.objects.filter(dispatched=False).exists()
            assert all(run.told for run in self.model.runs.values() if run.state != "queued")
            if again:
                Outbox.objects.update(dispatched=False)
                self.spread(None)
                self.seen["delivered anew"] += 1

    @rule(looks=LOOKS)
    def sequence(self, looks: int | None) -> None:
        self.clock.left = looks
        try:
            ledger.sequence()
            self.seen["sequence"] += 1
        except Killed:
            self.seen["sequence killed"] += 1
        finally:
            self.clock.left = None

    @rule(by=st.sampled_from([timedelta(seconds=2), LEASE, LEASE * 2, LEASE * 2, timedelta(hours=20)]))
    def wait(self, by: timedelta) -> None:
        self.pass_time(by)
        self.seen["waited"] += 1

    @precondition(lambda self: self.requests)
    @rule(pick=PICK)
    def ask_again(self, pick: int) -> None:
        """The same request under the same key: the same row, and nothing else."""
        function, given, by, key, made = self.choose(self.requests, pick)
        assert function(self.actor(by), *given, idempotency_key=key).pk == made
        self.seen["asked again"] += 1

    # --- what must hold after each of them

    @invariant()
    def all_is_well(self) -> None:
        self.the_book_is_the_models()
        self.a_reservation_ends_once()
        self.counts_add_up()
        self.nothing_is_charged_without_a_closed_run()
        self.every_row_stands_where_the_model_says()
        self.every_event_is_recorded_once()

    def the_book_is_the_models(self) -> None:
        assert not any(book.books().values())
        assert book.drift() == {}
        held = select("SELECT holder, unit, kind, balance FROM accounts_account WHERE balance <> 0")
        expected = {place: amount for place, amount in self.model.book.items() if amount}
        assert {(holder, unit, kind): balance for holder, unit, kind, balance in held} == expected

    def a_reservation_ends_once(self) -> None:
        ends = select("SELECT reference, reason FROM accounts_transfer WHERE reason IN ('commit', 'release')")
        assert len({reference for reference, _ in ends}) == len(ends), "committed and released, or either of them twice"
        state = {"commit": "committed", "release": "released"}
        ended = select("SELECT id, state FROM accounts_reservation WHERE state <> 'reserved'")
        assert dict(ended) == {reference: state[reason] for reference, reason in ends}

    def counts_add_up(self) -> None:
        """Of the model, whose book was compared with the rows before."""
        used = Counter(
            agreement
            for run in self.model.runs.values()
            if run.state == "closed" and run.told
            for agreement in self.model.orders[run.order].agreements
        )
        for name, agreement in self.model.agreements.items():
            parts = {place: self.model.book[name, RUN, place] for place in ("available", "reserved", "consumed")}
            assert sum(parts.values()) == agreement.runs
            assert min(parts.values()) >= 0
            assert parts["consumed"] == used[name]

    def nothing_is_charged_without_a_closed_run(self) -> None:
        rows = select("SELECT run, order_id, state, money FROM exchange_orderrun")
        started = [row for row in rows if row[0] is not None]
        ends = {"closed": "settled", "failed": "released"}
        assert {run: (order, state) for run, order, state, _ in started} == {
            name: (run.order, ends[run.state] if run.told else "started") for name, run in self.model.runs.items()
        }
        prepaid = sorted(order for run, order, state, _ in rows if run is None and state == "reserved")
        assert prepaid == sorted(name for name, order in self.model.orders.items() if order.prepaid)
        closed = {money for run, _, _, money in started if self.model.runs[run].state == "closed"}
        paid = select("SELECT id FROM accounts_reservation WHERE state = 'committed' AND unit = 'CNY.fen'")
        assert {row for (row,) in paid} <= closed

    def every_row_stands_where_the_model_says(self) -> None:
        queue = select("SELECT id, state, step FROM runs_run WHERE kind <> 'delivery'")
        assert {row: (state, step) for row, state, step in queue} == {
            name: (run.state, run.step if run.state == "queued" else "") for name, run in self.model.runs.items()
        }
        assert dict(select("SELECT id, state FROM agreements_offer")) == {
            name: offer.state for name, offer in self.model.offers.items()
        }
        assert dict(select("SELECT id, state FROM agreements_agreement")) == {
            name: "revoked" if one.revoked else "active" for name, one in self.model.agreements.items()
        }
        assert dict(select("SELECT id, state FROM catalog_version")) == {
            asset.version: asset.state for asset in self.model.assets.values()
        }
        assert dict(select("SELECT subject, state FROM cases_case WHERE procedure = 'order'")) == {
            name: order.state for name, order in self.model.orders.items()
        }

    def every_event_is_recorded_once(self) -> None:
        events = dict(select("SELECT event, count(*) FROM policy_outbox GROUP BY event"))
        expected = {name: number for name, number in self.model.events.items() if number}
        assert events == {**expected, "log.opened": 1, "party.created": expected["party.created"] + 1}
        ((failed, placed),) = select("SELECT coalesce(sum(attempts), 0), sum(sequenced) FROM policy_outbox")
        assert not failed, "a handler failed"
        ((entries,),) = select("SELECT count(*) FROM ledger_entry")
        ((size,),) = select("SELECT coalesce(max(size), 0) FROM ledger_treehead")
        assert entries == size == placed

    def teardown(self) -> None:
        """Whatever happened: the news is spread, everything is in the log, and the log recomputes."""
        self.world.before, self.clock.left = nothing, None
        while outbox.dispatch():
            pass
        ledger.sequence()
        assert not any(book.books().values())
        assert book.drift() == {}
        assert [finding.where for finding in check()] == []


def select(sql: str) -> list[Any]:
    """The rows themselves: eleven questions after every operation are a third of the time when the ORM asks them."""
    with connection.cursor() as cursor:
        return list(cursor.execute(sql).fetchall())


def end_of(day: date) -> datetime:
    """The last microsecond of a day in Chengdu, which is eight hours ahead."""
    return datetime(day.year, day.month, day.day, 15, 59, 59, 999_999, tzinfo=UTC)
