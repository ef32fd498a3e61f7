"""The tree cut into tiles, and where each is served: C2SP tlog-tiles (https://c2sp.org/tlog-tiles).

Tile (level l, index n) holds up to 256 hashes: the nodes of height 8·l with indices 256·n … 256·n+255.
An entry bundle holds the 256 entries under a level-0 tile, each behind a big-endian uint16 length.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .merkle import SIZE, Frontier, Hashes, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_ENTRY = 0xFFFF
MAX_LEVEL = 63

Position = tuple[int, int]  # (level, index) of a tile

_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class TilePath:
    """A resource's place under the log's prefix. `level` is None for an entry bundle."""

    level: int | None
    index: int
    width: int = WIDTH

    def __str__(self) -> str:
        digits = f"{self.index:0{-(-len(str(self.index)) // 3) * 3}d}"
        parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        place = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{'entries' if self.level is None else self.level}/{place}{partial}"

    @classmethod
    def parse(cls, path: str) -> TilePath:
        """Read `tile/0/x001/x234/067.p/12`; ValueError unless it is spelt exactly as `str` spells it."""
        found = _PATH.fullmatch(path) if len(path) <= 64 else None
        if found:
            level = None if found["level"] == "entries" else int(found["level"])
            index = int(re.sub("[x/]", "", found["index"]))
            tile = cls(level, index, int(found["width"] or WIDTH))
            if str(tile) == path and (level or 0) <= MAX_LEVEL and tile.width <= WIDTH:
                return tile
        raise ValueError("not a tile's path")


def growing(size: int) -> list[tuple[Position, int]]:
    """The partial tiles of a tree: ((level, index), width), lowest level first."""
    found, level = [], 0
    while nodes := size >> (HEIGHT * level):
        if nodes % WIDTH:
            found.append(((level, nodes // WIDTH), nodes % WIDTH))
        level += 1
    return found


class Tree:
    """Appends leaf hashes and fills tiles; what was filled is taken away in steps, so memory stays flat."""

    def __init__(self, frontier: Frontier, partial: dict[Position, bytes]) -> None:
        """`partial` holds the hashes of every tile in `growing(frontier.size)`."""
        expected = {position: width * SIZE for position, width in growing(frontier.size)}
        if expected != {position: len(hashes) for position, hashes in partial.items()}:
            raise ValueError("the growing tiles are not those of the tree's size")
        self.frontier = frontier
        self._growing = {position: bytearray(hashes) for position, hashes in partial.items()}
        self._touched: set[Position] = set()

    def append(self, leaf: bytes) -> None:
        """Add the next leaf hash."""
        for level, index, node in self.frontier.append(leaf):
            if level % HEIGHT == 0:
                position = (level // HEIGHT, index // WIDTH)
                self._growing.setdefault(position, bytearray()).extend(node)
                self._touched.add(position)

    def take(self) -> dict[Position, bytes]:
        """The tiles that changed since the last call; full ones are then forgotten."""
        changed = {position: bytes(self._growing[position]) for position in sorted(self._touched)}
        for position, hashes in changed.items():
            if len(hashes) == WIDTH * SIZE:
                del self._growing[position]
        self._touched.clear()
        return changed

    def partial(self) -> dict[Position, bytes]:
        """The tiles not full yet, once full ones have been taken."""
        return {position: bytes(hashes) for position, hashes in self._growing.items()}


def holding(level: int, index: int) -> Position:
    """The tile that holds a node, or the hashes beneath it."""
    row, height = divmod(level, HEIGHT)
    return row, (index << height) // WIDTH


def hashes_from(tiles: Mapping[Position, bytes]) -> Hashes:
    """A reader of nodes over tiles; LookupError for a node they do not hold."""

    def hashes(level: int, index: int) -> bytes:
        tile, height = tiles[holding(level, index)], level % HEIGHT
        start = (index << height) % WIDTH
        end = start + (1 << height)
        if len(tile) < end * SIZE:
            raise LookupError(f"tile {holding(level, index)} is narrower than {end}")
        nodes = [tile[at * SIZE : (at + 1) * SIZE] for at in range(start, end)]
        while len(nodes) > 1:
            nodes = [node_hash(*pair) for pair in zip(nodes[::2], nodes[1::2], strict=True)]
        return nodes[0]

    return hashes


def tiles_for(work: Callable[[Hashes], object]) -> set[Position]:
    """Which tiles a piece of work over nodes would read, so that they can be fetched together."""
    wanted: set[Position] = set()

    def hashes(level: int, index: int) -> bytes:
        wanted.add(holding(level, index))
        return b""

    work(hashes)
    return wanted


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries in order, each behind its length."""
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise ValueError(f"an entry of {len(entry)} bytes; a bundle's entries have at most {MAX_ENTRY}")
        parts += [struct.pack(">H", len(entry)), entry]
    return b"".join(parts)


def parse_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle; ValueError when it is cut short."""
    entries, at = [], 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("the entry bundle ends inside a length")
        (length,) = struct.unpack_from(">H", data, at)
        if at + 2 + length > len(data):
            raise ValueError("the entry bundle ends inside an entry")
        entries.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return entries
