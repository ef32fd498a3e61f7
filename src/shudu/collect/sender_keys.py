"""The public keys organisations sign with: registered, valid for their time, replaced by newer ones, revoked."""

from __future__ import annotations

from datetime import timedelta

from shudu.identity import queries as identity
from shudu.ledger.types import Note, VerifierKey
from shudu.policy import clock
from shudu.policy.actions import action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Conflict, Invalid, Text

from . import queries
from .models import SenderKey
from .refusals import Refusal, refused
from .types import RegisterKey


@action(Permission.PARTY_MANAGE, Event.KEY_REGISTERED)
def register_key(actor: Actor, request: RegisterKey) -> SenderKey:
    """Register a public key of the actor's party for `days` days; earlier ones stay valid for theirs."""
    require(actor, Permission.PARTY_MANAGE, identity.party(actor.party))
    key = _parsed(request.verifier)
    if (row := SenderKey.objects.filter(owner=actor.party, verifier=str(key)).first()) is not None:
        if row.revoked is not None:
            raise Conflict("key.revoked", Text("这个密钥已撤销。", "This key was revoked."))
        record_nothing()
        return row
    row = SenderKey.objects.create(
        owner=actor.party,
        verifier=str(key),
        algorithm=key.algorithm,
        until=clock.now() + timedelta(days=request.days),
    )
    record(
        row.id,
        {"key": row.id, "party": row.owner, "verifier": row.verifier, "until": clock.stamp(row.until)},
    )
    return row


@action(Permission.PARTY_MANAGE, Event.KEY_REVOKED)
def revoke_key(actor: Actor, key_id: str) -> SenderKey:
    """End a key now: what it signed is refused from here on; what was accepted stays. Again changes nothing."""
    row = queries.sender_key(actor, key_id)
    require(actor, Permission.PARTY_MANAGE, identity.party(row.owner))
    if row.revoked is not None:
        record_nothing()
        return row
    row.revoked = clock.now()
    row.save(update_fields=["revoked"])
    record(row.id, {"key": row.id, "party": row.owner})
    return row


def check(party: str, text: str, signature: str) -> None:
    """Raise the refusal unless `signature`, lines of a signed note over `text`, holds one of a valid key of `party`."""
    try:
        note = Note.parse(f"{text}\n{signature}")
    except ValueError:
        raise refused(Refusal.SIGNATURE) from None
    if note.text != text or not any(note.signed_by(key) for key in queries.valid_keys(party)):
        raise refused(Refusal.SIGNATURE)


def _parsed(verifier: str) -> VerifierKey:
    try:
        return VerifierKey.parse(verifier.strip())
    except ValueError:
        raise Invalid(
            "key.unreadable",
            Text("这不是验证公钥。", "This is not a verifier key."),
            Text(
                "请提供 shudu package key 打印的那一行。", "Give the line that `shudu package key` prints: NAME+ID+KEY."
            ),
        ) from None
