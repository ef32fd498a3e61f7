"""A stream of chances that stays the same: raw PCG64 words and plain arithmetic.

numpy keeps the raw stream of a bit generator stable, but not what its distributions make of it; and logarithms differ
in the last digit from one machine to the next. So there is neither here: shapes are drawn by interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Chance:
    """One stream for each table, so that a change to one leaves the others as they are."""

    def __init__(self, seed: int, name: str) -> None:
        self._seed = seed
        self._words = np.random.PCG64([seed, *name.encode()])

    def of(self, name: str) -> Chance:
        """The stream another table of the same city is made from, from its beginning."""
        return Chance(self._seed, name)

    def uniform(self, count: int) -> Floats:
        """Numbers in [0, 1)."""
        words = np.asarray(self._words.random_raw(count), dtype=np.uint64)
        return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def whole(self, low: int, high: int, count: int) -> Ints:
        """Whole numbers from `low` to `high`, both included."""
        numbers: Ints = low + (self.uniform(count) * (high - low + 1)).astype(np.int64)
        return numbers

    def bell(self, middle: float, spread: float, count: int) -> Floats:
        """Roughly normal: the sum of twelve uniform numbers has variance 1. Summed as whole numbers, so exactly."""
        words = np.asarray(self._words.random_raw(count * 12), dtype=np.uint64) >> np.uint64(32)
        numbers: Floats = middle + spread * (words.reshape(count, 12).sum(axis=1).astype(np.float64) * 2.0**-32 - 6)
        return numbers

    def along(self, quantiles: Mapping[float, float], count: int) -> Floats:
        """Numbers whose distribution has these quantiles (share → value, from 0 to 1), straight in between."""
        return np.interp(self.uniform(count), list(quantiles), list(quantiles.values()))

    def index(self, weights: Sequence[float] | Floats, count: int) -> Ints:
        """Places 0, 1, … as often as their weights say."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        places: Ints = np.searchsorted(edges, self.uniform(count) * edges[-1], side="right").astype(np.int64)
        return places

    def pick(self, weights: Mapping[T, float], count: int) -> list[T]:
        """Values as often as their weights say."""
        values = list(weights)
        return [values[place] for place in self.index(list(weights.values()), count)]

    def any_of(self, values: Sequence[T], count: int) -> list[T]:
        return [values[place] for place in self.whole(0, len(values) - 1, count)]

    def happens(self, share: float | Floats, count: int) -> Bools:
        """True with this chance, one for all or one for each."""
        return self.uniform(count) < share

    def shuffled(self, count: int) -> Ints:
        """0 … count - 1 in some order."""
        return np.argsort(self.uniform(count), kind="stable")
