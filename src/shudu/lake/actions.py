"""Data keys: made when an encrypted version is written, destroyed when it is erased, wrapped anew on rotation.

These writes are no `@action`s. A data key is made while files are prepared, before the action's transaction opens, so
that no transaction waits for a large file; and nobody decides about it by itself: whoever may publish or erase a
version has been asked by that action, and its event is what the ledger keeps. A key left by an action that then failed
opens nothing and is found again when the action is retried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from shudu.policy import clock, ids
from shudu.policy.types import Conflict, Text

from .keys import Keyring, Wrapped, new_secret
from .models import DataKey
from .types import Place

_OF_A_VERSION = Q(version__startswith="ver_") | Q(version__startswith="run_")


@dataclass(frozen=True)
class StoredDataKeys:
    """The data keys of this installation: rows in the database, wrapped by `keyring`."""

    keyring: Keyring

    def create(self, place: Place) -> bytes:
        """The data key of `place`, made now if there is none. Raises Conflict `lake.key_destroyed` after `destroy`."""
        with self.keyring.held(), transaction.atomic():
            if row := _row(place):
                return self._open(row)
            secret, key_id = new_secret(), f"dk_{ids.uuid7().hex}"
            wrapped = self.keyring.wrap(secret, _context(key_id, place))
            DataKey.objects.create(
                key_id=key_id,
                owner=place.owner,
                asset=place.asset,
                version=place.version,
                kek_id=wrapped.kek_id,
                algorithm=wrapped.algorithm,
                wrapped=wrapped.text,
                created=clock.now(),
            )
            return secret

    def secret(self, place: Place) -> bytes:
        """The data key of `place`. Raises Conflict `lake.key_destroyed` when there is none any more."""
        row = _row(place)
        if row is None:
            raise _destroyed()
        return self._open(row)

    def erase(self, place: Place) -> None:
        """Note beside the keys that the version is gone, then destroy its data key; idempotent.

        Old backups still hold the key, wrapped, and the files. Because of the note a restore erases the version again
        before anything is visible. After `rotate_kek` no backup from before it opens anything that is encrypted.
        """
        self.keyring.note_erased(place.version)
        self.destroy(place)

    def destroy(self, place: Place) -> None:
        """Forget the data key of `place`, of which no version ever came or none is left; idempotent."""
        DataKey.objects.filter(owner=place.owner, asset=place.asset, version=place.version).update(
            state=DataKey.State.DESTROYED, wrapped=""
        )

    def forget(self, there: Callable[[Place], bool], older_than: float) -> None:
        """Forget keys made more than `older_than` seconds ago for versions of which nothing lies anywhere: they opened
        nothing yet. A key of something that is not stored as a version (a password, sketches of releases) stays.

        Their rows go whole, so that whoever tries again at the same place begins with a new key.
        """
        made = DataKey.objects.filter(
            _OF_A_VERSION, state=DataKey.State.ACTIVE, created__lte=clock.now() - timedelta(seconds=older_than)
        )
        for row in made.iterator():
            if not there(Place(row.owner, row.asset, row.version)):
                row.delete()

    def _open(self, row: DataKey) -> bytes:
        if row.state == DataKey.State.DESTROYED:
            raise _destroyed()
        place = Place(row.owner, row.asset, row.version)
        return self.keyring.unwrap(Wrapped(row.kek_id, row.algorithm, row.wrapped), _context(row.key_id, place))


def rotate_kek(keyring: Keyring) -> int:
    """Wrap every data key with a fresh key-encryption key, then destroy the old ones; returns how many were wrapped.

    Stored files stay as they are. A crash in between leaves both keys, and the next rotation finishes.
    """
    keys = StoredDataKeys(keyring)
    with keyring.held(alone=True):
        old = keyring.known()
        new = keyring.add()
        # Durable: an old key may go only when no row that needs it can come back by a rollback.
        with transaction.atomic(durable=True):
            rows = list(DataKey.objects.select_for_update().filter(state=DataKey.State.ACTIVE))
            for row in rows:
                place = Place(row.owner, row.asset, row.version)
                wrapped = keyring.wrap(keys._open(row), _context(row.key_id, place), new)
                row.kek_id, row.algorithm, row.wrapped = wrapped.kek_id, wrapped.algorithm, wrapped.text
                row.save(update_fields=["kek_id", "algorithm", "wrapped"])
        for kek_id in old:
            keyring.remove(kek_id)
    return len(rows)


def _row(place: Place) -> DataKey | None:
    return DataKey.objects.filter(owner=place.owner, asset=place.asset, version=place.version).first()


def _context(key_id: str, place: Place) -> tuple[str, ...]:
    return ("data-key", key_id, place.owner, place.asset, place.version)


def _destroyed() -> Conflict:
    return Conflict(
        "lake.key_destroyed",
        Text(
            "这个版本的数据密钥已销毁，内容无法再读取。",
            "This version's data key was destroyed: its content cannot be read any more.",
        ),
    )
