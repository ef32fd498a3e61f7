"""Writes to the log that a party answers for: opening one, and forgetting what opens its commitments."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from django.conf import settings

from shudu.policy import clock
from shudu.policy.actions import action, record, require
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Conflict, Invalid, Text

from .models import Disclosure, Log, SigningKey, TreeHead
from .note import Checkpoint, Note, VerifierKey, check_name
from .sequencer import only_writer
from .sequencer import sequence as sequence
from .signer import ADAPTERS, save, verifier_keys
from .signing import key_file, signer


@action(Permission.LEDGER_INITIALISE, Event.LOG_OPENED)
def open_log(actor: Actor, *, base_iri: str, software: str, pins: str = "") -> Log:
    """Open the home's log with a new key; its origin is the base IRI without scheme, plus `/ledger`.

    A home has one log for life. Only a restored backup gets another, because the old one may have grown elsewhere
    since: `pins` is then the last checkpoint anyone holds of the old log, and the new log's first entry records it. The
    moment of its opening ends its origin, so that two restores of one backup never share an origin.
    """
    require(actor, Permission.LEDGER_INITIALISE)
    only_writer()
    origin = _origin(base_iri)
    before = Log.objects.order_by("id").last()
    if before is not None:
        if not pins:
            raise Conflict(
                "ledger.open",
                Text("存证账本已经开立。", "The ledger is open already."),
                Text(
                    "恢复备份后另开账本，须提供旧账本最后的检查点。",
                    "After restoring a backup, give the old log's last checkpoint.",
                ),
            )
        _check_pins(before, pins)
        origin = f"{origin}/{clock.now():%Y%m%dT%H%M%S.%fZ}"
    elif pins:
        raise _bad_pins("这里没有旧账本可供锚定", "There is no earlier log here to pin")
    verifier = _new_key(origin)
    log = Log.objects.create(
        origin=origin,
        algorithm=verifier.algorithm,
        key_id=verifier.key_id.hex(),
        public_key=verifier.public_key,
        opened=clock.now(),
    )
    record(log.key_id, {"base_iri": base_iri, "origin": origin, "software": software, "pins": pins})
    return log


@action(Permission.LEDGER_ROTATE, Event.LOG_KEY_ROTATED)
def rotate(actor: Actor) -> SigningKey:
    """Let a new key, of the algorithm now set, take over in the log that goes on. The entry saying so lies under a
    checkpoint that the old key signs as well; what the old one signed before stays good under it.

    Raises Unavailable `ledger.key` without the old key: a log whose key is lost cannot name another.
    """
    require(actor, Permission.LEDGER_ROTATE)
    only_writer()
    log = Log.objects.order_by("id").last()
    if log is None:
        raise Conflict("ledger.not_open", Text("存证账本尚未开立。", "No ledger has been opened here."))
    before = signer(log.verifier_key).verifier
    verifier = _new_key(log.origin)
    key = SigningKey.objects.create(
        log=log,
        algorithm=verifier.algorithm,
        key_id=verifier.key_id.hex(),
        public_key=verifier.public_key,
        since=clock.now(),
    )
    record(key.key_id, {"origin": log.origin, "key": str(verifier), "replaces": before.key_id.hex()})
    return key


def _new_key(origin: str) -> VerifierKey:
    made = ADAPTERS[settings.OPTIONS.ledger_algorithm].generate(origin)
    save(made, settings.OPTIONS.keys / key_file(made.key_id.hex()))
    return made.verifier


@action(Permission.LEDGER_FORGET, Event.FIELDS_FORGOTTEN)
def forget(actor: Actor, subject: str, names: Collection[str]) -> int:
    """Erase on our side: drop the salts and values of these fields from all that is recorded of a subject.

    The commitments stay, opened by nobody any more; a receipt given out before opens what it opened. That it was done
    is recorded. Returns how many entries forgot something. Raises Invalid `ledger.forget` where none has such a field,
    or for a log itself; Conflict `ledger.not_yet` while an event of the subject is still on its way.
    """
    require(actor, Permission.LEDGER_FORGET)
    outbox = Outbox.objects.filter(subject=subject).exclude(event=Event.FIELDS_FORGOTTEN)
    if outbox.exclude(sequenced=True, dispatched=True).exists():
        raise Conflict(
            "ledger.not_yet",
            Text(
                "与此有关的事项尚未办结，暂不能擦除。",
                "Something about this is still on its way, so it cannot be erased yet.",
            ),
            Text("请稍候再试，并确认后台进程在运行。", "Try again shortly, and see that the worker runs."),
        )
    forgot = 0
    entries = Disclosure.objects.filter(entry__subject=subject).exclude(entry__event=Event.FIELDS_FORGOTTEN)
    of_log = Log.objects.filter(key_id=subject).exists() or SigningKey.objects.filter(key_id=subject).exists()
    for opened in () if of_log else entries:
        kept = {name: one for name, one in opened.fields.items() if name not in names}
        if kept != opened.fields:
            Disclosure.objects.filter(pk=opened.pk).update(fields=kept)
            forgot += 1
    if not forgot:
        raise Invalid(
            "ledger.forget",
            Text("账本中没有可擦除的这些字段。", "The ledger holds no such fields of this that could be erased."),
            Text("请核对编号与字段名。", "Check the id and the names of the fields."),
            {"subject": subject},
        )
    for row in outbox:
        outbox.filter(pk=row.pk).update(fields={name: row.fields[name] for name in row.fields if name not in names})
    record(subject, {"subject": subject, "fields": sorted(names), "entries": forgot})
    return forgot


def _origin(base_iri: str) -> str:
    try:
        parts = urlsplit(base_iri)
        origin = check_name(f"{parts.netloc}{parts.path.rstrip('/')}/ledger")
        whole = bool(parts.hostname) and not (parts.username or parts.query or parts.fragment)
        good = parts.scheme in ("http", "https") and whole and len(origin) <= 200
    except ValueError:
        good = False
    if not good:
        raise Invalid(
            "ledger.base_iri",
            Text("基础 IRI 不可用。", "The base IRI cannot be used."),
            Text("请给出如“https://data.example.org”的地址。", "Give an address such as “https://data.example.org”."),
        )
    return origin


def _check_pins(before: Log, pins: str) -> None:
    """The pinned checkpoint must be the old log's own, and must not contradict what the old log holds here."""
    try:
        note = Note.parse(pins)
        pinned = Checkpoint.parse(note.text)
    except ValueError:
        raise _bad_pins("给出的检查点无法读取", "The checkpoint given cannot be read") from None
    # Since the backup the old log may have got another key, which only the key folder knows of.
    keys = {*before.verifier_keys, *(key for key in verifier_keys(settings.OPTIONS.keys) if key.name == before.origin)}
    if pinned.origin != before.origin or not any(note.signed_by(key) for key in keys):
        raise _bad_pins("给出的检查点不是旧账本签署的", "The checkpoint given was not signed by the log here")
    head = TreeHead.objects.filter(log=before).order_by("size").last()
    held = head.size if head else 0
    if pinned.size < held:
        raise _bad_pins("给出的检查点早于这里的账本", "The checkpoint given is older than the log here")
    if head is not None and pinned.size == held and pinned.root != bytes(head.root):
        raise _bad_pins("给出的检查点与这里的账本不符", "The checkpoint given contradicts the log here")


def _bad_pins(zh: str, en: str) -> Invalid:
    return Invalid("ledger.pins", Text(f"{zh}。", f"{en}."))
