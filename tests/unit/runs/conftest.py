"""An order that stands in the small market of the agreements' tests, ready to run."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from shudu.accounts import actions as accounts
from shudu.exchange import actions as exchange
from shudu.exchange.types import PlaceOrder
from shudu.runs.queries import Run
from shudu.runs.worker import Worker
from unit.agreements.conftest import Market, market

__all__ = ["market"]


@dataclass
class Ordered:
    """A market, an order in it, and a worker."""

    market: Market
    order: str
    worker: Worker

    def start(self) -> Run:
        return exchange.start_run(self.market.buyer, self.order)


def order_in(market: Market, **changes: object) -> str:
    accounts.deposit(market.operator, market.buyer.party, 500_000)
    offer = market.live(**changes)
    return exchange.place(market.buyer, PlaceOrder(offer=offer.id, purpose="research")).id


@pytest.fixture
def ordered(market: Market) -> Ordered:
    return Ordered(market, order_in(market), Worker())
