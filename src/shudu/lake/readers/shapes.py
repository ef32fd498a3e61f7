"""Maps: GeoJSON, GeoPackage and shapefiles, by the engine's spatial extension. Geometry is kept as WKB (ISO 19125).

The coordinate system the file declares is recorded. Coordinates that a recipe declares to be GCJ-02 or BD-09
(`moved_from`) are converted by our own formulas (`geodesy`).
"""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa

from shudu.policy.types import Text

from ..coltypes import literal, quoted
from ..engine import extension
from ..recipe import Note, Recipe
from . import geometry
from .columnar import Columnar, damaged, plain
from .features import Features
from .port import Finish, Request, as_json, schema
from .workbook import choose

GEOMETRY = "geometry"
_DRIVERS = {"gpkg": "GPKG", "shapefile": "ESRI Shapefile"}


class Shapes(Columnar):
    """Attributes, typed by the file, and the geometry of each row."""

    def __init__(self, request: Request, connection: duckdb.DuckDBPyConnection, layer: str, crs: str) -> None:
        self._connection, self._layer, self._system = connection, layer, geometry.system(request, crs)
        options = f"layer = {literal(layer)}, " if layer else ""
        table = f"ST_Read({literal(str(request.path))}, {options}allowed_drivers = ['{_DRIVERS[request.format]}'])"
        described = connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
        shapes = [row[0] for row in described if row[1].startswith("GEOMETRY")]
        if not shapes:
            raise damaged()
        chosen = ", ".join(
            f"ST_AsWKB({quoted(name)}) AS {quoted(name)}" if name in shapes else quoted(name)
            for name in (row[0] for row in described)
        )
        checks = " AND ".join(f"coalesce(ST_IsValid({quoted(name)}), true)" for name in shapes)
        reader = connection.execute(f"SELECT {checks} AS ok, {chosen} FROM {table}").to_arrow_reader(4_096)
        self._at = [row[0] for row in described].index(shapes[0])
        super().__init__(request, pa.schema(list(reader.schema)[1:]), iter(reader))

    def understand(self) -> tuple[Recipe, tuple[Note, ...]]:
        recipe, notes = super().understand()
        said = [*notes, *self._system.notes]
        if self._layer:
            said.append(
                Note.of("geometry.layer", Text(f"读取图层“{self._layer}”。", f"The layer “{self._layer}” was read."))
            )
        return recipe.model_copy(update={"crs": self._system.name, "table": self._layer[:200]}), tuple(said)

    def batches(self) -> Iterator[pa.RecordBatch]:
        made, done = schema(self.types), 0
        try:
            for batch in self._batches:
                valid = batch.column(0).to_pylist()
                columns = [plain(batch.column(n + 1), type_) for n, type_ in enumerate(self.types)]
                columns[self._at] = self._system.moved(columns[self._at])
                problems: list[str | None] = []
                for number, ok in enumerate(valid, done + 1):
                    problem = None if ok else geometry.invalid(number)
                    if problem is not None and not self._request.reading.tolerant:
                        raise problem
                    problems.append(json.dumps(as_json(problem), ensure_ascii=False) if problem else None)
                raw = [None if each is None else "[]" for each in problems]
                numbers = pa.array(range(done + 1, done + 1 + len(valid)), pa.int64())
                fixed: list[Any] = [numbers, pa.array(problems, pa.string()), pa.array(raw, pa.string())]
                yield pa.RecordBatch.from_arrays([*fixed, *columns], schema=made)
                done += len(valid)
                if self._request.limit is not None and done >= self._request.limit:
                    return
        except (duckdb.Error, ValueError):
            raise damaged() from None

    def finish(self) -> Finish:
        return Finish()


def open_reader(request: Request) -> Shapes | Features:
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
        # The driver is told by the content, not by the name under which the file lies here.
        suffix = {"geojson": ".geojson", "gpkg": ".gpkg", "shapefile": ".shp"}[request.format]
        path = request.path
        if request.path.suffix != suffix:
            path = request.work / f"map{suffix}"
            path.symlink_to(request.path)
        request = replace(request, path=path)
        layers = connection.execute(f"SELECT unnest(layers) FROM ST_Read_Meta({literal(str(path))})").fetchall()
        found = {layer[0]["name"]: layer[0] for layer in layers}
        asked = request.reading.table
        if asked and asked not in found:
            zh, en = f"没有名为“{asked}”的图层。", f"There is no layer “{asked}”."
            raise choose("图层", "layer", list(found), zh, en)
        if not asked and len(found) > 1:
            zh, en = f"文件有 {len(found)} 个图层，请选一个。", f"The file has {len(found)} layers: choose one."
            raise choose("图层", "layer", list(found), zh, en)
        name = asked or next(iter(found), "")
        fields = found[name]["geometry_fields"] if name in found else []
        if request.format == "geojson":
            return Features(request, connection, _crs(fields))
        return Shapes(request, connection, name if len(found) > 1 else "", _crs(fields))
    except duckdb.Error:
        raise damaged() from None


def _crs(fields: list[dict[str, Any]]) -> str:
    crs = fields[0].get("crs") if fields else None
    if not crs or not crs.get("auth_code"):
        return ""
    return f"{crs['auth_name']}:{crs['auth_code']}"
