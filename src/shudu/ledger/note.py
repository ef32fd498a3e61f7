"""Signed notes and checkpoints: https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint.

A note is text, an empty line, and lines `— <key name> <base64(key id ‖ signature)>`. Signatures of unknown keys are
kept and ignored, which leaves room for witnesses. A checkpoint is a note whose text is origin, size and root.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519 = "ed25519"
SM2 = "sm2-sm3"
# signed-note's identifier of each algorithm; 0xff begins those it has not numbered, with a name of their own.
SIGNATURE_TYPES = {ED25519: b"\x01", SM2: b"\xffSM2-SM3\n"}
PUBLIC_BYTES = {ED25519: 32, SM2: 64}
MAX_SIGNATURES = 64
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Signer(Protocol):
    """Whoever can sign a note. `algorithm` is a key of `SIGNATURE_TYPES`, `key_id` is 4 bytes."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...
    @property
    def algorithm(self) -> str: ...
    def sign(self, message: bytes) -> bytes: ...


def decode_base64(text: str) -> bytes:
    """RFC 4648 §4 with its padding, and only the one spelling an encoder gives."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        data = b""
    if not data or base64.b64encode(data).decode() != text:
        raise ValueError("not base64")
    return data


def decode_number(text: str) -> int:
    """A decimal number without sign or leading zeroes, below 10^19."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a plain decimal number")
    return int(text)


def check_name(name: str) -> str:
    """Key names have no spaces, no plus and no control characters."""
    if not name or any(letter.isspace() or letter == "+" or ord(letter) < 0x20 for letter in name):
        raise ValueError("not a key name")
    return name


def split_type(data: bytes) -> tuple[str, bytes]:
    """The algorithm that a key's bytes begin with, and the rest; ValueError for one not known here."""
    for algorithm, mark in SIGNATURE_TYPES.items():
        if data.startswith(mark):
            return algorithm, data[len(mark) :]
    raise ValueError("a key of no algorithm known here")


def key_id(name: str, algorithm: str, public_key: bytes) -> bytes:
    """The first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key)."""
    return sha256(name.encode() + b"\n" + SIGNATURE_TYPES[algorithm] + public_key).digest()[:4]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """What a reader holds: `<name>+<key id in hex>+<base64(type ‖ public key)>`."""

    name: str
    public_key: bytes
    algorithm: str = ED25519

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, self.algorithm, self.public_key)

    def __str__(self) -> str:
        key = base64.b64encode(SIGNATURE_TYPES[self.algorithm] + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a verifier key; ValueError unless name, id and key belong together."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise ValueError("a verifier key is <name>+<id>+<key>")
        data = decode_base64(parts[2])
        algorithm, public_key = split_type(data)
        if len(public_key) != PUBLIC_BYTES[algorithm]:
            raise ValueError("not a verifier key of its algorithm")
        key = cls(check_name(parts[0]), public_key, algorithm)
        if key.key_id.hex() != parts[1]:
            raise ValueError("the verifier key's id does not belong to its name and key")
        return key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Is this the key's signature of these bytes (RFC 8032; of SM2, GB/T 32918.2)?"""
        if self.algorithm == SM2:
            from .guomi import verifies

            return verifies(self.public_key, message, signature)
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """`text` ends in a newline and is what is signed."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        lines = (f"— {by.name} {base64.b64encode(by.key_id + by.signature).decode()}\n" for by in self.signatures)
        return f"{self.text}\n{''.join(lines)}"

    @classmethod
    def parse(cls, note: str) -> Note:
        """Read a note; ValueError when it is not one. Says nothing of its signatures' truth."""
        if any(ord(letter) < 0x20 and letter != "\n" for letter in note):
            raise ValueError("a note has no control characters")
        text, gap, tail = note.rpartition("\n\n")
        if not gap or not tail.endswith("\n"):
            raise ValueError("a note is text, an empty line and signatures")
        lines = tail[:-1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise ValueError(f"a note here has at most {MAX_SIGNATURES} signatures")
        return cls(text + "\n", tuple(map(_parse_signature, lines)))

    def signed_by(self, key: VerifierKey) -> bool:
        """Has this key signed? A signature in its name and id that fails spoils the note."""
        own = [by.signature for by in self.signatures if (by.name, by.key_id) == (key.name, key.key_id)]
        return bool(own) and all(key.verifies(self.text.encode(), signature) for signature in own)


def _parse_signature(line: str) -> Signature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—":
        raise ValueError("a signature line is “— <key name> <base64>”")
    data = decode_base64(parts[2])
    if len(data) < 5:
        raise ValueError("a signature line without a signature")
    return Signature(check_name(parts[1]), data[:4], data[4:])


def sign(text: str, *signers: Signer) -> Note:
    """A note of `text`, which must end in a newline, with one signature by each signer."""
    if not text.endswith("\n"):
        raise ValueError("a note's text ends in a newline")
    return Note(text, tuple(Signature(by.name, by.key_id, by.sign(text.encode())) for by in signers))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree head. `str` gives the text to sign."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note's text as a checkpoint; extension lines are allowed and passed over."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise ValueError("a checkpoint has the lines origin, size and root")
        root = decode_base64(lines[2])
        if len(root) != 32:
            raise ValueError("a checkpoint's root has 32 bytes")
        return cls(lines[0], decode_number(lines[1]), root)
