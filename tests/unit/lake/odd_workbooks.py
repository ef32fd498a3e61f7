"""Old and open workbooks, made by a few lines: XLS with a library that only tests have, ODS by its XML."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from xml.sax.saxutils import escape

import xlwt
from xlwt.CompoundDoc import XlsDoc

from .odd_files import zipped

Rows = Sequence[Sequence[Any]]
_SPACE = "urn:oasis:names:tc:opendocument:xmlns"
ERROR = object()  # a cell whose formula divides by nothing, as LibreOffice writes it
_CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
_SECTOR = 4_096  # a stream shorter than this would lie elsewhere in the file


def xls(*sheets: tuple[str, Rows], merged: Sequence[tuple[int, int, int, int]] = (), from_1904: bool = False) -> bytes:
    """BIFF8. `merged` are ranges of the first sheet: first row, last row, first column, last column, from 0."""
    book = _book(*sheets, merged=merged, from_1904=from_1904)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def _book(
    *sheets: tuple[str, Rows], merged: Sequence[tuple[int, int, int, int]] = (), from_1904: bool = False
) -> xlwt.Workbook:
    book = xlwt.Workbook(encoding="utf-8")
    book.dates_1904 = from_1904
    day, moment = xlwt.XFStyle(), xlwt.XFStyle()
    day.num_format_str, moment.num_format_str = "YYYY-MM-DD", "YYYY-MM-DD hh:mm:ss"
    for number, (name, rows) in enumerate(sheets):
        sheet = book.add_sheet(name)
        for row, cells in enumerate(rows):
            for column, value in enumerate(cells):
                if value is None:
                    continue
                if value is ERROR:
                    sheet.row(row).set_cell_error(column, "#DIV/0!")
                    continue
                style = moment if isinstance(value, datetime) else day if isinstance(value, date) else None
                sheet.write(row, column, value, *([style] if style else []))
        for span in merged if number == 0 else ():
            sheet.merge(*span)
    return book


def compound(stream: bytes, name: str) -> bytes:
    """An OLE compound file with this one stream."""
    sink = io.BytesIO()
    XlsDoc().save(sink, stream)
    made = bytearray(sink.getvalue())
    at = made.index("Workbook".encode("utf-16-le"))
    said = name.encode("utf-16-le")
    made[at : at + 66] = said + bytes(64 - len(said)) + struct.pack("<H", len(said) + 2)
    return bytes(made)


def xls_under_a_password() -> bytes:
    """A workbook whose first record but one says that the others are encrypted (FILEPASS)."""
    plain = _book(("甲", [("no",), ("1",)])).get_biff_data()
    head = 4 + struct.unpack_from("<H", plain, 2)[0]
    return compound(plain[:head] + _record(0x2F, struct.pack("<HHH", 1, 1, 1) + bytes(48)) + plain[head:], "Workbook")


def xlsx_under_a_password() -> bytes:
    return compound(bytes(_SECTOR), "EncryptedPackage")


def excel_95() -> bytes:
    """BIFF5, in the code page of Chinese Windows."""
    begin = struct.pack("<HHHH", 0x0500, 0x0005, 0, 0)
    book = _record(0x0809, begin) + _record(0x42, struct.pack("<H", 936))
    place = len(book) + 4 + 8 + 4
    book += _record(0x85, struct.pack("<IBBB", place, 0, 0, 1) + b"a") + _record(0x0A, b"")
    book += _record(0x0809, struct.pack("<HHHH", 0x0500, 0x0010, 0, 0))
    for row, text in enumerate(("编号", "甲")):
        cell = text.encode("gbk")
        book += _record(0x0204, struct.pack("<HHHH", row, 0, 0, len(cell)) + cell)
    return compound((book + _record(0x0A, b"")).ljust(_SECTOR, b"\0"), "Book")


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def ods(*sheets: tuple[str, Rows], merged: Sequence[tuple[int, int, int, int]] = (), locked: bool = False) -> bytes:
    """`merged` as for `xls`."""
    tables = "".join(
        f'<table:table table:name="{escape(name)}">{_table(rows, merged if number == 0 else ())}</table:table>'
        for number, (name, rows) in enumerate(sheets)
    )
    content = (
        f'<?xml version="1.0"?><office:document-content xmlns:office="{_SPACE}:office:1.0" '
        f'xmlns:table="{_SPACE}:table:1.0" xmlns:text="{_SPACE}:text:1.0" xmlns:calcext="{_CALC}">'
        f"<office:body><office:spreadsheet>{tables}"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    secret = "<manifest:encryption-data/>" if locked else ""
    manifest = (
        f'<?xml version="1.0"?><manifest:manifest xmlns:manifest="{_SPACE}:manifest:1.0"><manifest:file-entry'
        f' manifest:full-path="content.xml" manifest:media-type="text/xml">{secret}</manifest:file-entry>'
        "</manifest:manifest>"
    )
    files = {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": content.encode()}
    return zipped(files | {"META-INF/manifest.xml": manifest.encode()})


def _table(rows: Rows, merged: Sequence[tuple[int, int, int, int]]) -> str:
    spans = {(top, left): (bottom - top + 1, right - left + 1) for top, bottom, left, right in merged}
    covered = {(r, c) for t, b, le, ri in merged for r in range(t, b + 1) for c in range(le, ri + 1)} - set(spans)
    made = ""
    for at, row in enumerate(rows):
        cells = ""
        for column, value in enumerate(row):
            if (at, column) in covered:
                cells += "<table:covered-table-cell/>"
                continue
            down, across = spans.get((at, column), (1, 1))
            span = (
                f' table:number-rows-spanned="{down}" table:number-columns-spanned="{across}"'
                if (at, column) in spans
                else ""
            )
            cells += f"<table:table-cell{span}{_value(value)}</table:table-cell>"
        made += f"<table:table-row>{cells}</table:table-row>"
    return made


def _value(value: Any) -> str:
    if value is None:
        return ">"
    if value is ERROR:
        return (
            ' table:formula="of:=1/0" office:value-type="string" office:string-value="" calcext:value-type="error">'
            "<text:p>#DIV/0!</text:p>"
        )
    if isinstance(value, bool):
        return f' office:value-type="boolean" office:boolean-value="{str(value).lower()}"><text:p>x</text:p>'
    if isinstance(value, int | float):
        return f' office:value-type="float" office:value="{value!r}"><text:p>x</text:p>'
    if isinstance(value, datetime | date):
        return f' office:value-type="date" office:date-value="{value.isoformat()}"><text:p>x</text:p>'
    lines = "".join(f"<text:p>{escape(line)}</text:p>" for line in str(value).split("\n"))
    return f' office:value-type="string">{lines}'
