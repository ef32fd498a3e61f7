"""How the columns of two versions differ. A column is the same when its field id is, whatever it is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shudu.lake.types import Column, Difference, field_ids


@dataclass(frozen=True, slots=True)
class SchemaDifference:
    """Names as the newer version has them; pairs are (before, after)."""

    added: tuple[str, ...]
    dropped: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    retyped: tuple[tuple[str, str, str], ...]  # name, type before, type after


@dataclass(frozen=True, slots=True)
class VersionDifference:
    """Between the version `old` and the version `new`; `rows` is None for who may not read the table."""

    old: str
    new: str
    schema: SchemaDifference
    rows: Difference | None


def schema(before: Sequence[Column], after: Sequence[Column]) -> SchemaDifference:
    was = dict(zip(field_ids(before), before, strict=True))
    now = dict(zip(field_ids(after), after, strict=True))
    both = [(was[number], column) for number, column in now.items() if number in was]
    return SchemaDifference(
        added=tuple(column.name for number, column in now.items() if number not in was),
        dropped=tuple(column.name for number, column in was.items() if number not in now),
        renamed=tuple((a.name, b.name) for a, b in both if a.name != b.name),
        retyped=tuple((b.name, a.type, b.type) for a, b in both if a.type != b.type),
    )
