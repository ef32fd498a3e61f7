"""A file's reading as a form: what was understood fills it in, what is corrected in it becomes the next reading.

What a person leaves alone stays for the file to decide, so that a value behind the rows one was shown still counts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shudu.lake.types import (
    DELIMITERS,
    NO_HEADER,
    SHIFTED,
    SPELLINGS,
    Aside,
    ColumnRecipe,
    Note,
    Reading,
    Recipe,
    Understood,
)
from shudu.policy.types import Text

from . import words
from .forms import typed, wrong

MOST_COLUMNS = 100  # a form of more is no longer one
LEAVE = "leave"
MAPS = ("geojson", "gpkg", "shapefile")
DOUBTS = ("layout.data", "value.almost", "value.merged", "value.comma")
HEADLESS, TOTALS = "headless", "totals"
CELLS = ("xlsx", "xls", "ods")
_ROWS = re.compile(r"\s*(\d{1,6})\s*(?:[-–~至]\s*(\d{1,6})\s*)?")
_NULLS = re.compile("[、,，]")


@dataclass(frozen=True, slots=True)
class Row:
    """A column in the form: its number, what the file calls it, and what the form holds of it."""

    number: int
    source: str
    name: str
    spelled: str  # "" where the values decide
    found: str  # what they decided
    unit: str
    nulls: str
    fixed: bool
    first: str

    @property
    def odd(self) -> str:
        """A type nobody would choose, of a table that has it already."""
        return "" if self.spelled in words.SPELLED else self.spelled


def reading(form: Mapping[str, str]) -> Reading:
    """What the form says. Raises Invalid, with the field, for what cannot be a reading."""
    columns = tuple(_columns(form))
    tolerant = form.get("tolerant") == "yes"
    if len(columns) < _count(form) and not tolerant:
        raise wrong(
            "tolerant",
            "有的列选了不收；不收某列须用宽松读取。",
            "A column is to be left out; that takes a tolerant reading.",
        )
    # Other header rows, or another sheet, have other columns.
    if form.get("laid_out", "") != _laid_out(form):
        columns = ()
    recipe = typed(
        Recipe,
        member=form.get("member", ""),
        encoding=form.get("encoding", ""),
        delimiter=form.get("delimiter", ""),
        header_rows=_header_rows(form.get("header_rows", "")),
        columns=columns,
        crs=form.get("crs", "").strip(),
        moved_from=form.get("moved_from", ""),
        keep_totals=form.get("totals") == "keep",
    )
    return typed(Reading, sheet=form.get("sheet", ""), tolerant=tolerant, recipe=recipe)


def filled(told: Reading, found: Understood | None) -> dict[str, str]:
    """The form as it stands before anybody corrects it: what was told, and of the columns what was understood."""
    recipe = told.recipe
    form = {
        "member": recipe.member,
        "sheet": told.table,
        "encoding": recipe.encoding,
        "delimiter": recipe.delimiter,
        "header_rows": _rows_said(recipe.header_rows),
        "crs": recipe.crs,
        "moved_from": recipe.moved_from,
        "totals": "keep" if recipe.keep_totals else "",
        "tolerant": "yes" if told.tolerant else "no",
    }
    form["laid_out"] = _laid_out(form)
    for row in rows(told, found):
        one = {"source": row.source, "name": row.name, "unit": row.unit, "type": row.spelled, "nulls": row.nulls}
        form |= {f"{field}-{row.number}": value for field, value in one.items()}
    return form


def rows(told: Reading, found: Understood | None) -> list[Row]:
    """The columns for the form; none of a table too wide for one."""
    if found is None or len(found.recipe.columns) > MOST_COLUMNS:
        return []
    said = {(column.source, column.name): column for column in told.recipe.columns}
    first = found.sample[0] if found.sample else ()
    made = []
    for number, column in enumerate(found.recipe.columns):
        stated, fixed = said.get((column.source, column.name)), column.name in found.fixed
        made.append(
            Row(
                number,
                column.source,
                column.name,
                (stated.spelling or stated.type or "") if stated and not fixed else "",
                column.spelling or column.type or "",
                column.unit,
                "、".join(column.nulls),
                fixed,
                (first[number] if number < len(first) else None) or "",
            )
        )
    return made


@dataclass(frozen=True, slots=True)
class Doubt:
    """A note about how a file was read that only its owner can settle, and what one press settles it by."""

    note: Note
    press: str  # "" where the form cannot
    kind: Text | None  # what a column is then read as

    @property
    def aside(self) -> bool:
        """Does pressing put rows aside?"""
        return self.note.code == "value.almost"


def doubts(found: Understood) -> list[Doubt]:
    """What the form offers to settle with one press."""
    numbers = {column.name: number for number, column in enumerate(found.recipe.columns)}
    made = []
    for note in (note for note in found.notes if note.code in DOUBTS):
        if note.code == "layout.data":
            made.append(Doubt(note, HEADLESS, None))
            continue
        number, kind = numbers.get(note.where["column"], MOST_COLUMNS), note.where.get("type", "VARCHAR")
        shown = len(numbers) <= MOST_COLUMNS and number < len(numbers)
        press = ":".join((str(number), kind, "、".join(note.where.get("nulls", ())))) if shown else ""
        made.append(Doubt(note, press, words.SPELLED.get(kind)))
    return made


def pressed(form: Mapping[str, str], press: str) -> dict[str, str]:
    """The form as it is once such a button was pressed."""
    if press == HEADLESS:
        return {**form, "header_rows": _rows_said(NO_HEADER)}
    if press == TOTALS:
        return {**form, "totals": "keep"}
    number, kind, nulls = [*press.split(":", 2), "", ""][:3]
    more = {f"type-{number}": kind, f"nulls-{number}": nulls}
    return {**form, **more, **({} if kind == "VARCHAR" else {"tolerant": "yes"})}


def digest(one: Reading) -> str:
    """Tells whether the reading that is published is the one that was shown."""
    return hashlib.sha256(one.model_dump_json().encode()).hexdigest()


def choices(notes: tuple[Note, ...], code: str) -> list[str]:
    """What a note says there was to choose from."""
    return next((list(note.where.get("choices", ())) for note in notes if note.code == code), [])


def faults(found: Understood) -> tuple[list[Aside], list[Aside]]:
    """What would be put aside, in this form's words: rows that are wrong, and rows that are no data."""
    kinds = {one.name: one.spelling or one.type or "" for one in found.recipe.columns}
    wrong_rows = [_said(one, kinds) for one in found.aside if not one.code.startswith("row.aside")]
    return wrong_rows, [one for one in found.aside if one.code.startswith("row.aside")]


def _said(one: Aside, kinds: Mapping[str, str]) -> Aside:
    if one.code != "row.value" or (kind := words.SPELLED.get(kinds.get(one.column, ""))) is None:
        return one
    said = {
        "zh": f"“{one.column}”列有的值读不成{kind.zh}。",
        "en": f"Some values in “{one.column}” cannot be read as {kind.en}.",
        "remedy_zh": "请改正这些值，或在下面改这一列读作什么。",
        "remedy_en": "Correct these values, or change below what the column is read as.",
    }
    return one.model_copy(update=said)


def options(
    chinese: bool, found: Understood | None, files: list[str], tables: list[str], choosing: bool
) -> dict[str, Any]:
    """What each choice of the form offers: what the format lets one correct, or only what has to be chosen first."""

    def said(text: Text) -> str:
        return text.zh if chinese else text.en

    by_itself = ("", "由系统识别" if chinese else "found out from the file")
    format_ = found.recipe.format if found else ""
    offered: dict[str, Any] = {
        "spelled": [(code, said(text)) for code, text in words.SPELLED.items()],
        "tolerances": [
            ("no", said(Text("严格：遇到第一处错误就停下", "strict: stop at the first fault"))),
            ("yes", said(Text("宽松：搁置有错的行，其余照收", "tolerant: put wrong rows aside and take the rest"))),
        ],
    }
    if len(files) > 1:
        offered["members"] = [by_itself, *((name, name) for name in files)]
    if len(tables) > 1:
        offered["sheets"] = [by_itself, *((name, name) for name in tables)]
    if format_ == "csv" or (found is None and not choosing):
        offered["encodings"] = [by_itself, *((code, said(text)) for code, text in words.ENCODINGS.items())]
        offered["delimiters"] = [by_itself, *((code, said(text)) for code, text in DELIMITERS.items())]
    offered["headed"] = format_ in ("csv", *CELLS) or (found is None and not choosing)
    if offered["headed"]:
        offered["totals"] = [
            ("", said(Text("不收：它们不是数据", "leave them out: they are no data"))),
            ("keep", said(Text("当作数据收入", "take them as data"))),
        ]
    if format_ in MAPS:
        none = ("", said(Text("没有加偏", "not shifted")))
        offered["shifts"] = [none, *((name, name) for name in SHIFTED)]
    return offered


def _count(form: Mapping[str, str]) -> int:
    return next((n for n in range(MOST_COLUMNS + 1) if f"source-{n}" not in form), MOST_COLUMNS)


def _columns(form: Mapping[str, str]) -> Iterator[ColumnRecipe]:
    for number in range(_count(form)):
        spelled = form.get(f"type-{number}", "")
        if spelled == LEAVE:
            continue
        spelling = SPELLINGS.get(spelled)
        name = form.get(f"name-{number}", "").strip()
        if not name:
            raise wrong(f"name-{number}", f"第 {number + 1} 列没有列名。", f"Column {number + 1} has no name.")
        nulls = (each.strip() for each in _NULLS.split(form.get(f"nulls-{number}", "")))
        yield typed(
            ColumnRecipe,
            source=form[f"source-{number}"].replace("\r\n", "\n"),  # as browsers send every line end
            name=name,
            type=spelling.type if spelling else spelled or None,
            spelling=spelled if spelling else "",
            unit=form.get(f"unit-{number}", "").strip(),
            # Where the values decide the type, they decide this as well.
            nulls=tuple(each for each in nulls if each) if spelled else (),
        )


def _laid_out(form: Mapping[str, str]) -> str:
    fields = ("member", "sheet", "encoding", "delimiter", "header_rows")
    return hashlib.sha256("\0".join(form.get(name, "").strip() for name in fields).encode()).hexdigest()[:16]


def _header_rows(said: str) -> tuple[int, ...]:
    """`3` or `3-4`, rows as the file counts them; nothing: found out from the file."""
    if not said.strip():
        return ()
    if said.strip() == "0":
        return NO_HEADER
    found = _ROWS.fullmatch(said)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last < first + 10:
        raise wrong(
            "header_rows",
            "表头写成一行或连着的几行，例如 3 或 3-4；没有表头写 0。",
            "Write a row or some, like 3 or 3-4; 0 if there is none.",
        )
    return tuple(range(first, last + 1))


def _rows_said(rows: tuple[int, ...]) -> str:
    if not rows:
        return ""
    return str(rows[0]) if len(rows) == 1 else f"{rows[0]}-{rows[-1]}"
