"""The Ed25519 adapter of the `Signer` port, and the key file of every adapter.

The file is one line in the form Go's sumdb/note uses, `PRIVATE+KEY+<name>+<key id>+<base64(type ‖ seed)>`, so it names
its key's id and algorithm itself. It lies in the key folder, beside the home and never inside it.
"""

from __future__ import annotations

import base64
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .guomi import Sm2Signer
from .note import ED25519, SIGNATURE_TYPES, SM2, VerifierKey, check_name, decode_base64, split_type

_MARK = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """Signs notes in `name` with an Ed25519 key (RFC 8032). `seed` is its 32 secret bytes."""

    name: str
    seed: bytes = field(repr=False)
    algorithm: str = ED25519

    @classmethod
    def generate(cls, name: str) -> Ed25519Signer:
        """A new key from the system's randomness."""
        return cls(check_name(name), secrets.token_bytes(32))

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self._key().public_key().public_bytes_raw(), self.algorithm)

    @property
    def key_id(self) -> bytes:
        return self.verifier.key_id

    def sign(self, message: bytes) -> bytes:
        """64 bytes; the same message always gives the same signature."""
        return self._key().sign(message)

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


Keyed = Ed25519Signer | Sm2Signer
ADAPTERS: dict[str, type[Ed25519Signer] | type[Sm2Signer]] = {ED25519: Ed25519Signer, SM2: Sm2Signer}
SECRET_BYTES = {ED25519: 32, SM2: 96}


def load(file: Path) -> Keyed:
    """Read a key file; OSError when it cannot be read, ValueError when it is not one."""
    text = file.read_text("utf-8").removesuffix("\n")
    parts = text.removeprefix(_MARK).split("+", 2)
    if not text.startswith(_MARK) or len(parts) != 3:
        raise ValueError("not a signer's key file")
    algorithm, seed = split_type(decode_base64(parts[2]))
    if len(seed) != SECRET_BYTES[algorithm]:
        raise ValueError("not a key file of its algorithm")
    signer = ADAPTERS[algorithm](check_name(parts[0]), seed)
    if signer.key_id.hex() != parts[1]:
        raise ValueError("the key file's id does not belong to its name and key")
    return signer


def save(signer: Keyed, file: Path) -> None:
    """Write a new key file, mode 0600: whole and on disk, or not at all. FileExistsError rather than overwrite."""
    key = base64.b64encode(SIGNATURE_TYPES[signer.algorithm] + signer.seed).decode()
    _write(f"{_MARK}{signer.name}+{signer.key_id.hex()}+{key}\n", file)


def save_public(key: VerifierKey, file: Path) -> None:
    """Write the public half of a key, unless it is there; whole and on disk."""
    with suppress(FileExistsError):
        _write(f"{key}\n", file)


def _write(text: str, file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.link(draft, file)  # unlike a rename, a link never replaces
    finally:
        draft.unlink()
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def verifier_keys(folder: Path) -> list[VerifierKey]:
    """The public halves of every log's keys in a folder of keys; a file that cannot be read vouches for nothing."""
    found = []
    for file in sorted((*folder.glob("ledger-*.key"), *folder.glob("ledger-*.pub"))):
        with suppress(OSError, ValueError):
            public = file.suffix == ".pub"
            found.append(VerifierKey.parse(file.read_text("utf-8").strip()) if public else load(file).verifier)
    return found
