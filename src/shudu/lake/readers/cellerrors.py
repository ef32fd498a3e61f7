"""Cells of a sheet that show an error (#N/A, #DIV/0!): for them the library gives nothing, which is worth a word."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.sax.saxutils import unescape

from shudu.policy.types import Text

from ..recipe import Note
from . import biff
from .spreadsheetml import letters, part_of, pieces

_ERROR = re.compile(rb'<(?:\w+:)?c\s[^<>]*?(?<=\s)t="e"[^<>]*>')
_IN_TABLES = re.compile(
    rb'<table:table\s[^<>]*table:name="([^"]*)"[^<>]*>|<table:table-cell\s[^<>]*calcext:value-type="error"[^<>]*>'
)
_PLACE = re.compile(rb'\sr="([A-Z]{1,3}[0-9]{1,7})"')


def note(path: Path, format_: str, sheet: str) -> Note | None:
    """What is said of such cells in a sheet of a workbook: how many, and where the first is, if that is told.

    None for a sheet without any. What an XLSB holds is not looked at. Raises BadZipFile.
    """
    first = ""
    if format_ == "xls":
        cells, (row, column) = biff.errors(path, sheet)
        first = f"{letters(column + 1)}{row + 1}"
    else:
        with zipfile.ZipFile(path) as archive:
            if format_ == "ods":
                cells = _of_opendocument(archive, sheet)
            else:
                cells, first = _of_xlsx(archive, part_of(archive, sheet))
    if not cells:
        return None
    where = Text(f"，首见 {first}", f"; the first is {first}") if first else Text("", "")
    said = Text(
        f"有 {cells} 个单元格是错误值（如 #N/A、#DIV/0!），作空值{where.zh}。",
        f"{cells} cells hold an error (such as #N/A, #DIV/0!) and were read as empty{where.en}.",
    )
    return Note.of("workbook.errors", said, cells=cells, **({"first": first} if first else {}))


def _of_opendocument(archive: zipfile.ZipFile, sheet: str) -> int:
    cells, inside = 0, False
    for piece in pieces(archive, "content.xml"):
        for tag in _IN_TABLES.finditer(piece):
            if tag[1] is not None:
                inside = unescape(tag[1].decode("utf-8", "replace"), {"&quot;": '"', "&apos;": "'"}) == sheet
            else:
                cells += inside
    return cells


def _of_xlsx(archive: zipfile.ZipFile, part: str) -> tuple[int, str]:
    cells, first = 0, ""
    if part not in archive.namelist():
        return cells, first
    for piece in pieces(archive, part):
        if b't="e"' not in piece:
            continue
        tags = _ERROR.findall(piece)
        cells += len(tags)
        if tags and not first and (place := _PLACE.search(tags[0])):
            first = place[1].decode()
    return cells, first
