"""What can be told by subtracting one release from another, and which cells must not leave because of it.

Two releases of the same entities are two partitions. Draw their cells as the two sides of a graph, and for every pair
the number of entities they share as the weight of an edge. Whoever adds up some cells of one release and takes off some
of the other is left with the entities on the edges between those cells and the rest: a cut. So *any* sum of cells of
one release differs from *any* sum of cells of the other by no entity or by at least k of them exactly when every
connected part of the graph has no cut lighter than k. (Gusfield, "A graph theoretic approach to statistical data
security", SIAM J. Comput. 17, 1988, for k = 1: an entry of a table is told by its margins exactly when it is a bridge.)
Single cells, margins, totals and remainders are all among these sums.

Entities of one release only (the other was made from another version) hang on a vertex of their own, which nobody knows
the sum of. Light cuts are found by maximum-adjacency orderings with contraction (Nagamochi and Ibaraki, SIAM J.
Discrete Math. 5, 1992).

Where an entity has several rows and stands in several cells, cells are no partition: then every two single cells are
compared, and the totals. Not covered: sums of such cells; sums over three releases at once that no two of them tell;
other tables that hold the same people.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .cells import Bools, Ints

Hashes = npt.NDArray[np.uint64]
_BLOCK = 16
# Steps of the search for light cuts; beyond, nothing is known and a person looks. About ten seconds.
MAX_STEPS = 3_000_000


class Unknown(Exception):
    """The comparison was too large to finish: neither yes nor no."""


@dataclass(frozen=True, slots=True)
class Partition:
    """The sketch of a release: which entity (by keyed hash) was in which of its rows.

    `hashes` ascend, `labels` (from 0) stand beside them; an entity in several rows is there once for each.
    `min_group` is what the release was held to.
    """

    hashes: Hashes
    labels: Ints
    min_group: int

    @property
    def rows(self) -> int:
        return int(self.labels.max(initial=-1)) + 1

    @property
    def once(self) -> bool:
        """Is every entity in one row only?"""
        return not (self.hashes[1:] == self.hashes[:-1]).any()


def keyed_hashes(values: pa.Array, secret: bytes) -> Hashes:
    """64 bits for every value: AES-128 in CBC-MAC over its length and its UTF-8 bytes, cut to eight bytes.

    With the length in front CBC-MAC is a pseudorandom function for messages of any length; without the secret (16
    bytes) a hash says nothing about its value, and nobody can try values out. Equal texts of equal numbers are equal.
    """
    text = values.cast(pa.large_string())
    width = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + len(text) + 1]
    start, length = width[:-1], np.diff(width)
    data = np.frombuffer(text.buffers()[2] or b"", np.uint8)
    encryptor = Cipher(algorithms.AES(secret), modes.ECB()).encryptor()  # noqa: S305 - a MAC is built from its blocks
    windows = np.lib.stride_tricks.sliding_window_view(np.append(data, np.zeros(_BLOCK, np.uint8)), _BLOCK)
    # The first block holds the length and eight bytes, each further one sixteen.
    state = np.zeros((len(text), _BLOCK), np.uint8)
    state[:, :8] = length.astype("<u8").view(np.uint8).reshape(-1, 8)
    state[:, 8:] = _bytes(windows, start, length)[:, :8]
    rows, done = np.arange(len(text)), 8
    while True:
        state[rows] = np.frombuffer(encryptor.update(state[rows].tobytes()), np.uint8).reshape(-1, _BLOCK)
        rows = rows[length[rows] > done]
        if not len(rows):
            return state[:, :8].copy().view("<u8").reshape(-1).astype(np.uint64, copy=False)
        state[rows] ^= _bytes(windows, start[rows] + done, length[rows] - done)
        done += _BLOCK


def _bytes(windows: npt.NDArray[np.uint8], start: Ints, length: Ints) -> npt.NDArray[np.uint8]:
    """Sixteen bytes from each start, nought after the text's end."""
    return windows[start] * (np.arange(_BLOCK) < length[:, None])


class Guard:
    """Compares a release that is being made with earlier ones of the same data.

    `cell` and `entity` (codes from 0) are its pairs, each once; `hashes` are by entity code; `count` its cells.
    """

    def __init__(
        self, cell: Ints, entity: Ints, hashes: Hashes, count: int, earlier: Iterable[Partition], min_group: int
    ) -> None:
        self._cell, self._entity, self._hashes, self.count = cell, entity, hashes, count
        order = np.argsort(hashes, kind="stable")
        self._sorted, self._order = hashes[order], order
        self._once = len(cell) == len(hashes)
        self._earlier = tuple(earlier)
        self._min_group = min_group
        # For the usual data, an entity in one cell each, edges of merged cells are sums of edges of cells.
        self._edges = [self._compare(cell, entity, count, old) for old in self._earlier] if self._once else []

    @property
    def compared(self) -> int:
        return len(self._earlier)

    def sketch(self, row_of_cell: Ints) -> Partition:
        """What is to be kept of the release whose cells became these rows."""
        rows = row_of_cell[self._cell]
        if self._once:
            by_entity = np.empty(len(rows), np.int64)
            by_entity[self._entity] = rows
            return Partition(self._sorted, by_entity[self._order], self._min_group)
        rows, entity = _pairs(rows, self._entity)
        order = np.lexsort((rows, self._hashes[entity]))
        return Partition(self._hashes[entity][order], rows[order], self._min_group)

    def offends(self, merged: Bools) -> Ints | None:
        """The cells to merge next because what leaves could be told apart; none left: an empty list. None: all well.

        `merged` marks the cells that form the remainder. Raises Unknown.
        """
        row_of_cell = rows_of(merged)
        rows = int(row_of_cell.max(initial=-1)) + 1
        remainder = rows - 1 if merged.any() else -1
        for place, old in enumerate(self._earlier):
            least = min(self._min_group, old.min_group)
            if self._once and old.once:
                new, known, weight = self._edges[place]
                # The vertex `rows` is nobody's, on either side.
                at = np.append(row_of_cell, rows)[new]
                beyond = np.where(known == old.rows, rows, known + rows + 1)
                if cut := light_cut(at, beyond, weight, least):
                    return np.flatnonzero(np.isin(row_of_cell, _responsible(cut, at, beyond, rows, remainder)))
            elif (alike := self._alike(row_of_cell, old, least)) is not None:
                return np.flatnonzero(np.isin(row_of_cell, alike[alike != remainder]))
        return None

    def _alike(self, row_of_cell: Ints, old: Partition, least: int) -> Ints | None:
        """The rows that differ from an earlier one by fewer than `least` entities, but by some; the totals likewise."""
        row, entity = _pairs(row_of_cell[self._cell], self._entity)
        at, known, shared = self._compare(row, entity, int(row.max(initial=0)) + 1, old)
        both = at <= row.max(initial=0)
        both &= known < old.rows
        sizes, others = np.bincount(row), np.bincount(old.labels)
        at, known, shared = at[both], known[both], shared[both]
        differ = sizes[at] + others[known] - 2 * shared
        if (close := (differ > 0) & (differ < least)).any():
            return np.unique(at[close])
        everybody = len(np.setxor1d(self._hashes, old.hashes))
        return np.empty(0, np.int64) if 0 < everybody < least else None

    def _compare(self, cell: Ints, entity: Ints, count: int, old: Partition) -> tuple[Ints, Ints, Ints]:
        """Edges (cell, earlier row, shared entities); `count` and one past the earlier rows stand for nobody's cell."""
        rows = old.rows
        if self._once and np.array_equal(old.hashes, self._sorted):
            label = np.empty(len(self._sorted), np.int64)
            label[self._order] = old.labels
            return _count(cell, label[entity], rows + 1)
        own = self._hashes[entity]
        first, last = np.searchsorted(old.hashes, own, "left"), np.searchsorted(old.hashes, own, "right")
        times = last - first
        inside = np.repeat(first, times) + np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        absent, news = ~np.isin(old.hashes, self._sorted), times == 0
        cells = np.concatenate([np.repeat(cell, times), cell[news], np.full(absent.sum(), count)])
        labels = np.concatenate([old.labels[inside], np.full(news.sum(), rows), old.labels[absent]])
        return _count(cells, labels, rows + 1)


def _responsible(cut: tuple[list[int], list[int]], left: Ints, right: Ints, rows: int, remainder: int) -> list[int]:
    """The rows behind a cut: those whose entities lie on it, else all on the side with fewer; never the remainder."""
    sides = [{row for row in side if row < rows and row != remainder} for side in cut]
    inside = np.isin(left, cut[0]) != np.isin(right, cut[0])
    touching = set(left[inside & np.isin(left, [*cut[0], *cut[1]])].tolist()) & (sides[0] | sides[1])
    return sorted(touching or min(filter(None, sides), key=len, default=set()))


def rows_of(merged: Bools) -> Ints:
    """The released row of every cell: those not merged in their order, then the remainder."""
    row = np.cumsum(~merged) - 1
    row[merged] = int((~merged).sum())
    return row.astype(np.int64)


def _pairs(cell: Ints, entity: Ints) -> tuple[Ints, Ints]:
    """Each pair once."""
    people = int(entity.max(initial=-1)) + 1
    return np.divmod(np.unique(cell * people + entity), people)


def _count(new: Ints, old: Ints, width: int) -> tuple[Ints, Ints, Ints]:
    code = new * width + old
    if len(code) and int(code.max()) < 1 << 22:
        total = np.bincount(code)
        found = np.flatnonzero(total)
        total = total[found]
    else:
        found, total = np.unique(code, return_counts=True)
    return found // width, found % width, total


def light_cut(left: Ints, right: Ints, weight: Ints, least: int) -> tuple[list[int], list[int]] | None:
    """A cut of weight between nought and `least`, as the vertices on its two sides in their connected part; or None.

    Edges are (left, right, weight > 0) between vertices numbered at will; several between the same two add up.
    """
    near: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for a, b, w in zip(left.tolist(), right.tolist(), weight.tolist(), strict=True):
        near[a][b] += w
        near[b][a] += w
    members = {vertex: [vertex] for vertex in near}

    def contract(kept: int, gone: int) -> None:
        for other, w in near.pop(gone).items():
            del near[other][gone]
            if other != kept:
                near[kept][other] += w
                near[other][kept] += w
        members[kept] += members.pop(gone)

    steps = 0
    while near:
        # One ordering of the connected part of some vertex.
        start = next(iter(near))
        reach = {start: 0}
        waiting = [(0, start)]
        order: list[int] = []
        heavy: list[bool] = []
        placed: set[int] = set()
        while waiting:
            key, vertex = heapq.heappop(waiting)
            if vertex in placed:
                continue
            placed.add(vertex)
            # Connectivity of neighbours in the order is at least what the later one is held by (Nagamochi, Ibaraki).
            heavy.append(bool(order) and -key >= least)
            order.append(vertex)
            steps += len(near[vertex])
            if steps > MAX_STEPS:
                raise Unknown
            for other, w in near[vertex].items():
                if other not in placed:
                    reach[other] = reach.get(other, 0) + w
                    heapq.heappush(waiting, (-reach[other], other))
        if len(order) == 1:
            del near[start], members[start]
            continue
        if not heavy[-1]:
            side = members[order[-1]]
            return side, [vertex for one in order[:-1] for vertex in members[one]]
        kept = order[0]
        for vertex, close in zip(order[1:], heavy[1:], strict=True):
            if close:
                contract(kept, vertex)
            else:
                kept = vertex
    return None
