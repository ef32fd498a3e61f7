"""A log whose key changes: both keys sign the step between them, and nothing signed before is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from shudu.ledger import queries, receipt
from shudu.ledger.actions import forget, open_log, rotate
from shudu.ledger.models import Disclosure, Entry, Log, SigningKey, TreeHead
from shudu.ledger.note import ED25519, SM2, Note, VerifierKey, sign
from shudu.ledger.sequencer import sequence
from shudu.ledger.signer import load, verifier_keys
from shudu.ledger.signing import in_force, key_file
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.types import Actor, Invalid, Refused, Role, Unavailable

from .test_ledger import IRI, OPERATOR, fetch, log, wait

__all__ = ["log"]
pytestmark = pytest.mark.django_db


def algorithm(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OPTIONS", replace(settings.OPTIONS, ledger_algorithm=name))


def kept(subject: str) -> bytes:
    return receipt.encode(queries.receipt_for(Event.FUNDS_DEPOSITED, subject))


def file(key: VerifierKey) -> Path:
    folder: Path = settings.OPTIONS.keys
    return folder / key_file(key.key_id.hex())


@pytest.mark.parametrize("following", [ED25519, SM2])
def test_a_new_key_takes_over(log: Log, following: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wait(3)
    sequence()
    old, before, early = log.verifier_key, queries.checkpoint(), kept("pty_1")
    algorithm(following, monkeypatch)
    key = rotate(OPERATOR)
    assert key.algorithm == following
    new = log.verifier_key
    assert (queries.verifier_key(), queries.verifier_keys()) == (str(new), [str(new), str(old)])
    wait(2, first=3)
    assert sequence() == 3
    step = Note.parse(queries.checkpoint())
    assert step.signed_by(old), "whoever knows the old key alone can follow to the new one"
    assert step.signed_by(new)
    told = queries.receipt_for(Event.LOG_KEY_ROTATED, key.key_id)
    assert receipt.verify(receipt.encode(told), str(old)).disclosed["key"] == str(new)
    assert not file(old).exists(), "the old private key can sign nothing any more"
    assert {old, new} <= set(verifier_keys(settings.OPTIONS.keys))
    wait(1, first=5)
    sequence()
    after = Note.parse(queries.checkpoint())
    assert (after.signed_by(old), after.signed_by(new)) == (False, True)
    assert receipt.verify(early, str(old)).ok
    assert not receipt.verify(early, str(new)).ok
    assert receipt.verify(kept("pty_1"), str(new)).ok
    for one in (early, kept("pty_5")):
        assert receipt.verify_by_any(one, "\n".join(queries.verifier_keys()) + "\n").ok
    assert queries.check() == []
    assert [queries.against(text) for text in (before, str(step), str(after), early.decode())] == [[], [], [], []]
    assert fetch("checkpoint").decode() == str(after)


def test_both_keys_sign_until_the_entry_has_its_place(log: Log) -> None:
    """Also when much waits before it, and when one rotation follows the other at once."""
    first = log.verifier_key
    wait(5)
    rotate(OPERATOR)
    second = log.verifier_key
    rotate(OPERATOR)
    third = log.verifier_key
    signed = []
    while sequence(3):
        note = Note.parse(queries.checkpoint())
        signed.append([note.signed_by(key) for key in (first, second, third)])
    # log.opened and five deposits, then the two entries: under one checkpoint of all three.
    assert signed == [[True, True, True]] * 3
    assert in_force(log, TreeHead.objects.latest("size").size) == [third]
    assert [file(key).exists() for key in (first, second, third)] == [False, False, True]
    assert queries.check() == []


def test_only_the_operating_company_rotates_and_not_without_the_old_key(log: Log) -> None:
    for role in set(Role) - {Role.OPERATOR}:
        with pytest.raises(Refused):
            rotate(Actor("pty_1", frozenset({role})))
    away = file(log.verifier_key).rename(file(log.verifier_key).with_suffix(".away"))
    with pytest.raises(Unavailable, match=r"ledger\.key"):
        rotate(OPERATOR)
    assert not SigningKey.objects.exists()
    assert not Outbox.objects.filter(event=Event.LOG_KEY_ROTATED).exists()
    away.rename(file(log.verifier_key))


def test_a_key_file_that_stayed_is_retired_with_the_next_batch(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a kill between the commit and the removal."""
    old = log.verifier_key
    rotate(OPERATOR)
    with monkeypatch.context() as killed:
        killed.setattr("shudu.ledger.sequencer.retire", lambda log, size: None)
        sequence()
    assert file(old).exists()
    wait()
    sequence()
    assert not file(old).exists()
    assert old in verifier_keys(settings.OPTIONS.keys)
    assert load(file(log.verifier_key)).verifier == log.verifier_key


def test_a_key_nobody_recorded_is_found_out(log: Log) -> None:
    rotate(OPERATOR)
    sequence()
    assert queries.check() == []
    row = SigningKey.objects.get()
    Outbox.objects.update(dispatched=True)
    with pytest.raises(Invalid):
        forget(OPERATOR, row.key_id, ["key"])
    Disclosure.objects.filter(entry__subject=row.key_id).update(fields={})
    assert [one.where for one in queries.check()] == [f"key {row.key_id}"]


def test_a_checkpoint_the_new_key_should_have_signed(log: Log) -> None:
    """One signed by the old key alone, after the log has named the new one, is no checkpoint of this log."""
    old = load(file(log.verifier_key))
    rotate(OPERATOR)
    sequence()
    wait()
    sequence()
    head = TreeHead.objects.latest("size")
    note = Note.parse(head.checkpoint)
    TreeHead.objects.filter(pk=head.pk).update(checkpoint=str(sign(note.text, old)))
    assert [one.where for one in queries.check()] == [f"tree head {head.size}"]


def test_a_restored_log_pins_what_the_new_key_signed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The home is of before the rotation, the checkpoint held elsewhere of after it; the key folder knows both keys."""
    wait(2)
    sequence()
    size = TreeHead.objects.latest("size").size
    rotate(OPERATOR)
    sequence()
    wait(1, first=2)
    sequence()
    pins = queries.checkpoint()
    Disclosure.objects.filter(entry__index__gte=size).delete()
    Entry.objects.filter(index__gte=size).delete()
    TreeHead.objects.filter(size__gt=size).delete()
    SigningKey.objects.all().delete()
    Outbox.objects.filter(event=Event.LOG_KEY_ROTATED).delete()
    fresh = open_log(OPERATOR, base_iri=IRI, software="shudu test", pins=pins)
    sequence()
    assert (fresh.origin != log.origin, fresh.verifier_keys) == (True, [fresh.verifier_key])
