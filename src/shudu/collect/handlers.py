"""What the worker looks after: uploads nobody went on with, or of what was erased; refreshes due; drop folders."""

from __future__ import annotations

import logging

from shudu.identity import queries as identity
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.outbox import on
from shudu.policy.types import ShuduError, Via

from . import actions, queries, uploads

log = logging.getLogger("shudu.collect")


def expire_uploads() -> None:
    uploads.expire_uploads(identity.system())


@on(Event.VERSION_ERASED)
def remove_uploads(row: Outbox) -> None:
    """With an erased version goes the upload it was made of."""
    for upload in queries.uploads_behind(row.fields["version"]):
        actions.remove_upload(identity.system(), upload)


@on(Event.VERSION_ERASED)
def remove_deliveries(row: Outbox) -> None:
    """And the files of the delivery it came as, in its owner's drop folder."""
    queries.clear_deliveries(row.fields["version"])


def refresh_due() -> None:
    """Start the refreshes that have fallen due, each for its owner; one that cannot start does not stop the next."""
    for feed in queries.due():
        try:
            actions.refresh(identity.actor_for(feed.owner, Via.WORKER), feed.id)
        except ShuduError as error:
            log.info("feed %s was not refreshed: %s", feed.id, error.code)


def take_in() -> None:
    """Take what lies whole in the drop folders."""
    actions.take_in()


def clear_away() -> None:
    """Remove what runs that have ended had read."""
    queries.clear_work_folders()
