"""A strict reader of protobuf's wire format, for checking a file before its real parser sees it. Standard library only.

Strict, so that no two parsers can read one file differently: a field that the schema does not name, a wrong wire type,
a single field given twice, and a varint longer than it needs to be are all refused. Nothing is copied.
Source: protobuf.dev/programming-guides/encoding.
"""

import re
from collections.abc import Iterator
from typing import Any

VARINT, I64, LEN, I32 = 0, 1, 2, 5
_BYTES_OF = {I64: 8, I32: 4}


class Malformed(ValueError):
    """Not the message it should be."""


class Field:
    """One field of a message: its name, its wire type, whether it may come often.

    A repeated number may come packed too. With `run`, further ones of the same field are passed over in one go: a tree
    model has millions of them.
    """

    def __init__(self, name: str, wire: int, *, repeated: bool = False, run: bytes = b"") -> None:
        self.name, self.wire, self.repeated = name, wire, repeated
        self.run = re.compile(run, re.DOTALL) if run else None


Schema = dict[int, Field]


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """The unsigned number at `at`, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("a number is cut short or too long")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:
                raise Malformed("a number is written longer than it is")
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7


def signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def varints(data: memoryview) -> Iterator[int]:
    """The numbers of a packed field."""
    at = 0
    while at < len(data):
        value, at = varint(data, at)
        yield value


def read(data: memoryview, schema: Schema) -> dict[str, Any]:
    """The fields of one message by name: a number, a memoryview, or a list of them where the field is repeated.

    Fields with `run` are counted only: their value is how many stretches of them were passed over.
    """
    found: dict[str, Any] = {}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        field, wire = schema.get(key >> 3), key & 7
        if field is None:
            raise Malformed(f"field {key >> 3} has no place here")
        packed = field.repeated and field.wire != LEN and wire == LEN
        if wire != field.wire and not packed:
            raise Malformed(f"field {field.name} has the wrong wire type")
        value, at = _value(data, at, wire)
        if field.run is not None:
            if not packed and (more := field.run.match(data, at)):
                at = more.end()
            found[field.name] = found.get(field.name, 0) + 1
        elif packed and field.wire == VARINT:
            found.setdefault(field.name, []).extend(varints(value))
        elif packed or field.repeated:
            found.setdefault(field.name, []).append(value)
        elif field.name in found:
            raise Malformed(f"field {field.name} is given twice")
        else:
            found[field.name] = value
    return found


def _value(data: memoryview, at: int, wire: int) -> tuple[Any, int]:
    if wire == VARINT:
        return varint(data, at)
    if wire == LEN:
        size, at = varint(data, at)
    else:
        size = _BYTES_OF[wire]
    if at + size > len(data):
        raise Malformed("a field is cut short")
    return data[at : at + size], at + size
