"""JSON taken piece by piece, so that no file is in memory as a whole; numbers stay as they are written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

_BLANK = " \t\n\r"
_CHUNK = 1 << 16
_LONGEST = 64 << 20  # signs one value may span


class Number(str):
    """A number as it was written."""


class NoNumber(Number):
    """NaN or an infinity, which JSON does not know."""


class Twice(dict[str, Any]):
    """An object of which a name came again; here that has a number behind it, so that no value is lost."""


class Decoder(json.JSONDecoder):
    """No digit passes through binary floating point. `flawed` says whether there was a `NoNumber` or a `Twice`."""

    flawed = False

    def __init__(self) -> None:
        super().__init__(
            object_pairs_hook=self._object,
            parse_float=Number,
            parse_int=Number,
            parse_constant=self._constant,
            strict=False,
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        self.flawed, made = True, Twice()
        for number, (name, value) in enumerate(pairs, 1):
            made[f"{name} ({number})" if name in made else name] = value
        return made

    def _constant(self, name: str) -> Any:
        self.flawed = True
        return NoNumber(name)


_DECODER = Decoder()


def decoded(text: str) -> tuple[Any, bool]:
    """A whole text as a value, and whether it is flawed. Raises ValueError where it is no JSON."""
    _DECODER.flawed = False
    return _DECODER.decode(text), _DECODER.flawed


class Stream:
    """A text of JSON and how far it has been read. Everything raises ValueError where it is no JSON."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._buffer, self._ended = file, "", False
        self.flawed = False  # was the last value?

    def peek(self) -> str:
        """The next sign that is no blank; "" at the end."""
        while not (buffer := self._buffer.lstrip(_BLANK)) and not self._ended:
            self._more()
        self._buffer = buffer
        return buffer[:1]

    def take(self, sign: str) -> None:
        if self.peek() != sign:
            raise ValueError(f"no {sign}")
        self._buffer = self._buffer[1:]

    def value(self) -> Any:
        """The value that begins here, as a whole."""
        if not self.peek():
            raise ValueError("at the end")
        while True:
            _DECODER.flawed = False
            try:
                value, end = _DECODER.raw_decode(self._buffer)
                if end == len(self._buffer) and not self._ended:
                    raise ValueError("may be cut")
            except ValueError:
                if self._ended or len(self._buffer) > _LONGEST:
                    raise
                self._more()
                continue
            self._buffer, self.flawed = self._buffer[end:], _DECODER.flawed
            return value

    def elements(self) -> Iterator[Any]:
        """The values of the list that begins here, one by one."""
        self.take("[")
        while (sign := self.peek()) != "]":
            if sign == ",":  # one too many does no harm
                self.take(",")
            else:
                yield self.value()
        self.take("]")

    def names(self) -> Iterator[str]:
        """The fields of the object that begins here; after each its value must be taken."""
        self.take("{")
        while (sign := self.peek()) != "}":
            if sign == ",":
                self.take(",")
                continue
            name = self.value()
            self.take(":")
            yield str(name)
        self.take("}")

    def whole(self) -> Any:
        """All that is left, as one value."""
        value, self.flawed = decoded(self._buffer + self._file.read())
        return value

    def _more(self) -> None:
        more = self._file.read(max(_CHUNK, len(self._buffer)))
        self._ended = not more
        self._buffer += more
