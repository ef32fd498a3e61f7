"""JSON as it comes in anywhere: UTF-8, numbers that are numbers, text that can be kept anywhere, nothing too deep."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MAX_DEPTH = 32


def read(data: bytes) -> Any:
    """The value; ValueError for what JSON (RFC 8259) does not hold, halves of surrogate pairs, NUL, names said twice in
    one object, and more than `MAX_DEPTH` brackets within each other."""
    text = data.decode()
    try:
        value = json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("too deep") from None
    _shallow(value)
    if "\\u" in text:  # only an escape can bring these in
        said = json.dumps(value, ensure_ascii=False)
        said.encode()
        if "\\u0000" in said:
            raise ValueError("NUL")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name twice")
    return made


def _shallow(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise ValueError("too deep")


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
