"""GeoPackage (OGC 12-128r18): a SQLite file with the geometry of each row in a column of bytes.

SQLite types cells, not columns, so that each cell is held against what its column is declared to be.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import duckdb
import pyarrow as pa

from shudu.policy.types import Text

from ..coltypes import quoted
from ..recipe import Note, Recipe
from . import database
from .columnar import damaged
from .features import FID
from .layer import Attribute, Feature, Layer, Value
from .port import Request

_ENVELOPES = (0, 32, 48, 48, 64)  # bytes of the bounding box, by its code in the flags
_DAY = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})")
_MOMENT = re.compile(_DAY.pattern + r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d*))?)?\s?(?:Z|([+-]\d\d):?(\d\d))?)?", re.I)


class GeoPackage(Layer):
    """The rows of one layer, whose geometry is in the column `shape`; `told` is whether others were there to choose."""

    def __init__(
        self, request: Request, connection: duckdb.DuckDBPyConnection, layer: str, shape: str, crs: str, *, told: bool
    ) -> None:
        super().__init__(request, connection, shape, crs)
        self._layer, self._told = layer, told
        self._file = database.opened(request.path)
        # Text and bytes are told apart, and text that is no UTF-8 is found where it stands.
        self._file.text_factory = lambda data: data.decode("utf-8", "surrogateescape")

    def understand(self) -> tuple[Recipe, tuple[Note, ...]]:
        try:
            described = self._file.execute(f"PRAGMA table_info({quoted(self._layer)})").fetchall()
        except sqlite3.Error:
            raise damaged() from None
        there = [(name, declared.upper().partition("(")[0].strip()) for _, name, declared, *_ in described]
        if self._shape not in dict(there):
            raise damaged()
        self._attributes = [_attribute(name, declared) for name, declared in there if name != self._shape]
        # What has no key of its own is numbered, as features are elsewhere.
        self._numbered = not any(key for *_, key in described) and FID.lower() not in (n.lower() for n, _ in there)
        if self._numbered:
            self._attributes = [Attribute(FID, *_WHOLE), *self._attributes]
        recipe, notes = super().understand()
        if not self._told:
            return recipe, notes
        said = Text(f"读取图层“{self._layer}”。", f"The layer “{self._layer}” was read.")
        return recipe.model_copy(update={"table": self._layer[:200]}), (*notes, Note.of("geometry.layer", said))

    def _features(self) -> Iterator[Feature]:
        names = [each.name for each in self._attributes[self._numbered :]]
        columns = ", ".join(map(quoted, [*names, self._shape]))
        try:
            rows = self._file.execute(f"SELECT {columns} FROM {quoted(self._layer)}")  # noqa: S608 - quoted
            for number, (*cells, shape) in enumerate(rows, 1):
                wkb = None if shape is None else _wkb(shape)
                yield Feature(number, [number - 1, *cells] if self._numbered else cells, wkb)
        except sqlite3.Error:
            raise damaged() from None


def _attribute(name: str, declared: str) -> Attribute:
    known = _KINDS.get(declared)
    return Attribute(name, *(known or _TEXT), open=known is None)


def _wkb(cell: Any) -> bytes:
    """The geometry of a GeoPackageBinary cell (2.1.3); what is none is left as it is, and is then not valid."""
    if not isinstance(cell, bytes) or len(cell) < 8 or cell[:2] != b"GP":
        return b""
    envelope = cell[3] >> 1 & 7
    return cell[8 + _ENVELOPES[envelope] :] if envelope < len(_ENVELOPES) else b""


def _whole(cell: Any) -> int:
    if not isinstance(cell, int | float) or cell != int(cell) or not -(2**63) <= cell < 2**63:
        raise ValueError("no whole number")
    return int(cell)


def _number(cell: Any) -> float:
    if not isinstance(cell, int | float) or float(cell) != cell:
        raise ValueError("no number")
    return float(cell)


def _truth(cell: Any) -> bool:
    if cell not in (0, 1):
        raise ValueError("no truth")
    return bool(cell)


def _day(cell: Any) -> date:
    moment = _moment(cell)
    if moment.time() != datetime.min.time():
        raise ValueError("more than a day")
    return moment.date()


def _moment(cell: Any) -> datetime:
    """In UTC, which is what a moment without a zone is in."""
    found = _MOMENT.fullmatch(cell) if isinstance(cell, str) else None
    if found is None:
        raise ValueError("no moment")
    *parts, fraction, hours, minutes = found.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    micro = int((fraction or "").ljust(6, "0")[:6])
    offset = timedelta(hours=int(hours), minutes=int(f"{hours[0]}{minutes}")) if hours else timedelta()
    return datetime(year, month, day, hour, minute, second, micro, timezone(offset)).astimezone(UTC)


def _text(cell: Any) -> str:
    if isinstance(cell, bytes):
        return cell.decode("utf-8")
    if isinstance(cell, float):
        return repr(cell)
    text = str(cell)
    text.encode("utf-8")  # fails for what was no UTF-8 in the file
    return text


def _bytes(cell: Any) -> bytes:
    if not isinstance(cell, bytes | str):
        raise ValueError("no bytes")
    return cell if isinstance(cell, bytes) else cell.encode("utf-8", "surrogateescape")


# Table 1 of the standard.
_Kind = tuple[pa.DataType, Value, Text]
_WHOLE: _Kind = (pa.int64(), _whole, Text("整数", "whole number"))
_NUMBER: _Kind = (pa.float64(), _number, Text("数", "number"))
_TEXT: _Kind = (pa.string(), _text, Text("文字（UTF-8）", "text in UTF-8"))
_KINDS: dict[str, _Kind] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER"), _WHOLE),
    **dict.fromkeys(("FLOAT", "DOUBLE", "REAL"), _NUMBER),
    "TEXT": _TEXT,
    "BOOLEAN": (pa.bool_(), _truth, Text("真假（0 或 1）", "truth (0 or 1)")),
    "DATE": (pa.date32(), _day, Text("历法中有的日期", "day of the calendar")),
    "DATETIME": (pa.timestamp("us", "UTC"), _moment, Text("历法中有的时刻", "moment of the calendar")),
    "BLOB": (pa.binary(), _bytes, Text("字节", "series of bytes")),
}
