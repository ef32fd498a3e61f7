"""Orders: what they lock, and how it comes back."""

from __future__ import annotations

import pytest

from shudu.accounts import queries as accounts
from shudu.agreements import actions as agreements
from shudu.agreements.types import REVOCATION_REASONS
from shudu.exchange import actions, queries
from shudu.exchange.types import PlaceOrder
from shudu.policy.types import Conflict, Refused
from shudu.runs.worker import spread_news
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
