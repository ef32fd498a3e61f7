"""What must hold after every operation, asked of the rows themselves and compared with the model in dicts."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from django.db import connection
from hypothesis.stateful import RuleBasedStateMachine, invariant

from kernel.model import RUN, Model
from kernel.world import Clock, World, nothing
from shudu.accounts import queries as book
from shudu.ledger import actions as ledger
from shudu.ledger.integrity import check
from shudu.policy import outbox


class Invariants(RuleBasedStateMachine):
    world: ClassVar[World]
    model: Model
    clock: Clock

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
