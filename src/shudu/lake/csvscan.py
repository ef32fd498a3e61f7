"""Reading a source once, byte by byte, beside the engine that parses it: its digest, and whether it is strict CSV.

The engine is fast and forgiving: it drops an empty field too many and blanks around quotes without a word. So the rules
of RFC 4180 are checked here, and the commas outside quotes (or whatever separates cells) are counted: a table of c
columns and r rows has (c - 1) · (r + 1) of them, or the engine and the file disagree.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shudu.policy.types import Invalid, Text

from . import rounding
from .csvhead import not_utf8, refuse

CHUNK = 1 << 18  # what is counted in it stays in the processor's cache
MAX_RECORD = 2_000_000
_COMMA, _NEWLINE, _RETURN, _QUOTE = b',\n\r"'
_EDGE = np.zeros(256, dtype=np.bool_)
_EDGE[[_COMMA, _NEWLINE, _RETURN, _QUOTE]] = True
_QUOTES_REMEDY = Text(
    "含引号、逗号或换行的单元格须整体加双引号，其中的双引号写成两个。",
    "Put a whole cell that holds quotes, commas or line breaks in double quotes, and double the quotes inside it.",
)

# For `explain` and `row_of`: Python's limit of 131,072 characters would call a long cell an error.
csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD))


def _is_utf8(data: bytes) -> bool:
    """As Python decodes it, which takes four times as long and makes a text nobody needs."""
    ends = pa.py_buffer(np.array([0, len(data)], dtype=np.int64))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(data)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


class Scan:
    """Takes a file in chunks. Raises Invalid at the first thing that is not strict UTF-8 CSV.

    `commas` counts those outside quotes, `row` is the row the last byte belongs to (the header is row 1); `rounded` is
    whether identifiers may stand in it that a spreadsheet rounded (`rounding`).
    """

    def __init__(self, delimiter: str = ",") -> None:
        self._delimiter = ord(delimiter)
        self._edge = _EDGE.copy()
        self._edge[[_COMMA, self._delimiter]] = False, True
        self.bytes = 0
        self.commas = 0
        self.row = 1
        self.rounded = False
        self._end = b""
        self._sha256 = hashlib.sha256()
        self._cut = b""  # the beginning of a character that the last chunk ended in
        self._quoted = False
        self._quoted_since = 1
        self._crlf = 0
        self._last = _NEWLINE

    def feed(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        if not self.rounded:
            self.rounded = rounding.written_in(chunk) or rounding.written_in(self._end + chunk[: rounding.OVERLAP])
            self._end = chunk[-rounding.OVERLAP :]
        text = chunk.removeprefix(codecs.BOM_UTF8) if self.bytes == 0 else chunk
        self.bytes += len(chunk)
        self._decode(text)
        if (zero := text.find(0)) >= 0:
            self._count(text[:zero])
            raise refuse("文件中有空字节（NUL）。", "The file holds a NUL byte.", row=self.row)
        self._count(text)

    def finish(self) -> str:
        """The SHA-256 of everything fed. Raises Invalid when the file ends within a character or a quoted cell."""
        if self._cut:
            raise refuse("文件在一个字符中间结束，很可能不完整。", "The file ends within a character.", row=self.row)
        if self._last == _RETURN and not self._quoted:
            raise self._lone_return(self.row)
        if 0 < self._crlf < self.row - 1:
            raise refuse(
                "行尾混用了两种换行符（CRLF 与 LF）。",
                "Some lines end in CRLF, others in LF.",
                remedy=Text("请用同一种换行符另存后再试。", "Save it again with one kind of line end."),
            )
        if self._quoted:
            raise refuse("有引号没有结束。", "A quote is never closed.", row=self._quoted_since, remedy=_QUOTES_REMEDY)
        return self._sha256.hexdigest()

    def _decode(self, chunk: bytes) -> None:
        held, data = len(self._cut), self._cut + chunk if self._cut else chunk
        # A character has at most four bytes: those before the last three are either whole or wrong.
        end = next((at for at in range(max(len(data) - 3, 0), len(data)) if data[at] & 0xC0 != 0x80), len(data))
        try:
            if not _is_utf8(data[:end]):
                end = 0
            _, used = codecs.utf_8_decode(data[end:], "strict", False)
        except UnicodeDecodeError as error:
            self._count(chunk[: max(end + error.start - held, 0)])
            raise not_utf8(error.object[error.start :], self.row) from None
        self._cut = data[end + used :]

    def _count(self, chunk: bytes) -> None:
        if not chunk:
            return
        data = np.frombuffer(chunk, dtype=np.uint8)
        newlines, commas = data == _NEWLINE, data == self._delimiter
        returned = self._last == _RETURN and not self._quoted
        outside: NDArray[np.bool_] | None = None
        if b'"' in chunk:
            quote = data == _QUOTE
            outside = np.bitwise_xor.accumulate(quote) == self._quoted
            newlines &= outside
            commas &= outside
            self._check_quotes(data, np.flatnonzero(quote), newlines)
        elif self._quoted:
            return
        elif self._last == _QUOTE and not self._edge[chunk[0]]:
            raise self._stray(self.row)
        if returned or b"\r" in chunk:
            returns = data == _RETURN
            self._check_returns(returned, returns if outside is None else returns & outside, newlines)
        self.row += int(np.count_nonzero(newlines))
        self.commas += int(np.count_nonzero(commas))
        self._last = chunk[-1]

    def _check_quotes(self, data: NDArray[np.uint8], at: NDArray[np.intp], newlines: NDArray[np.bool_]) -> None:
        """A quote opens at the start of a field and closes at its end, or is one of a pair."""
        padded = np.concatenate(([self._last], data, [_NEWLINE])).astype(np.uint8)
        opening, closing = (at[1::2], at[0::2]) if self._quoted else (at[0::2], at[1::2])
        strays = np.concatenate((opening[~self._edge[padded[opening]]], closing[~self._edge[padded[closing + 2]]]))
        if not self._quoted and self._last == _QUOTE and not self._edge[data[0]]:
            strays = np.array([0])
        if strays.size:
            raise self._stray(self.row + int(np.count_nonzero(newlines[: strays.min()])))
        self._quoted ^= bool(at.size % 2)
        if self._quoted:
            self._quoted_since = self.row + int(np.count_nonzero(newlines[: at[-1]]))

    def _check_returns(self, returned: bool, returns: NDArray[np.bool_], newlines: NDArray[np.bool_]) -> None:
        """Outside quotes a line feed follows every carriage return, the one that ended the chunk before too."""
        after = np.concatenate(([returned], returns[:-1]))
        self._crlf += int(np.count_nonzero(after & newlines))
        if (lone := np.flatnonzero(after & ~newlines)).size:
            raise self._lone_return(self.row + int(np.count_nonzero(newlines[: lone[0]])))

    def _lone_return(self, row: int) -> Invalid:
        return refuse(
            "行尾或单元格中有单独的回车符（CR）。",
            "A carriage return stands alone, as a line end or in a cell without quotes.",
            row=row,
            remedy=Text(
                "请以 LF 或 CRLF 换行另存，或给该单元格加引号。", "Save it with LF or CRLF, or quote the cell."
            ),
        )

    def _stray(self, row: int) -> Invalid:
        return refuse(
            "引号的位置不对：引号须包住整个单元格。",
            "A quote stands in the wrong place: quotes must enclose a whole cell.",
            row=row,
            remedy=_QUOTES_REMEDY,
        )


def scan(source: BinaryIO, delimiter: str = ",", stopped: Callable[[], bool] = lambda: False) -> Scan:
    """Read `source` in chunks of `CHUNK` bytes, to its end or until it is `stopped`."""
    found = Scan(delimiter)
    while not stopped() and (chunk := source.read(CHUNK)):
        found.feed(chunk)
    return found


def records(source: BinaryIO, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Every record with its row (the header is row 1; blank lines count and are empty). Slow: for explanations."""
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    try:
        yield from enumerate(csv.reader(text, delimiter=delimiter, strict=True), 1)
    finally:
        text.detach()


def explain(source: BinaryIO, columns: int, delimiter: str = ",") -> Invalid:
    """Why the engine could not read `source` as a table of so many columns: the first row at fault."""
    row = 0
    try:
        for row, record in records(source, delimiter):
            if record and len(record) != columns:
                return refuse(
                    f"第 {row} 行有 {len(record)} 个单元格，表头有 {columns} 个。",
                    f"Row {row} has {len(record)} cells; the header has {columns}.",
                    row=row,
                    remedy=Text("请补齐或删去多余的单元格后再试。", "Correct the row and try again."),
                )
            if sum(map(len, record)) > MAX_RECORD // 4 and sum(len(cell.encode()) for cell in record) > MAX_RECORD:
                return _too_long(row)
    except csv.Error as error:
        if "field limit" in str(error):
            return _too_long(row + 1)
        return refuse(f"第 {row + 1} 行无法读取。", f"Row {row + 1} cannot be read.", row=row + 1)
    return refuse("无法可靠地读取这个文件。", "The file cannot be read reliably.")


def _too_long(row: int) -> Invalid:
    return refuse(f"第 {row} 行超过 2 MB。", f"Row {row} is longer than 2 MB.", row=row)


def row_of(source: BinaryIO, index: int, columns: int, delimiter: str = ",") -> int:
    """The row in the file of data row `index` (from 0): blank lines are no data where there are several columns."""
    return (rows_of(source, [index], columns, delimiter) or [index + 2])[0]


def rows_of(source: BinaryIO, indexes: Sequence[int], columns: int, delimiter: str = ",") -> list[int]:
    """The rows in the file of these data rows, which stand in order; one pass."""
    data = (row for row, record in records(source, delimiter) if record or columns == 1)
    wanted = {index + 1 for index in indexes}
    numbered = enumerate(islice(data, max(wanted, default=-1) + 1))
    return [row for number, row in numbered if number in wanted]
