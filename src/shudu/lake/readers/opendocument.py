"""What the library does not tell of an OpenDocument spreadsheet: which cells are merged, and whether it is locked."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast
from xml.etree.ElementTree import Element, ParseError, iterparse

from ..layout import LOOK_AHEAD

_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_LOCKED = re.compile(rb"<(?:\w+:)?encryption-data[ />]")
_MANIFEST = 4 << 20
Span = tuple[int, int, int, int]


def is_locked(archive: zipfile.ZipFile) -> bool:
    """Is its content under a password? Its list of files says so."""
    if "META-INF/manifest.xml" not in archive.namelist():
        return False
    with archive.open("META-INF/manifest.xml") as manifest:
        return _LOCKED.search(manifest.read(_MANIFEST)) is not None


def merged(path: Path, sheet: str) -> list[Span]:
    """The merged ranges of a sheet's first rows, where a header may be: first row, left, last row, right, from 0."""
    with zipfile.ZipFile(path) as archive, archive.open("content.xml") as content:
        try:
            # Expat bounds what entities may grow to, and this process is bounded itself (`readers.__main__`).
            return _merged(cast(Any, iterparse(content, events=("start", "end"))), sheet)  # noqa: S314
        except ParseError:
            return []  # what is wrong with it the reading of its cells will say


def _merged(events: Iterable[tuple[str, Element]], sheet: str) -> list[Span]:
    found: list[Span] = []
    inside, row, column = False, 0, 0
    for event, element in events:
        if event == "start":
            if element.tag == f"{_TABLE}table":
                inside = element.get(f"{_TABLE}name") == sheet
                row = 0
            continue
        if element.tag == f"{_TABLE}table" and inside:
            break
        if not inside:
            element.clear()
            continue
        if element.tag in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            across, down = (
                _count(element.get(f"{_TABLE}number-columns-spanned")),
                _count(element.get(f"{_TABLE}number-rows-spanned")),
            )
            if across > 1 or down > 1:
                found.append((row, column, row + down - 1, column + across - 1))
            column += _count(element.get(f"{_TABLE}number-columns-repeated"))
        elif element.tag == f"{_TABLE}table-row":
            row, column = row + _count(element.get(f"{_TABLE}number-rows-repeated")), 0
            element.clear()
            if row >= LOOK_AHEAD:
                break
    return found


def _count(said: str | None) -> int:
    return int(said) if said and said.isascii() and said.isdigit() and len(said) < 8 else 1
