"""A workbook's cells as text, digit for digit, and what may be wrong with one."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from shudu.policy.types import Invalid, Text

from .spreadsheetml import NO_DAY, PERCENT, letters

_NUMBER_DIGITS = 1e15  # a workbook's numbers have 15 digits: what is longer has lost some already
# What the library makes of the 29th, which a workbook counts and no calendar has.
_LEAP_DAY = datetime.date(1900, 2, 28)


def text(value: Any) -> str | None:
    """A cell as text, digit for digit; None for nothing, and for a number that has lost digits."""
    match value:
        case str():
            return value.strip() or None
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if abs(value) < _NUMBER_DIGITS else None
        case float():
            if value.is_integer():
                return str(int(value)) if abs(value) < _NUMBER_DIGITS else None
            return repr(value)
        case datetime.datetime():
            return value.isoformat(" ")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return _duration(value)
        case _:
            return str(value)


def _duration(value: datetime.timedelta) -> str:
    seconds = int(value.total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def shown(value: Any, mark: str) -> str | None:
    """A cell as it is shown; None for a day that never was."""
    if mark == NO_DAY:
        day = value.date() if isinstance(value, datetime.datetime) else value
        return None if day == _LEAP_DAY else text(value)
    plain = text(value)
    if plain is None or isinstance(value, bool) or not isinstance(value, int | float):
        return plain
    if mark == PERCENT:
        return f"{Decimal(repr(float(Decimal(repr(value)) * 100))):f}%".replace(".0%", "%")
    # Zeros in front are shown of whole numbers; of others the format would hide what they are.
    return plain.zfill(len(mark)) if plain.isdigit() else plain


def lost(row: int, column: int) -> Invalid:
    return Invalid(
        "row.digits",
        Text(
            f"第 {row} 行第 {column} 列的数字超过 15 位，表格软件已丢失末尾几位。",
            f"The number in row {row}, column {column} has more than 15 digits: the workbook has lost the last ones.",
        ),
        Text(
            "证件号等请先将该列设为“文本”格式，再从来源重新填入。",
            "Format the column as text and fill it in again from where it came.",
        ),
        {"row": row, "column": column},
    )


def uncomputed(row: int, columns: list[int]) -> Invalid:
    named = [letters(column) for column in columns[:5]]
    more = Text(" 等", " and more") if len(columns) > 5 else Text("", "")
    return Invalid(
        "row.formula",
        Text(
            f"第 {row} 行 {'、'.join(named)}{more.zh} 列的公式没有算出的值。",
            f"Row {row}: the formulas in {', '.join(named)}{more.en} were never computed.",
        ),
        Text(
            "请用表格软件打开并另存（公式即被计算），再发布。",
            "Open it in a spreadsheet program, which computes them, save it and publish that.",
        ),
        {"row": row, "column": columns[0]},
    )


def no_day(row: int, column: int) -> Invalid:
    return Invalid(
        "row.value",
        Text(
            f"第 {row} 行第 {column} 列的日期不存在：表格软件误把 1900 年算作闰年。",
            f"The day in row {row}, column {column} does not exist: spreadsheets take 1900 for a leap year.",
        ),
        Text("请改正该日期。", "Correct the day."),
        {"row": row, "column": column},
    )
