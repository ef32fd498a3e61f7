"""Lists to take along, as CSV and as XLSX. What others wrote stays text there: no cell becomes a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from django.http import HttpResponse, StreamingHttpResponse

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# Spreadsheets read a cell that begins so as a formula (OWASP, CSV Injection), the full-width forms too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Row = Sequence[str]


def harmless(cell: str) -> str:
    """A CSV cell no spreadsheet computes: one that begins like a formula gets an apostrophe before it."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def as_csv(name: str, rows: Iterable[Row]) -> StreamingHttpResponse:
    """The rows as they come, with the mark by which spreadsheets know UTF-8."""

    def lines() -> Iterator[bytes]:
        text = io.StringIO()
        sheet = csv.writer(text)
        text.write("\ufeff")
        for row in rows:
            sheet.writerow([harmless(cell) for cell in row])
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()

    return StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8", headers=_to_keep(f"{name}.csv"))


def as_xlsx(name: str, rows: Iterable[Row]) -> HttpResponse:
    """One sheet, every cell a text, the first row held in place. Characters XML has no place for are left out."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.writer.excel import save_workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"
    for row in rows:
        cells = []
        for text in row:
            cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", text))
            cell.data_type = "s"  # openpyxl takes a text that begins with = for a formula
            cells.append(cell)
        sheet.append(cells)
    file = io.BytesIO()
    save_workbook(book, file)
    return HttpResponse(file.getvalue(), content_type=XLSX, headers=_to_keep(f"{name}.xlsx"))


def _to_keep(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
