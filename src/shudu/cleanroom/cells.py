"""The cells of a table of groups: how many entities stand behind each, and which must be merged into the remainder.

Arrays over pairs (cell, entity) hold an entity's rows in a cell once, however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .release_policy import ReleasePolicy

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


_DENSE = 1 << 22


def encode(column: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """A code for every row and the distinct values by code; a null has the code after the last value's."""
    if pa.types.is_dictionary(column.type):
        # A dictionary may hold a value twice, which would count one entity as two.
        column = column.cast(column.type.value_type)
    coded = column.dictionary_encode().unify_dictionaries()
    values = coded.chunk(0).dictionary if coded.num_chunks else pa.array([], column.type)
    codes = [chunk.indices.fill_null(len(values)).to_numpy(zero_copy_only=False) for chunk in coded.chunks]
    return np.concatenate([*codes, np.empty(0, np.int64)]).astype(np.int64), values


def encode_sorted(column: pa.ChunkedArray) -> tuple[Ints, list[Any]]:
    """The same with ascending values, and None as the last of them."""
    codes, values = encode(column)
    found = values.to_pylist()
    order = sorted(range(len(found)), key=found.__getitem__)
    rank = np.empty(len(found) + 1, np.int64)
    rank[[*order, len(found)]] = np.arange(len(found) + 1)
    return rank[codes], [*(found[place] for place in order), None]


def renumber(codes: Ints) -> Ints:
    """Codes from 0 without gaps, in the same order."""
    if len(codes) and codes.max() < _DENSE:
        present = np.bincount(codes) > 0
        return (np.cumsum(present) - 1)[codes]
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True)
class Merge:
    """`merged` marks the cells that go into the remainder; `met` is False when no remainder can meet the rules."""

    merged: Bools
    small: int
    dominated: int
    pulled_in: int
    met: bool


class Cells:
    """`cell` and `entity` are codes from 0, one per row, as long as `scores`."""

    def __init__(self, cell: Ints, entity: Ints, scores: Floats, policy: ReleasePolicy) -> None:
        self.policy = policy
        self.count = int(cell.max()) + 1 if len(cell) else 0
        self.people = int(entity.max()) + 1 if len(entity) else 0
        self._once = bool(np.bincount(entity, minlength=1).max() <= 1)
        if self._once:  # the usual case, one row for each entity, needs no sorting
            self._cell, self._entity = cell, entity
            self._sum, self._rows = scores, np.ones(len(scores))
        else:
            pairs, pair_of_row = np.unique(cell * self.people + entity, return_inverse=True)
            self._cell, self._entity = np.divmod(pairs, self.people)
            self._sum = np.bincount(pair_of_row, scores, len(pairs)).astype(np.float64, copy=False)
            self._rows = np.bincount(pair_of_row, minlength=len(pairs)).astype(np.float64)
        value = self._sum / self._rows
        self.entities = np.bincount(self._cell, minlength=self.count)
        self.mean = np.bincount(self._cell, value, self.count) / self.entities
        self.dominated = self._dominated(value)

    def _dominated(self, value: Floats) -> Bools:
        """NK(n, share): do a cell's n largest entities contribute more than that share of all contributions?

        Contributions are taken absolute, so that scores of both signs cannot cancel a dominant one away.
        """
        size, n, share = np.abs(value), self.policy.dominant_entities, self.policy.dominant_share
        whole = np.bincount(self._cell, size, self.count)
        largest = np.zeros(self.count)
        np.maximum.at(largest, self._cell, size)
        # n times the largest bounds what n entities can contribute; only cells above need sorting.
        dominated: Bools = n * largest > share * whole
        in_doubt = np.flatnonzero(dominated[self._cell])
        in_doubt = in_doubt[np.lexsort((-size[in_doubt], self._cell[in_doubt]))]
        cell = self._cell[in_doubt]
        rank = np.arange(len(cell)) - np.searchsorted(cell, cell)
        top = in_doubt[rank < n]
        dominated &= np.bincount(self._cell[top], size[top], self.count) > share * whole
        return dominated

    def together(self, merged: Bools) -> tuple[int, float, bool]:
        """Entities, mean score and dominance of several cells as one; an entity in several of them counts once."""
        of = merged[self._cell]
        if self._once:
            value = self._sum[of]
        else:
            rows = np.bincount(self._entity[of], self._rows[of], self.people)
            value = np.bincount(self._entity[of], self._sum[of], self.people)[rows > 0] / rows[rows > 0]
        size, n = np.abs(value), self.policy.dominant_entities
        top = np.partition(size, len(size) - n)[-n:].sum() if len(size) > n else size.sum()
        return len(value), float(value.mean()), bool(top > self.policy.dominant_share * size.sum())

    def merge(self) -> Merge:
        """Which cells go into the remainder. Deterministic: smallest first, then by the order of the groups."""
        small = self.entities < self.policy.min_group
        merged = small | self.dominated
        by_size = np.lexsort((np.arange(self.count), self.entities))
        others = by_size[~merged[by_size]]
        pulled_in, met = 0, self.count > 0
        while met and merged.any() and self._fails(merged):
            # One by one at first; a model that makes its scores dominate everywhere shall not make us count for hours.
            more = others[pulled_in : pulled_in + 1 + pulled_in // 8]
            merged[more] = True
            pulled_in, met = pulled_in + len(more), len(more) > 0
        return Merge(merged, int(small.sum()), int((self.dominated & ~small).sum()), pulled_in, met)

    def _fails(self, merged: Bools) -> bool:
        entities, _, dominated = self.together(merged)
        return entities < self.policy.min_group or dominated
