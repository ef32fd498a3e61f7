"""Keys on two floors: each encrypted version has a data key, and a key-encryption key outside the home wraps them all.

AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces; whatever a ciphertext belongs to is its associated data, so
that one cannot be passed off as another. A copy of the home without the folder of keys opens nothing.
"""

from __future__ import annotations

import base64
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shudu.policy import ids
from shudu.policy.types import Conflict, Text, Unavailable

from .folders import make_durable_folder, sync

ALGORITHM = "AES-256-GCM"
_SEALED = b"shudu-sealed/1\n"
_NONCE = 12
_PREFIX = "kek_"
_ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key as it may be stored: useless without the key-encryption key that `kek_id` names."""

    kek_id: str
    algorithm: str
    text: str


def new_secret() -> bytes:
    """A fresh data key of 256 bits."""
    return AESGCM.generate_key(bit_length=256)


def seal(secret: bytes, data: bytes, context: tuple[str, ...]) -> bytes:
    """Encrypt a whole file; `context` says which one it is and must be said again to open it."""
    nonce = os.urandom(_NONCE)
    return _SEALED + nonce + AESGCM(secret).encrypt(nonce, data, _associated(context))


def unseal(secret: bytes, sealed: bytes, context: tuple[str, ...]) -> bytes:
    """The bytes `seal` was given. Raises Conflict `lake.key` for another key, another context or altered bytes."""
    start = len(_SEALED) + _NONCE
    try:
        if not sealed.startswith(_SEALED) or len(sealed) < start:
            raise InvalidTag
        return AESGCM(secret).decrypt(sealed[len(_SEALED) : start], sealed[start:], _associated(context))
    except InvalidTag:
        raise wrong_key() from None


def _associated(context: tuple[str, ...]) -> bytes:
    """Length-prefixed, so that no two contexts read alike."""
    return b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in context)


def wrong_key() -> Conflict:
    return Conflict(
        "lake.key",
        Text("密钥与这份数据不符，无法解密。", "The key does not open this data."),
        Text("请从密钥备份中恢复正确的密钥。", "Restore the right key from the backup of the keys."),
    )


class Keyring:
    """The key-encryption keys in a folder of files, one each, readable by this account only. The newest wraps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def known(self) -> list[str]:
        """Ids, oldest first."""
        return sorted(path.stem for path in self.folder.glob(f"{_PREFIX}*.key"))

    def add(self) -> str:
        """Make a new key-encryption key, durably, and return its id."""
        kek_id = f"{_PREFIX}{ids.uuid7().hex}"
        make_durable_folder(self.folder)
        handle = os.open(self._path(kek_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(new_secret()) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync(self.folder)
        return kek_id

    def remove(self, kek_id: str) -> None:
        """Destroy a key-encryption key: whatever it alone still wraps is lost."""
        self._path(kek_id).unlink()
        sync(self.folder)

    def wrap(self, secret: bytes, context: tuple[str, ...], kek_id: str | None = None) -> Wrapped:
        """Wrap a data key with `kek_id`, else the newest key-encryption key, making the first if there is none."""
        kek_id = kek_id or (self.known() or [self.add()])[-1]
        sealed = seal(self._read(kek_id), secret, (kek_id, ALGORITHM, *context))
        return Wrapped(kek_id, ALGORITHM, base64.b64encode(sealed).decode())

    def unwrap(self, wrapped: Wrapped, context: tuple[str, ...]) -> bytes:
        """The data key. Raises Unavailable when its key-encryption key is missing, Conflict when it is another."""
        sealed = base64.b64decode(wrapped.text)
        return unseal(self._read(wrapped.kek_id), sealed, (wrapped.kek_id, wrapped.algorithm, *context))

    def note_erased(self, version: str) -> None:
        """Remember outside the home, durably, that a version is gone: no backup that still has it may bring it back.

        An empty file in a folder of its own, so that no two notes can spoil each other.
        """
        folder = self.folder / _ERASED
        make_durable_folder(folder)
        os.close(os.open(folder / version, os.O_WRONLY | os.O_CREAT, 0o600))
        sync(folder)

    def erased(self) -> set[str]:
        """The versions noted as gone."""
        folder = self.folder / _ERASED
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()

    @contextmanager
    def held(self, *, alone: bool = False) -> Iterator[None]:
        """Keep rotation out while a key is wrapped and its row committed; `alone` is rotation itself."""
        make_durable_folder(self.folder)
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(handle)

    def _path(self, kek_id: str) -> Path:
        return self.folder / f"{kek_id}.key"

    def _read(self, kek_id: str) -> bytes:
        path = self._path(kek_id)
        if not path.is_file():
            raise Unavailable(
                "lake.kek_missing",
                Text("找不到解密所需的主密钥。", "The key-encryption key this data needs is missing."),
                Text("请从密钥备份恢复密钥目录。", "Restore the folder of keys from its backup."),
                {"key": kek_id},
            )
        if path.stat().st_mode & 0o077:
            raise Unavailable(
                "lake.kek_exposed",
                Text(
                    "主密钥文件可被其他账户读取，已停止使用。",
                    "Other accounts may read the key-encryption key; it is not used.",
                ),
                Text("请将其权限设为 600，并轮换密钥。", "Set its mode to 600 and rotate the keys."),
                {"key": kek_id},
            )
        return base64.b64decode(path.read_bytes())
