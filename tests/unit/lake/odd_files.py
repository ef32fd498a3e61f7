"""Broken and odd files, each made by a few lines: what people bring, and what nobody should."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import struct
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from shudu.lake.engine import extension


def book(
    *sheets: tuple[str, Sequence[Sequence[Any]]],
    merged: Sequence[str] = (),
    hidden: Sequence[str] = (),
    formats: Mapping[str, str] | None = None,
    formulas: bool = True,
) -> bytes:
    """`hidden` are sheets, and of the first one columns (B) and rows (3); `formats` are those of its columns; without
    `formulas` a text that begins like one is a text."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets:
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    for cell in [cell for sheet in made if not formulas for row in sheet for cell in row if cell.data_type == "f"]:
        cell.data_type = "s"
    first = made.worksheets[0]
    for column, format_ in (formats or {}).items():
        for cell in first[column][1:]:
            cell.number_format = format_
    for one in hidden:
        if one.isdigit():
            first.row_dimensions[int(one)].hidden = True
        elif one not in made.sheetnames:
            first.column_dimensions[one].hidden = True
    for span in merged:
        made.worksheets[0].merge_cells(span)
    sink = io.BytesIO()
    made.save(sink)
    return sink.getvalue()


def computed(content: bytes, value: str, kind: str = "n") -> bytes:
    """A workbook whose formulas were computed, all to this value."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    cell = rf'\g<1> t="{kind}"\g<2><v>{value}</v>'.encode()
    parts[sheet], changed = re.subn(rb'(<c r="[A-Z]+[0-9]+")([^>]*><f>[^<]*</f>)<v ?/>', cell, parts[sheet])
    assert changed
    return zipped(parts)


def zipped(files: dict[str, bytes], base: bytes = b"") -> bytes:
    sink = io.BytesIO(base)
    with zipfile.ZipFile(sink, "a" if base else "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def linked() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        info = zipfile.ZipInfo("a.csv")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return sink.getvalue()


def locked() -> bytes:
    data = bytearray(zipped({"a.csv": b"a,b\n1,2\n"}))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + at] |= 1
    return bytes(data)


def sheet_bomb() -> bytes:
    """A workbook whose sheet unpacks to a thousand times its size."""
    return zipped({"xl/worksheets/sheet2.xml": b" " * (200 << 20)}, book(("a", [("no",), (1,)])))


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def arrow(table: pa.Table, *, stream: bool = False) -> bytes:
    sink = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def sqlite(*statements: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
        return path.read_bytes()


def changed(file: bytes, *statements: str) -> bytes:
    """A GeoPackage with its layer 图 changed behind the back of the writers that would not write this."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.gpkg"
        path.write_bytes(file)
        connection = sqlite3.connect(path)
        for name in ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):  # of its triggers
            connection.create_function(name, 1, lambda _: 0)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
        return path.read_bytes()


def geopackage(select: str, *statements: str) -> bytes:
    """A GeoPackage of a layer 图 with a point in each row of `select`, changed by the statements."""
    shape = "ST_Point(104.06, 30.67) AS geom"
    return changed(drawn("GPKG", ".gpkg", f"SELECT *, {shape} FROM ({select})")["图.gpkg"], *statements)


def shapefile(
    fields: Sequence[tuple[str, str, int]],
    rows: Sequence[bytes],
    *,
    page: int = 0x4D,
    cpg: bytes = b"",
    shapes: int = -1,
) -> bytes:
    """A zipped shapefile of points whose attributes are a DBF of ours."""
    count = len(rows) if shapes < 0 else shapes
    files = drawn("ESRI Shapefile", ".shp", f"SELECT 1 AS n, ST_Point(104.06, 30.67) AS geom FROM range({count})")
    files["图.dbf"] = dbf(fields, rows, page=page)
    files["图.cpg"] = cpg
    return zipped({name: content for name, content in files.items() if content})


def dbf(fields: Sequence[tuple[str, str, int]], rows: Sequence[bytes], *, page: int = 0x4D, count: int = -1) -> bytes:
    described = b"".join(
        name.encode("gbk").ljust(11, b"\0") + kind.encode() + bytes(4) + bytes([width]) + bytes(15)
        for name, kind, width in fields
    )
    start, length = 32 + len(described) + 1, 1 + sum(width for _, _, width in fields)
    number = len(rows) if count < 0 else count
    head = struct.pack("<BBBBIHH", 3, 124, 3, 5, number, start, length) + bytes(17) + bytes([page]) + bytes(2)
    return head + described + b"\r" + b"".join(rows) + b"\x1a"


def dbf_row(fields: Sequence[tuple[str, str, int]], values: Sequence[Any]) -> bytes:
    """A row as dBASE writes it: text to the left in GB 18030, numbers to the right, days as digits."""
    made = b" "
    for (_, kind, width), value in zip(fields, values, strict=True):
        if value is None:
            cell = b"?" if kind == "L" else b""
        elif kind == "L":
            cell = b"T" if value else b"F"
        else:
            cell = (f"{value:%Y%m%d}".rjust(8, "0") if kind == "D" else str(value)).encode("gb18030")
        made += cell.rjust(width) if kind == "N" else cell.ljust(width)
        assert len(cell) <= width
    return made


def collection(*features: tuple[Any, dict[str, Any]], crs: str = "") -> bytes:
    made: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": shape, "properties": fields} for shape, fields in features],
    }
    if crs:
        made["crs"] = {"type": "name", "properties": {"name": crs}}
    return json.dumps(made, ensure_ascii=False).encode()


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [lon, lat]}


def drawn(
    driver: str, suffix: str, select: str, crs: str = "EPSG:4490", *, given: pa.Table | None = None
) -> dict[str, bytes]:
    """Files that the spatial extension writes, by name; `select` may take rows from the table `given`."""
    with tempfile.TemporaryDirectory() as folder:
        connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
        connection.execute(f"LOAD '{extension('spatial')}'")
        if given is not None:
            connection.register("given", given)
        target = Path(folder) / f"图{suffix}"
        utf8 = ", LAYER_CREATION_OPTIONS 'ENCODING=UTF-8'" if suffix == ".shp" else ""
        connection.execute(f"COPY ({select}) TO '{target}' WITH (FORMAT gdal, DRIVER '{driver}', SRS '{crs}'{utf8})")
        connection.close()
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}
