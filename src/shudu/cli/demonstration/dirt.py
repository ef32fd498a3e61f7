"""What real registers look like: blanks, odd spellings, values in the wrong place. Shares are small and documented."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .chance import Bools, Chance, Ints
from .districts import DISTRICTS

CITY = "锦官市"


def blank(values: Sequence[Any], where: Bools) -> list[Any]:
    """None, an empty cell, where told."""
    return [None if gone else value for value, gone in zip(values, where, strict=True)]


def replaced(values: Sequence[Any], where: Bools, by: Sequence[Any]) -> list[Any]:
    return [other if odd else value for value, odd, other in zip(values, where, by, strict=True)]


def district_columns(chance: Chance, places: Ints, share: float = 0.01) -> tuple[list[str | None], list[str | None]]:
    """区划代码 and 行政区: some names are spelled oddly, some belong to another district than the code, some lack."""
    count = len(places)
    codes: list[str | None] = blank([DISTRICTS[place].code for place in places], chance.happens(share / 2, count))
    odd, wrong = chance.happens(share, count), chance.happens(share, count)
    style, others = chance.whole(0, 3, count), chance.whole(0, len(DISTRICTS) - 1, count)
    names = [
        _oddly(DISTRICTS[place].name, int(how)) if strange else DISTRICTS[other if elsewhere else place].name
        for place, other, strange, elsewhere, how in zip(places, others, odd, wrong, style, strict=True)
    ]
    return codes, blank(names, chance.happens(share / 2, count))


def _oddly(name: str, style: int) -> str:
    """The ways people write a district: short, with the city before it, with a blank after it, spaced."""
    return (name[:-1], f"{CITY}{name}", f"{name} ", f"{name[0]} {name[1:]}")[style]
