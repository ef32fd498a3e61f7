"""What a command made or found, as lines to be read by people; `--json` prints the same for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from shudu.policy.types import Text

EMPTY: tuple[Any, ...] = (None, "", [], {})


def lines(found: Mapping[str, Any], language: str, depth: int = 1) -> Iterator[tuple[int, str, str]]:
    """Depth, name and words of each line: what is empty is left out, and each of several things has a line."""
    for name, value in found.items():
        spoken = _spoken(value, language)
        if spoken in EMPTY:
            continue
        match spoken:
            case dict() as inner:
                yield depth, name, ""
                yield from lines(inner, language, depth + 1)
            case list() as several if any(isinstance(one, dict) for one in several):
                yield depth, name, ""
                yield from ((depth + 1, "-", _line(one, language)) for one in several)
            case _:
                yield depth, name, _word(spoken, language)


def _spoken(value: Any, language: str) -> Any:
    """Words in several languages become those of the reader."""
    if isinstance(value, Text):
        return value.say(language)
    if isinstance(value, Mapping):
        if value and set(value) <= {"zh", "en"}:
            return value.get(language) or next(iter(value.values()))
        return dict(value)
    return list(value) if isinstance(value, list | tuple) else value


def _line(value: Any, language: str) -> str:
    if not isinstance(value, Mapping):
        return _word(value, language)
    spoken = ((name, _spoken(each, language)) for name, each in value.items())
    return "  ".join(f"{name} {_word(each, language)}" for name, each in spoken if each not in EMPTY)


def _word(value: Any, language: str) -> str:
    value = _spoken(value, language)
    if isinstance(value, bool):
        return {"zh": ("否", "是"), "en": ("no", "yes")}[language][value]
    if isinstance(value, list) and not any(isinstance(one, Mapping | list) for one in value):
        return ", ".join(_word(one, language) for one in value)
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
