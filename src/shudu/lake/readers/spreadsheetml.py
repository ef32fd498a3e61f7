"""What the library does not tell of a sheet of an XLSX (ECMA-376 part 1, 18.3): formulas nobody computed, the format in
which a number is shown, a day that never was, and what is hidden.

A sheet is searched for signs of these first, which costs little; only one that shows any is parsed a second time.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.parsers import expat

FORMULA, PERCENT, NO_DAY = "=", "%", "60"
Marks = dict[int, str]
"""What there is to know of cells, by their column from 1: one of the above, or the zeros of a format such as 000000."""

_CHUNK = 1 << 20
_LONGEST = 16 << 20  # bytes of a list of sheets or styles
_OVERLAP = 256
# Formats that a number alone stands for (18.8.30): percentages, and days. Those from 27 are days in Chinese editions.
_BUILT_IN = {"9": "0%", "10": "0.00%"} | dict.fromkeys(
    map(str, (14, 15, 16, 17, 22, *range(27, 37), *range(50, 59))), "d"
)
_SPOKEN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')  # parts of a format that stand for themselves or are no digits
_NO_VALUE = re.compile(rb"(?:</f>|<f [^<>]*/>)\s*(?:<v\s*/>|<v></v>)?\s*</c>")
_SIXTY = re.compile(rb"><v>60[.<]")
_STYLE = re.compile(rb'(?<![\w:])s="([0-9]{1,6})"')
_HIDDEN = re.compile(rb'<(?:\w+:)?(row|col)\s(?=[^<>]*(?<![\w:])hidden="(?:1|true)")([^<>]*)>')
_PLACE = re.compile(rb'(?<![\w:])(r|min|max)="([0-9]{1,7})"')
_LETTERS = re.compile(r"[A-Z]{1,3}")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of the workbook `path`: its part, what each style of cells is shown as, and what is hidden in it.

    Columns are counted from 1.
    """

    path: Path
    part: str
    styles: Mapping[str, str]
    telling: bool
    hidden_rows: int = 0
    hidden_columns: tuple[int, ...] = ()

    def rows(self) -> Iterator[tuple[int, Marks]]:
        """The rows of which there is anything to know, from 1, in the order of the file."""
        if not self.telling:
            return
        cells = _Cells(self.styles)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.part) as content:
                while chunk := content.read(_CHUNK):
                    cells.parser.Parse(chunk)
                    yield from cells.found
                    cells.found.clear()
        except expat.ExpatError:
            return  # what is wrong with it the reading of its cells says


def seen(path: Path, name: str, rows: range, columns: range) -> Sheet | None:
    """What is worth knowing of the sheet `name`, whose cells lie in `rows` and `columns`, from 1; None if not XML."""
    with zipfile.ZipFile(path) as archive:
        part = part_of(archive, name)
        if not part.endswith(".xml") or part not in archive.namelist():
            return None
        styles = _styles(archive)
        telling = any(kind != NO_DAY for kind in styles.values())
        hidden_rows, hidden_columns, before = 0, set[int](), b""
        for piece in pieces(archive, part):
            # A sign may lie across the end of a piece.
            telling = telling or _tells(before[-_OVERLAP:] + piece, styles)
            before = piece
            for tag in _HIDDEN.finditer(piece) if b"hidden=" in piece else ():
                at = {key: int(number) for key, number in _PLACE.findall(tag[2])}
                if tag[1] == b"row":
                    hidden_rows += at.get(b"r") in rows and not tag[2].endswith(b"/")
                else:
                    first, last = at.get(b"min", 1), at.get(b"max", 0)
                    hidden_columns |= {column for column in columns if first <= column <= last}
    return Sheet(path, part, styles, telling, hidden_rows, tuple(sorted(hidden_columns)))


def _tells(piece: bytes, styles: Mapping[str, str]) -> bool:
    """May a cell in this piece be a formula without a value, or the 60th day? What costs more is asked last."""
    if b":c " in piece:
        return True  # hardly anybody writes <x:c>, and nothing below looks for it
    for found in _SIXTY.finditer(piece):
        style = _STYLE.search(piece, max(piece.rfind(b"<", 0, found.start()), 0), found.start())
        if style and styles.get(style[1].decode()) == NO_DAY:
            return True
    return (b"</f>" in piece or b"<f " in piece) and _NO_VALUE.search(piece) is not None


def letters(column: int) -> str:
    """What a spreadsheet calls the column of this number, from 1."""
    name = ""
    while column:
        column, digit = divmod(column - 1, 26)
        name = chr(ord("A") + digit) + name
    return name


def pieces(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """A part in pieces that end where a tag does."""
    rest = b""
    with archive.open(part) as content:
        while chunk := content.read(_CHUNK):
            whole, end, rest = (rest + chunk).rpartition(b">")
            yield whole + end


class _Cells:
    """Parses a sheet; `found` fills with its rows."""

    def __init__(self, styles: Mapping[str, str]) -> None:
        self._styles = styles
        self.found: list[tuple[int, Marks]] = []
        self._row, self._column = 0, 0
        self._marks: Marks = {}
        self._cell: dict[str, str] | None = None
        self._formula = self._in_value = False
        self._value = ""
        # Expat bounds what entities may grow to, and this process is bounded itself (`readers.__main__`).
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name[name.find(":") + 1 :]
        if tag == "row":
            self._row, self._column = _number(attributes.get("r", ""), self._row + 1), 0
        elif tag == "c":
            place = _LETTERS.match(attributes.get("r", ""))
            self._column = _column(place[0]) if place else self._column + 1
            self._cell, self._formula, self._value = attributes, False, ""
        elif self._cell is not None:
            self._formula = self._formula or tag == "f"
            self._in_value = tag == "v"

    def _text(self, text: str) -> None:
        if self._in_value:
            self._value += text

    def _end(self, name: str) -> None:
        self._in_value = False
        tag = name[name.find(":") + 1 :]
        if tag == "c" and self._cell is not None:
            if mark := _mark(self._cell, self._styles, self._value.strip(), formula=self._formula):
                self._marks[self._column] = mark
            self._cell = None
        elif tag == "row" and self._marks:
            self.found.append((self._row, self._marks))
            self._marks = {}


def _mark(cell: Mapping[str, str], styles: Mapping[str, str], value: str, *, formula: bool) -> str:
    kind = cell.get("t", "n")
    if not value:
        # A text (t="str") may have been computed and be empty.
        return FORMULA if formula and kind not in ("str", "inlineStr") else ""
    shown = styles.get(cell.get("s", ""), "") if kind == "n" else ""
    return shown if shown != NO_DAY or re.fullmatch(r"60(\.[0-9]+)?", value) else ""


def _number(said: str, otherwise: int) -> int:
    return int(said) if said.isascii() and said.isdigit() and len(said) < 8 else otherwise


def _column(name: str) -> int:
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _styles(archive: zipfile.ZipFile) -> dict[str, str]:
    """Which styles of cells, by the number cells know them by, show a percentage, a day, or zeros in front."""
    root = _parsed(archive, "xl/styles.xml")
    if root is None:
        return {}
    codes = {each.get("numFmtId", ""): each.get("formatCode", "") for each in root.iterfind("{*}numFmts/{*}numFmt")}
    kinds = {}
    for at, style in enumerate(root.iterfind("{*}cellXfs/{*}xf")):
        number = style.get("numFmtId", "0")
        if kind := _shown(codes.get(number) or _BUILT_IN.get(number, "")):
            kinds[str(at)] = kind
    return kinds


def _shown(code: str) -> str:
    bare = _SPOKEN.sub("", code).partition(";")[0].lower()
    if re.fullmatch("0{2,15}", bare) and '"' not in code and "\\" not in code:
        return bare
    if bare.count("%") == 1:
        return PERCENT
    return NO_DAY if re.search("[dy]", bare) else ""


def part_of(archive: zipfile.ZipFile, sheet: str) -> str:
    """The part that holds the sheet of this name; empty when the workbook's lists do not say."""
    book, links = _parsed(archive, "xl/workbook.xml"), _parsed(archive, "xl/_rels/workbook.xml.rels")
    if book is None or links is None:
        return ""
    named = {
        each.get("name"): value
        for each in book.iterfind("{*}sheets/{*}sheet")
        for key, value in each.items()
        if key.endswith("}id")
    }
    targets = {each.get("Id"): each.get("Target", "") for each in links.iterfind("{*}Relationship")}
    target = targets.get(named.get(sheet), "")
    return posixpath.normpath(posixpath.join("/xl", target)).lstrip("/") if target else ""


def _parsed(archive: zipfile.ZipFile, part: str) -> Element | None:
    try:
        return fromstring(archive.open(part).read(_LONGEST))  # noqa: S314 - as above
    except (KeyError, ParseError):
        return None
