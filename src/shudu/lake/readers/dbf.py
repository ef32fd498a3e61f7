"""dBASE tables (DBF), as cadastres and statistics still pass around: fixed widths, Chinese code pages, deleted rows.

Field types after the dBASE III+ and Visual FoxPro file formats: C text, N and F numbers, D dates, L truths, I 32-bit
integers, B doubles, Y currency (64 bits, four decimals). Memos lie in another file and are not read.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice

import pyarrow as pa

from shudu.policy.types import Invalid, Text

from .. import layout
from ..recipe import ColumnRecipe, Note, Recipe
from ..units import unit_in
from .columnar import damaged
from .grid import aside
from .port import Batcher, Finish, Request

# Language driver ids: which code page the text is in.
_CODE_PAGES = {0x4D: "gb18030", 0x4F: "big5", 0x03: "cp1252", 0x57: "gb18030", 0x00: "gb18030", 0x01: "cp437"}
_DELETED = 0x2A


class Dbf:
    """Rows of one DBF file. Asterisks all over a number's field say that it was too wide; where they are `starred`,
    that there is none: so writers of shapefiles have it."""

    def __init__(self, request: Request, *, starred: bool = False) -> None:
        self._request, self._starred = request, starred
        self.fields: list[tuple[str, str, int, int]] = []  # name, type, width, decimals
        self.count = 0
        self._names: Sequence[str] = ()
        self._start = self._length = 0
        self._encoding = "gb18030"

    @property
    def types(self) -> Sequence[pa.DataType]:
        return [pa.string()] * len(self.fields)

    def understand(self) -> tuple[Recipe, tuple[Note, ...]]:
        with self._request.path.open("rb") as file:
            head = file.read(32)
            self.count, self._start, self._length = struct.unpack("<IHH", head[4:12])
            described = file.read(self._start - 32)
        self._encoding = _known(self._request.reading.recipe.encoding) or _CODE_PAGES.get(head[29], "gb18030")
        used = 1
        for at in range(0, len(described) - 31, 32):
            if described[at] == 0x0D:
                break
            raw, kind = described[at : at + 11].split(b"\0")[0], chr(described[at + 11])
            width, decimals = described[at + 16], described[at + 17]
            self.fields.append((raw.decode(self._encoding, "replace"), kind, width, decimals))
            used += width
        if not self.fields or used > self._length:
            raise damaged()
        names, notes = layout.checked_names([name for name, *_ in self.fields], tolerant=self._request.reading.tolerant)
        self._names = names
        if memos := [name for name, kind, *_ in self.fields if kind in "MGP"]:
            said = Text("备注列的内容在另一个文件里，没有读取。", "Memo fields lie in another file and were not read.")
            notes.append(Note.of("dbf.memo", said, columns=memos))
        columns = tuple(
            ColumnRecipe(source=source, name=name, unit=unit_in(name), type="VARCHAR" if kind == "C" else None)
            for (source, kind, *_), name in zip(self.fields, names, strict=True)
        )
        update = {"format": "dbf", "encoding": self._encoding, "columns": columns}
        return self._request.reading.recipe.model_copy(update=update), tuple(notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        batcher = Batcher(len(self.fields))
        for number, cells, problem in islice(self.records(), self._request.limit):
            if problem is None:
                batcher.add(number, cells)
            elif self._request.reading.tolerant or problem.code.startswith("row.aside"):
                batcher.reject(problem, cells)
            else:
                raise problem
            if batcher.ready():
                yield batcher.take()
        if len(batcher):
            yield batcher.take()

    def records(self) -> Iterator[tuple[int, Sequence[str | None], Invalid | None]]:
        """Each record's number, its cells as text, and what is wrong with it. Raises Invalid where the file is cut."""
        with self._request.path.open("rb") as file:
            file.seek(self._start)
            for number in range(1, self.count + 1):
                record = file.read(self._length)
                if len(record) < self._length:
                    raise _cut(number, self.count)
                deleted = record[0] == _DELETED
                problem = aside("deleted", "标记为已删除的行", "a row marked as deleted", number) if deleted else None
                cells, wrong = self._cells(record)
                if wrong is not None:
                    problem = problem or _value(number, self._names[wrong])
                yield number, cells, problem

    def finish(self) -> Finish:
        return Finish()

    def _cells(self, record: bytes) -> tuple[list[str | None], int | None]:
        """The cells, one that cannot be read as far as it can, and the place of the first such."""
        cells: list[str | None] = []
        at, wrong = 1, None
        for place, (_, kind, width, _) in enumerate(self.fields):
            raw = record[at : at + width]
            try:
                nothing = self._starred and kind in "NF" and raw == b"*" * width
                cells.append(None if nothing else _cell(kind, raw, self._encoding))
            except (ValueError, KeyError, ArithmeticError, struct.error):
                cells.append(raw.decode(self._encoding, "replace").strip("\0 "))
                wrong = place if wrong is None else wrong
            at += width
        return cells, wrong


def _known(encoding: str) -> str:
    """The encoding a recipe names. Raises Invalid for one that Python does not know."""
    try:
        return codecs.lookup(encoding).name if encoding else ""
    except LookupError:
        raise Invalid(
            "publish.recipe",
            Text("配方中的编码不受支持。", "The recipe's encoding is not supported."),
            Text("可用：utf-8、gb18030、big5。", "Use utf-8, gb18030 or big5."),
        ) from None


def _cell(kind: str, raw: bytes, encoding: str) -> str | None:
    match kind:
        case "I":
            return str(struct.unpack("<i", raw)[0])
        case "B":
            return repr(struct.unpack("<d", raw)[0])
        case "Y":
            return str(Decimal(struct.unpack("<q", raw)[0]).scaleb(-4))
        case "M" | "G" | "P":
            return None
    text = raw.decode(encoding).rstrip("\0 ")
    if kind == "C":
        return text or None
    text = text.strip()
    if not text:
        return None
    match kind:
        case "D":
            return date(int(text[:4]), int(text[4:6]), int(text[6:])).isoformat() if text != "00000000" else None
        case "L":
            return {"T": "true", "Y": "true", "F": "false", "N": "false", "?": None}[text.upper()]
        case "N" | "F" if text.startswith("*"):
            raise ValueError("too wide for its field")
        case "N" | "F":
            return _number(text)
    return text


def _number(text: str) -> str:
    """A number without the zeros that only fill its field: with them, decimals of six digits would look like twenty."""
    whole, point, decimals = format(Decimal(text), "f").partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}" if point else whole


def _value(row: int, column: str) -> Invalid:
    return Invalid(
        "row.value",
        Text(
            f"第 {row} 行“{column}”列的值无法读取（编码、日期或溢出的数字）。",
            f"Row {row}: the value of “{column}” cannot be read (its encoding, a date, a number too wide).",
        ),
        Text("请改正该行，或在配方中指明编码。", "Correct the row, or name the encoding in a recipe."),
        {"row": row, "column": column},
    )


def _cut(row: int, count: int) -> Invalid:
    return Invalid(
        "publish.damaged",
        Text(f"文件应有 {count} 行，在第 {row} 行处中断。", f"Of its {count} rows the file ends in row {row}."),
        Text("请重新复制或导出文件。", "Copy or export the file again."),
        {"row": row},
    )
