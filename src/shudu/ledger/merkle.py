"""Merkle trees over SHA-256 as RFC 6962 §2.1 hashes them; proofs as RFC 9162 §2.1.3 and §2.1.4 check them.

A *node* is named (level, index): the root of the complete subtree over entries [index·2^level, (index+1)·2^level).
Proofs are made from a reader of complete nodes, `hashes(level, index)`, so they never touch the entries themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

Hashes = Callable[[int, int], bytes]
Node = tuple[int, int, bytes]

SIZE = 32  # bytes in a hash
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that can only grow, kept as the roots of its maximal complete subtrees: O(log n) memory."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: bytes = b"") -> None:
        """`peaks` is what `packed` gave for this size."""
        if size < 0 or len(peaks) != SIZE * size.bit_count():
            raise ValueError(f"a tree of size {size} has {size.bit_count()} peaks, not {len(peaks) / SIZE:g}")
        self.size = size
        self.peaks = [peaks[at : at + SIZE] for at in range(0, len(peaks), SIZE)]

    def append(self, leaf: bytes) -> list[Node]:
        """Add the next leaf's hash; returns the complete nodes this makes, lowest level first."""
        level, index, node = 0, self.size, leaf
        made = [(level, index, node)]
        while index & 1:
            level, index, node = level + 1, index >> 1, node_hash(self.peaks.pop(), node)
            made.append((level, index, node))
        self.peaks.append(node)
        self.size += 1
        return made

    def root(self) -> bytes:
        """The Merkle tree hash at the present size."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def packed(self) -> bytes:
        """The peaks, left to right, 32 bytes each."""
        return b"".join(self.peaks)


def _split(width: int) -> int:
    """The largest power of two below `width` (RFC 6962's k)."""
    return 1 << ((width - 1).bit_length() - 1)


def _subtree(start: int, end: int, hashes: Hashes) -> bytes:
    """The hash over entries [start, end), a range that RFC 6962's splitting leads to."""
    width = end - start
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return hashes(level, start >> level)
    middle = start + _split(width)
    return node_hash(_subtree(start, middle, hashes), _subtree(middle, end, hashes))


def root(size: int, hashes: Hashes) -> bytes:
    """The root of the first `size` entries."""
    return _subtree(0, size, hashes) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, hashes: Hashes) -> list[bytes]:
    """The hashes that lead from entry `index` to the root at `size`, the leaf's sibling first (RFC 6962 §2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"no entry {index} in a tree of size {size}")
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree(middle, end, hashes))
            end = middle
        else:
            path.append(_subtree(start, middle, hashes))
            start = middle
    return path[::-1]


def consistency_proof(old: int, new: int, hashes: Hashes) -> list[bytes]:
    """The hashes that show the tree at `new` to extend the tree at `old` (RFC 6962 §2.1.2); from 0, none are needed."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of size {new} does not extend one of size {old}")
    start, end, path = 0, new, []
    while old and old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_subtree(middle, end, hashes))
            end = middle
        else:
            path.append(_subtree(start, middle, hashes))
            start = middle
    if start:  # otherwise the last subtree is the old tree, whose root the verifier has
        path.append(_subtree(start, end, hashes))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Is `leaf` (a leaf hash) entry `index` of the tree with this size and root? RFC 9162 §2.1.3.2."""
    if not 0 <= index < size:
        return False
    at, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Does the tree (new, new_root) begin with the whole of (old, old_root)? RFC 9162 §2.1.4.2."""
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, node)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root
