"""Until when the promised update cycle of an entry asks for its next version.

The codes are those of 《政务信息资源目录编制指南（试行）》 (1–6) with the local 7–9 beside them. A cycle is
counted in days of the calendar in Asia/Shanghai, from the day of the newest version; in a month that is too short, its
last day stands.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta

from shudu.policy import clock

DAYS = {"2": 1, "3": 7}  # daily, weekly
MONTHS = {"4": 1, "5": 3, "6": 12, "7": 6}  # monthly, quarterly, yearly, half-yearly
OPEN = frozenset({"1", "8", "9"})  # real time, irregular, not updated: these promise no day


def due(cycle: str, newest: datetime) -> datetime | None:
    """The end of the last day on which a version keeps the promise, as UTC; None where the cycle names no day.

    Raises KeyError for a code that is none.
    """
    if cycle in OPEN:
        return None
    day = newest.astimezone(clock.SHANGHAI).date()
    return clock.end_of_day(day + timedelta(days=DAYS[cycle]) if cycle in DAYS else _later(day, MONTHS[cycle]))


def _later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
