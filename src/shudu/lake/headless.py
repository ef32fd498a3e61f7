"""Is what was taken for the header the first row of data? Said in a note: a name may be a number, as years are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shudu.policy.types import Text

from .recipe import Note

Cells = Sequence[str | None]
_KINDS = {
    "year": re.compile(r"(19|20)[0-9]{2}年?"),
    "digits": re.compile(r"[0-9]{5,}[Xx]?"),  # identifiers, codes, telephone numbers
    "day": re.compile(r"[0-9]{4}[-/.年][0-9]{1,2}([-/.月][0-9]{1,2}日?)?([ T][0-9:.]+)?"),
    "number": re.compile(r"[-¥￥]?[0-9][0-9,]*(\.[0-9]+)?(%|万|亿|[eE][+-][0-9]+)?"),
}
_ALIKE = 0.8  # of the cells below


def note(row: int, header: Cells, below: Sequence[Cells]) -> list[Note]:
    """What is said of a header whose cells look like those below them: nothing, or one note."""
    kinds = [_kind(cell) for cell in header]
    numbers = [
        int(cell) for cell, kind in zip(header, kinds, strict=True) if cell and kind == "number" and cell.isdigit()
    ]
    if len(numbers) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return []  # months, classes, sizes: names that count
    rows = [cells for cells in below if any(cells) and list(cells) != list(header)]
    columns = [at + 1 for at, cell in enumerate(header) if cell and _belongs(cell, kinds[at], at, rows)]
    if not columns:
        return []
    shown = "、".join(map(str, columns[:5])) + ("等" if len(columns) > 5 else "")
    places = ", ".join(map(str, columns[:5])) + (", …" if len(columns) > 5 else "")
    said = Text(
        f"第 {row} 行读作了表头，但第 {shown} 列的表头像是数据。若文件没有表头，请写明（header_rows 为 0），"
        "这一行便作数据收入。",
        f"Row {row} was taken for the header, but in column {places} it looks like data. If the file has no header,"
        " say so (header_rows 0) and the row is taken as data.",
    )
    return [Note.of("layout.data", said, row=row, columns=columns)]


def _kind(cell: str | None) -> str:
    text = (cell or "").strip()
    return next((kind for kind, pattern in _KINDS.items() if pattern.fullmatch(text)), "")


def _belongs(cell: str, kind: str, at: int, rows: Sequence[Cells]) -> bool:
    there = [found for cells in rows if at < len(cells) and (found := cells[at])]
    if not there:
        return False
    alike = sum(_kind(each) == kind for each in there) if kind else sum(each == cell for each in there)
    return alike >= _ALIKE * len(there) if kind else alike > 0
