"""CSV, TSV and their kin in any dialect and encoding: slower than the engine's own parser, and never at a loss."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from shudu.policy.types import Invalid, Text

from ..csvscan import MAX_RECORD
from ..formats import DELIMITERS, HEAD_BYTES, delimiter_of, encoding_of
from ..recipe import Note
from .grid import Grid, Row
from .port import Request

_ENCODING = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "gb18030": "GB 18030",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
}
LOOK = 1 << 16  # bytes that show what separates cells
_LONGEST_QUOTE = 1_000  # lines a cell may span before its quote is called unclosed
csv.field_size_limit(MAX_RECORD * 2)


def open_reader(request: Request) -> Grid:
    with request.path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    told = request.reading.recipe
    encoding = told.encoding or encoding_of(head)
    if encoding not in ("utf-8", "utf-8-sig", "gb18030", "gbk", "gb2312", "utf-16-le", "utf-16-be"):
        raise Invalid(
            "publish.recipe",
            Text("配方中的编码不受支持。", "The recipe's encoding is not supported."),
            Text("可用：utf-8、gb18030、utf-16-le、utf-16-be。", "Use utf-8, gb18030, utf-16-le or utf-16-be."),
        )
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head[:LOOK]).removeprefix("\ufeff")
    delimiter = told.delimiter or delimiter_of(text)
    notes = []
    if encoding not in ("utf-8", "utf-8-sig"):
        name = _ENCODING.get(encoding, encoding)
        notes.append(Note.of("csv.encoding", Text(f"编码为 {name}，已转为 UTF-8。", f"In {name}; kept as UTF-8.")))
    if delimiter != ",":
        by = DELIMITERS.get(delimiter, Text(f"“{delimiter}”", f"“{delimiter}”"))
        notes.append(Note.of("csv.delimiter", Text(f"以{by.zh}分隔。", f"Separated by {by.en}.")))
    recipe = told.model_copy(update={"format": "csv", "encoding": encoding, "delimiter": delimiter})
    lines = _utf16(request, encoding) if encoding.startswith("utf-16") else _lines(request, encoding, head)
    return Grid(request, recipe, _records(lines, delimiter), notes=notes, ragged=True)


Line = tuple[int, str | Invalid, str]


def _lines(request: Request, encoding: str, head: bytes) -> Iterator[Line]:
    """Physical lines, decoded one by one, so that a line in another encoding can be named."""
    only_returns = b"\n" not in head and b"\r" in head
    with request.path.open("rb") as file:
        if head.startswith(codecs.BOM_UTF8):
            file.seek(len(codecs.BOM_UTF8))
        lines = _returned(file) if only_returns else iter(lambda: file.readline(MAX_RECORD + 2), b"")
        strict = "utf-8" if encoding == "utf-8-sig" else encoding
        number, cut = 0, False
        for line in lines:
            if cut:  # the rest of a line that was too long
                cut = not line.endswith(b"\n")
                continue
            number += 1
            if len(line) > MAX_RECORD:
                cut = not line.endswith(b"\n")
                yield number, _too_long(number), ""
                continue
            try:
                if strict != "utf-8" and not line.isascii() and _is_utf8(line):
                    yield number, _other_encoding(line, strict, number), line.decode("utf-8")
                else:
                    yield number, line.decode(strict), ""
            except UnicodeDecodeError:
                yield number, _other_encoding(line, strict, number), line.decode(strict, "replace")


def _is_utf8(line: bytes) -> bool:
    """Chinese in UTF-8 also decodes as GB 18030, to nonsense; the reverse hardly ever happens."""
    try:
        return any("\u4e00" <= sign <= "\u9fff" for sign in line.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _returned(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while chunk := file.read(1 << 20):
        *lines, rest = (rest + chunk).split(b"\r")
        yield from (line + b"\n" for line in lines)
        if len(rest) > MAX_RECORD:
            yield rest
            rest = b""
    if rest:
        yield rest


def _utf16(request: Request, encoding: str) -> Iterator[Line]:
    with io.TextIOWrapper(request.path.open("rb"), encoding, errors="replace", newline="") as file:
        if file.read(1) != "\ufeff":
            file.seek(0)
        for number, line in enumerate(iter(lambda: file.readline(MAX_RECORD), ""), 1):
            if "\ufffd" in line:
                yield number, _damaged(number), line
            else:
                yield number, line, ""


def _records(lines: Iterator[Line], delimiter: str) -> Iterator[Row]:
    """Records, which may span lines. A row's number is that of its first line."""
    held: list[Line] = []
    while True:
        line = held.pop(0) if held else next(lines, None)
        if line is None:
            return
        number, text, broken = line
        if isinstance(text, Invalid):
            yield number, text, [broken]
            continue
        if "\0" in text:
            yield number, _nul(number), [text.replace("\0", "\ufffd")]
            continue
        if '"' not in text:
            yield number, text.rstrip("\r\n").split(delimiter) if text.strip("\r\n") else [], []
            continue
        spent: list[Line] = []
        record = text
        while record.count('"') % 2 and len(spent) < _LONGEST_QUOTE and len(record) < MAX_RECORD:
            more = held.pop(0) if held else next(lines, None)
            if more is None:
                break
            spent.append(more)
            if isinstance(more[1], Invalid):
                break
            record += more[1]
        cells = _parsed(record, delimiter)
        if cells is None:
            # Only its first line is given up: what follows may be whole.
            held = [*spent, *held]
            yield number, _quotes(number, unclosed=text.count('"') % 2 == 1), [text.rstrip("\r\n")]
        else:
            yield number, cells, cells


def _parsed(record: str, delimiter: str) -> list[str] | None:
    if record.count('"') % 2:
        return None
    try:
        rows = list(csv.reader([record.rstrip("\r\n") + "\n"], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    # A quote inside a cell that does not begin with one is no quote but a sign, which RFC 4180 forbids.
    if len(rows) != 1 or any('"' in piece for piece in _outside(record, delimiter)):
        return None
    return rows[0]


def _outside(record: str, delimiter: str) -> list[str]:
    """The cells that do not begin with a quote, as far as splitting tells: none may hold one."""
    out, inside = [], False
    for piece in record.rstrip("\r\n").split(delimiter):
        if not inside and not piece.startswith('"'):
            out.append(piece)
        elif piece.count('"') % 2:
            inside = not inside
    return out


def _row(code: str, zh: str, en: str, row: int, remedy: Text) -> Invalid:
    return Invalid(code, Text(f"第 {row} 行{zh}", f"Row {row} {en}"), remedy, {"row": row})


def _too_long(row: int) -> Invalid:
    return _row(
        "row.long", "超过 2 MB。", "is longer than 2 MB.", row, Text("请拆分这一行。", "Split it into several rows.")
    )


def _nul(row: int) -> Invalid:
    return _row("row.nul", "有空字节（NUL）。", "holds a NUL byte.", row, Text("请删去空字节。", "Remove that byte."))


def _damaged(row: int) -> Invalid:
    remedy = Text("请从来源重新导出这一行。", "Export that row again from where it came.")
    return _row("row.encoding", "有无法解码的字符。", "holds characters that cannot be decoded.", row, remedy)


def _quotes(row: int, *, unclosed: bool) -> Invalid:
    remedy = Text(
        "含引号、分隔符或换行的单元格须整体加双引号，其中的双引号写成两个。",
        "Put a whole cell that holds quotes, separators or line breaks in double quotes; double the quotes inside it.",
    )
    if unclosed:
        return _row("row.quotes", "有引号没有结束。", "opens a quote that is never closed.", row, remedy)
    return _row("row.quotes", "的引号位置不对。", "has a quote in the wrong place.", row, remedy)


def _other_encoding(line: bytes, encoding: str, row: int) -> Invalid:
    """Mixed encodings, explained: which one this row is in."""
    other = "gb18030" if encoding == "utf-8" else "utf-8"
    said, file = _ENCODING[other], _ENCODING.get(encoding, encoding)
    try:
        line.decode(other)
    except UnicodeDecodeError:
        return _damaged(row)
    remedy = Text(f"请将整个文件统一另存为 {file}。", f"Save the whole file in {file}.")
    return _row(
        "row.encoding", f"是 {said} 编码，文件的其余部分是 {file}。", f"is in {said}, the rest in {file}.", row, remedy
    )
