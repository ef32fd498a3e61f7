"""Maps: GeoJSON, GeoPackage and shapefiles. What a file holds and its geometry are told by the engine's spatial
extension, attributes are read without it. Geometry is kept as WKB (ISO 19125).

The coordinate system the file declares is recorded. Coordinates that a recipe declares to be GCJ-02 or BD-09
(`moved_from`) are converted by our own formulas (`geodesy`).
"""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from ..coltypes import literal
from ..engine import extension
from .columnar import damaged
from .features import Features
from .geopackage import GeoPackage
from .port import Request
from .shapefile import Shapefile
from .workbook import choose


def open_reader(request: Request) -> Shapefile | GeoPackage | Features:
    """Raises Invalid for a file that is damaged, or has several layers of which none was chosen."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": "512MB", "threads": "1", "temp_directory": "", "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )  # fmt: skip
    try:
        connection.execute(f"LOAD {literal(str(extension('spatial')))}")
        beside = request.path.with_suffix(".dbf")
        path = _linked(request)
        request = replace(request, path=path)
        layers = connection.execute(f"SELECT unnest(layers) FROM ST_Read_Meta({literal(str(path))})").fetchall()
        found = {layer[0]["name"]: layer[0] for layer in layers}
        asked = request.reading.table if request.format != "shapefile" else ""
        if asked and asked not in found:
            zh, en = f"没有名为“{asked}”的图层。", f"There is no layer “{asked}”."
            raise choose("图层", "layer", list(found), zh, en)
        if not asked and len(found) > 1:
            zh, en = f"文件有 {len(found)} 个图层，请选一个。", f"The file has {len(found)} layers: choose one."
            raise choose("图层", "layer", list(found), zh, en)
        name = asked or next(iter(found), "")
        shapes = found[name]["geometry_fields"] if name in found else []
        crs = _crs(shapes)
        if request.format == "geojson":
            return Features(request, connection, crs)
        if not shapes:
            raise damaged()
        if request.format == "gpkg":
            return GeoPackage(request, connection, name, shapes[0]["name"], crs, told=len(found) > 1)
        return Shapefile(request, connection, crs, beside)
    except duckdb.Error:
        raise damaged() from None


def _linked(request: Request) -> Path:
    """The file under a name by which GDAL knows its driver: the name it has here is not told by its content.

    Of a shapefile without its attributes: GDAL fails at names of columns that are not in UTF-8.
    """
    suffixes = {"geojson": (".geojson",), "gpkg": (".gpkg",), "shapefile": (".shp", ".shx", ".prj")}[request.format]
    for suffix in suffixes:
        source = request.path.with_suffix(suffix) if request.format == "shapefile" else request.path
        if source.exists():
            (request.work / f"map{suffix}").symlink_to(source)
    return request.work / f"map{suffixes[0]}"


def _crs(fields: list[dict[str, Any]]) -> str:
    crs = fields[0].get("crs") if fields else None
    if not crs or not crs.get("auth_code"):
        return ""
    return f"{crs['auth_name']}:{crs['auth_code']}"
