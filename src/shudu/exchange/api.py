"""Orders in the API, their runs and how each was settled."""

from __future__ import annotations

from typing import Literal

from django.http import HttpResponse
from ninja import Query, Router
from pydantic import BaseModel

from shudu.policy.api import Call, Moment, Page, Paging, named, page
from shudu.runs.queries import Run

from . import actions, queries
from .models import Order as OrderRow
from .models import OrderRun
from .types import PlaceOrder

orders = Router(tags=["orders"])
runs = Router(tags=["runs"])


class PaidRun(BaseModel):
    """A run an order reserved, and how it was settled; `run` is null before it starts."""

    run: str | None
    state: Literal["reserved", "started", "settled", "released"]
    split_fen: dict[str, int]

    @classmethod
    def of(cls, row: OrderRun) -> PaidRun:
        return cls(run=row.run, state=str(row.state), split_fen=row.split_fen)  # type: ignore[arg-type]


class Order(BaseModel):
    """An order of an offer. `price_fen` is per run, in 分."""

    id: str
    state: str
    offer: str
    buyer: str
    purpose: str
    price_fen: int
    created: Moment
    agreements: list[str]
    runs: list[PaidRun]

    @classmethod
    def of(cls, row: OrderRow, state: str) -> Order:
        return cls(
            id=row.id,
            state=state,
            offer=row.offer,
            buyer=row.buyer,
            purpose=row.purpose,
            price_fen=row.price_fen,
            created=row.created,
            agreements=[line.agreement for line in sorted(row.lines.all(), key=lambda line: line.role)],
            runs=[PaidRun.of(run) for run in sorted(row.runs.all(), key=lambda run: run.pk)],
        )


class Started(BaseModel):
    """A run in the queue."""

    id: str
    state: Literal["queued", "held", "closed", "failed"]
    order: str

    @classmethod
    def of(cls, row: Run) -> Started:
        return cls(id=row.id, state=str(row.state), order=row.order)  # type: ignore[arg-type]


@orders.get("", response=Page[Order], **named("订单列表", "Your orders"))
def list_orders(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Order]:
    """Those your party placed, and those that concluded an agreement of yours."""
    rows = page(request, response, query, queries.orders(request.auth).prefetch_related("lines", "runs"))
    states = queries.states(row.id for row in rows)
    return Page(items=[Order.of(row, states[row.id]) for row in rows])


_ORDER = {"offer": "OFFER", "purpose": "research"}


@orders.post("", response={201: Order}, **named("下单", "Order an offer", example=_ORDER))
def place_order(request: Call, response: HttpResponse, body: PlaceOrder) -> Order:
    """One agreement per line, all or none; one run and its price are reserved."""
    row = actions.place(request.auth, body, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path}/{row.id}"
    return Order.of(row, queries.state(row.id))


@orders.get("/{order}", response=Order, **named("查看订单", "An order, its agreements and its runs"))
def get_order(request: Call, order: str) -> Order:
    row = queries.order(request.auth, order)
    return Order.of(row, queries.state(row.id))


@orders.post("/{order}/runs", response={202: Started}, **named("开始任务", "Start a run of an order"))
def start_run(request: Call, response: HttpResponse, order: str) -> Started:
    """It is queued and the worker carries it; `Location` says where to look."""
    row = queries.order(request.auth, order)
    run = actions.start_run(request.auth, row.id, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path.rsplit('/orders/', 1)[0]}/runs/{run.id}"
    return Started.of(run)


@orders.post("/{order}/cancel", response=Order, **named("取消订单", "Cancel an order"))
def cancel_order(request: Call, order: str) -> Order:
    """While no run of it goes on: what it has locked comes back, and no run of it starts any more."""
    row = actions.cancel(request.auth, order, idempotency_key=request.idempotency_key)
    return Order.of(row, queries.state(row.id))


@runs.post("/{run}/restart", response={202: Started}, **named("重新开始任务", "Start a failed run again"))
def restart_run(request: Call, response: HttpResponse, run: str) -> Started:
    """For the operating company: once, for its buyer, under the same agreements; the price is reserved anew. Asked
    again, the answer is the run that followed. `Location` says where to look."""
    following = actions.restart(request.auth, run, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path.rsplit('/', 2)[0]}/{following.id}"
    return Started.of(following)
