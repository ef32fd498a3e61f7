"""Orders: what they lock, and how it comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from frozen import START, FrozenClock
from kernel.in_process import InProcess
from shudu.accounts import queries as accounts
from shudu.agreements import actions as agreements
from shudu.agreements.types import REVOCATION_REASONS
from shudu.cleanroom import steps
from shudu.exchange import actions, queries
from shudu.exchange.types import PlaceOrder
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, Refused
from shudu.runs.worker import settle, spread_news
from unit.agreements.conftest import Market, market
from unit.runs.conftest import order_in

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)


def money(market: Market) -> tuple[int, int]:
    balance = accounts.balance(market.buyer.party, "CNY.fen")
    return balance.available, balance.reserved


def test_cancelled_before_its_first_run(market: Market) -> None:
    order = order_in(market)
    assert money(market) == (450_000, 50_000)
    with pytest.raises(Refused):
        actions.cancel(market.provider, order)
    actions.cancel(market.buyer, order)
    assert money(market) == (500_000, 0)
    with pytest.raises(Conflict):
        actions.cancel(market.buyer, order)
    with pytest.raises(Conflict):
        actions.start_run(market.buyer, order)
    assert accounts.books() == {"CNY.fen": 0, "run": 0}


def test_a_revoked_agreement_gives_back_what_waited_on_it(market: Market) -> None:
    order = order_in(market)
    first = queries.agreements_of(order)[0]
    agreements.revoke(market.provider, first, next(iter(REVOCATION_REASONS.labels)))
    while spread_news():
        pass
    assert money(market) == (500_000, 0)
    assert queries.state(order) == "cancelled"


def test_an_agreement_that_is_over_gives_back_what_waited_on_it(market: Market, clock: FrozenClock) -> None:
    order = order_in(market)
    until = agreements.Agreement.objects.get(pk=queries.agreements_of(order)[0]).until
    clock.set(until)  # its last microsecond
    spread_news()
    assert (queries.state(order), money(market)) == ("placed", (450_000, 50_000))
    clock.advance(seconds=1)
    assert spread_news()
    assert (queries.state(order), money(market)) == ("cancelled", (500_000, 0))
    while spread_news():  # once
        pass
    assert Outbox.objects.filter(event="order.released", subject=order).count() == 1
    assert (queries.state_at(order, until), queries.state_at(order, START - timedelta(days=1))) == ("placed", None)
    assert accounts.books() == {"CNY.fen": 0, "run": 0}


def test_a_run_that_goes_on_past_the_end_is_left_to_itself(market: Market, clock: FrozenClock) -> None:
    order = order_in(market)
    actions.start_run(market.buyer, order)
    clock.advance(days=100_000)
    while spread_news():
        pass
    assert (queries.state(order), money(market)) == ("running", (450_000, 50_000))


def test_a_deadline_that_fails_is_tried_again_and_blocks_no_other(
    market: Market, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = order_in(market), order_in(market)
    real = queries.state

    def broken(order: str) -> str:
        if order == stuck:
            raise RuntimeError("not now")
        return real(order)

    monkeypatch.setattr(queries, "state", broken)
    clock.advance(days=100_000)
    spread_news()
    assert [real(order) for order in (stuck, other)] == ["placed", "cancelled"]
    monkeypatch.undo()
    spread_news()
    assert real(stuck) == "cancelled"


def test_waiting_for_a_run_says_when_its_settlement_keeps_failing(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_in(market)
    run = actions.start_run(market.buyer, order)
    monkeypatch.setattr(steps, "sandbox", lambda: InProcess())

    def broken(*_: object) -> None:
        raise RuntimeError("the book is away")

    with monkeypatch.context() as away:
        away.setattr("shudu.exchange.actions.settle", broken)
        with pytest.raises(Conflict, match="news_waits"):
            settle(run.id, timeout=60)
    assert money(market) == (450_000, 50_000)
    settle(run.id, timeout=60)
    assert money(market) == (450_000, 0)
    assert queries.state(order) == "settled"


def test_not_once_a_run_has_started(market: Market) -> None:
    order = order_in(market)
    actions.start_run(market.buyer, order)
    with pytest.raises(Conflict):
        actions.cancel(market.buyer, order)
    assert money(market) == (450_000, 50_000)


def test_all_or_none(market: Market) -> None:
    """The second line cannot be concluded: the first one's agreement, quota and money are gone with it."""
    offer = market.live()
    with pytest.raises(Refused, match="funds"):
        actions.place(market.buyer, PlaceOrder(offer=offer.id, purpose="research"))
    assert queries.orders(market.buyer).count() == 0
    assert accounts.books().get("run", 0) == 0
    assert agreements.Agreement.objects.count() == 0


def test_a_free_offer_costs_nothing(market: Market) -> None:
    order = order_in(market, price_fen=0)
    assert money(market) == (500_000, 0)
    assert queries.order(market.provider, order).id == order
