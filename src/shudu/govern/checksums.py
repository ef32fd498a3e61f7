"""Numbers that prove themselves: citizen ids and bank cards. Pure functions of one text each."""

from __future__ import annotations

import re
from datetime import date

_CITIZEN_ID = re.compile(r"[1-9][0-9]{5}((?:18|19|20)[0-9]{2})([0-9]{2})([0-9]{2})[0-9]{3}[0-9Xx]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_BANK_CARD = re.compile(r"62[0-9]{14,17}")
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def is_citizen_id(text: str) -> bool:
    """公民身份号码 after GB 11643-1999: 18 characters, a date that exists, ISO 7064 MOD 11-2.

    The address code is not looked up: codes of districts long dissolved stay valid for those born there.
    """
    found = _CITIZEN_ID.fullmatch(text)
    if found is None:
        return False
    try:
        date(*(int(part) for part in found.groups()))
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, text, strict=False))
    return _CHECKS[total % 11] == text[17].upper()


def is_bank_card(text: str) -> bool:
    """A UnionPay card number: prefix 62, 16 to 19 digits, Luhn check digit (ISO/IEC 7812-1 annex B)."""
    if _BANK_CARD.fullmatch(text) is None:
        return False
    digits = [int(digit) for digit in reversed(text)]
    return (sum(digits[::2]) + sum(_DOUBLED[digit] for digit in digits[1::2])) % 10 == 0
