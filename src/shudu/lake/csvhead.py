"""The beginning of a file: is it a CSV in UTF-8 at all, and what are its columns called?

Nothing read from the file appears in a message: what looks like a header may be somebody's first row.
"""

from __future__ import annotations

import codecs
import csv
import io
import unicodedata

from shudu.policy.types import Invalid, Text

HEAD_BYTES = 1 << 20
MAX_COLUMNS = 1_000
MAX_NAME = 200
ROW_NUMBER = "file_row_number"  # what the engine calls the place of a row in its file

_BINARY = (
    (b"PK\x03\x04", Text("Excel 工作簿（XLSX）或 ZIP 压缩包", "an Excel workbook (XLSX) or a ZIP archive")),
    (b"\xd0\xcf\x11\xe0", Text("旧版 Excel 工作簿（XLS）", "an old Excel workbook (XLS)")),
    (b"\x1f\x8b", Text("gzip 压缩文件", "a gzip archive")),
    (b"BZh", Text("bzip2 压缩文件", "a bzip2 archive")),
    (b"\xfd7zXZ\x00", Text("xz 压缩文件", "an xz archive")),
    (b"7z\xbc\xaf", Text("7z 压缩文件", "a 7z archive")),
    (b"(\xb5/\xfd", Text("zstd 压缩文件", "a zstd archive")),
    (b"PAR1", Text("Parquet 文件", "a Parquet file")),
    (b"PARE", Text("加密的 Parquet 文件", "an encrypted Parquet file")),
    (b"ARROW1", Text("Arrow 文件", "an Arrow file")),
    (b"SQLite format 3", Text("SQLite 数据库", "a SQLite database")),
    (b"%PDF", Text("PDF 文件", "a PDF file")),
    (codecs.BOM_UTF32_LE, Text("UTF-32 编码的文本", "text in UTF-32")),
    (codecs.BOM_UTF16_LE, Text("UTF-16 编码的文本", "text in UTF-16")),
    (codecs.BOM_UTF16_BE, Text("UTF-16 编码的文本", "text in UTF-16")),
)
_DELIMITERS = {
    "\t": Text("制表符", "tabs"),
    ";": Text("分号", "semicolons"),
    "|": Text("竖线", "vertical bars"),
    "，": Text("全角逗号", "full-width commas"),
}
# Bidirectional overrides and invisible spaces make a name read as what it is not.
DECEPTIVE = frozenset("\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")


def refuse(zh: str, en: str, *, row: int | None = None, remedy: Text | None = None) -> Invalid:
    """The error for a file that cannot be taken as it is; `row` 1 is the header."""
    usual = Text("请另存为以逗号分隔的 UTF-8 CSV 后再试。", "Save it as a comma-separated CSV in UTF-8 and try again.")
    return Invalid("publish.format", Text(zh, en), remedy or usual, {} if row is None else {"row": row})


def refuse_kind(kind: Text) -> Invalid:
    return refuse(
        f"这个文件看起来是{kind.zh}，本版本只接收 CSV。",
        f"The file seems to be {kind.en}; this release takes CSV only.",
    )


def names_in(head: bytes, delimiter: str = ",") -> tuple[str, ...]:
    """The column names of a file that begins with `head` (up to `HEAD_BYTES`). Raises Invalid, in words."""
    _check_kind(head)
    record, complete = _first_record(head, delimiter)
    if not complete and len(head) == HEAD_BYTES:
        raise refuse("文件的第一行超过 1 MB，不像表头。", "The first row is longer than 1 MB: not a header.", row=1)
    names = tuple(unicodedata.normalize("NFC", name.strip(" ")) for name in record)
    if delimiter == ",":
        _check_delimiter(names)
    _check_names(names)
    return names


def _check_kind(head: bytes) -> None:
    for magic, kind in _BINARY:
        if head.startswith(magic):
            raise refuse_kind(kind)
    if b"\0" in head:
        zeros = head.count(0)
        if zeros * 3 > len(head):
            raise refuse_kind(Text("UTF-16 编码的文本", "text in UTF-16"))
        raise refuse("文件中有空字节（NUL），不是文本文件。", "The file holds NUL bytes: it is not text.")
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if start[:1] in (b"{", b"[") and start[1:].lstrip()[:1] in (b'"', b"{", b"[", b"}", b"]"):
        raise refuse_kind(Text("JSON 文件", "a JSON file"))
    if start[:5].lower() in (b"<?xml", b"<html") or start[:9].lower() == b"<!doctype":
        raise refuse_kind(Text("XML 或 HTML 文件", "an XML or HTML file"))


def _first_record(head: bytes, delimiter: str) -> tuple[list[str], bool]:
    """The first record, and whether its end was seen. Raises Invalid when it is not UTF-8 or badly quoted."""
    head = head.removeprefix(codecs.BOM_UTF8)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError as error:
        raise not_utf8(head[error.start :], 1 + head.count(b"\n", 0, error.start)) from None
    lines = io.StringIO(text, newline="")
    try:
        record = next(csv.reader(lines, delimiter=delimiter, strict=True), [])
    except csv.Error:
        raise refuse("表头的引号不成对或位置不对。", "The header's quotes do not match.", row=1) from None
    return record, lines.tell() < len(text) or text.endswith(("\n", "\r"))


def not_utf8(sample: bytes, row: int | None = None) -> Invalid:
    """The error for bytes that are not UTF-8, naming GB 18030 where `sample` reads as Chinese in it."""
    try:
        text = codecs.getincrementaldecoder("gb18030")().decode(sample)
    except UnicodeDecodeError:
        text = ""
    if any("\u4e00" <= character <= "\u9fff" for character in text):
        return refuse(
            "这个文件看起来是 GB18030（GBK）编码，本版本只接收 UTF-8。",
            "The file seems to be in GB18030 (GBK); this release takes UTF-8 only.",
            row=row,
        )
    return refuse("这个文件不是 UTF-8 编码。", "The file is not in UTF-8.", row=row)


def _check_delimiter(names: tuple[str, ...]) -> None:
    if len(names) != 1:
        return
    for character, text in _DELIMITERS.items():
        if character in names[0]:
            raise refuse(
                f"这个文件看起来以{text.zh}分隔，本版本只接收逗号。",
                f"The file seems to be separated by {text.en}; this release takes commas only.",
                row=1,
            )


def _check_names(names: tuple[str, ...]) -> None:
    if not any(names):
        raise refuse("文件的第一行没有列名。", "The first row holds no column names.", row=1)
    if len(names) > MAX_COLUMNS:
        raise refuse(
            f"共有 {len(names)} 列，超过上限 {MAX_COLUMNS:,} 列。",
            f"There are {len(names)} columns; the limit is {MAX_COLUMNS:,}.",
            row=1,
            remedy=Text("请减少列数，或分成几个表发布。", "Publish fewer columns, or several tables."),
        )
    remedy = Text("请改正表头后再试。", "Correct the header and try again.")
    seen: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if not name:
            raise refuse(f"第 {number} 列没有列名。", f"Column {number} has no name.", row=1, remedy=remedy)
        if name.lower() == ROW_NUMBER:
            raise refuse(
                f"列名“{name}”为存储引擎所用。",
                f"The name “{name}” is the storage engine's own.",
                row=1,
                remedy=remedy,
            )
        if len(name) > MAX_NAME:
            raise refuse(
                f"第 {number} 列的列名超过 {MAX_NAME} 个字符。",
                f"The name of column {number} is longer than {MAX_NAME} characters.",
                row=1,
                remedy=remedy,
            )
        if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") or character in DECEPTIVE for character in name):
            raise refuse(
                f"第 {number} 列的列名含有控制字符或不可见字符。",
                f"The name of column {number} holds control or invisible characters.",
                row=1,
                remedy=remedy,
            )
        # SQL engines do not tell names apart by case.
        if (first := seen.setdefault(name.lower(), number)) != number:
            raise refuse(
                f"第 {first} 列与第 {number} 列同名（不区分大小写）。",
                f"Columns {first} and {number} have the same name (case does not count).",
                row=1,
                remedy=remedy,
            )
