"""Workbooks (XLSX, XLS, ODS), values only. Formulas give what they last computed; macros and links are not touched."""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import python_calamine as calamine

from shudu.policy.types import Invalid, Text

from ..recipe import Note
from . import cellerrors, compound, opendocument
from .archive import check_sizes
from .grid import Grid, Row
from .port import Request, choices

_NUMBER_DIGITS = 1e15  # a workbook's numbers have 15 digits: what is longer has lost some already
_FORMULA = re.compile(rb"<(?:x:)?f[ />]|table:formula=")


def open_reader(request: Request) -> Grid:
    if request.format == "xls":
        compound.check(request.path)
    notes = [] if request.format == "xls" else _parts(request)
    path = request.path
    if request.format != "xlsx":
        # Told by its name what it opens, the library says what is the matter with it. (An XLSX may be an XLSB.)
        path = request.work / f"book.{request.format}"
        path.symlink_to(request.path)
    try:
        book = calamine.CalamineWorkbook.from_path(str(path))
        name, others = _chosen(book, request)
        if name not in book.sheet_names[:1] or len(book.sheet_names) > 1:
            said = Text(f"读取工作表“{name}”。", f"The sheet “{name}” was read.")
            notes.append(Note.of("workbook.sheet", said, sheet=name, choices=choices(others)))
        sheet = book.get_sheet_by_name(name)
        errors = cellerrors.note(path, request.format, name)
        notes += [errors] if errors else []
    except calamine.PasswordError:
        raise compound.protected() from None
    except (calamine.CalamineError, zipfile.BadZipFile, OSError):
        raise _refused("工作簿已损坏，或不是表格文件。", "The workbook is damaged, or no spreadsheet.") from None
    ranges = [(top, left, bottom, right) for (top, left), (bottom, right) in sheet.merged_cell_ranges or []]
    if request.format == "ods":
        ranges = opendocument.merged(request.path, name)
    spans = [(top + 1, left, bottom + 1, right) for top, left, bottom, right in ranges]
    if spans:
        said = Text(
            f"工作表有 {len(spans)} 处合并单元格：表头中的按其范围展开，数据中的只有第一格有值。",
            f"The sheet has {len(spans)} merged ranges: spread in the header; in the data the first cell has it.",
        )
        notes.append(Note.of("workbook.merged", said, ranges=len(spans)))
    recipe = request.reading.recipe.model_copy(update={"format": request.format, "table": name})
    return Grid(request, recipe, _rows(sheet), spans=spans, notes=notes)


def _chosen(book: calamine.CalamineWorkbook, request: Request) -> tuple[str, list[str]]:
    """The sheet that was asked for, or the only one that holds anything; and all there are to choose from."""
    worksheets = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.typ == calamine.SheetTypeEnum.WorkSheet and sheet.visible == calamine.SheetVisibleEnum.Visible
    ]
    if asked := request.reading.table:
        if asked in book.sheet_names:
            return asked, worksheets
        raise choose("工作表", "sheet", worksheets, f"没有名为“{asked}”的工作表。", f"There is no sheet “{asked}”.")
    there = [name for name in worksheets if book.get_sheet_by_name(name).height > 0]
    if not there:
        raise Invalid(
            "publish.empty",
            Text("工作簿里没有数据。", "The workbook holds no data."),
            Text("请核对文件后再试。", "Check the file and try again."),
        )
    if len(there) > 1:
        zh, en = f"工作簿有 {len(there)} 张工作表，请选一张。", f"The workbook has {len(there)} sheets: choose one."
        raise choose("工作表", "sheet", there, zh, en)
    return there[0], worksheets


def choose(noun_zh: str, noun_en: str, names: list[str], zh: str, en: str) -> Invalid:
    """Ask for one of several tables. Their names are said: they are what the file calls its parts, no values."""
    shown = choices(names)
    remedy = Text(
        f"请用 --sheet 指定{noun_zh}：{'、'.join(shown)}。", f"Name the {noun_en} with --sheet: {', '.join(shown)}."
    )
    return Invalid("publish.choose", Text(zh, en), remedy, {"of": noun_en, "choices": shown})


def _parts(request: Request) -> list[Note]:
    """What a zipped workbook holds besides its values. Raises Invalid for one that unpacks to too much."""
    notes = []
    try:
        with zipfile.ZipFile(request.path) as archive:
            check_sizes(archive)
            if request.format == "ods" and opendocument.is_locked(archive):
                raise compound.protected()
            names = archive.namelist()
            if any(name.endswith("vbaProject.bin") or name.startswith("Basic/") for name in names):
                said = Text("含有宏，已忽略。", "It holds macros; they were ignored.")
                notes.append(Note.of("workbook.macros", said))
            if any(name.startswith("xl/externalLinks/") for name in names):
                said = Text("含有对外部文件的链接，已忽略。", "It links to other files; the links were ignored.")
                notes.append(Note.of("workbook.links", said))
            if any(_has_formula(archive, name) for name in names if _is_sheet(name)):
                said = Text("含有公式，取其最近算出的值。", "It holds formulas; the values they last gave were used.")
                notes.append(Note.of("workbook.formulas", said))
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError):
        raise _refused("工作簿已损坏，或不是表格文件。", "The workbook is damaged, or no spreadsheet.") from None
    return notes


def _is_sheet(name: str) -> bool:
    return name == "content.xml" or (name.startswith("xl/worksheets/") and name.endswith(".xml"))


def _has_formula(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as part:
        last = b""
        while chunk := part.read(1 << 20):
            if _FORMULA.search(last + chunk):
                return True
            last = chunk[-32:]
    return False


def _rows(sheet: calamine.CalamineSheet) -> Iterator[Row]:
    top, left = sheet.start or (0, 0)
    # calamine leaves out empty rows above and empty columns before the data; rows are counted as the sheet does.
    pad: list[str | None] = [None] * left
    for number, values in enumerate(sheet.iter_rows(), top + 1):
        cells: list[str | None] = []
        problem: Invalid | None = None
        for column, value in enumerate(values, left + 1):
            text = _text(value)
            if text is None and value != "":
                problem = problem or _lost(number, column)
                text = str(value)
            cells.append(text)
        if not any(cells):
            yield number, [], []
        elif problem is not None:
            yield number, problem, [*pad, *cells]
        else:
            yield number, [*pad, *cells], [*pad, *cells]


def _text(value: Any) -> str | None:
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


def _lost(row: int, column: int) -> Invalid:
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


def _refused(zh: str, en: str) -> Invalid:
    return Invalid(
        "publish.damaged",
        Text(zh, en),
        Text("请在表格软件中打开并另存后再试。", "Open it in a spreadsheet program, save it again and try again."),
    )


def kind_of(path: Path) -> str:
    """xlsx, ods, or zip for an archive that is no workbook."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "xl/workbook.xml" in names or "xl/workbook.bin" in names:
                return "xlsx"
            if "content.xml" in names and "mimetype" in names:
                kind = archive.open("mimetype").read(100)
                return "ods" if kind.startswith(b"application/vnd.oasis.opendocument.spreadsheet") else "zip"
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError):
        raise damaged_archive() from None
    return "zip"


def damaged_archive() -> Invalid:
    return Invalid(
        "publish.damaged",
        Text("压缩包已损坏或不完整。", "The archive is damaged or incomplete."),
        Text("请重新打包后再试。", "Pack it again and try again."),
    )
