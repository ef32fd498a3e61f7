"""Identifiers that a spreadsheet wrote as 5.1E+17 when it saved a CSV: their last digits are gone, and that is said.

Programs that write measured values put a small e there (Python, C, R, DuckDB) or no plus (Java): the capital with its
plus is a spreadsheet's hand. What is meant is what a workbook is refused for, a number of 15 digits and more. Whoever
did measure such values says so in a recipe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import duckdb

from shudu.policy.types import Invalid, Text

from .coltypes import literal, raw
from .engine import one
from .recipe import Note
from .spellings import NULLS

_WRITTEN = r"[1-9](\.[0-9]{1,14})?E\+1[4-8]"
_IN_BYTES = re.compile(rb"E\+1[4-8]")
OVERLAP = 3  # bytes in which the beginning of one may stand at a chunk's end


def written_in(chunk: bytes) -> bool:
    """May such an identifier stand in these bytes of a CSV?"""
    return b"+" in chunk and _IN_BYTES.search(chunk) is not None  # one sign is found at the memory's speed


def looks_rounded(c: str) -> str:
    """SQL: is the text in `c` one? Never NULL."""
    return f"coalesce(CASE WHEN {c} LIKE '%E+1_' THEN regexp_full_match({c}, '{_WRITTEN}') END, false)"


def found(connection: duckdb.DuckDBPyConnection, numbers: Sequence[int]) -> Mapping[int, tuple[int, bool]]:
    """Of the text columns of `source` that hold any: how many, and whether there is nothing else in the column."""
    if not numbers:
        return {}
    table = "(SELECT * FROM source WHERE problem IS NULL)"
    asked = (f"count_if({looks_rounded(raw(number))})" for number in numbers)
    counts = dict(zip(numbers, one(connection, f"SELECT {', '.join(asked)} FROM {table}"), strict=True))  # noqa: S608
    rounded = {number: count for number, count in counts.items() if count}
    if not rounded:
        return {}
    nothing = ", ".join(map(literal, ("", *NULLS)))
    asked = (f"count_if({raw(number)} NOT IN ({nothing}))" for number in rounded)
    there = one(connection, f"SELECT {', '.join(asked)} FROM {table}")  # noqa: S608 - our own names
    return {number: (count, count == all_) for (number, count), all_ in zip(rounded.items(), there, strict=True)}


def note(name: str, cells: int) -> Note:
    """What is said of a column that holds some."""
    said = Text(
        f"“{name}”列有 {cells} 个单元格被表格软件写成科学计数法（如 5.1E+17）。"
        "若是证件号等标识，末尾几位已丢失，须从来源以文本格式重新导出。",
        f"In the column “{name}”, a spreadsheet wrote {cells} cells in scientific notation (such as 5.1E+17)."
        " If they are identifiers, their last digits are lost: export them again from where they came, as text.",
    )
    return Note.of("value.rounded", said, column=name, cells=cells)


def lost(name: str) -> Invalid:
    """What is said of each row where a column holds nothing else."""
    return Invalid(
        "row.digits",
        Text(
            f"“{name}”列的值都被表格软件写成科学计数法（如 5.1E+17），末尾几位已丢失。",
            f"A spreadsheet wrote all of the column “{name}” in scientific notation (such as 5.1E+17):"
            " the last digits are lost.",
        ),
        Text(
            f"请从来源以文本格式重新导出；若确是测得的数，请在配方中写明“{name}”列的类型为 DOUBLE。",
            f"Export it again from where it came, as text; if these are measured values, give “{name}” the type DOUBLE"
            " in the recipe.",
        ),
    )
