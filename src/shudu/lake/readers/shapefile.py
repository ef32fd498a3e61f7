"""Shapefiles: geometry by the engine's spatial extension, the dBASE table beside it by our own reader."""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

import codecs
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from shudu.policy.types import Invalid, Text

from ..coltypes import literal, quoted
from ..formats import HEAD_BYTES, decodes
from ..recipe import Note, Recipe
from .dbf import Dbf
from .features import FID, GEOMETRY
from .layer import Attribute, Feature, Layer
from .port import Request

_INT64_DIGITS = 18  # that any number of so many digits fits
_CHINESE = ("gbk", "gb2312", "cp936", "936")


class Shapefile(Layer):
    """Its features. The engine reads the request's file without attributes; `beside` holds those, if it exists."""

    def __init__(self, request: Request, connection: duckdb.DuckDBPyConnection, crs: str, beside: Path) -> None:
        super().__init__(request, connection, GEOMETRY, crs)
        self._numbered = True
        self._dbf = _attributes(request, beside) if beside.exists() else None

    def understand(self) -> tuple[Recipe, tuple[Note, ...]]:
        own = Attribute(FID, pa.int64(), int, Text("整数", "whole number"))
        if self._dbf is None:
            self._attributes = [own]
            return super().understand()
        described, notes = self._dbf.understand()
        if (shapes := (self._request.path.with_suffix(".shx").stat().st_size - 100) // 8) != self._dbf.count:
            raise _unequal(shapes, self._dbf.count)
        there = [_attribute(*field) for field in self._dbf.fields]
        taken = {each.name.lower() for each in there}
        self._numbered = FID.lower() not in taken
        self._attributes = [own, *there] if self._numbered else there
        self._shape = GEOMETRY if GEOMETRY not in taken else "geometry"
        recipe, more = super().understand()
        memos = [note for note in notes if note.code == "dbf.memo"]
        return recipe.model_copy(update={"encoding": described.encoding}), (*memos, *more)

    def _features(self) -> Iterator[Feature]:
        if self._dbf is None:
            yield from (Feature(at + 1, [at], shape) for at, shape in self._shapes())
            return
        for (number, cells, problem), (at, shape) in zip(self._dbf.records(), self._shapes(), strict=True):
            yield Feature(number, [at, *cells] if self._numbered else cells, shape, problem)

    def _shapes(self) -> Iterator[tuple[int, bytes | None]]:
        table = f"ST_Read({literal(str(self._request.path))}, allowed_drivers = ['ESRI Shapefile'])"
        query = f"SELECT {quoted(FID)}, ST_AsWKB({quoted(GEOMETRY)}) FROM {table}"
        for batch in self._connection.cursor().execute(query).to_arrow_reader(4_096):
            yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)


def _attributes(request: Request, path: Path) -> Dbf:
    """The table of attributes, in the encoding that is told, declared beside it or in it, or found out."""
    recipe, page = request.reading.recipe, path.with_suffix(".cpg")
    encoding = recipe.encoding or (_declared(page.read_bytes()[:40]) if page.exists() else "")
    if not encoding:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        # 0 and 0x57 say that it is the encoding of some machine.
        undeclared = len(head) > 29 and head[29] in (0, 0x57)
        encoding = ("utf-8" if decodes(head[32:], "utf-8") else "gb18030") if undeclared else ""
    told = request.reading.model_copy(update={"recipe": recipe.model_copy(update={"encoding": encoding})})
    return Dbf(replace(request, path=path, reading=told), starred=True)


def _declared(said: bytes) -> str:
    """The encoding a .cpg file names, "" for one that Python does not know."""
    name = said.decode("ascii", "replace").strip().lower().removeprefix("ansi ")
    try:
        return "gb18030" if name in _CHINESE else codecs.lookup(name if not name.isdigit() else f"cp{name}").name
    except LookupError:
        return ""


def _attribute(name: str, kind: str, width: int, decimals: int) -> Attribute:
    match kind:
        case "I" | "N" | "F" if kind == "I" or (not decimals and width <= _INT64_DIGITS):
            return Attribute(name, pa.int64(), _whole, Text("整数", "whole number"))
        case "B" | "N" | "F" if decimals or kind == "B":
            return Attribute(name, pa.float64(), _number, Text("数", "number"))
        case "D":
            return Attribute(name, pa.date32(), date.fromisoformat, Text("历法中有的日期", "day of the calendar"))
        case "L":
            return Attribute(name, pa.bool_(), {"true": True, "false": False}.__getitem__, Text("真假", "truth"))
    return Attribute(name, pa.string(), str, Text("文字", "text"), open=kind != "C")


def _whole(cell: str) -> int:
    number = Decimal(cell)
    if number != int(number):
        raise ValueError("no whole number")
    return int(number)


def _number(cell: str) -> float:
    if math.isinf(number := float(cell)):
        raise ValueError("no number that binary64 holds")
    return number


def _unequal(shapes: int, rows: int) -> Invalid:
    return Invalid(
        "publish.damaged",
        Text(
            f"图形有 {shapes} 个，属性表却有 {rows} 行。", f"There are {shapes} shapes, but {rows} rows of attributes."
        ),
        Text("请从来源重新导出整套文件后再试。", "Export all of its files again from where they came and try again."),
    )
