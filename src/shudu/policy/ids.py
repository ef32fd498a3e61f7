"""Typed ids: a prefix that says what it names, and a UUIDv7 that sorts by time (TypeID 0.3).

The prefixes stand in one table so that no two rooms use the same.
"""

from __future__ import annotations

import os
import time
import uuid

PREFIXES = {
    "account": "acc",
    "agreement": "agr",
    "asset": "ast",
    "batch": "bat",
    "binding": "bnd",
    "case": "cas",
    "correction": "cor",
    "entry": "ent",
    "feed": "fed",
    "line": "lin",
    "membership": "mem",
    "offer": "ofr",
    "order": "ord",
    "party": "pty",
    "person": "per",
    "quality_rules": "qlr",
    "release_rules": "rlr",
    "reservation": "rsv",
    "right": "rgt",
    "run": "run",
    "sender_key": "key",
    "source": "src",
    "token": "tok",
    "transfer": "tfr",
    "upload": "upl",
    "version": "ver",
}

# Crockford's base 32 in lower case, as TypeID asks.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def uuid7() -> uuid.UUID:
    """A UUID version 7 (RFC 9562 §5.7): 48 bits of milliseconds, 74 random bits."""
    return uuid.UUID(int=_number())


def new(noun: str) -> str:
    """A fresh id for `noun`, such as `run_01kaj…` (30 characters)."""
    number = _number()
    digits = "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -10, -10)])
    return f"{PREFIXES[noun]}_{digits}"


def _number() -> int:
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    return value & ~(0x3 << 62) | 0x2 << 62


def noun_of(text: str) -> str | None:
    """Which noun an id names, or None when it is not an id of ours."""
    prefix, _, digits = text.partition("_")
    if len(digits) != 26 or any(digit not in _ALPHABET for digit in digits):
        return None
    return next((noun for noun, known in PREFIXES.items() if known == prefix), None)
