"""When a run ends, its order is settled or released, once; when an agreement is revoked, its waiting orders end."""

from __future__ import annotations

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


@on(Event.RUN_FAILED)
def release(row: Outbox) -> None:
    if queries.run_of(row.subject):
        actions.release(identity.system(), row.subject)
