"""What the library does not tell of an XLS (MS-XLS in MS-CFB): which cells of a sheet show an error.

A file that is damaged says nothing here; what is wrong with it the reading of its cells will say.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

_END = 0xFFFFFFFA  # sector numbers from here on mean something else
_SMALL = 4_096  # a stream shorter than this lies elsewhere; workbooks are filled up to it
_BOUNDSHEET, _EOF, _FORMULA, _BOOLERR = 0x85, 0x0A, 0x06, 0x0205


def errors(path: Path, sheet: str) -> tuple[int, tuple[int, int]]:
    """How many cells of a sheet show an error, and row and column of the first, from 0."""
    try:
        found = list(_errors(_stream(path.read_bytes(), "Workbook"), sheet))
    except (struct.error, IndexError, ValueError):
        found = []
    return len(found), min(found, default=(0, 0))


def _errors(book: bytes, sheet: str) -> Iterator[tuple[int, int]]:
    start = next((at for at, name in _sheets(book) if name == sheet), None)
    if start is None:
        return
    depth = 0
    for kind, content in _records(book, start):
        # A chart within the sheet has a beginning and an end of its own.
        depth += 1 if kind == 0x0809 else -1 if kind == _EOF else 0
        if depth == 0:
            return
        if kind == _BOOLERR:
            wrong = content[7] == 1
        else:
            wrong = kind == _FORMULA and content[6] == 2 and content[12:14] == b"\xff\xff"
        if wrong:
            row, column = struct.unpack_from("<HH", content)
            yield row, column


def _sheets(book: bytes) -> Iterator[tuple[int, str]]:
    for kind, content in _records(book, 0):
        if kind == _EOF:
            return
        if kind == _BOUNDSHEET:
            length, wide = content[6], content[7] & 1
            name = content[8 : 8 + length * (1 + wide)].decode("utf-16-le" if wide else "latin-1")
            yield struct.unpack_from("<I", content)[0], name


def _records(book: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(book):
        kind, length = struct.unpack_from("<HH", book, at)
        yield kind, book[at + 4 : at + 4 + length]
        at += 4 + length


def _stream(file: bytes, name: str) -> bytes:
    """The stream of this name; empty when there is none."""
    shift = struct.unpack_from("<H", file, 30)[0]
    if shift not in (9, 12):
        return b""
    size = 1 << shift

    def sector(number: int) -> bytes:
        return file[(number + 1) * size : (number + 2) * size]

    tables, more, seen = list(struct.unpack_from("<109I", file, 76)), struct.unpack_from("<I", file, 68)[0], set[int]()
    while more < _END and more not in seen:
        seen.add(more)
        *also, more = struct.unpack(f"<{size // 4}I", sector(more))
        tables += also
    following = array("I", b"".join(sector(number) for number in tables[: len(file) // size] if number < _END))

    def chained(number: int) -> bytes:
        parts, left = [], len(file) // size + 1
        while number < _END and left:
            parts.append(sector(number))
            number, left = following[number], left - 1
        return b"".join(parts)

    listed = chained(struct.unpack_from("<I", file, 48)[0])
    for at in range(0, len(listed) - 127, 128):
        length = struct.unpack_from("<H", listed, at + 64)[0]
        if listed[at : at + max(length - 2, 0)] == name.encode("utf-16-le"):
            first, weight = struct.unpack_from("<II", listed, at + 116)
            return chained(first)[:weight] if weight >= _SMALL else b""
    return b""
