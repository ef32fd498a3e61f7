"""Which format a file is in, by what it holds: its name is compared, never trusted."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from pathlib import PurePath

from shudu.policy.types import Invalid, Text

from .recipe import Note

HEAD_BYTES = 1 << 20
_LOOK = 1 << 16  # bytes that show an encoding
_CONTROL = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
# What text in Chinese and in the Latin script is made of: ASCII, letters with accents, punctuation, CJK, full width.
_UNCOMMON = re.compile(
    "[^\t\n\r -~\xa0-\u024f\u2000-\u206f\u2100-\u22ff\u3000-\u303f\u4e00-\u9fff\uff00-\uffef\U00020000-\U0003ffff]"
)
DELIMITERS = {
    ",": Text("逗号", "commas"),
    "\t": Text("制表符", "tabs"),
    ";": Text("分号", "semicolons"),
    "|": Text("竖线", "vertical bars"),
    "，": Text("全角逗号", "full-width commas"),
}
NAMES = {
    "csv": Text("CSV 文本", "delimited text (CSV)"),
    "xlsx": Text("Excel 工作簿（XLSX）", "an Excel workbook (XLSX)"),
    "xls": Text("旧版 Excel 工作簿（XLS）", "an old Excel workbook (XLS)"),
    "ods": Text("OpenDocument 表格（ODS）", "an OpenDocument spreadsheet (ODS)"),
    "json": Text("JSON", "JSON"),
    "ndjson": Text("逐行 JSON（NDJSON）", "JSON lines (NDJSON)"),
    "parquet": Text("Parquet 文件", "a Parquet file"),
    "arrow": Text("Arrow/Feather 文件", "an Arrow or Feather file"),
    "sqlite": Text("SQLite 数据库", "a SQLite database"),
    "dbf": Text("dBASE 表（DBF）", "a dBASE table (DBF)"),
    "geojson": Text("GeoJSON", "GeoJSON"),
    "gpkg": Text("GeoPackage", "a GeoPackage"),
    "shapefile": Text("Shapefile（ZIP）", "a shapefile (ZIP)"),
    "zip": Text("ZIP 压缩包", "a ZIP archive"),
}
_SUFFIXES = {
    "csv": ("csv", "tsv", "txt", "tab", "psv", ""),
    "xlsx": ("xlsx", "xlsm", "xltx", "xlsb"),
    "xls": ("xls", "xlt", "et"),
    "ods": ("ods",),
    "json": ("json",),
    "ndjson": ("ndjson", "jsonl", "json"),
    "parquet": ("parquet", "pq"),
    "arrow": ("arrow", "feather", "ipc", "arrows"),
    "sqlite": ("sqlite", "sqlite3", "db"),
    "dbf": ("dbf",),
    "geojson": ("geojson", "json"),
    "gpkg": ("gpkg",),
    "shapefile": ("zip",),
    "zip": ("zip",),
}
_MAGIC = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0", "xls"),
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xff\xff\xff\xff", "arrow"),
    (b"SQLite format 3\0", "sqlite"),
)
_REFUSED = (
    (b"PARE", Text("加密的 Parquet 文件", "an encrypted Parquet file")),
    (b"FEA1", Text("第一版 Feather 文件", "a Feather file of version 1")),
    (b"\x1f\x8b", Text("gzip 压缩文件", "a gzip archive")),
    (b"BZh", Text("bzip2 压缩文件", "a bzip2 archive")),
    (b"\xfd7zXZ\x00", Text("xz 压缩文件", "an xz archive")),
    (b"7z\xbc\xaf", Text("7z 压缩文件", "a 7z archive")),
    (b"Rar!", Text("RAR 压缩文件", "a RAR archive")),
    (b"(\xb5/\xfd", Text("zstd 压缩文件", "a zstd archive")),
    (b"%PDF", Text("PDF 文件", "a PDF file")),
    (b"\x89PNG", Text("图片", "a picture")),
    (b"\xff\xd8\xff", Text("图片", "a picture")),
    (codecs.BOM_UTF32_LE, Text("UTF-32 编码的文本", "text in UTF-32")),
)


def recognise(head: bytes) -> str:
    """The format of a file that begins with `head` (up to `HEAD_BYTES`). Raises Invalid for what cannot be read."""
    for magic, format_ in _MAGIC:
        if head.startswith(magic):
            return "gpkg" if format_ == "sqlite" and head[68:72] == b"GPKG" else format_
    for magic, kind in _REFUSED:
        if head.startswith(magic):
            raise _refused(kind)
    if _is_dbf(head):
        return "dbf"
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if start[:5].lower() in (b"<?xml", b"<html") or start[:9].lower() == b"<!doctype" or start[:6].lower() == b"<table":
        raise _refused(Text("XML 或 HTML 文件（常被误存为 .xls）", "an XML or HTML file (often named .xls by mistake)"))
    if start[:1] == b"[" and start[1:].lstrip()[:1] in (b"{", b"[", b"]", b'"') and not _looks_delimited(start):
        return "json"
    if start[:1] == b"{" and start[1:].lstrip()[:1] in (b'"', b"}"):
        return _kind_of_object(start)
    return "csv"


def _looks_delimited(start: bytes) -> bool:
    """A header such as [a],[b] is no JSON."""
    return start.split(b"\n", 1)[0].startswith(b"[") and start[1:2].isalpha()


def _kind_of_object(start: bytes) -> str:
    if b'"FeatureCollection"' in start[:4096]:
        return "geojson"
    first, _, rest = start.partition(b"\n")
    whole = first.rstrip().endswith(b"}") and first.count(b"{") == first.count(b"}")
    return "ndjson" if whole and rest.strip() else "json"


def _is_dbf(head: bytes) -> bool:
    """dBASE III and after: a version byte, a date, a header that is as long as it says and ends in CR."""
    if len(head) < 33 or head[0] not in (0x03, 0x04, 0x30, 0x31, 0x32, 0x83, 0x8B, 0xF5):
        return False
    length = int.from_bytes(head[8:10], "little")
    return 1 <= head[2] <= 12 and 1 <= head[3] <= 31 and 33 <= length <= len(head) and 0x0D in head[32:length:1]


def misnamed(name: str, format_: str) -> Note | None:
    """A word about a file whose name says another format than its content."""
    suffix = PurePath(name).suffix.lower().removeprefix(".")
    if suffix in _SUFFIXES.get(format_, ()) or not any(suffix in each for each in _SUFFIXES.values()):
        return None
    kind = NAMES[format_]
    text = Text(
        f"文件名以 .{suffix} 结尾，内容却是{kind.zh}；已按内容读取。",
        f"The name ends in .{suffix}, but the content is {kind.en}; it was read as that.",
    )
    return Note.of("format.misnamed", text)


def encoding_of(head: bytes) -> str:
    """utf-8, utf-8-sig, utf-16-le, utf-16-be or gb18030. Raises Invalid `publish.encoding` when it is none of them."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16-le" if head.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
    if order := _order(head):
        return order
    if head.count(0) * 3 > len(head):
        return "utf-16-le" if head[1::2].count(0) >= head[0::2].count(0) else "utf-16-be"
    if decodes(head, "utf-8"):
        return "utf-8"
    if head.count(0) * 20 > len(head) and not decodes(head, "gb18030"):
        raise _no_order()
    # Mixed files go by what most of their lines are.
    lines = [line for line in head.split(b"\n")[:-1] or [head] if not line.isascii()]
    utf8 = sum(decodes(line, "utf-8") for line in lines)
    chinese = sum(not decodes(line, "utf-8") and _is_chinese(line) for line in lines)
    if chinese > utf8:
        return "gb18030"
    if utf8:
        return "utf-8"
    row = 1 + next((number for number, line in enumerate(head.split(b"\n")) if not decodes(line, "utf-8")), 0)
    raise Invalid(
        "publish.encoding",
        Text(f"第 {row} 行既不是 UTF-8，也不是 GB 18030。", f"Row {row} is neither in UTF-8 nor in GB 18030."),
        Text("请另存为 UTF-8 后再试。", "Save the file in UTF-8 and try again."),
        {"row": row},
    )


def _order(head: bytes) -> str:
    """UTF-16 that bears no mark, "" for what is none: in one order of bytes alone there are lines of common characters.

    Every separator and end of line has a byte NUL in UTF-16, which nothing else has that is text.
    """
    if 0 not in head or (decodes(head, "utf-8") and head.count(0) * 3 <= len(head) and not _CONTROL.search(head)):
        return ""
    plain: dict[str, int] = {}
    for order in ("utf-16-le", "utf-16-be"):
        try:
            text = codecs.getincrementaldecoder(order)().decode(head[:_LOOK])
        except UnicodeDecodeError:
            continue
        odd = len(_UNCOMMON.findall(text))
        if re.search("[\r\n]", text) and odd * 10 <= len(text):
            plain[order] = sum(sign.isascii() for sign in text)
    [(first, most), *others] = sorted(plain.items(), key=lambda each: -each[1]) or [("", 0)]
    return first if not others or most > 4 * others[0][1] else ""


def _no_order() -> Invalid:
    return Invalid(
        "publish.encoding",
        Text(
            "文件里有许多空字节（NUL），像是没有字节序标记的 UTF-16，但看不出字节序。",
            "The file holds many NUL bytes, as UTF-16 without a byte order mark does, but shows no order of bytes.",
        ),
        Text(
            "请另存为 UTF-8 后再试，或指明编码：utf-16-le 或 utf-16-be。",
            "Save the file in UTF-8 and try again, or name its encoding: utf-16-le or utf-16-be.",
        ),
    )


def decodes(data: bytes, encoding: str) -> bool:
    """Does it read as this encoding, up to a character that may be cut at its end?"""
    try:
        codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(line: bytes) -> bool:
    try:
        text = line.decode("gb18030")
    except UnicodeDecodeError:
        return False
    wide = [sign for sign in text if sign > "\x7f"]
    return sum("\u3000" <= sign <= "\u9fff" or sign >= "\uff00" for sign in wide) * 2 > len(wide)


def delimiter_of(text: str) -> str:
    """What separates the cells of a text: the character that gives most rows the same number of cells above one."""
    best, score = ",", 0.0
    for delimiter in DELIMITERS:
        widths = Counter[int]()
        try:
            for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
                if record and len(widths) < 500:
                    widths[len(record)] += 1
        except csv.Error:
            continue
        [(width, count)] = widths.most_common(1) or [(1, 0)]
        agreement = count / max(widths.total(), 1)
        if width > 1 and agreement * (1 + width / 1_000) > score:
            best, score = delimiter, agreement * (1 + width / 1_000)
    return best


def _refused(kind: Text) -> Invalid:
    return Invalid(
        "publish.format",
        Text(f"这个文件看起来是{kind.zh}，不能直接发布。", f"The file seems to be {kind.en}: it cannot be published."),
        Text(
            "请另存为 CSV、XLSX、JSON、Parquet 等表格格式后再试。",
            "Save it as a table (CSV, XLSX, JSON, Parquet …) and try again.",
        ),
    )
