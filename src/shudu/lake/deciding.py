"""Which type each column of text takes: plain types are asked of all values first, spellings only where none of them
is left, so that the common case costs what it always did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from .coltypes import LADDER, TEXT, Candidates, examine, literal, raw, survivors

Ask = Callable[[Sequence[str]], Sequence[Any]]
"""Computes SQL aggregates over a table whose text columns are `c0`, `c1` …"""


def narrowed(ask: Ask, columns: Mapping[int, Candidates], nulls: Sequence[str]) -> dict[int, Candidates]:
    """What the values of a table allow of what was possible so far."""
    plain = {n: tuple(each for each in column.types if each in LADDER) or column.types for n, column in columns.items()}
    found = _asked(ask, plain, nulls)
    reserve = {n: tuple(each for each in column.types if each not in plain[n]) for n, column in columns.items()}
    again = {n: reserve[n] for n, each in found.items() if each.values and not each.types and reserve[n]}
    return {n: replace(each, types=each.types + reserve[n]) for n, each in found.items()} | _asked(ask, again, nulls)


def _asked(ask: Ask, types: Mapping[int, tuple[str, ...]], nulls: Sequence[str]) -> dict[int, Candidates]:
    if not types:
        return {}
    answer = iter(ask([test for n, each in types.items() for test in examine(raw(n), each, nulls)]))
    return {n: survivors(each, list(islice(answer, 1 + len(each)))) for n, each in types.items()}


def settled(ask: Ask, columns: Mapping[int, Candidates], nulls: Sequence[str]) -> dict[int, Candidates]:
    """Of all spellings of nothing, keep those that a typed column really uses; a column of nothing else is text."""
    if not nulls:
        return dict(columns)
    # What has no value may still be full of spellings of nothing: then it is text, and stays as it is.
    open_ = [n for n, each in columns.items() if each.best != TEXT]
    known = ", ".join(map(literal, nulls))
    used = ask([f"list(DISTINCT {raw(n)}) FILTER ({raw(n)} IN ({known}))" for n in open_]) if open_ else ()
    found = dict(columns)
    for n, there in zip(open_, used, strict=True):
        if columns[n].best is not None:
            found[n] = replace(columns[n], nulls=tuple(null for null in nulls if null in (there or ())))
        elif there:
            found[n] = Candidates((), True)
    return found
