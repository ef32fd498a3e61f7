"""When a run ends, its order is settled or released, once; when an agreement ends, so do its waiting orders."""

from __future__ import annotations

from shudu.cases.types import on_due
from shudu.identity import queries as identity
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.outbox import on

from . import actions, queries


@on(Event.RUN_CLOSED)
def settle(row: Outbox) -> None:
    if queries.run_of(row.subject):
        actions.settle(identity.system(), row.subject)


@on(Event.AGREEMENT_REVOKED)
def cancel(row: Outbox) -> None:
    for order in queries.placed_under(row.subject):
        actions.cancel(identity.system(), order)


@on_due(actions.EXPIRY)
def expire(order: str) -> None:
    """An order nobody ran gives back what it has locked; one that was run has nothing locked, or its run will."""
    if queries.state(order) == "placed":
        actions.cancel(identity.system(), order)


@on(Event.RUN_FAILED)
def release(row: Outbox) -> None:
    if queries.run_of(row.subject):
        actions.release(identity.system(), row.subject)
