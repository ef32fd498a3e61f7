"""What readers of maps share: the coordinate system, coordinates that were moved, geometry that is not valid."""

# ruff: noqa: S608 - the only name in the SQL is that of one of two functions

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from shudu.policy.types import Invalid, Text

from .. import geodesy
from ..recipe import Note
from .port import Request

_DEGREES = frozenset(("EPSG:4326", "EPSG:4490", "EPSG:4979", "OGC:CRS84", "CRS:84"))


@dataclass(frozen=True, slots=True)
class System:
    """The coordinate system a file's geometry is kept in, what is worth saying of it, and where it was moved from."""

    name: str
    notes: tuple[Note, ...]
    moved_from: str

    @property
    def degrees(self) -> bool:
        """Are its coordinates longitude and latitude?"""
        return self.name in _DEGREES

    def moved(self, shapes: pa.Array) -> pa.Array:
        """Geometry (WKB) in this system. Raises ValueError for bytes that are no geometry."""
        if not self.moved_from:
            return shapes
        there = shapes.to_pylist()
        return pa.array([None if one is None else geodesy.moved(one, self.moved_from) for one in there], pa.binary())


def system(request: Request, declared: str) -> System:
    """Of a file that declares `declared` ("" for none), as its recipe tells it. Raises Invalid for a wrong recipe."""
    recipe = request.reading.recipe
    if recipe.moved_from:
        if recipe.moved_from not in geodesy.SHIFTED:
            raise Invalid(
                "publish.recipe",
                Text("配方中的 moved_from 须是 GCJ-02 或 BD-09。", "The recipe's moved_from is GCJ-02 or BD-09."),
                Text("CGCS2000 与 WGS-84 不需换算。", "CGCS2000 and WGS-84 need no conversion."),
            )
        words = Text(
            f"坐标由 {recipe.moved_from} 换算为 CGCS2000（EPSG:4490）。",
            f"Coordinates were converted from {recipe.moved_from} to CGCS2000 (EPSG:4490).",
        )
        return System("EPSG:4490", (Note.of("geometry.moved", words),), recipe.moved_from)
    if crs := (recipe.crs or declared)[:40]:
        words = Text(f"坐标系：{crs}。", f"Coordinate system: {crs}.")
        return System(crs, (Note.of("geometry.crs", words),), "")
    words = Text(
        "文件没有声明坐标系；请在配方中写明 crs，或 moved_from（GCJ-02、BD-09）。",
        "The file declares no coordinate system: name it in a recipe (crs, or moved_from if it is shifted).",
    )
    return System("", (Note.of("geometry.undeclared", words),), "")


def checked(connection: duckdb.DuckDBPyConnection, shapes: pa.Array, parse: str) -> tuple[pa.Array, list[bool]]:
    """Geometry as WKB, and of each whether there is nothing wrong with it. `parse` is the engine's function for it."""
    connection.register("shapes", pa.table({"number": range(len(shapes)), "given": shapes}))
    found = connection.execute(
        "SELECT ST_AsWKB(shape) AS wkb, given IS NULL OR coalesce(ST_IsValid(shape), false) AS valid"
        f" FROM (SELECT number, given, TRY({parse}(given)) AS shape FROM shapes) ORDER BY number"
    ).to_arrow_table()
    connection.unregister("shapes")
    return found["wkb"].combine_chunks().cast(pa.binary()), found["valid"].to_pylist()


def on_earth(connection: duckdb.DuckDBPyConnection, shapes: pa.Array, valid: list[bool]) -> list[bool]:
    """Of each geometry (WKB) in degrees, whether its longitudes and latitudes are any; true of what is not valid."""
    # Bytes that are no geometry can bring the engine down where it measures them.
    sound = pc.if_else(pa.array(valid), shapes, pa.scalar(None, pa.binary()))
    connection.register("placed", pa.table({"number": range(len(shapes)), "wkb": sound}))
    found = connection.execute(
        # A tenth of a metre is left to those who rounded at the edge of the map.
        "SELECT coalesce(greatest(-ST_XMin(shape), ST_XMax(shape)) <= 180.000001"
        " AND greatest(-ST_YMin(shape), ST_YMax(shape)) <= 90.000001, true)"
        " FROM (SELECT number, ST_GeomFromWKB(wkb) AS shape FROM placed) ORDER BY number"
    ).fetchall()
    connection.unregister("placed")
    return [fine for (fine,) in found]


def nowhere(row: int) -> Invalid:
    return Invalid(
        "row.coordinates",
        Text(
            f"第 {row} 个图形的坐标不在经纬度范围内。",
            f"The coordinates of geometry {row} are no longitude and latitude.",
        ),
        Text(
            "请核对次序（经度在前，纬度在后）；不是经纬度的，请在配方中写明 crs。",
            "Check their order (longitude first); if they are of another system, name it in a recipe (crs).",
        ),
        {"row": row},
    )


def invalid(row: int) -> Invalid:
    return Invalid(
        "row.geometry",
        Text(f"第 {row} 个图形无效（如自相交）。", f"The geometry of row {row} is not valid (it may cross itself)."),
        Text("请在地图软件中修复该图形。", "Repair it in a map program."),
        {"row": row},
    )
