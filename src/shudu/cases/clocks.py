"""What happens when a deadline of a case has passed: rooms declare it by the deadline's name."""

from __future__ import annotations

from collections.abc import Callable

Due = Callable[[str], None]
_due: dict[str, Due] = {}


def on_due(name: str) -> Callable[[Due], Due]:
    """Declare what is done for a case's subject once a deadline of this name has passed. It may be called again."""

    def declare(due: Due) -> Due:
        _due[name] = due
        return due

    return declare


def due(name: str) -> Due:
    """What was declared; `KeyError` for an unknown name."""
    return _due[name]
