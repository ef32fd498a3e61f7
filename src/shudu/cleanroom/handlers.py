"""A run that failed has released nothing; an erased version takes its sketches along; held releases lapse."""

from __future__ import annotations

from shudu.identity import queries as identity
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.outbox import on

from . import actions, queries


@on(Event.RUN_FAILED)
def end_release(row: Outbox) -> None:
    actions.end(identity.system(), row.subject)


@on(Event.VERSION_ERASED)
def forget_sketches(row: Outbox) -> None:
    actions.forget(identity.system(), row.fields["version"])


def lapse_held() -> None:
    for run in queries.past_due():
        actions.lapse(identity.system(), run)
