"""What may be wrong with the type a column took, said in a note because only its owner can tell.

A column of text of which nearly every value fits another type: which rows do not fit, and what to do. A column of
decimals of which two spellings became one number (1.1 and 1.10). A column whose only commas may be decimal ones. What
is asked of all values is asked of columns alone that a look at the first rows makes suspicious, so that clean tables
pay nothing.
"""

# ruff: noqa: S608 - every name in the SQL goes through coltypes.quoted or literal, or is our own

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from shudu.policy.types import Text

from .coltypes import GENEROUS, TEXT, fits, literal, raw
from .engine import one
from .kinds import called
from .recipe import ColumnRecipe, Note
from .spellings import NULLS

SAMPLE_ROWS = 4_096
SAMPLE_CELLS = 1 << 17
LOOK = 256  # rows that make a column suspicious
MOST = 50  # columns asked about
FIRST = 3  # rows named
# Which types are asked of all values where the first rows suggest one: a fraction may come later.
_WIDER = {"BIGINT": ("BIGINT", "DOUBLE"), "grouped-integer": ("grouped-integer", "grouped")}
_TRUTHS = ", ".join(map(literal, ("true", "false", "TRUE", "FALSE", "是", "否")))
# How anything but a text begins; who names the year in Chinese numerals writes a day as well.
_BEGINS = "^[-－¥￥0-9０-９〇零○一二三四五六七八九]"
_HINT = f"length(value) <= 40 AND (regexp_matches(value, '{_BEGINS}') OR value IN ({_TRUTHS}))"
_NOTHING = ", ".join(map(literal, NULLS))


@dataclass(frozen=True, slots=True)
class Table:
    """A table in SQL, the names of its text columns by number, which of its names numbers the rows, and what
    turns these numbers into those of the file."""

    sql: str
    names: Mapping[int, str]
    row: str = "row"
    rows_at: Callable[[Sequence[int]], Sequence[int]] = list


def sample(connection: duckdb.DuckDBPyConnection, table: str, numbers: Sequence[int]) -> None:
    """Make the table `sample` (r, c, value) of the first cells of the columns `c0`, `c1` … of `table`."""
    rows = max(64, min(SAMPLE_ROWS, SAMPLE_CELLS // max(len(numbers), 1)))
    names = ", ".join(raw(number) for number in numbers)
    connection.execute(
        f"CREATE TEMP TABLE sample AS SELECT * FROM (SELECT r, unnest([{', '.join(map(str, numbers))}]) AS c,"
        f" unnest([{names}]) AS value FROM (SELECT row_number() OVER () AS r, {names} FROM (SELECT * FROM {table}"
        f" LIMIT {rows}))) WHERE value IS NOT NULL"
    )


def doubts(
    connection: duckdb.DuckDBPyConnection, table: Table, columns: Mapping[int, ColumnRecipe], delimiter: str = ""
) -> list[Note]:
    """What to say of these columns, whose types the values decided; `sample` holds the first of them as text."""
    texts = [number for number, column in columns.items() if column.type == TEXT]
    decimals = [number for number, column in columns.items() if (column.type, column.spelling) == ("DOUBLE", "")]
    grouped = [number for number, column in columns.items() if column.spelling in ("grouped", "grouped-integer")]
    notes = []
    for number, kinds in _suspicious(connection, texts).items():
        if (note := _almost(connection, table, number, columns[number].name, kinds)) is not None:
            notes.append(note)
    notes += [_merged(columns[number].name) for number in _ambiguous(connection, decimals)]
    if delimiter == ";":
        notes += [_comma(columns[number].name) for number in _commas(connection, grouped)]
    return notes


def nearly(fit: int, misfit: int) -> bool:
    """Do so few values not fit that they rather than the type are wrong?"""
    return misfit > 0 and fit >= 2 * misfit and fit >= 2 and (misfit <= FIRST or misfit * 10 <= fit + misfit)


def _suspicious(connection: duckdb.DuckDBPyConnection, texts: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Columns of text that may nearly be of a type, by their first rows: which types to ask about."""
    if not texts:
        return {}
    there = f"r <= {LOOK} AND value <> '' AND value NOT IN ({_NOTHING})"
    hinted = connection.execute(
        f"SELECT c FROM sample WHERE {there} AND c IN ({', '.join(map(str, texts))}) GROUP BY c"
        f" HAVING 2 * count_if({_HINT}) >= count(*) ORDER BY c LIMIT {MOST}"
    ).fetchall()
    counts = ", ".join(f"count_if(({fits(kind, 'value')}) IS true)" for kind in GENEROUS)
    found: dict[int, tuple[str, ...]] = {}
    for (number,) in hinted:
        asked = f"SELECT count(*), {_codes('value')}, {counts} FROM sample WHERE {there} AND c = {number}"
        here, codes, *fit = one(connection, asked)
        best = max(range(len(fit)), key=lambda at: fit[at])  # the first of those that fit best
        if not codes and (fit[best] == here or nearly(fit[best], here - fit[best])):
            found[number] = _WIDER.get(GENEROUS[best], (GENEROUS[best],))
    return found


def _codes(c: str) -> str:
    """SQL: how many are digits and yet no number? A column with one holds codes or identifiers: text is right."""
    return f"count_if(regexp_full_match({c}, '[0-9]+') AND ({fits('BIGINT', c)}) IS NOT true)"


def _almost(
    connection: duckdb.DuckDBPyConnection, table: Table, number: int, name: str, kinds: Sequence[str]
) -> Note | None:
    c = table.names[number]
    tests = ", ".join(
        f"count_if({fit}), min(CASE WHEN NOT {fit} THEN {table.row} END, {FIRST})"
        for fit in (f"(({fits(kind, c)}) IS true)" for kind in kinds)
    )
    asked = f"SELECT count(*), {_codes(c)}, {tests} FROM {table.sql} WHERE {c} <> '' AND {c} NOT IN ({_NOTHING})"
    here, codes, *answer = one(connection, asked)
    best = max(range(len(kinds)), key=lambda at: answer[2 * at])
    fit, rows = answer[2 * best], answer[2 * best + 1]
    if codes or not nearly(fit, here - fit):
        return None
    used = connection.execute(f"SELECT DISTINCT {c} FROM {table.sql} WHERE {c} IN ({_NOTHING})").fetchall()
    nulls = [null for null in NULLS if (null,) in used]
    return _nearly_all(name, kinds[best], fit, here - fit, list(table.rows_at(rows or [])), nulls)


def _nearly_all(name: str, kind: str, fit: int, misfit: int, rows: list[int], nulls: list[str]) -> Note:
    said = called(kind)
    which = "、".join(f"第 {row} 行" for row in rows)
    more = len(rows) < misfit
    zh = f"另外 {misfit:,} 个不是" + (f"（{which}{'等' if more else ''}）" if rows else "")
    places = ", ".join(map(str, rows)) + (", …" if more else "")
    en = f"{misfit:,} cannot" + (f" (row{'s' if misfit > 1 else ''} {places})" if rows else "")
    text = Text(
        f"“{name}”列有 {fit:,} 个值可读作“{said.zh}”，{zh}，所以整列存为文本。"
        "请改正这些值；或把这一列定为该类型并用宽松读取，不合的行便搁置成更正清单。本来就是文字或编号的，不必改。",
        f"In the column “{name}”, {fit:,} values can be read as “{said.en}” and {en}, so the whole column is text."
        " Correct these; or give the column that type and read tolerantly: the rows that do not fit become a list to"
        " correct. If it holds text or codes, leave it.",
    )
    return Note.of("value.almost", text, column=name, type=kind, fit=fit, misfit=misfit, rows=rows, nulls=nulls)


def _ambiguous(connection: duckdb.DuckDBPyConnection, decimals: Sequence[int]) -> list[int]:
    """Columns of which two spellings, as 1.1 and 1.10, are one number among the first rows."""
    if not decimals:
        return []
    cells = f"SELECT DISTINCT c, value FROM sample WHERE c IN ({', '.join(map(str, decimals))}) AND value LIKE '%.%'"
    found = connection.execute(
        f"SELECT DISTINCT long.c FROM ({cells} AND ends_with(value, '0')) AS long JOIN ({cells}) AS short"
        " ON long.c = short.c AND length(short.value) < length(long.value)"
        " AND rtrim(long.value, '0') = rtrim(short.value, '0') ORDER BY long.c"
    ).fetchall()
    return [number for (number,) in found]


def _merged(name: str) -> Note:
    text = Text(
        f"“{name}”列中有的值写法不同而读作同一个数（如 1.1 与 1.10）。若是编号、章节号或版本号，请把这一列定为文本。",
        f"In the column “{name}”, values written differently are one number (as 1.1 and 1.10). If they are codes,"
        " section or version numbers, make the column text.",
    )
    return Note.of("value.merged", text, column=name)


def _commas(connection: duckdb.DuckDBPyConnection, grouped: Sequence[int]) -> list[int]:
    """Columns of which no value among the first rows shows what its comma is: 1,500 does not, 1,500.0 does."""
    if not grouped:
        return []
    found = connection.execute(
        f"SELECT c FROM sample WHERE c IN ({', '.join(map(str, grouped))}) AND value NOT IN ({_NOTHING}) GROUP BY c"
        " HAVING bool_or(contains(value, ',')) AND NOT bool_or(contains(value, '.') OR value LIKE '%,%,%') ORDER BY c"
    ).fetchall()
    return [number for (number,) in found]


def _comma(name: str) -> Note:
    text = Text(
        f"“{name}”列的逗号读作千分位：1,500 读作一千五百。若它是小数点，"
        "请在来源改用点号后重新导出，或把这一列定为文本。",
        f"Commas in the column “{name}” were read as separating thousands: 1,500 is fifteen hundred. If they are"
        " decimal commas, export the file again with points, or make the column text.",
    )
    return Note.of("value.comma", text, column=name)
