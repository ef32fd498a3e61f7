"""Columns that change from version to version while files stay as they are: a column is its field id, not its name.

A type may only become one that holds every value the old one could, so that no file needs to be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from shudu.policy.types import Invalid, Text

from . import layout
from .coltypes import GENEROUS, TEXT
from .recipe import ColumnRecipe, Evolution, Recipe
from .types import Column, field_ids

_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


def widens(old: str, new: str) -> bool:
    """Can every value of the type `old` be one of `new`?"""
    if old == new:
        return True
    decimal = _DECIMAL.fullmatch(new)
    if old in _DIGITS:
        if decimal:
            return int(decimal[1]) <= 38 and int(decimal[1]) - int(decimal[2]) >= _DIGITS[old]
        return new in _DIGITS and _DIGITS[new] >= _DIGITS[old]
    if decimal and (was := _DECIMAL.fullmatch(old)):
        whole = int(decimal[1]) - int(decimal[2])
        return int(decimal[1]) <= 38 and int(decimal[2]) >= int(was[2]) and whole >= int(was[1]) - int(was[2])
    return (old, new) in (("FLOAT", "DOUBLE"), ("DATE", "TIMESTAMP"))


def target(
    columns: Sequence[Column], evolution: Evolution, new: Sequence[Column], key: str | None, next_field: int
) -> tuple[Column, ...]:
    """The columns after `evolution`, with their field ids; added ones are as the new file (`new`) has them.

    Raises Invalid `version.evolution` for what cannot be declared so, `version.narrower` for a type that would lose.
    """
    if evolution.empty:
        return tuple(columns)
    names = {column.name for column in columns}
    told = (*evolution.drop, *evolution.rename, *evolution.retype)
    if unknown := [name for name in told if name not in names]:
        raise _wrong(f"没有“{unknown[0]}”这一列", f"there is no column “{unknown[0]}”", unknown[0])
    if key is not None and (key in evolution.drop or key in evolution.rename):
        raise _wrong(f"“{key}”是主键，不能删去或改名", f"“{key}” is the key; it is neither dropped nor renamed", key)
    made = []
    for number, column in zip(field_ids(columns), columns, strict=True):
        if column.name in evolution.drop:
            continue
        type_ = evolution.retype.get(column.name, column.type)
        if not widens(column.type, type_):
            raise _narrower(column, type_)
        made.append(replace(column, name=evolution.rename.get(column.name, column.name), type=type_, field=number))
    there = {column.name: column for column in new}
    for number, name in enumerate(evolution.add, next_field):
        if name not in there:
            raise _wrong(f"文件中没有要新增的列“{name}”", f"the file lacks the column to add, “{name}”", name)
        made.append(replace(there[name], field=number))
    if unusable := [name for name in evolution.rename.values() if not layout.usable(name)]:
        raise _wrong(f"列名“{unusable[0]}”不可用", f"no column can be called “{unusable[0]}”", unusable[0])
    seen: set[str] = set()
    for column in made:
        if column.name.lower() in seen:
            raise _wrong(f"“{column.name}”会有两列", f"there would be two columns “{column.name}”", column.name)
        seen.add(column.name.lower())
    return tuple(made)


def renumbered(columns: Sequence[Column], base: Sequence[Column], next_field: int) -> tuple[Column, ...]:
    """The columns of a table that takes the place of `base`'s: those with its names keep its field ids."""
    ids = {each.name: number for number, each in zip(field_ids(base), base, strict=True)}
    fresh = iter(range(next_field, next_field + len(columns)))
    numbers = [ids[column.name] if column.name in ids else next(fresh) for column in columns]
    if numbers == list(range(1, len(columns) + 1)):
        return tuple(replace(column, field=None) for column in columns)
    return tuple(replace(column, field=number) for column, number in zip(columns, numbers, strict=True))


def recipe(kept: Recipe, evolution: Evolution) -> Recipe:
    """How a file with the new columns is read, from how one with the old ones was. It has the new names."""
    columns = []
    for column in kept.columns:
        if column.name in evolution.drop:
            continue
        made = column
        if column.name in evolution.retype:
            type_ = evolution.retype[column.name]
            # What the reader does not know it reads as text; it is made a number afterwards, exactly.
            made = made.model_copy(update={"type": type_ if type_ in GENEROUS else TEXT, "spelling": ""})
        if column.name in evolution.rename:
            name = evolution.rename[column.name]
            made = made.model_copy(update={"source": name, "name": name})
        columns.append(made)
    columns += [ColumnRecipe(source=name, name=name) for name in evolution.add]
    return kept.model_copy(update={"columns": tuple(columns)})


def _wrong(zh: str, en: str, column: str) -> Invalid:
    return Invalid(
        "version.evolution",
        Text(f"声明的列变化不成立：{zh}。", f"The declared change of columns does not hold: {en}."),
        Text("请核对列名后再试。", "Check the names of the columns and try again."),
        {"column": column},
    )


def _narrower(column: Column, type_: str) -> Invalid:
    return Invalid(
        "version.narrower",
        Text(
            f"“{column.name}”列不能由 {column.type} 改为 {type_}：已有的值可能装不下。",
            f"“{column.name}” cannot go from {column.type} to {type_}: values there are might not fit.",
        ),
        Text(
            "可加宽整数、整数改为 DECIMAL、日期改为时间戳；其他类型请整体替换，或新增一列。",
            "Integers may widen or become DECIMAL, dates timestamps; else replace the whole, or add a column.",
        ),
        {"column": column.name},
    )
