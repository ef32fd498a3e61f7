"""GeoJSON (RFC 7946): features one by one. Their properties are read as any JSON, every number as it is written: GDAL
would pass numbers through 64 bits, silently, and take a text such as 12:30 for a time of day.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from ..recipe import Note, Recipe
from . import geometry
from .columnar import damaged
from .json_stream import Number, Stream
from .port import Request, as_json, schema
from .records import Record, Records, broken, record, written

FID = "OGC_FID"  # as GDAL calls the number of a feature
GEOMETRY = "geom"
_SHAPE = "\0"  # no property can be a column of this name


class Features(Records):
    """A feature is a record: its number, its properties, and last its geometry."""

    def __init__(self, request: Request, connection: duckdb.DuckDBPyConnection, crs: str) -> None:
        super().__init__(request)
        self._connection, self._system = connection, geometry.system(request, crs)

    @property
    def types(self) -> Sequence[pa.DataType]:
        return [*super().types[:-1], pa.binary()]

    def understand(self) -> tuple[Recipe, tuple[Note, ...]]:
        recipe, notes = super().understand()
        return recipe.model_copy(update={"crs": self._system.name}), (*notes, *self._system.notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        made = schema(self.types)
        for batch in super().batches():
            numbers, said, raw, *columns, shapes = batch.columns
            shapes, valid = geometry.checked(self._connection, shapes, "ST_GeomFromGeoJSON")
            problems, cells = said.to_pylist(), raw.to_pylist()
            for at in (at for at, fine in enumerate(valid) if not fine):
                problem = geometry.invalid(numbers[at].as_py())
                if not self._request.reading.tolerant:
                    raise problem
                problems[at], cells[at] = json.dumps(as_json(problem), ensure_ascii=False), "[]"
            fixed = [numbers, pa.array(problems, pa.string()), pa.array(cells, pa.string())]
            yield pa.RecordBatch.from_arrays([*fixed, *columns, self._system.moved(shapes)], schema=made)

    def _arranged(self, seen: Iterable[str]) -> tuple[list[str], list[str]]:
        fields = [name for name in seen if name != _SHAPE]
        return [*fields, _SHAPE], [*fields, GEOMETRY if GEOMETRY not in fields else "geometry"]

    def _records(self) -> Iterator[Record]:
        with self._request.path.open(encoding="utf-8-sig") as file:
            stream, number = Stream(file), 0
            try:
                for name in stream.names():
                    if name != "features":
                        stream.value()
                        continue
                    for value in stream.elements():
                        number += 1
                        yield number, _feature(value, number), ""
            except UnicodeDecodeError:
                raise damaged() from None
            except (ValueError, RecursionError):
                raise broken(number + 1) from None


def _feature(value: Any, number: int) -> Any:
    """A feature as one record. One without a number that is its own is numbered from 0, as GDAL does."""
    properties = (value.get("properties") or {}) if isinstance(value, dict) else value
    if not isinstance(properties, dict):
        return record(properties, number)
    own, shape = value.get("id"), value.get("geometry")
    told: dict[str, Any] = {FID: own if isinstance(own, Number) else Number(number - 1)}
    if isinstance(own, str) and not isinstance(own, Number):
        told["id"] = own
    return {**told, **properties, _SHAPE: None if shape is None else written(shape)}
