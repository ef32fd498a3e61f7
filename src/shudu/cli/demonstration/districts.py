"""The twenty districts, cities and counties of Chengdu (GB/T 2260, list of 2024), and how large each is in our city.

Codes and names are the published ones. `size` is ours: it makes the districts differ as a city's do, and states nothing
about the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .chance import Chance, Ints


@dataclass(frozen=True, slots=True)
class District:
    """`size` weighs people, `work` weighs firms, traffic and hospitals: they gather in the centre."""

    code: str
    name: str
    size: int
    work: int

    @property
    def ring(self) -> str:
        """`centre`, `near` or `far`, as the codes happen to run from the old city outwards."""
        return "centre" if self.code <= "510108" else "near" if self.code <= "510118" else "far"


DISTRICTS = (
    District("510104", "锦江区", 90, 150),
    District("510105", "青羊区", 95, 150),
    District("510106", "金牛区", 125, 140),
    District("510107", "武侯区", 130, 200),
    District("510108", "成华区", 135, 120),
    District("510112", "龙泉驿区", 130, 90),
    District("510113", "青白江区", 50, 35),
    District("510114", "新都区", 150, 90),
    District("510115", "温江区", 95, 60),
    District("510116", "双流区", 145, 120),
    District("510117", "郫都区", 135, 80),
    District("510118", "新津区", 35, 25),
    District("510121", "金堂县", 80, 30),
    District("510129", "大邑县", 50, 20),
    District("510131", "蒲江县", 25, 10),
    District("510181", "都江堰市", 70, 35),
    District("510182", "彭州市", 75, 30),
    District("510183", "邛崃市", 60, 22),
    District("510184", "崇州市", 70, 28),
    District("510185", "简阳市", 90, 40),
)


def at_home(chance: Chance, count: int) -> Ints:
    """Districts, by place in `DISTRICTS`, as people live in them."""
    return chance.index([each.size for each in DISTRICTS], count)


def leaning(
    chance: Chance, usual: Mapping[str, float], leanings: Mapping[str, Mapping[str, float]], places: Ints
) -> list[str]:
    """Values as often as `usual` says, times what each ring leans to: what is common in the centre is rare outside."""
    drawn = {
        ring: chance.pick({value: weight * leans.get(value, 1) for value, weight in usual.items()}, len(places))
        for ring, leans in leanings.items()
    }
    return [drawn[DISTRICTS[place].ring][row] for row, place in enumerate(places)]


def at_work(chance: Chance, count: int) -> Ints:
    """Districts as firms and traffic fill them."""
    return chance.index([each.work for each in DISTRICTS], count)
