"""What the log does when an action commits: it refuses, there and then, what it could not record later."""

from typing import Any

from shudu.policy import clock
from shudu.policy.models import Outbox

from .leaf import seal


def refuse_unsealable(instance: Outbox, **_: Any) -> None:
    """Before an outbox row is written: `Invalid` when its fields cannot be committed to, which undoes the action.

    Otherwise one bad row would stop the sequencer, and with it everybody's receipts.
    """
    if instance._state.adding:
        seal(
            version=instance.version,
            event=instance.event,
            time=clock.stamp(instance.time),
            entry_id="ent_00000000000000000000000000",
            values=instance.fields,
        )
