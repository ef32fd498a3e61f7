"""GeoJSON (RFC 7946): features one by one. Their properties are read as any JSON, every number as it is written: GDAL
would pass numbers through 64 bits, silently, and take a text such as 12:30 for a time of day.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from shudu.policy.types import Invalid, Text

from ..recipe import Note, Recipe
from . import geometry
from .columnar import damaged
from .json_stream import Number, Stream, Twice
from .port import Finish, Request, as_json, schema
from .records import Record, Records, broken, checked, record, written

FID = "OGC_FID"  # as GDAL calls the number of a feature
GEOMETRY = "geom"
_SHAPE = "\0"  # no property can be a column of this name


class Features(Records):
    """A feature is a record: its number, its properties, and last its geometry."""

    def __init__(self, request: Request, connection: duckdb.DuckDBPyConnection, crs: str) -> None:
        super().__init__(request)
        self._connection, self._system = connection, geometry.system(request, crs)
        self._numbered = False  # has any feature a number of its own?
        self._unnumbered = 0

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
            placed = geometry.on_earth(self._connection, shapes, valid) if self._system.degrees else valid
            for at in (at for at, fine in enumerate(zip(valid, placed, strict=True)) if not all(fine)):
                wrong = geometry.nowhere if valid[at] else geometry.invalid
                problem = wrong(numbers[at].as_py())
                if not self._request.reading.tolerant:
                    raise problem
                problems[at], cells[at] = json.dumps(as_json(problem), ensure_ascii=False), "[]"
            fixed = [numbers, pa.array(problems, pa.string()), pa.array(cells, pa.string())]
            yield pa.RecordBatch.from_arrays([*fixed, *columns, self._system.moved(shapes)], schema=made)

    def finish(self) -> Finish:
        found = super().finish()
        if not (self._numbered and self._unnumbered):
            return found
        said = Text(
            f"有 {self._unnumbered} 个要素没有编号，“{FID}”列为空值。",
            f"Features without a number of their own: {self._unnumbered}. Their “{FID}” is empty.",
        )
        return Finish((*found.notes, Note.of("geometry.unnumbered", said, rows=self._unnumbered)), found.texts)

    def _arranged(self, seen: Iterable[str]) -> tuple[list[str], list[str]]:
        fields = [name for name in seen if name != _SHAPE]
        return [*fields, _SHAPE], [*fields, GEOMETRY if GEOMETRY not in fields else "geometry"]

    def _records(self) -> Iterator[Record]:
        with self._request.path.open(encoding="utf-8-sig") as file:
            stream, number = Stream(file), 0
            self._unnumbered = 0
            try:
                for name in stream.names():
                    if name != "features":
                        stream.value()
                        continue
                    for value in stream.elements():
                        number += 1
                        feature = value if isinstance(value, Twice) else self._feature(value, number)
                        yield checked(feature, number, _told(feature), flawed=stream.flawed)
            except UnicodeDecodeError:
                raise damaged() from None
            except (ValueError, RecursionError):
                raise broken(number + 1) from None

    def _feature(self, value: Any, number: int) -> Any:
        """A feature as one record. Where none has a number of its own they are numbered from 0, as GDAL does.

        Whether one has is known when all have been read once, and it is then that numbers count.
        """
        properties = (value.get("properties") or {}) if isinstance(value, dict) else value
        if not isinstance(properties, dict):
            return record(properties, number)
        own, shape = value.get("id"), value.get("geometry")
        if isinstance(own, Number):
            self._numbered = True
        else:
            self._unnumbered += 1
        counted = None if self._numbered else Number(number - 1)
        told: dict[str, Any] = {FID: own if isinstance(own, Number) else counted}
        if isinstance(own, str) and not isinstance(own, Number):
            told["id"] = own
        return {**told, **properties, _SHAPE: None if shape is None else written(shape)}


def _told(feature: Any) -> str:
    """What a feature says of itself, without its geometry."""
    if isinstance(feature, Invalid):
        return ""
    return written({name: value for name, value in feature.items() if name not in (_SHAPE, "geometry")})
