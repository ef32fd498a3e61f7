"""What an OLE compound file holds, by the names in its directory (MS-CFB): a workbook, a document, or one under lock.

Only names are read: which program made the file, and whether a password guards it, is told before a parser sees it.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from shudu.policy.types import Invalid, Text

_END = 0xFFFFFFFA  # sector numbers from here on mean something else
_MOST = 4_096  # directory sectors; a workbook has a handful of entries


def names(path: Path) -> frozenset[str]:
    """The names of the streams and storages of a compound file; empty for one that is damaged."""
    with path.open("rb") as file:
        try:
            return frozenset(_names(file))
        except (struct.error, IndexError, UnicodeDecodeError):
            return frozenset()


def _names(file: BinaryIO) -> set[str]:
    head = file.read(512)
    shift = struct.unpack_from("<H", head, 30)[0]
    if shift not in (9, 12):
        return set()
    size, per = 1 << shift, (1 << shift) // 4
    tables = struct.unpack_from("<109I", head, 76)
    found: set[str] = set()
    sector, seen = struct.unpack_from("<I", head, 48)[0], set[int]()
    while sector < _END and sector not in seen and len(seen) < _MOST:
        seen.add(sector)
        file.seek((sector + 1) * size)
        content = file.read(size)
        for at in range(0, len(content) - 127, 128):
            length = struct.unpack_from("<H", content, at + 64)[0]
            if 2 <= length <= 64:
                found.add(content[at : at + length - 2].decode("utf-16-le"))
        table = tables[sector // per] if sector // per < len(tables) else _END
        if table >= _END:
            break
        file.seek((table + 1) * size + sector % per * 4)
        sector = struct.unpack("<I", file.read(4))[0]
    return found


def check(path: Path) -> None:
    """Raise Invalid, in words, for a compound file that is no workbook one can read."""
    found = names(path)
    if "EncryptedPackage" in found:
        raise protected()
    if "Workbook" in found:
        return
    if "Book" in found:
        raise _other(
            "这是 Excel 5.0/95 的工作簿，其中的中文无法可靠读取。",
            "This is a workbook of Excel 5.0 or 95, whose Chinese text cannot be read reliably.",
        )
    for name, zh, en in _OTHERS:
        if name in found:
            raise _other(f"这是{zh}，不是表格。", f"This is {en}, no spreadsheet.")


_OTHERS = (
    ("WordDocument", "旧版 Word 文档", "an old Word document"),
    ("PowerPoint Document", "旧版 PowerPoint 演示文稿", "an old PowerPoint presentation"),
    ("__properties_version1.0", "Outlook 邮件", "an Outlook message"),
)


def protected() -> Invalid:
    """The one wording for a workbook under a password."""
    return Invalid(
        "publish.password",
        Text("工作簿有密码保护。", "The workbook is protected by a password."),
        Text(
            "请在表格软件中打开，去掉密码后另存再试。",
            "Open it in a spreadsheet program, save it without the password and try again.",
        ),
    )


def _other(zh: str, en: str) -> Invalid:
    return Invalid(
        "publish.format",
        Text(zh, en),
        Text("请另存为 XLSX 或 CSV 后再试。", "Save it as XLSX or CSV and try again."),
    )
