"""The SM2-with-SM3 adapter of the `Signer` port (GB/T 32918.2, user id `1234567812345678` as GB/T 35276 has it).

It takes the extra `guomi`; who only verifies Ed25519 never needs it. Signatures are DER, and differ each time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shudu.policy.types import Text, Unavailable

from .note import SM2, VerifierKey, check_name

PRIVATE = 32  # bytes; the public key's 64 follow, because it is not made from the private one here


@dataclass(frozen=True, slots=True)
class Sm2Signer:
    """Signs notes in `name` with an SM2 key. `seed` is its 32 secret bytes and the 64 of its point."""

    name: str
    seed: bytes = field(repr=False)
    algorithm: str = SM2

    @classmethod
    def generate(cls, name: str) -> Sm2Signer:
        """A new key from the library's randomness."""
        public, private = _library().sm2_key_generate()
        return cls(check_name(name), bytes(private) + bytes(public))

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self.seed[PRIVATE:], self.algorithm)

    @property
    def key_id(self) -> bytes:
        return self.verifier.key_id

    def sign(self, message: bytes) -> bytes:
        """70 to 72 bytes; another signature each time."""
        return bytes(_library().sm2_sign(self.seed[:PRIVATE], self.seed[PRIVATE:], message))


def verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Is this the SM2 key's signature of these bytes?"""
    library = _library()
    try:
        return bool(library.sm2_verify(public_key, message, signature))
    except (library.GmsslInnerError, library.InvalidValueError, ValueError):
        return False


def _library() -> Any:
    try:
        import gmssl_pyx
    except ImportError:
        raise Unavailable(
            "ledger.guomi",
            Text("这里没有安装国密算法库，无法使用 SM2。", "The library for SM2 is not installed here."),
            Text("请安装附加组件 guomi。", "Install the extra `guomi`."),
        ) from None
    return gmssl_pyx
