"""Rows of a correction list as rows of a newer version, whose columns may have changed since the list's own.

A column is its field id, not its name: one that was renamed is the same, one that was added since is empty, one that
was dropped is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shudu.lake.types import Column, ColumnRecipe, Fault, field_ids


@dataclass(frozen=True, slots=True)
class Way:
    """The columns that cells of a list go to, and which cell each takes; the columns that stay empty; and what the
    list calls each."""

    columns: tuple[ColumnRecipe, ...]
    cells: tuple[int, ...]
    empty: tuple[Column, ...]
    names: Mapping[str, str]

    def carried(self, cells: Sequence[str]) -> tuple[str, ...]:
        """A row of the list, in `columns`."""
        return tuple(cells[at] for at in self.cells)

    def back(self, faults: Sequence[Fault]) -> tuple[Fault, ...]:
        """What is wrong with a row, by the names its list has."""
        return tuple(each.model_copy(update={"column": self.names.get(each.column, each.column)}) for each in faults)


def way(listed: Sequence[ColumnRecipe], then: Sequence[Column], now: Sequence[Column]) -> Way:
    """From a list of `listed`, whose version has the columns `then`, to a version that has the columns `now`.

    Values are read as the list's version was read: a type that was widened since takes them all.
    """
    numbers = {column.name: number for number, column in zip(field_ids(then), then, strict=True)}
    places = {numbers[each.name]: at for at, each in enumerate(listed) if each.name in numbers}
    columns, cells, empty, names = [], [], [], {}
    for number, column in zip(field_ids(now), now, strict=True):
        at = places.get(number)
        if at is None:
            empty.append(column)
        else:
            columns.append(listed[at].model_copy(update={"name": column.name}))
            cells.append(at)
            names[column.name] = listed[at].name
    return Way(tuple(columns), tuple(cells), tuple(empty), names)
