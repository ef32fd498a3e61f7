"""What the book answers with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shudu.policy import clock

from .splits import largest_remainder as largest_remainder

CAP = 10**15  # 分: ten trillion yuan; far from 2^63, so that no sum of balances can overflow


class Kind(StrEnum):
    """Where an amount is. `ISSUED` is its source and runs below zero, so that every unit sums to nothing."""

    AVAILABLE = "available"
    CONSUMED = "consumed"
    ISSUED = "issued"
    RESERVED = "reserved"


class Why(StrEnum):
    """Why a transfer was made."""

    COMMIT = "commit"
    DEPOSIT = "deposit"
    QUOTA = "quota"
    RELEASE = "release"
    RESERVE = "reserve"


class State(StrEnum):
    """How a reservation stands."""

    COMMITTED = "committed"
    RELEASED = "released"
    RESERVED = "reserved"


@dataclass(frozen=True, slots=True)
class Balance:
    """What a holder has of one unit."""

    available: int = 0
    reserved: int = 0
    consumed: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One transfer as its holder sees it: changes, and what was available after it."""

    time: datetime
    transfer: str
    reason: str
    reference: str
    available: int
    reserved: int
    balance: int

    def to_json(self) -> dict[str, Any]:
        """The line as a door prints it; amounts in the smallest unit, the time in RFC 3339."""
        return {**asdict(self), "time": clock.stamp(self.time)}
