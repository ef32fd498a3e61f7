"""A disk that forgets: plays what recorder.c wrote up to some point, and keeps only what a power cut leaves.

It forgets all that may be forgotten. A file keeps the content it had when it was last synced, a folder the names it
had: a new or renamed file whose folder was not synced is not there, or still under its old name.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

SECTOR = 512


@dataclass(frozen=True)
class Record:
    kind: str
    inode: int
    offset: int
    name: str
    data: bytes


@dataclass(eq=False)
class File:
    live: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    pending: list[tuple[int, bytes]] = field(default_factory=list)  # writes since the last sync; (size, b"") cuts

    def write(self, offset: int, data: bytes) -> None:
        _put(self.live, offset, data)
        self.pending.append((offset, data))

    def cut(self, size: int) -> None:
        _cut(self.live, size)
        self.pending.append((size, b""))

    def sync(self) -> None:
        self.durable, self.pending = bytes(self.live), []

    def left(self, dice: random.Random | None) -> bytes:
        """The content after a cut; with dice, some of what was not synced has reached the disk, the last of it torn."""
        content = bytearray(self.durable)
        for offset, data in self.pending if dice else ():
            if dice and dice.random() < 0.5:
                torn = data[: dice.randrange(len(data) // SECTOR + 1) * SECTOR] if dice.random() < 0.3 else data
                _put(content, offset, torn) if data else _cut(content, offset)
        return bytes(content)


@dataclass(eq=False)
class Folder:
    live: dict[str, File | Folder] = field(default_factory=dict)
    durable: dict[str, File | Folder] = field(default_factory=dict)

    def sync(self) -> None:
        self.durable = dict(self.live)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _cut(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def records(log: Path) -> Iterator[Record]:
    data = log.read_bytes()
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("=I", data, at)
        kind, inode, offset, named = struct.unpack_from("=cQQH", data, at + 4)
        start, end = at + 4 + 19, at + 4 + length
        yield Record(kind.decode(), inode, offset, data[start : start + named].decode(), data[start + named : end])
        at = end


def inodes(root: Path) -> dict[str, int]:
    """The inodes below a folder, and its own, by path from it."""
    return {str(path.relative_to(root)): path.stat().st_ino for path in (root, *root.rglob("*"))}


class Disk:
    """What lay below `root`, of which `before` is a copy and `numbers` the inodes; all of it durable."""

    def __init__(self, root: Path, before: Path, numbers: dict[str, int]) -> None:
        self.root = root
        self.inodes: dict[int, File | Folder] = {}
        self.top = self._read(before, before, numbers)

    def _read(self, place: Path, before: Path, numbers: dict[str, int]) -> Folder:
        folder = Folder()
        self.inodes[numbers[str(place.relative_to(before))]] = folder
        for path in place.iterdir():
            if path.is_dir():
                folder.live[path.name] = self._read(path, before, numbers)
            else:
                content = path.read_bytes()
                file = File(bytearray(content), content)
                folder.live[path.name] = self.inodes[numbers[str(path.relative_to(before))]] = file
        folder.sync()
        return folder

    def play(self, record: Record) -> None:
        match record.kind:
            case "C" if record.offset:
                self._file(record).cut(0)
            case "C":
                self._enter(record.name, File(), record.inode)
            case "M":
                self._enter(record.name, Folder(), record.inode)
            case "W":
                self._file(record).write(record.offset, record.data)
            case "T":
                self._file(record).cut(record.offset)
            case "S":
                self.inodes[record.inode].sync()
            case "U":
                folder, name = self._place(record.name)
                del folder.live[name]
            case "R" | "L":
                (old, was), (new, name) = self._place(record.name), self._place(record.data.decode())
                new.live[name] = old.live[was] if record.kind == "L" else old.live.pop(was)
            case _:
                raise ValueError(record.kind)

    def leave(self, dice: random.Random | None = None) -> None:
        """Make the folder on the real disk what the power cut left; with dice, more than the least may have lasted."""
        everything = bool(dice and dice.random() < 0.5)
        for path in self.root.iterdir():
            _remove(path)
        self._leave(self.top, self.root, everything, dice)

    def _leave(self, folder: Folder, place: Path, everything: bool, dice: random.Random | None) -> None:
        for name, one in (folder.live if everything else folder.durable).items():
            if isinstance(one, Folder):
                (place / name).mkdir(mode=0o700)
                self._leave(one, place / name, everything, dice)
            else:
                (place / name).touch(mode=0o600)
                (place / name).write_bytes(one.left(dice))

    def _file(self, record: Record) -> File:
        found = self.inodes[record.inode]
        assert isinstance(found, File), record.name
        return found

    def _enter(self, path: str, one: File | Folder, inode: int) -> None:
        folder, name = self._place(path)
        folder.live[name] = self.inodes[inode] = one

    def _place(self, path: str) -> tuple[Folder, str]:
        *parts, name = PurePosixPath(path).relative_to(self.root).parts
        folder = self.top
        for part in parts:
            inner = folder.live[part]
            assert isinstance(inner, Folder), path
            folder = inner
        return folder, name


def _remove(path: Path) -> None:
    if path.is_dir():
        for inner in path.iterdir():
            _remove(inner)
        path.rmdir()
    else:
        path.unlink()
