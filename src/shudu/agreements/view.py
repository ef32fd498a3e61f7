"""What an agreement lets its assignee see of a table: the one place where terms become a `View`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shudu.lake.types import Column, Mask, View

from .terms import Every, Use
from .where import conditions


def view_of(use: Use, columns: Sequence[Column], names: Iterable[str] | None = None, *, rows_leave: bool) -> View:
    """The permitted columns (`names` of them, in that order), the permitted rows, and every mask that holds.

    Where `rows_leave` (reading, downloading) a column found to hold personal data is masked whole unless the terms say
    how it is shown; trusted code that only counts and adds takes it as it is. Columns the terms do not permit are not
    asked for: `evaluate` has refused them before.
    """
    permitted = [column for column in columns if isinstance(use.columns, Every) or column.name in use.columns]
    shown = tuple(column.name for column in permitted) if names is None else tuple(names)
    masks = dict(use.masks)
    if rows_leave:
        for column in permitted:
            if column.sensitivity is not None and column.name not in use.clear:
                masks.setdefault(column.name, Mask.WHOLE)
    return View(shown, conditions(use.rows), {name: mask for name, mask in masks.items() if name in shown})
