"""Dates that are kept as they are written, and said: of 民国, of the lunar calendar, and in Chinese numerals where a
column of them cannot be read as days (`spellings`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from shudu.policy.types import Text

from .recipe import ColumnRecipe, Note

LONGEST = 30  # characters
OTHER, NUMERALS = "value.calendar", "value.numerals"

_DIGIT = "[0-9０-９〇○◯零一二三四五六七八九]"
_MINGUO = re.compile(r"民国\s*[0-9〇零一二三四五六七八九十百元]+\s*年")
# 三月十五 is a day of the lunar calendar, and 三月十五日 one of ours.
_LUNAR = re.compile(
    r"(?:正|[二三四五六七八九十冬腊]|十[一二])月"
    r"(?:初[一二三四五六七八九十]|[十廿卅][一二三四五六七八九十]?(?![一二三四五六七八九十]?日))"
    r"|(?:农历|阴历|旧历).*月"
)
_IN_NUMERALS = re.compile(rf"{_DIGIT}{{4}}年(?:{_DIGIT}|十){{1,3}}月(?:(?:{_DIGIT}|[十廿卅]){{1,4}}[日号]?)?")
_NO_NUMERALS = re.compile(r"[0-9０-９年月日号]+")


def strange(cell: str) -> str:
    """The code of the note a cell deserves; empty for hardly any cell that does not."""
    if len(cell) >= LONGEST or not ("年" in cell or "月" in cell):
        return ""
    if _MINGUO.search(cell) or _LUNAR.search(cell):
        return OTHER
    return NUMERALS if _IN_NUMERALS.fullmatch(cell) and not _NO_NUMERALS.fullmatch(cell) else ""


def note(code: str, name: str) -> Note:
    """What is said of a column that holds such dates."""
    if code == OTHER:
        said = Text(
            f"“{name}”列有民国或农历日期，不作换算，保留原文。",
            f"The column “{name}” holds dates of another calendar; they are not converted and stay as written.",
        )
    else:
        said = Text(
            f"“{name}”列有汉字数字的日期，但不是每一格都写全了年、月、日，没有读作日期，保留原文。",
            f"The column “{name}” holds dates in Chinese numerals, but not in every cell a whole date that exists;"
            " they stay as written.",
        )
    return Note.of(code, said, column=name)


def still(notes: Iterable[Note], columns: Sequence[ColumnRecipe]) -> tuple[Note, ...]:
    """The notes without what was said of numerals in columns that did become days."""
    days = {column.name for column in columns if column.type == "DATE"}
    return tuple(each for each in notes if each.code != NUMERALS or each.where.get("column") not in days)
