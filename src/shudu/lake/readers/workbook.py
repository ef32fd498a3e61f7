"""Workbooks (XLSX, XLS, ODS), values only. Formulas give what they last computed; macros and links are not touched."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import python_calamine as calamine

from shudu.policy.types import Invalid, Text

from ..recipe import Note
from . import cellerrors, cells, compound, opendocument, spreadsheetml
from .archive import check_sizes
from .grid import Grid, Row
from .port import Request, choices
from .spreadsheetml import FORMULA, NO_DAY, Marks, letters

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
        notes += _hidden_sheets(book, name)
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
    more: Iterator[tuple[int, Marks]] = iter(())
    if request.format == "xlsx" and (told := spreadsheetml.seen(path, name, *_extent(sheet))):
        notes += _hidden(told)
        more = told.rows()
    recipe = request.reading.recipe.model_copy(update={"format": request.format, "table": name})
    return Grid(request, recipe, _rows(sheet, more), spans=spans, notes=notes)


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


def _extent(sheet: calamine.CalamineSheet) -> tuple[range, range]:
    """The rows and the columns in which there is anything, from 1."""
    (top, left), (bottom, right) = sheet.start or (0, 0), sheet.end or (0, 0)
    return range(top + 1, bottom + 2), range(left + 1, right + 2)


def _hidden(sheet: spreadsheetml.Sheet) -> list[Note]:
    columns, rows = choices([letters(column) for column in sheet.hidden_columns]), sheet.hidden_rows
    if not (columns or rows):
        return []
    there = [Text(f"{rows} 行", f"{rows} row{'s' if rows > 1 else ''}")] if rows else []
    there += [Text(f"{'、'.join(columns)} 列", f"column {', '.join(columns)}")] if columns else []
    said = Text(
        f"隐藏的 {'和 '.join(part.zh for part in there)}也读入了表中；不该公布的，请先在工作簿中删除。",
        f"What is hidden was read as well: {' and '.join(part.en for part in there)}. What may not be published must be"
        " removed from the workbook first.",
    )
    return [Note.of("workbook.hidden", said, rows=rows, columns=columns)]


def _hidden_sheets(book: calamine.CalamineWorkbook, read: str) -> list[Note]:
    hidden = [sheet.name for sheet in book.sheets_metadata if sheet.visible != calamine.SheetVisibleEnum.Visible]
    if read in hidden:
        said = Text(f"工作表“{read}”是隐藏的。", f"The sheet “{read}” is a hidden one.")
        return [Note.of("workbook.hidden", said, sheet=read)]
    if not hidden:
        return []
    said = Text(
        f"隐藏的工作表没有读取：{'、'.join(choices(hidden))}。",
        f"Hidden sheets were not read: {', '.join(choices(hidden))}.",
    )
    return [Note.of("workbook.hidden", said, sheets=choices(hidden))]


def _rows(sheet: calamine.CalamineSheet, told: Iterator[tuple[int, Marks]]) -> Iterator[Row]:
    """The rows of a sheet; `told` is what its XML says of some of them."""
    top, left = sheet.start or (0, 0)
    # calamine leaves out empty rows above and empty columns before the data; rows are counted as the sheet does.
    pad: list[str | None] = [None] * left
    at, marks = next(told, (0, {}))
    for number, values in enumerate(sheet.iter_rows(), top + 1):
        while marks and at < number:
            yield from _uncomputed(at, marks)
            at, marks = next(told, (0, {}))
        here: Marks = {}
        if at == number:
            here = marks
            at, marks = next(told, (0, {}))
        row: list[str | None] = []
        problem: Invalid | None = None
        for column, value in enumerate(values, left + 1):
            mark = here.get(column, "")
            text = cells.shown(value, mark) if mark else cells.text(value)
            if text is None and value != "":
                problem = problem or (cells.no_day(number, column) if mark == NO_DAY else cells.lost(number, column))
                text = "1900-02-29" if mark == NO_DAY else str(value)
            row.append(text)
        if formulas := [column for column, mark in here.items() if mark == FORMULA]:
            problem = cells.uncomputed(number, formulas)
        if problem is not None:
            yield number, problem, [*pad, *row]
        elif not any(row):
            yield number, [], []
        else:
            yield number, [*pad, *row], [*pad, *row]
    while marks:
        yield from _uncomputed(at, marks)
        at, marks = next(told, (0, {}))


def _uncomputed(number: int, marks: Marks) -> Iterator[Row]:
    """A row in which nothing stands, for its formulas were not computed."""
    if formulas := [column for column, mark in marks.items() if mark == FORMULA]:
        yield number, cells.uncomputed(number, formulas), []


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
