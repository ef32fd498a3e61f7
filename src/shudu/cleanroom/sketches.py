"""Keeping and reading the sketches of releases: hashes under a secret of the asset's own, sealed in the database.

The secret is wrapped by the key-encryption keys, outside the home. A sketch holds no personal data: without the
secret its hashes say nothing; and it goes with the version it was made of.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db.models import Q

from shudu.lake import queries as lake
from shudu.lake.actions import StoredDataKeys
from shudu.lake.types import Place
from shudu.policy import clock

from .differencing import Partition
from .models import Release, Watch
from .release import History

_NONCE = 12


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sketch ready to be stored."""

    hashes: bytes
    hashes_sha256: str
    labels: bytes
    labels_sha256: str
    min_group: int


class Keys:
    """What an asset's sketches are hashed and sealed with: two keys derived from its secret."""

    def __init__(self, owner: str, asset: str) -> None:
        secret = StoredDataKeys(lake.keyring()).create(Place(owner, asset, "sketches"))
        self.hashing = hmac.digest(secret, b"shudu-sketch-hash/1", "sha256")[:16]
        self._sealing = AESGCM(hmac.digest(secret, b"shudu-sketch-seal/1", "sha256"))

    def seal(self, data: bytes, context: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._sealing.encrypt(nonce, data, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Raises InvalidTag for altered bytes or another context."""
        return self._sealing.decrypt(sealed[:_NONCE], sealed[_NONCE:], context.encode())


def history(keys: Keys, asset: str, run: str) -> tuple[int, History]:
    """What a run's release must be compared with, and how many had been entered by then.

    A run that entered its release already, and does the step again, is shown what it saw then: equal bytes come out.
    """
    rows = Release.objects.filter(asset=asset)
    own = rows.filter(run=run).first()
    if own is not None:
        seen = own.number - 1
        rows = rows.filter(number__lt=own.number).filter(Q(ended=None) | Q(ended__gt=own.entered))
    else:
        seen = Watch.objects.filter(asset=asset).values_list("releases", flat=True).first() or 0
        rows = rows.filter(ended=None, number__lte=seen)
    earlier: dict[tuple[str, str, int], Partition] = {}
    cohorts: dict[int, bytes] = {}
    unread = 0
    for row in rows.exclude(labels=b"").select_related("cohort").order_by("number"):
        cohort = row.cohort
        if cohort is None:  # erased with its version
            continue
        name = (cohort.sha256, row.labels_sha256, row.min_group)
        if name in earlier:
            continue
        try:
            if cohort.pk not in cohorts:
                cohorts[cohort.pk] = keys.unseal(bytes(cohort.sealed), cohort.sha256)
            earlier[name] = _read(cohorts[cohort.pk], keys.unseal(bytes(row.labels), row.labels_sha256), row.min_group)
        except (InvalidTag, ValueError, OSError):
            unread += 1
    return seen, History(keys.hashing, tuple(earlier.values()), unread)


def sealed(keys: Keys, sketch: Partition) -> Sealed:
    """Hashes as they are, for they do not shrink; rows in as few bytes as they need, compressed."""
    hashes = sketch.hashes.astype("<u8").tobytes()
    plain = sketch.labels.astype("<u2").tobytes()
    labels = len(plain).to_bytes(8, "little") + pa.compress(plain, codec="zstd", asbytes=True)
    of_hashes, of_labels = hashlib.sha256(hashes).hexdigest(), hashlib.sha256(plain).hexdigest()
    return Sealed(keys.seal(hashes, of_hashes), of_hashes, keys.seal(labels, of_labels), of_labels, sketch.min_group)


def _read(hashes: bytes, labels: bytes, min_group: int) -> Partition:
    size = int.from_bytes(labels[:8], "little")
    plain = pa.decompress(labels[8:], decompressed_size=size, codec="zstd", asbytes=True)
    found = Partition(np.frombuffer(hashes, "<u8"), np.frombuffer(plain, "<u2").astype(np.int64), min_group)
    if len(found.hashes) != len(found.labels):
        raise ValueError("a sketch's rows are as many as its entities")
    return found


def left_today(agreement: str, cap: int) -> int:
    """How many more releases this agreement has today (in Asia/Shanghai)."""
    return cap - Release.objects.filter(agreement=agreement, ended=None, entered__gt=_day_began()).count()


def _day_began() -> datetime:
    today = clock.now().astimezone(clock.SHANGHAI).date()
    return clock.end_of_day(today - timedelta(days=1))
