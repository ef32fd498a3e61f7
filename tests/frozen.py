"""A clock that stands still, for the tests of every room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # a Monday, nine o'clock in Chengdu


class FrozenClock:
    """A clock that moves only when told."""

    def __init__(self, moment: datetime = START) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def set(self, moment: datetime) -> None:
        self.moment = moment

    def advance(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Move on by a timedelta or by its parts (`seconds=`, `minutes=`, `days=` …) and return the new moment."""
        self.moment += by if by is not None else timedelta(**parts)
        return self.moment
