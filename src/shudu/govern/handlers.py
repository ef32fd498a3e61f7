"""What the worker looks after: versions that were published since their owners declared what they are held to."""

from __future__ import annotations

import logging

from shudu.identity import queries as identity
from shudu.policy.types import ShuduError, Via

from . import actions, queries

log = logging.getLogger("shudu.govern")


def assess_due() -> None:
    """Count them, each for its owner; one that cannot be counted does not stop the next.

    A chore and no handler of `version.published`: a handler's transaction would stand open while a large table is read.
    """
    for version in queries.due():
        try:
            actions.assess(identity.actor_for(version.owner, Via.WORKER), version.id)
        except ShuduError as error:
            log.info("version %s was not assessed: %s", version.id, error.code)
