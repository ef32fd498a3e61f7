"""Assigned codes of catalogue entries, with a real check digit.

A code is `<division 6><organisation 9>/<type 1><sequence 6><check 2>`, the layout of the national guide on catalogue
descriptions (NDI-TR-2025-06). Division and organisation come from the owner's GB 32100 code. The two check digits are
ISO 7064 MOD 97-10 over all characters before them, letters counted as 10…35, as in LEI (ISO 17442).
"""

from __future__ import annotations

# D, F, A, S and P are the guide's; M for a model is our extension.
TYPES = {"table": "D", "files": "F", "api": "A", "service": "S", "product": "P", "model": "M"}


def check_digits(body: str) -> str:
    """The two ISO 7064 MOD 97-10 check digits of `body` (digits and letters; other signs are ignored)."""
    number = int("".join(str(int(sign, 36)) for sign in body if sign.isalnum()) + "00")
    return f"{98 - number % 97:02d}"


def asset_code(owner_code: str, kind: str, sequence: int) -> str:
    """The code of an owner's `sequence`-th entry (from 1) of a kind in `TYPES`.

    `owner_code` is the owner's 18-character GB 32100 code: characters 3–8 are its division, 9–17 its organisation code.
    """
    if not 1 <= sequence <= 999_999:
        raise ValueError("a sequence number has one to six digits")
    body = f"{owner_code[2:8]}{owner_code[8:17]}/{TYPES[kind]}{sequence:06d}"
    return body + check_digits(body)


def is_valid(code: str) -> bool:
    """Whether the check digits hold: the number made of all signs is 1 modulo 97."""
    signs = [sign for sign in code if sign.isalnum()]
    if len(code) != 25 or len(signs) != 24 or not code.isascii():
        return False
    return int("".join(str(int(sign, 36)) for sign in signs)) % 97 == 1
