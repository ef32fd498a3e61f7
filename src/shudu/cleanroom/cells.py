"""The cells of a table of groups: how many entities stand behind each, and which must be merged into the remainder.

Arrays over pairs (cell, entity) hold an entity's rows in a cell once, however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

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


class Compared(Protocol):
    """Whoever knows what can be told by subtracting (differencing.py)."""

    def offends(self, merged: Bools) -> Ints | None: ...


@dataclass(frozen=True, slots=True)
class Merge:
    """`merged` marks the cells that go into the remainder; `failed` names the rule that no remainder can meet."""

    merged: Bools
    small: int
    dominated: int
    lone: int
    pulled_in: int
    told_apart: int
    failed: str | None


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
        self.lone = self._lone(value)

    @property
    def pairs(self) -> tuple[Ints, Ints]:
        """Cell and entity of every pair, each once."""
        return self._cell, self._entity

    @property
    def once(self) -> bool:
        """Has every entity one row?"""
        return self._once

    def _lone(self, value: Floats) -> Bools:
        """Is what lies above a cell's mean, or below it, carried by too few entities? (`carrier_fraction`)"""
        off = value - self.mean[self._cell]
        # What rounding leaves of equal scores is no deviation.
        off[np.abs(off) <= 1e-8 * np.abs(value)] = 0.0
        found = np.zeros(self.count, bool)
        for side in (np.maximum(off, 0.0), np.maximum(-off, 0.0)):
            sums = np.bincount(self._cell, side, self.count).astype(np.float64, copy=False)
            squares = np.bincount(self._cell, side * side, self.count).astype(np.float64, copy=False)
            found |= too_few_carry(sums, squares, self.entities, self.policy)
        return found

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

    def together(self, merged: Bools) -> tuple[int, float, bool, bool]:
        """Entities, mean score, dominance and loneness of several cells as one; an entity in several counts once."""
        of = merged[self._cell]
        if self._once:
            value = self._sum[of]
        else:
            rows = np.bincount(self._entity[of], self._rows[of], self.people)
            value = np.bincount(self._entity[of], self._sum[of], self.people)[rows > 0] / rows[rows > 0]
        size, n = np.abs(value), self.policy.dominant_entities
        top = np.partition(size, len(size) - n)[-n:].sum() if len(size) > n else size.sum()
        mean = value.mean()
        off = value - mean
        off[np.abs(off) <= 1e-8 * size] = 0.0
        count = np.array([len(value)])
        lone = any(
            too_few_carry(np.array([side.sum()]), np.array([(side * side).sum()]), count, self.policy)[0]
            for side in (off[off > 0], off[off < 0])
        )
        return len(value), float(mean), bool(top > self.policy.dominant_share * size.sum()), lone

    def merge(self, guard: Compared, alone: bool = True) -> Merge:
        """Which cells go into the remainder. Deterministic: smallest first, then by the order of the groups.

        With `alone` False nobody is asked whether the model's points single anybody out.
        """
        small = self.entities < self.policy.min_group
        lone = self.lone if alone else np.zeros(self.count, bool)
        merged = small | self.dominated | lone
        by_size = np.lexsort((np.arange(self.count), self.entities))
        pulled_in, told_apart, failed = 0, 0, None if self.count else "too_few"
        while failed is None:
            if merged.any() and (broken := self._broken(merged, alone)):
                more = np.empty(0, np.int64)
            elif (found := guard.offends(merged)) is not None:
                more, broken = found, "differencing"
                told_apart += len(more)
            else:
                break
            if not len(more):
                # One by one at first; a model that makes its scores dominate everywhere shall not make us count for
                # hours.
                more = by_size[~merged[by_size]][: 1 + pulled_in // 8]
                pulled_in += len(more)
                failed = None if len(more) else broken
            merged[more] = True
        only_lone = lone & ~small & ~self.dominated
        dominated = self.dominated & ~small
        return Merge(
            merged, int(small.sum()), int(dominated.sum()), int(only_lone.sum()), pulled_in, told_apart, failed
        )

    def _broken(self, merged: Bools, alone: bool) -> str | None:
        entities, _, dominated, lone = self.together(merged)
        if entities < self.policy.min_group or dominated:
            return "too_few"
        return "singled_out" if alone and lone else None


def too_few_carry(sums: Floats, squares: Floats, entities: Ints, policy: ReleasePolicy) -> Bools:
    """Do fewer entities than the rule asks carry these deviations? By their weight: (Σd)² ÷ Σd² of them carry it.

    Nothing that deviates is carried by nobody, and well.
    """
    least = np.minimum(policy.min_group, policy.carrier_fraction * entities)
    # Whole numbers of equal carriers come out a little under themselves.
    alone: Bools = (squares > 0) & (sums * sums < (least - 1e-6) * squares)
    return alone
