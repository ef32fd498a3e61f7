"""Identifiers with every check digit right that can be nobody's.

* A citizen id (GB 11643) carries the code of its bearer's district at registration, usually at birth. Four districts
  of the list have their code only since 2015 or later; ours bear one of those and a birthday before it, so no id
  issued at birth equals them. The check digit does not look at this, nor may a checker: codes change.
* A mobile number begins with 154, which no operator was given.
* A plate begins with 川N, a letter no city of Sichuan uses since Chongqing left the province.
* A unified social credit code (GB 32100) names an organisation of the invented city: made up, with both checks right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .chance import Chance

Dates = NDArray[np.datetime64]
# District codes, and the first year with nobody born before the code whom we would give it to.
_LATE_CODES = (("510116", 2015), ("510185", 2015), ("510117", 2016), ("510118", 2020))
_CITIZEN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_UNIFIED = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_UNIFIED_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
# GA 36: neither I nor O on a plate.
_PLATE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def citizen_id(area: str, born: str, sequence: int) -> str:
    """`born` as YYYYMMDD; an odd sequence (0 to 999) is a man's, an even one a woman's."""
    first = f"{area}{born}{sequence:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(first, _CITIZEN_WEIGHTS, strict=True))
    return first + "10X98765432"[total % 11]


def citizen_ids(chance: Chance, births: Dates, women: NDArray[np.bool_]) -> list[str]:
    """One for each birthday; empty for children too young to have one of these codes."""
    ids = []
    numbers = chance.whole(0, 499, len(births)) * 2 + ~women
    places = chance.uniform(len(births))
    for born, number, place in zip(births.astype(str), numbers, places, strict=True):
        areas = [area for area, year in _LATE_CODES if int(born[:4]) < year]
        ids.append(citizen_id(areas[int(place * len(areas))], born.replace("-", ""), int(number)) if areas else "")
    return ids


def unified_code(region: str, serial: str, kind: str) -> str:
    """GB 32100: `kind` is registrar and class (2), then region (6), organisation serial (8) and the two checks."""
    total = sum(int(sign, 36) * weight for sign, weight in zip(serial, _ORGANISATION_WEIGHTS, strict=True))
    first = f"{kind}{region}{serial}{'0123456789X'[-total % 11]}"
    total = sum(_UNIFIED.index(sign) * weight for sign, weight in zip(first, _UNIFIED_WEIGHTS, strict=True))
    return first + _UNIFIED[-total % 31]


def mobiles(chance: Chance, count: int) -> list[str]:
    return [f"154{number:08d}" for number in chance.whole(0, 99_999_999, count)]


def landlines(chance: Chance, count: int) -> list[str]:
    """Numbers that begin with 0: no line in any city does."""
    return [f"028-0{number:07d}" for number in chance.whole(0, 9_999_999, count)]


def plates(chance: Chance, count: int, electric: NDArray[np.bool_]) -> list[str]:
    """川N with five places, two of them letters at most; an electric car has six, the first of them D."""
    numbers = chance.whole(0, 99_999, count)
    letters = chance.whole(0, len(_PLATE_LETTERS) - 1, count)
    return [
        f"川ND{number:05d}" if green else f"川N{_PLATE_LETTERS[letter]}{number % 10_000:04d}"
        for number, letter, green in zip(numbers, letters, electric, strict=True)
    ]
