"""The whole kernel, driven at random beside a model in dicts, with the books looked at after every operation.

Everything is real but three things. The sandbox's walls are missing (`in_process`). SQLite does not wait for the disk,
as no power is cut here. And time stands still until it is moved: armed, the clock kills whoever looks at it the n-th
time, which is how an operation dies in the middle; every action looks several times within its transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from kernel.model import ATTEMPTS, PURPOSE, Asset, Order, Run
from kernel.trading import Trading
from kernel.world import GOING, LEASE, LOOKS, MANNERS, PICK, WHO, Killed, nothing
from shudu.cases import actions as cases
from shudu.cases.models import Deadline
from shudu.cleanroom.sandbox import failure
from shudu.exchange import actions as exchange
from shudu.ledger import actions as ledger
from shudu.policy import outbox
from shudu.policy.models import Outbox
from shudu.runs import actions as runs
from shudu.runs.models import Run as RunRow
from shudu.runs.models import RunOutput
from shudu.runs.worker import Worker


@dataclass(frozen=True)
class Outcome:
    """Where a run stands after a worker: a failed one with the code of what it failed of."""

    state: str
    step: str
    attempt: int
    lease: datetime
    code: str = ""


class Kernel(Trading):
    """Operations from a run on, and everything before it."""

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
            "robbed": lambda: self.rob(run_id),
            "revoked": lambda: self.revoke_meanwhile(self.model.orders[run.order].agreements[pick % 2]),
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
            run.state, run.step, run.attempt, run.lease = outcome.state, outcome.step, outcome.attempt, outcome.lease
            assert RunRow.objects.get(pk=run_id).error.get("code", "") == outcome.code
            self.seen[f"worker {manner}: {run.state}"] += 1
            if run.state != "queued":
                self.model.events[f"run.{run.state}"] += 1
                self.adopt(run_id)
        if news:
            self.spread(None)

    def foresee(self, run: Run, manner: str) -> Outcome:
        """What has become of a run after a worker that dies of nothing has done what it can."""
        order, now, step = self.model.orders[run.order], self.clock.moment, run.step
        attempt, lease, later = run.attempt + 1, now + LEASE, now + LEASE + timedelta(seconds=1)
        small = self.model.assets[self.model.offers[order.offer].data].kind == "small"
        while True:
            if code := "run.internal" if attempt > ATTEMPTS else self.model.failing(order, step, now):
                return Outcome("failed", "", attempt, lease, code)
            if step == "close":
                return Outcome("closed", "", attempt, lease)
            if step == "compute":
                match manner:
                    case "broken":
                        return Outcome("failed", "", attempt, lease, "model.failed")
                    case "unforeseen":
                        return Outcome("queued", step, attempt, now + timedelta(seconds=1))
                    case "slow":
                        return Outcome("queued", step, attempt, lease)
                    case "robbed":
                        return Outcome("queued", step, attempt + 1, later + LEASE)
                    case "overtaken":
                        return self.foresee_other(order, attempt + 1, later, small)
                if small:
                    return Outcome("failed", "", attempt, lease, "release.withheld")
                if manner == "revoked":
                    return Outcome("failed", "", 1, lease, "agreement.revoked")
            step, attempt, lease = {"bind": "compute", "compute": "close"}[step], 1, now + LEASE

    def foresee_other(self, order: Order, attempt: int, later: datetime, small: bool) -> Outcome:
        """What the worker that overtakes the first one makes of the rest."""
        code = "run.internal" if attempt > ATTEMPTS else self.model.failing(order, "compute", later)
        if code or small:
            return Outcome("failed", "", attempt, later + LEASE, code or "release.withheld")
        return Outcome("closed", "", 1, later + LEASE)

    def break_down(self) -> None:
        raise failure("model.failed")

    def stumble(self) -> None:
        raise RuntimeError("nobody foresaw this")

    def overtake(self, run_id: str) -> None:
        """While one worker computes, its lease ends, and another does the whole run."""
        other, claimed = self.rob(run_id)
        other._carry(claimed)

    def rob(self, run_id: str) -> tuple[Worker, RunRow]:
        """While one worker computes, its lease ends, and another takes the run: what the first finds counts no more."""
        self.world.before = nothing
        self.pass_time(LEASE + timedelta(seconds=1))
        other = Worker()
        claimed = other._claim(run_id)
        assert claimed is not None
        return other, claimed

    def revoke_meanwhile(self, agreement_id: str) -> None:
        """While a worker computes, one of the agreements it computes under is revoked."""
        self.world.before = nothing
        self.end(agreement_id, self.model.agreements[agreement_id].assigner)

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

    @precondition(lambda self: self.model.orders)
    @rule(looks=LOOKS)
    def ring(self, looks: int | None) -> None:
        """Deadlines that have passed: an order nobody ran in time gives back what it has locked, once."""
        self.clock.left = looks
        try:
            cases.ring()
        except Killed:
            self.seen["ring killed"] += 1
        finally:
            self.clock.left = None
        rung = set(Deadline.objects.exclude(passed=None).values_list("case__subject", flat=True))
        over = {name for name, order in self.model.orders.items() if self.model.over(order, self.clock.moment)}
        assert rung == over if looks is None else rung <= over
        for order in (self.model.orders[name] for name in rung):
            if not order.rung and order.state == "placed":
                self.model.cancel(order)
                self.seen["expired"] += 1
            order.rung = True

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
