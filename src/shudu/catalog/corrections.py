"""A correction list 更正清单: rows that were put aside, as a sheet people correct and send back.

Every cell is text: no digit is lost on the way, and nothing is ever a formula. A hidden key ties each row to its
rejection, so that a list can be neither mixed up nor made up.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from shudu.lake.types import ColumnRecipe, Fault
from shudu.policy.types import Invalid, Text

MOST = 20_000  # rows in one list: what remains comes in the next
MOST_CODES = 2_000
SHEET = "更正清单"
Form = Literal["xlsx", "csv"]
LEAVE = "不收录 leave out"
_LEAVE = (LEAVE, *LEAVE.split(" ", 1), "leave")
_FIXED = {
    "row": "※行号 Row",
    "why": "※原因 Reason",
    "fix": "※怎样改正 What would fix it",
    "action": "※处理 Action",
    "reason": "※不收录的理由 Why it is left out",
    "original": "※原文 As it stood",
    "key": "※校验码 Key (do not change)",
}
_LONGEST_CELL = 32_767  # of a workbook
_FORMULA = "=+-@\t\r'"
_NUMBER = re.compile(r"[+-]?[0-9][0-9.,]*%?")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udfff]")
_LONGEST_REASON = 500


CodeLists = Callable[[str], Mapping[str, tuple[str, ...]]]
"""The values that columns of an asset may have, by column, where somebody has declared them."""
_code_lists: list[CodeLists] = []


def register_code_lists(found: CodeLists) -> None:
    """Let lists offer the values a column may have. Call it in `ready`."""
    _code_lists.append(found)


def code_lists(asset_id: str) -> dict[str, tuple[str, ...]]:
    """What is declared for an asset's columns; a longer list than `MOST_CODES` is of no use to choose from."""
    found = {column: values for each in _code_lists for column, values in each(asset_id).items()}
    return {column: values for column, values in found.items() if 0 < len(values) <= MOST_CODES}


@dataclass(frozen=True, slots=True)
class Open:
    """A row that was put aside: `cells` for the columns, `more` what had no column, or `original` what it said when
    its cells could not be told apart."""

    row: int
    cells: tuple[str, ...]
    faults: tuple[Fault, ...]
    more: tuple[str, ...] = ()
    original: str = ""

    def to_json(self) -> dict[str, Any]:
        faults = [fault.model_dump() for fault in self.faults]
        return {"row": self.row, "cells": list(self.cells), "faults": faults, "more": list(self.more)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Open:
        faults = tuple(Fault(**fault) for fault in value["faults"])
        return cls(value["row"], tuple(value["cells"]), faults, tuple(value["more"]))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back of a row of a list that was written as `form`: its cells as they are now, or why it is to be left
    out."""

    row: int
    cells: tuple[str, ...]
    leave: bool = False
    reason: str = ""
    more: tuple[str, ...] = ()
    original: str = ""
    form: str = ""


@dataclass(frozen=True, slots=True)
class CorrectionList:
    """Which columns a list shows, the secret its keys are made with, and the values some columns may have."""

    version: str
    secret: bytes
    columns: tuple[ColumnRecipe, ...]
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def key(self, row: int, form: str) -> str:
        """What ties a row of a list in this form to its rejection."""
        said = json.dumps([self.version, row, form]).encode()
        return f"{row}-{form}-{hmac.new(self.secret, said, hashlib.sha256).hexdigest()[:24]}"

    def opened(self, key: str, at: int) -> tuple[int, str]:
        """The row and the form a key names. Raises Invalid for one that is not ours; `at` is its row in the list."""
        number, _, rest = key.strip().partition("-")
        form = rest.partition("-")[0]
        if not number.isascii() or not number.isdigit() or len(number) > 12:
            raise _wrong_key(at)
        if not hmac.compare_digest(self.key(int(number), form).encode(), key.strip().encode()):
            raise _wrong_key(at)
        return int(number), form


def opened_rows(rejected: Iterable[Mapping[str, Any]], width: int, placed: Sequence[str]) -> dict[int, Open]:
    """Rows by number, from what lies in the file of rejected rows; totals and notes are no fault and not among them.

    `placed` are the reasons whose cells are in the order of the columns though there are more or fewer of them.
    """
    faults: dict[int, list[Fault]] = {}
    cells: dict[int, list[str]] = {}
    in_order: dict[int, bool] = {}
    for each in rejected:
        code = str(each["code"])
        if code.startswith("row.aside"):
            continue
        row = int(each["row"])
        faults.setdefault(row, []).append(Fault(**{name: each[name] or "" for name in Fault.model_fields}))
        if row not in cells:
            cells[row] = [cell or "" for cell in json.loads(each["cells"] or "[]")]
            in_order[row] = code in placed or len(cells[row]) == width
    found = {}
    for row, there in sorted(cells.items()):
        if in_order[row]:
            padded = (*there[:width], *[""] * (width - len(there)))
            found[row] = Open(row, padded, tuple(faults[row]), tuple(there[width:]))
        else:
            found[row] = Open(row, ("",) * width, tuple(faults[row]), original="\n".join(there))
    return found


def written(list_: CorrectionList, rows: Sequence[Open], form: Form) -> bytes:
    """The list as a file. Raises Invalid `corrections.cell` for a workbook whose cells cannot hold a text."""
    more = max((len(row.more) for row in rows), default=0)
    original = any(row.original for row in rows)
    return _csv(list_, rows, more, original) if form == "csv" else _xlsx(list_, rows, more, original)


def header(names: Sequence[str], more: int = 0, *, original: bool = False) -> list[str]:
    """The first row of a list. Ours begin with ※; should a table have a column of such a name, ours gives way."""
    taken = {name.lower() for name in names}
    ours = [_ours(noun, taken) for noun in ("row", "why", "fix", "action", "reason")]
    tail = [_ours("original", taken)] if original else []
    extra = [f"※多出的单元格 Cell without a column {number}" for number in range(1, more + 1)]
    return [*ours, *names, *extra, *tail, _ours("key", taken)]


def _ours(noun: str, taken: Iterable[str]) -> str:
    said = _FIXED[noun]
    while said.lower() in taken:
        said = f"※{said}"
    return said


def _line(list_: CorrectionList, row: Open, more: int, original: bool, form: Form) -> list[str]:
    why = "\n".join(f"{fault.zh} {fault.en}" for fault in row.faults)
    fix = "\n".join(dict.fromkeys(f"{fault.remedy_zh} {fault.remedy_en}" for fault in row.faults if fault.remedy_zh))
    extra = [*row.more, *[""] * (more - len(row.more))]
    tail = [row.original] if original else []
    return [str(row.row), why, fix, "", "", *row.cells, *extra, *tail, list_.key(row.row, form)]


def _csv(list_: CorrectionList, rows: Sequence[Open], more: int, original: bool) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(header(list_.names, more, original=original))
    for row in rows:
        writer.writerow([_harmless(_printable(cell)) for cell in _line(list_, row, more, original, "csv")])
    # With its mark a spreadsheet program opens it in the right encoding.
    return out.getvalue().encode("utf-8-sig")


def _harmless(cell: str) -> str:
    """A cell no spreadsheet program takes for a formula (OWASP, CSV injection); `_plain` undoes it."""
    return f"'{cell}" if cell[:1] and cell[0] in _FORMULA and not _NUMBER.fullmatch(cell) else cell


def _plain(cell: str) -> str:
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in _FORMULA else cell


def _printable(cell: str) -> str:
    """What XML cannot hold shows as U+FFFD: it is what was wrong with the row, and to be corrected."""
    return _UNPRINTABLE.sub("\ufffd", cell)


def _xlsx(list_: CorrectionList, rows: Sequence[Open], more: int, original: bool) -> bytes:
    # Half a second to import, which most of this house never needs.
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Alignment, Font, PatternFill, Protection
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook(write_only=True)
    sheet = book.create_sheet(SHEET)
    head = header(list_.names, more, original=original)
    first, last = 6, 5 + len(list_.names) + more
    sheet.freeze_panes = "B2"
    for at, name in enumerate(head, 1):
        wide = 46 if at in (2, 3) else max(12, min(40, len(name) + 6))
        sheet.column_dimensions[get_column_letter(at)].width = wide
    sheet.column_dimensions[get_column_letter(len(head))].hidden = True
    # No password: this keeps hands off by mistake; the key is what tells.
    sheet.protection.sheet = True
    sheet.protection.formatColumns = False
    sheet.protection.formatCells = False
    sheet.protection.sort = False
    sheet.protection.autoFilter = False

    bold, wrap = Font(bold=True), Alignment(vertical="top", wrap_text=True)
    marked, grey = PatternFill("solid", fgColor="FFE2B8"), PatternFill("solid", fgColor="EEEEEE")
    free = Protection(locked=False)

    def cell(value: str, *, fill: Any = None, open_: bool = False, font: Any = None) -> Any:
        value = _printable(value)
        if len(value.encode("utf-16-le")) // 2 > _LONGEST_CELL:
            raise _too_long()
        made = WriteOnlyCell(sheet, value)
        made.data_type = "s"  # a text that begins with = is a text
        made.number_format = "@"
        made.alignment = wrap
        made.quotePrefix = True
        if fill is not None:
            made.fill = fill
        if open_:
            made.protection = free
        if font is not None:
            made.font = font
        return made

    sheet.append([cell(name, fill=grey, font=bold) for name in head])
    for row in rows:
        wrong = {fault.column for fault in row.faults}
        line = []
        for at, value in enumerate(_line(list_, row, more, original, "xlsx"), 1):
            data = first <= at <= last
            name = head[at - 1]
            extra = data and at > 5 + len(list_.names) and bool(value)
            amiss = extra or (data and name in wrong)
            line.append(cell(value, fill=marked if amiss else None, open_=data or at in (4, 5)))
        sheet.append(line)

    choices: dict[int, tuple[str, ...]] = {4: (LEAVE,)}
    choices |= {first + at: list_.codes[name] for at, name in enumerate(list_.names) if name in list_.codes}
    codes = book.create_sheet("代码 Codes")
    codes.sheet_state = "hidden"
    columns = list(choices.values())
    for at in range(max(map(len, columns))):
        codes.append([cell(column[at]) if at < len(column) else None for column in columns])
    for number, (at, values) in enumerate(choices.items(), 1):
        letter, own = get_column_letter(at), get_column_letter(number)
        rule = DataValidation(
            type="list", formula1=f"'代码 Codes'!${own}$1:${own}${len(values)}", allow_blank=True, showErrorMessage=True
        )
        rule.error = "请从列表中选择。 Choose from the list."
        rule.add(f"{letter}2:{letter}{len(rows) + 1}")
        sheet.data_validations.append(rule)
    _help(book, cell)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


_HELP = (
    Text("改正标色的单元格，其余不必动。", "Correct the coloured cells; leave the others as they are."),
    Text(
        "不打算收录的行：在“处理”列选“不收录”，并写明理由。",
        "A row that is not to be taken: choose “leave out” under Action and give a reason.",
    ),
    Text("删去的行不会丢失，仍在待更正之列。", "A row you delete from here is not lost: it stays open."),
    Text("存盘后原样交回，逐行重新检查。", "Save the list and send it back: each row is checked again."),
)


def _help(book: Any, cell: Any) -> None:
    sheet = book.create_sheet("说明 Help")
    sheet.column_dimensions["A"].width = 60
    sheet.column_dimensions["B"].width = 80
    for said in _HELP:
        sheet.append([cell(said.zh), cell(said.en)])


def read(list_: CorrectionList, columns: Sequence[str], rows: Iterable[tuple[int, Sequence[str]]]) -> list[Answer]:
    """What came back. Raises Invalid for columns or keys that are not those of the list; then nothing is taken."""
    places = {name.strip(): at for at, name in enumerate(columns)}
    ours = dict(zip(("row", "why", "fix", "action", "reason"), header(list_.names)[:5], strict=True))
    key = header(list_.names)[-1]
    asked = [ours["row"], ours["action"], ours["reason"], *list_.names, key]
    if missing := [name for name in asked if name not in places]:
        raise _no_list(missing[0])
    extra = [at for name, at in places.items() if name.startswith("※多出的单元格")]
    original = places.get(_ours("original", {name.lower() for name in list_.names}))
    answers: dict[int, Answer] = {}
    for at, cells in rows:
        number, form = list_.opened(cells[places[key]], at)
        undo = _plain if form == "csv" else str
        said = [undo(cell) for cell in cells]
        if said[places[ours["row"]]].strip() != str(number):
            raise _wrong_key(at)
        if number in answers:
            raise _twice(at)
        action = said[places[ours["action"]]].strip().lower()
        answers[number] = Answer(
            number,
            tuple(said[places[name]] for name in list_.names),
            action in _LEAVE,
            said[places[ours["reason"]]].strip()[:_LONGEST_REASON],
            tuple(said[place] for place in extra if said[place]),
            said[original] if original is not None else "",
            form,
        )
    return list(answers.values())


def untouched(answer: Answer, row: Open, names: Sequence[str]) -> Answer:
    """The answer with every cell that nobody touched as it stood.

    A list cannot hold all that a cell may: signs that XML has none of, the returns before line feeds; and workbooks
    lose blanks at the ends, which only in a cell that is amiss may be what was corrected.
    """
    amiss = {fault.column for fault in row.faults}

    def cell(name: str, now: str, before: str) -> str:
        back, shown = _lines(now), _lines(_printable(before))
        same = back == shown or (answer.form == "xlsx" and name not in amiss and back.strip() == shown.strip())
        return before if same else now

    cells = (cell(*each) for each in zip(names, answer.cells, row.cells, strict=True))
    return replace(answer, cells=tuple(cells))


def _lines(text: str) -> str:
    """With the ends of lines as XML has them (2.11)."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _too_long() -> Invalid:
    return Invalid(
        "corrections.cell",
        Text("有的单元格长于工作簿所能容纳的 32,767 个字符。", "A cell is longer than the 32,767 signs of a workbook."),
        Text("请改取 CSV 格式的清单。", "Ask for the list as CSV."),
    )


def _no_list(name: str) -> Invalid:
    return Invalid(
        "corrections.columns",
        Text(f"这不是本版本的更正清单：没有“{name}”列。", f"This is no correction list of the version: no “{name}”."),
        Text("请重新下载清单，不要增删列。", "Download the list again; add and remove no column."),
        {"column": name},
    )


def _wrong_key(at: int) -> Invalid:
    return Invalid(
        "corrections.key",
        Text(
            f"清单第 {at} 行的校验码与行号不符，什么也没有改动。",
            f"The key of row {at} does not belong to its row; nothing was changed.",
        ),
        Text(
            "请重新下载清单，只改数据列；排序时要选中整行。",
            "Download the list again and change the data columns only; sort whole rows.",
        ),
        {"row": at},
    )


def _twice(at: int) -> Invalid:
    return Invalid(
        "corrections.twice",
        Text(
            f"清单第 {at} 行与前面的行是同一行，什么也没有改动。",
            f"Row {at} of the list is one that came before; nothing was changed.",
        ),
        Text("每行只留一次。", "Keep every row once."),
        {"row": at},
    )
