"""What of a table a reader is given: which columns, which rows, under which masks. Every reading function takes one.

Conditions are typed against the table's columns and become SQL only here: no text of a user's is ever SQL. A row with
no value in a column satisfies no comparison on it, as in SQL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from shudu.policy.types import Invalid, Text

from .coltypes import literal, quoted
from .masks import Mask, masked

Value = int | float | str
_WHOLE = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER")
_NUMBER = re.compile(rf"{_WHOLE.pattern}|DOUBLE|FLOAT|DECIMAL\(\d+,\d+\)")
_MOMENTS = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
_LARGEST = 2**53 - 1


class Op(StrEnum):
    EQ = "="
    NE = "!="
    IN = "in"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    NULL = "is null"
    NOT_NULL = "is not null"


@dataclass(frozen=True, slots=True)
class Condition:
    """One column against values of its type: several for IN, none for NULL and NOT_NULL, else one."""

    column: str
    op: Op
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """What is read: these columns in this order (None: all), of the rows that satisfy every condition.

    A masked column is text. Conditions may be on columns that are not shown.
    """

    columns: tuple[str, ...] | None
    rows: tuple[Condition, ...] = ()
    masks: Mapping[str, Mask] = field(default_factory=lambda: MappingProxyType({}))


# For the owner, and for trusted code that judges the whole table.
EVERYTHING = View(None)


def projected(view: View, types: Mapping[str, str]) -> dict[str, str]:
    """SQL by column name, in the view's order. Raises Invalid `lake.column` for a column that is not there."""
    names = tuple(types) if view.columns is None else view.columns
    if not names or len(set(names)) != len(names):
        raise ValueError("ask for at least one column, and for none twice")
    _known(names, types)
    return {name: masked(name, view.masks[name]) if name in view.masks else quoted(name) for name in names}


def condition(rows: Sequence[Condition], types: Mapping[str, str]) -> str:
    """SQL: does a row satisfy all of them? Raises Invalid as `typed` does."""
    _known([each.column for each in rows], types)
    return " AND ".join(_sql(each, types[each.column]) for each in rows) or "true"


def _sql(each: Condition, type_: str) -> str:
    name = quoted(each.column)
    if each.op in (Op.NULL, Op.NOT_NULL):
        return f"{name} {each.op.value}"
    values = [_literal(typed(each.column, value, type_), type_) for value in each.values]
    # NaN is above every number to the engine; to a condition it is no number.
    number = f" AND NOT isnan({name})" if type_ in ("DOUBLE", "FLOAT") else ""
    if each.op is Op.IN:
        return f"{name} IN ({', '.join(values)}){number}"
    (value,) = values
    return f"{name} {each.op.value} {value}{number}"


def _literal(value: Value, type_: str) -> str:
    if isinstance(value, str):
        return literal(value) if type_ == "VARCHAR" else f"CAST({literal(value)} AS {type_})"
    # Written as text: a long decimal would be read as DECIMAL and make the engine widen the column, or fail to.
    return str(value) if isinstance(value, int) else f"CAST({literal(repr(value))} AS DOUBLE)"


def typed(column: str, value: Value, type_: str) -> Value:
    """A value as this type of column is compared with it: a number, text, or a date in one spelling.

    Text is read as a number where the column holds numbers. Raises Invalid `rows.value` where it cannot be, and
    `rows.type` for a type that can only be asked whether it has a value.
    """
    if type_ == "VARCHAR":
        if isinstance(value, str):
            return value
        raise _wrong(column, Text("文本", "text"))
    if type_ == "BOOLEAN":
        if value in ("true", "false"):
            return value
        raise _wrong(column, Text("true 或 false", "true or false"))
    if _NUMBER.fullmatch(type_):
        return _number(column, value, whole=bool(_WHOLE.fullmatch(type_)))
    if type_ != "DATE" and type_ not in _MOMENTS:
        raise Invalid(
            "rows.type",
            Text(
                f"列“{column}”的类型（{type_}）只能判断有无值。",
                f"The column “{column}” ({type_}) can only be asked whether it has a value.",
            ),
            Text("请改用“is null”或“is not null”，或换一列。", "Use “is null” or “is not null”, or another column."),
            {"column": column},
        )
    try:
        if not isinstance(value, str):
            raise ValueError
        if type_ == "DATE":
            return date.fromisoformat(value).isoformat()
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            raise ValueError
        # One length for all, so that they compare as text as they do as moments.
        return moment.isoformat(" ", "microseconds")
    except ValueError:
        example = "2026-06-30" if type_ == "DATE" else "2026-06-30 08:00:00"
        raise _wrong(column, Text(f"日期，如 {example}", f"a date such as {example}")) from None


def _number(column: str, value: Value, *, whole: bool) -> int | float:
    what = Text("整数", "a whole number") if whole else Text("数", "a number")
    try:
        number = float(value)
        exact = (
            int(value) if isinstance(value, int) or (isinstance(value, str) and value.strip("-+").isdecimal()) else None
        )
    except (ValueError, OverflowError):
        raise _wrong(column, what) from None
    if not math.isfinite(number) or abs(number) > _LARGEST:
        raise _wrong(column, what)
    if exact is not None:
        return exact
    if number.is_integer():
        return int(number)
    if whole:
        raise _wrong(column, what)
    return number


def _wrong(column: str, what: Text) -> Invalid:
    return Invalid(
        "rows.value",
        Text(f"列“{column}”的条件值须为{what.zh}。", f"A condition on the column “{column}” takes {what.en}."),
        Text("请按该列的类型填写。", "Write it as the column's type asks."),
        {"column": column},
    )


def _known(names: Sequence[str], types: Mapping[str, str]) -> None:
    if missing := [name for name in names if name not in types]:
        said = "、".join(missing), ", ".join(missing)
        raise Invalid(
            "lake.column",
            Text(f"表中没有这些列：{said[0]}。", f"The table has no such columns: {said[1]}."),
            where={"columns": missing},
        )
