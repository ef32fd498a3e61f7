"""Every read of the exchange."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from shudu.agreements import queries as agreements
from shudu.cases import queries as cases
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, visible
from shudu.policy.types import Actor, not_found

from .models import Order as Order
from .models import OrderLine, OrderRun


def order_row(order_id: str) -> Order:
    """The row, for actions that decide for themselves who may."""
    row = Order.objects.filter(pk=order_id).first()
    if row is None:
        raise not_found("订单", "order", order_id)
    return row


def order(actor: Actor, order_id: str) -> Order:
    """An order the actor may see: the buyer's own, or one that concluded an agreement of the actor's."""
    row = Order.objects.filter(pk=order_id).first()
    if row is None or not decide(actor, Permission.ORDER_READ, row):
        raise not_found("订单", "order", order_id)
    return row


def orders(actor: Actor) -> QuerySet[Order]:
    return visible(actor, Permission.ORDER_READ, Order.objects.all()).order_by("-id")


def agreements_of(order_id: str) -> list[str]:
    """The agreements an order concluded, by line."""
    return list(OrderLine.objects.filter(order=order_id).order_by("role").values_list("agreement", flat=True))


def state(order_id: str) -> str:
    """Where an order stands: its case's state."""
    return cases.state(order_id)


def states(order_ids: Iterable[str]) -> dict[str, str]:
    """Where each of these orders stands, read at once."""
    return cases.states(order_ids)


def state_at(order_id: str, moment: datetime) -> str | None:
    """Where an order stood at a moment; None before it was placed."""
    return cases.state_at(order_id, moment)


def runs_of(order_id: str) -> QuerySet[OrderRun]:
    """Every run an order has paid for or reserved, oldest first."""
    return OrderRun.objects.filter(order=order_id).order_by("id")


def run_of(run_id: str) -> OrderRun | None:
    """What a run's order reserved and how it was settled."""
    return OrderRun.objects.filter(run=run_id).first()


def paid_for(run_ids: Iterable[str]) -> set[str]:
    """Those of these runs that belong to an order."""
    return {str(run) for run in OrderRun.objects.filter(run__in=list(run_ids)).values_list("run", flat=True)}


def followed_by(run_ids: Iterable[str]) -> dict[str, str]:
    """Of these failed runs, those started again: the run that followed each."""
    rows = OrderRun.objects.filter(restarts__in=list(run_ids)).values_list("restarts", "run")
    return {str(failed): str(following) for failed, following in rows}


def placed_under(agreement_id: str) -> list[str]:
    """The orders that concluded this agreement, have not ended and have no run going on."""
    orders = OrderLine.objects.filter(agreement=agreement_id).values_list("order", flat=True)
    return [order for order in orders if state(order) not in ("running", "cancelled")]


def ids_for_assigner(party: str) -> QuerySet[OrderLine, Any]:
    """Ids of the orders that concluded an agreement of this assigner, for rules."""
    return OrderLine.objects.filter(agreement__in=agreements.assigned_by(party)).values("order")


def assigners_of(order: Order) -> set[str]:
    return set(agreements.assigners(agreements_of(order.pk)))
