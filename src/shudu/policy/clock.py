"""Time comes through one port, so a test can hold it still. UTC is stored; days are Shanghai's."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Protocol
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)  # as FOREVER, at the other end
FOREVER = datetime(9999, 12, 30, tzinfo=UTC)  # a day short of the last, which some zones cannot write


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


_clock: Clock = SystemClock()


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return _clock.now()


def use(clock: Clock) -> Clock:
    """Set the process's clock and return the one it replaces."""
    global _clock
    _clock, previous = clock, _clock
    return previous


def asked(moment: datetime) -> datetime:
    """An aware moment somebody asks about, in UTC; one at or beyond an end of the calendar, where nothing was ever
    recorded, is the last moment before that end."""
    try:
        return min(max(moment.astimezone(UTC), EARLIEST), FOREVER)
    except OverflowError:
        return EARLIEST if moment.year == EARLIEST.year else FOREVER


def day_of(moment: datetime) -> date:
    """The day it is then in Asia/Shanghai; at an end of the calendar, in the moment's own zone."""
    try:
        return moment.astimezone(SHANGHAI).date()
    except OverflowError:
        return moment.date()


def end_of_day(day: date) -> datetime:
    """The last microsecond of `day` in Asia/Shanghai, as UTC: what "until" means."""
    return datetime.combine(day, time.max, tzinfo=SHANGHAI).astimezone(UTC)


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, such as `2026-03-01T15:59:59.999999Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
