"""Universal Binary JSON (ubjson.org), as far as XGBoost writes it. Strict; nothing is executed, nothing is guessed."""

from __future__ import annotations

import array
import struct
import sys
from typing import Any

MAX_DEPTH = 32
_NUMBERS = {b"i": "b", b"U": "B", b"I": "h", b"l": "i", b"L": "q", b"d": "f", b"D": "d"}
_WHOLE = (b"i", b"U", b"I", b"l", b"L")
_CONSTANTS = {b"Z": None, b"T": True, b"F": False}


class Malformed(ValueError):
    """Not UBJSON, or not as XGBoost writes it."""


def loads(data: bytes) -> Any:
    """The value in `data`; arrays of one kind of number come as `array.array`. Raises Malformed."""
    reader = _Reader(data)
    value = reader.value(reader.take(1), 0)
    if reader.at != len(data):
        raise Malformed("more follows behind the end")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise Malformed("cut short")
        self.at += count
        return self.data[self.at - count : self.at]

    def value(self, mark: bytes, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise Malformed("too deep")
        if mark in _NUMBERS:
            return self.number(mark)
        if mark in _CONSTANTS:
            return _CONSTANTS[mark]
        if mark == b"S":
            return self.text()
        if mark == b"C":
            return self.take(1).decode("ascii", "replace")
        if mark == b"[":
            return self.array(depth)
        if mark == b"{":
            return self.object(depth)
        raise Malformed("an unknown kind of value")

    def number(self, mark: bytes) -> float:
        form = ">" + _NUMBERS[mark]
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]  # type: ignore[no-any-return]

    def size(self) -> int:
        mark = self.take(1)
        if mark not in _WHOLE:
            raise Malformed("a length is not a whole number")
        size = int(self.number(mark))
        if not 0 <= size <= len(self.data):
            raise Malformed("a length is impossible")
        return size

    def text(self) -> str:
        try:
            return self.take(self.size()).decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("a text is not UTF-8") from None

    def array(self, depth: int) -> Any:
        if self.data[self.at : self.at + 1] == b"$":
            self.take(1)
            kind = self.take(1)
            if kind not in _NUMBERS or self.take(1) != b"#":
                raise Malformed("an array of an unknown kind")
            count = self.size()
            values = array.array(_NUMBERS[kind])
            values.frombytes(self.take(count * values.itemsize))
            if sys.byteorder == "little":
                values.byteswap()
            return values
        if self.data[self.at : self.at + 1] == b"#":
            self.take(1)
            return [self.value(self.take(1), depth + 1) for _ in range(self.size())]
        found = []
        while (mark := self.take(1)) != b"]":
            found.append(self.value(mark, depth + 1))
        return found

    def object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.data[self.at : self.at + 1] != b"}":
            name = self.text()
            if name in found:
                raise Malformed("a key is given twice")
            found[name] = self.value(self.take(1), depth + 1)
        self.take(1)
        return found
