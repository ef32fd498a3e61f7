"""Taking a package in: checked whole, then each of its files accepted as the batch its header says."""

from __future__ import annotations

import shutil
from pathlib import Path

from shudu.identity import queries as identity
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, refuse_unless
from shudu.policy.types import Actor, ShuduError

from . import package, queries, received
from .batches import accept_batch
from .models import Batch


def accept_package(actor: Actor, source: Path, *, idempotency_key: str | None = None) -> list[Batch]:
    """The batches of a package that a valid key of the actor's party has signed, in order.

    Each is accepted by itself, so the same package again goes on where a first try ended and changes nothing else.
    Raises Invalid with a code of `package.Flaw` before anything is taken in, or a batch's refusal naming its file.
    """
    refuse_unless(decide(actor, Permission.BATCH_SUBMIT))
    party = identity.party(actor.party)
    with package.opened(source, queries.valid_keys(party.id)) as found:
        if found.manifest.submitted_by not in (party.id, party.code):
            raise package.flawed(package.Flaw.SUBMITTER)
        return [_accept(actor, found, entry, idempotency_key) for entry in found.manifest.entries]


def _accept(actor: Actor, found: package.Package, entry: package.Entry, key: str | None) -> Batch:
    with received.aside(queries.root()) as folder:
        path = folder / received.short(entry.name)
        with found.data(entry) as data, path.open("xb") as sink:
            shutil.copyfileobj(data, sink, 1 << 20)
        try:
            return accept_batch(
                actor, entry.header, path, entry.mode, idempotency_key=f"{key} {entry.path}" if key else None
            )
        except ShuduError as error:
            error.where = {**error.where, "entry": entry.path}
            raise
