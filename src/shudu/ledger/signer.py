"""The Ed25519 adapter of the `Signer` port, and its key file.

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

from .note import ED25519, SIGNATURE_TYPES, VerifierKey, check_name, decode_base64

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

    @classmethod
    def load(cls, file: Path) -> Ed25519Signer:
        """Read a key file; OSError when it cannot be read, ValueError when it is not one."""
        text = file.read_text("utf-8").removesuffix("\n")
        parts = text.removeprefix(_MARK).split("+", 2)
        if not text.startswith(_MARK) or len(parts) != 3:
            raise ValueError("not a signer's key file")
        data = decode_base64(parts[2])
        if data[:1] != SIGNATURE_TYPES[ED25519] or len(data) != 33:
            raise ValueError("not an Ed25519 key file")
        signer = cls(check_name(parts[0]), data[1:])
        if signer.key_id.hex() != parts[1]:
            raise ValueError("the key file's id does not belong to its name and key")
        return signer

    def save(self, file: Path) -> None:
        """Write a new key file, mode 0600: whole and on disk, or not at all. FileExistsError rather than overwrite."""
        key = base64.b64encode(SIGNATURE_TYPES[self.algorithm] + self.seed).decode()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.write(f"{_MARK}{self.name}+{self.key_id.hex()}+{key}\n")
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
    """The public halves of every log's key in a folder of keys; a file that cannot be read vouches for nothing."""
    found = []
    for file in sorted(folder.glob("ledger-*.key")):
        with suppress(OSError, ValueError):
            found.append(Ed25519Signer.load(file).verifier)
    return found
