"""What has changed is noted, to be shown to other engines by the worker."""

from __future__ import annotations

from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.outbox import on

from . import projecting


@on(Event.ASSET_PUBLISHED)
@on(Event.VERSION_PUBLISHED)
@on(Event.VERSION_WITHDRAWN)
@on(Event.VERSION_ERASED)
def note(row: Outbox) -> None:
    projecting.note(row.fields["asset"])
