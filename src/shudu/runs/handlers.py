"""When an agreement is revoked, its terms say what happens to results made under it."""

from __future__ import annotations

from shudu.agreements import queries as agreements
from shudu.catalog import actions as catalog
from shudu.identity import queries as identity
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.outbox import on

from .queries import made_under


@on(Event.AGREEMENT_REVOKED)
def retire_results(row: Outbox) -> None:
    """Results stand, are withdrawn, or are erased, as the revoked agreement's onward terms say."""
    fate = agreements.on_revocation(row.subject)
    for version in made_under(row.subject):
        if fate == "erased":
            catalog.erase(identity.system(), version)
        elif fate == "withdrawn":
            catalog.withdraw(identity.system(), version, row.subject)
