"""Where the table is in a sheet that people made: titles above it, headers of several rows, units, totals, notes below.

Rows come as cells of text (None for an empty one) with their number in the file. Nothing here reads a file.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from shudu.policy.types import Invalid, Text

from . import headless
from .csvhead import DECEPTIVE, MAX_COLUMNS, MAX_NAME, ROW_NUMBER
from .recipe import Note
from .units import Cells, measure, unit_in, units_of, with_unit

LOOK_AHEAD = 200  # rows in which the header must be found
HEADER_ROWS = 4

_TOTALS = frozenset("合计 小计 总计 共计 累计 本页合计 本页小计 合计数 总合计 total subtotal grandtotal sum".split())
_NOTE = re.compile(
    r"(注|备注|说明|资料来源|数据来源|来源|填表人|制表|审核|单位负责人|notes?|source)\s*\d*\s*[:：]", re.I
)
# Who filled the table in (填报单位) is no unit.
_TABLE_UNIT = re.compile(r"(?<![报制管任表位属])单\s*位\s*[:：]\s*([^\s，,；;。）)]{1,12})")


@dataclass(frozen=True, slots=True)
class Layout:
    """`header_rows` as the file counts them; `first` the first row that may hold data; names as they will be kept."""

    header_rows: tuple[int, ...]
    first: int
    sources: tuple[str, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    kept: tuple[int, ...]  # positions in a row, in order
    notes: tuple[Note, ...] = field(default=())

    @property
    def width(self) -> int:
        """How many cells a row may have."""
        return self.kept[-1] + 1 if self.kept else 0


def find(
    rows: Sequence[tuple[int, Cells]],
    spans: Sequence[tuple[int, int, int, int]],
    *,
    tolerant: bool,
    ragged: bool = False,
) -> Layout:
    """The layout of a sheet that begins with these rows (number, cells).

    `spans` are merged ranges (first row, first column, last row, last column), rows as the file counts them. In a
    `ragged` file the header alone says how many cells a row has.
    Raises Invalid, naming row and column, for a header that cannot be used.
    """
    filled = {number: _spread(number, cells, spans) for number, cells in rows}
    # What most rows have: one row with a cell too many says nothing.
    lengths = Counter(length for cells in filled.values() if (length := _length(cells)))
    width = max(lengths, key=lambda length: (lengths[length], length), default=0)
    titled = {top for top, left, _, right in spans if right > left}
    start = next((n for n, cells in filled.items() if _may_be_header(cells, width, merged=n in titled)), None)
    if start is None:
        raise _invalid("publish.header", "找不到表头。", "No header was found.", row=1)
    numbers = list(filled)
    header = _header_rows(start, numbers, spans)
    header += _units_below(header[-1], filled)
    found = settle(header, filled, numbers, spans, tolerant=tolerant, ragged=ragged)
    if len(header) > 1:
        return found
    doubt = headless.note(start, filled[start], [filled[row] for row in numbers if row > start])
    return replace(found, notes=(*found.notes, *doubt))


def without_header(filled: Mapping[int, Cells], *, ragged: bool) -> Layout:
    """The layout of a file whose first row is data already: its columns are called 列1, 列2 …"""
    lengths = Counter(length for cells in filled.values() if (length := len(cells) if ragged else _length(cells)))
    width = max(lengths, key=lambda length: (lengths[length] if ragged else 0, length), default=0)
    names = tuple(f"列{number}" for number in range(1, width + 1))
    kept, names, _ = _names(names, [], 1, False)
    said = Text("没有表头，各列依次记作 列1、列2……", "There is no header; the columns are called 列1, 列2 and so on.")
    return Layout((0,), 1, names, names, ("",) * len(names), kept, (Note.of("layout.headless", said),))


def settle(
    header: Sequence[int],
    filled: Mapping[int, Cells],
    numbers: Sequence[int],
    spans: Sequence[tuple[int, int, int, int]],
    *,
    tolerant: bool,
    ragged: bool = False,
) -> Layout:
    """The layout below header rows that are known. Raises Invalid for a header that cannot be used."""
    missing = [row for row in header if row not in filled]
    if missing:
        raise _invalid("publish.header", "文件没有这一行表头。", "The file has no such header row.", row=missing[0])
    spread = {row: _spread(row, filled[row], spans) for row in header}
    above = [row for row in numbers if row < header[0] and any(filled[row])]
    below = [filled[row] for row in numbers if row > header[-1]]
    width = max(len(cells) if ragged else _length(cells) for cells in spread.values())
    if not ragged:
        width = max([width, *(_length(cells) for cells in below[:LOOK_AHEAD])])
    notes = []
    if above:
        said = Text(
            f"表头之上的 {len(above)} 行（标题、说明）不是数据，没有收入表中。",
            f"The {len(above)} rows above the header (title, notes) are no data and were left out.",
        )
        notes.append(Note.of("layout.above", said, rows=above))
    table_unit = next((found[1] for row in above if (found := _TABLE_UNIT.search(_joined(filled[row])))), "")
    if table_unit:
        said = Text(f"表上方注明单位：{table_unit}。", f"A note above the table gives the unit {table_unit}.")
        notes.append(Note.of("layout.unit", said, unit=table_unit))
    raw, said_of_header = _columns(header, spread, width)
    notes += said_of_header
    kept, names, more = _names(raw, below, header[-1], tolerant)
    units = tuple(unit_in(name) for name in names)
    sources = tuple(raw[position] for position in kept)
    return Layout(tuple(header), header[-1] + 1, sources, names, units, kept, (*notes, *more))


def usable(name: str) -> bool:
    """May a column be called so, by whoever names it in a recipe?"""
    hidden = any(sign in DECEPTIVE or unicodedata.category(sign) == "Cc" for sign in name)
    return name == clean(name) != "" and name.lower() != ROW_NUMBER and len(name) <= MAX_NAME and not hidden


def checked_names(given: Sequence[str], *, tolerant: bool) -> tuple[tuple[str, ...], list[Note]]:
    """Names as they will be kept, of columns that a format names itself. Raises Invalid for one that cannot be used."""
    _, names, notes = _names([clean(name) for name in given], [["x"] * len(given)], 1, tolerant)
    return names, notes


def is_total(cells: Cells) -> bool:
    """Is this a row of sums? Its first words say so: 合计, 小计, 总计 …"""
    first = next((cell for cell in cells if cell and cell.strip()), "")
    word = re.sub(r"[\s:：（(）)]", "", first).lower()
    return word in _TOTALS or (word[-2:] in ("合计", "小计", "总计") and len(word) <= 12)


def is_note(cells: Cells, width: int) -> bool:
    """Is this a note below the table? One cell alone that begins with 注：, 数据来源： …"""
    there = [cell for cell in cells if cell and cell.strip()]
    return width > 1 and len(there) == 1 and _NOTE.match(there[0].strip()) is not None


def _length(cells: Cells) -> int:
    return max((number for number, cell in enumerate(cells, 1) if cell and cell.strip()), default=0)


def _joined(cells: Cells) -> str:
    return " ".join(cell for cell in cells if cell)


def _spread(number: int, cells: Cells, spans: Sequence[tuple[int, int, int, int]]) -> list[str | None]:
    """The cells of a row, a merged range showing its text in each."""
    spread = list(cells)
    for top, left, _, right in spans:
        if top == number and left < len(spread):
            spread += [None] * (right + 1 - len(spread))
            spread[left : right + 1] = [spread[left]] * (right + 1 - left)
    return spread


def _may_be_header(cells: Cells, width: int, *, merged: bool) -> bool:
    there = [cell.strip() for cell in cells if cell and cell.strip()]
    if width == 1:
        return bool(there)
    # A merged title fills the row with one text; a header has names of its own for most columns.
    return len(there) >= max(2, 0.6 * width) and not (merged and len(set(there)) == 1)


def _header_rows(start: int, numbers: Sequence[int], spans: Sequence[tuple[int, int, int, int]]) -> list[int]:
    """A merged range that begins in the header and is not as wide as a title makes the rows it covers header too."""
    last = start
    for _ in range(HEADER_ROWS):
        in_last = [span for span in spans if span[0] <= last <= span[2]]
        down = max((bottom for _, _, bottom, _ in in_last), default=last)
        across = any(right > left and bottom == last for top, left, bottom, right in in_last)
        end = max(down, last + 1 if across else last)
        if end == last:
            break
        last = end
    return [number for number in numbers if start <= number <= last][:HEADER_ROWS]


def _units_below(last: int, filled: Mapping[int, Cells]) -> list[int]:
    """The row below the header, when it gives units and nothing else to columns of numbers."""
    units = units_of(filled.get(last + 1, ()))
    below = (cells for number, cells in filled.items() if number > last + 1)
    rows = [cells for cells in below if not is_total(cells) and not is_note(cells, len(units))]
    return [last + 1] if units and measure(units, rows) else []


def _columns(header: Sequence[int], spread: Mapping[int, Cells], width: int) -> tuple[list[str], list[Note]]:
    """What a header calls its columns, a row of units at its end read as such, and what is worth saying of it."""
    *upper, last = header
    units = units_of(spread[last]) if upper else ()
    names = [_name([spread[row] for row in upper], column) for column in range(width)]
    # What tells columns apart is part of their names: 年, 月, 日 below 时间.
    if units and len({name.lower() for name in names}) == width:
        raw = [with_unit(name, unit) for name, unit in zip_longest(names, units[:width], fillvalue="")]
        return raw, [*_joined_note(upper), _units_note(last, upper)]
    return [_name([spread[row] for row in header], column) for column in range(width)], _joined_note(header)


def _joined_note(header: Sequence[int]) -> list[Note]:
    if len(header) < 2:
        return []
    said = Text(f"表头有 {len(header)} 行，已合成一行。", f"The header has {len(header)} rows, read as one.")
    return [Note.of("layout.header", said, rows=list(header))]


def _units_note(row: int, names: Sequence[int]) -> Note:
    rows = list(map(str, names))
    said = Text(
        f"第 {row} 行是各列的单位，读入列名，不算数据；如果它是数据，请指明表头在第 {'、'.join(rows)} 行。",
        f"Row {row} gives the units of the columns; it was read into their names, not as data."
        f" If it is data, say that the header is in row {', '.join(rows)}.",
    )
    return Note.of("layout.units", said, row=row)


def _name(header: Sequence[Cells], column: int) -> str:
    parts: list[str] = []
    for cells in header:
        cell = clean(cells[column]) if column < len(cells) and cells[column] else ""
        if cell and cell not in parts:
            parts.append(cell)
    return "_".join(parts)


def clean(name: str | None) -> str:
    """A column's name: NFC, line breaks and runs of blanks as one blank."""
    return re.sub(r"[\s\u3000]+", " ", unicodedata.normalize("NFC", name or "")).strip()


def _names(
    raw: Sequence[str], below: Sequence[Cells], row: int, tolerant: bool
) -> tuple[tuple[int, ...], tuple[str, ...], list[Note]]:
    """Which columns stay and what they are called. Raises Invalid; tolerant gives names where they are missing."""
    kept, names, notes = [], [], []
    seen: dict[str, int] = {}
    for column, given in enumerate(raw):
        name = given
        if not name:
            if not any(column < len(cells) and cells[column] for cells in below):
                continue
            if not tolerant:
                raise _invalid(
                    "publish.header",
                    f"第 {column + 1} 列有数据而没有列名。",
                    f"Column {column + 1} holds data but has no name.",
                    row=row,
                    column=column + 1,
                )
            name = f"column_{column + 1}"
            said = Text(f"第 {column + 1} 列没有列名，记作 {name}。", f"Column {column + 1} had no name: {name}.")
            notes.append(Note.of("header.unnamed", said, column=column + 1))
        if name.lower() == ROW_NUMBER:
            name = f"{name}_"
            said = Text(
                f"第 {column + 1} 列的列名“{given}”为存储引擎所用，记作 {name}。",
                f"The name of column {column + 1}, “{given}”, is the storage engine's own: it became {name}.",
            )
            notes.append(Note.of("header.reserved", said, column=column + 1))
        if not usable(name):
            raise _invalid(
                "publish.header",
                f"第 {column + 1} 列的列名过长，或含有不可见字符。",
                f"The name of column {column + 1} is too long or holds invisible characters.",
                row=row,
                column=column + 1,
            )
        first = seen.get(name.lower())
        if first is not None:
            if not tolerant:
                raise _invalid(
                    "publish.header",
                    f"第 {first} 列与第 {column + 1} 列同名（不区分大小写）。",
                    f"Columns {first} and {column + 1} have the same name (case does not count).",
                    row=row,
                    column=column + 1,
                )
            number = 2
            while f"{name}_{number}".lower() in seen:
                number += 1
            name = f"{name}_{number}"
            said = Text(
                f"第 {column + 1} 列与第 {first} 列同名，记作另一个名字。",
                f"Column {column + 1} was called like column {first} and got a number.",
            )
            notes.append(Note.of("header.repeated", said, column=column + 1))
        seen[name.lower()] = column + 1
        kept.append(column)
        names.append(name)
    if not names:
        raise _invalid("publish.header", "找不到表头。", "No header was found.", row=row)
    if len(names) > MAX_COLUMNS:
        raise _invalid(
            "publish.columns",
            f"共有 {len(names)} 列，超过上限 {MAX_COLUMNS:,} 列。",
            f"There are {len(names)} columns; the limit is {MAX_COLUMNS:,}.",
            row=row,
        )
    return tuple(kept), tuple(names), notes


def _invalid(code: str, zh: str, en: str, **where: int) -> Invalid:
    remedy = Text(
        "请改正表头，或在配方中指明表头所在的行（header_rows；没有表头写 0）。",
        "Correct the header, or name its rows in a recipe (header_rows; 0 if there is none).",
    )
    return Invalid(code, Text(zh, en), remedy, where)
