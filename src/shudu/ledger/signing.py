"""Which keys sign a log now, where their files lie, and what becomes of a key that another has followed.

A key takes over with an entry of its own (`actions.rotate`). Until a checkpoint covers that entry both keys sign, so
whoever holds only the old verifier key can follow to the new one; from then on the new key signs alone, and of the old
one only the public half is kept. Each step may be cut short: the next batch of the sequencer does it again.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from django.conf import settings

from shudu.policy.events import Event
from shudu.policy.types import Text, Unavailable

from .models import Entry, Log
from .note import VerifierKey
from .signer import Keyed, load, save_public


def in_force(log: Log, size: int) -> list[VerifierKey]:
    """The keys that sign the next checkpoint of a log that has `size` entries, the newest first."""
    keys = log.verifier_keys
    placed = Entry.objects.filter(log=log, event=Event.LOG_KEY_ROTATED, index__lt=size)
    known = set(placed.values_list("subject", flat=True)) if len(keys) > 1 else set()
    first = max((at for at, key in enumerate(keys) if key.key_id.hex() in known), default=0)
    return keys[first:][::-1]


def signer(key: VerifierKey) -> Keyed:
    """The private half of a log's key. Raises Unavailable `ledger.key` when it is not in the key folder."""
    file = _folder() / key_file(key.key_id.hex())
    try:
        loaded = load(file)
    except (OSError, ValueError):
        loaded = None
    if loaded is None or loaded.verifier != key:
        raise Unavailable(
            "ledger.key",
            Text("读不到存证账本的签名密钥。", "The ledger's signing key cannot be read."),
            Text(
                f"请把密钥文件“{file.name}”放回密钥目录；其间的操作不会丢失。",
                f"Put the key file “{file.name}” back into the key folder; nothing done meanwhile is lost.",
            ),
        )
    return loaded


def retire(log: Log, size: int) -> None:
    """Of the keys that sign no more, keep the public half alone. A folder that cannot be written is tried again."""
    signing = in_force(log, size)
    for key in log.verifier_keys:
        file = _folder() / key_file(key.key_id.hex())
        if key not in signing:
            with suppress(OSError):
                if file.exists():
                    save_public(key, file.with_suffix(".pub"))
                    file.unlink()


def key_file(key_id: str) -> str:
    """The name of a key's file in the key folder."""
    return f"ledger-{key_id}.key"


def _folder() -> Path:
    folder: Path = settings.OPTIONS.keys
    return folder
