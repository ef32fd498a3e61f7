"""The year of the demonstration, 2025, with its weekends and long holidays, and the hours of a day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .chance import Bools, Chance, Ints

Dates = NDArray[np.datetime64]
FIRST = np.datetime64("2025-01-01")
DAYS: Dates = FIRST + np.arange(365)
MONTH: Ints = (DAYS.astype("datetime64[M]") - FIRST.astype("datetime64[M]")).astype(np.int64)
# Spring Festival and the National Day week of 2025; working Sundays are left out of it.
_HOLIDAYS = (("2025-01-28", "2025-02-04"), ("2025-05-01", "2025-05-05"), ("2025-10-01", "2025-10-08"))
_WEEKDAY = (DAYS.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
_LONG = np.zeros(365, dtype=np.bool_)
for _from, _to in _HOLIDAYS:
    _LONG |= (np.datetime64(_from) <= DAYS) & (np.datetime64(_to) >= DAYS)
FREE: Bools = (_WEEKDAY >= 5) | _LONG


def days(chance: Chance, count: int, *, free: float, months: Sequence[float]) -> Ints:
    """Days of the year by number: `free` is how a free day compares with a working day, `months` weighs the twelve."""
    return chance.index(np.where(FREE, free, 1.0) * np.asarray(months)[MONTH], count)


def moments(chance: Chance, day: Ints, working: Sequence[float], resting: Sequence[float]) -> Dates:
    """A second of each day, its hour after one curve of 24 weights on working days and another on free ones."""
    hour = np.where(FREE[day], chance.index(resting, len(day)), chance.index(working, len(day)))
    moment: Dates = DAYS[day].astype("datetime64[s]") + hour * 3600 + chance.whole(0, 3599, len(day))
    return moment


def hours(moment: Dates) -> Ints:
    hour: Ints = (moment.astype("datetime64[h]") - moment.astype("datetime64[D]")).astype(np.int64)
    return hour


def written(moment: Dates) -> list[str]:
    """As registers write it: 2025-03-01 08:15:30."""
    return [text.replace("T", " ") for text in moment.astype("datetime64[s]").astype(str).tolist()]
