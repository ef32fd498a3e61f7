"""A layer of a map whose attributes we read ourselves, value by value, as the file declares them.

GDAL, by which the engine reads maps, changes what it cannot take, and says nothing: 2024-02-30 becomes 03-01, a blank
day 1970-01-01, a text in a column of numbers 0, a number too large for its column another one.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa

from shudu.policy.types import Invalid, Text

from .. import layout
from ..recipe import ColumnRecipe, Note, Recipe
from ..units import unit_in
from . import geometry
from .columnar import damaged
from .port import BATCH_CELLS, Finish, Request, as_json, schema

ROWS = 4_096
BYTES = 16 << 20  # of geometry
Value = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column: how the file's cells become values (ValueError for one that is none), and what such a value is called.

    The values of one that is `open` are text and decide its type.
    """

    name: str
    type: pa.DataType
    value: Value
    called: Text
    open: bool = False


@dataclass(frozen=True, slots=True)
class Feature:
    """A row of the file: its cells as they stand there, its geometry as WKB, and what is wrong with it as a whole."""

    number: int
    cells: Sequence[Any]
    shape: bytes | None = None
    problem: Invalid | None = None


class Layer(ABC):
    """Reads the features of one layer; its geometry is the last column."""

    def __init__(self, request: Request, connection: duckdb.DuckDBPyConnection, shape: str, crs: str) -> None:
        self._request, self._connection, self._shape = request, connection, shape
        self._numbered = False
        self._system = geometry.system(request, crs)
        self._attributes: Sequence[Attribute] = ()
        self._names: Sequence[str] = ()

    @abstractmethod
    def _features(self) -> Iterator[Feature]:
        """The rows. Raises ValueError or an error of the engine where the file is damaged."""

    @property
    def types(self) -> Sequence[pa.DataType]:
        return [*(each.type for each in self._attributes), pa.binary()]

    def understand(self) -> tuple[Recipe, tuple[Note, ...]]:
        sources = [*(each.name for each in self._attributes), self._shape]
        self._names, notes = layout.checked_names(sources, tolerant=self._request.reading.tolerant)
        fixed = [pa.types.is_string(each.type) and not each.open for each in self._attributes]
        columns = tuple(
            ColumnRecipe(source=source[:200], name=name, unit=unit_in(name), type="VARCHAR" if text else None)
            for source, name, text in zip(sources, self._names, [*fixed, False], strict=True)
        )
        update = {"format": self._request.format, "columns": columns, "crs": self._system.name}
        recipe = self._request.reading.recipe.model_copy(update=update)
        return recipe, (*notes, *self._system.notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        most = max(64, min(ROWS, BATCH_CELLS // (len(self._attributes) + 1)))
        taken: list[Feature] = []
        held = 0
        try:
            for feature in islice(self._features(), self._request.limit):
                taken.append(feature)
                held += len(feature.shape or b"")
                if len(taken) >= most or held > BYTES:
                    yield self._batch(taken)
                    taken, held = [], 0
            if taken:
                yield self._batch(taken)
        except (duckdb.Error, ValueError):
            raise damaged() from None

    def finish(self) -> Finish:
        return Finish()

    def _batch(self, features: Sequence[Feature]) -> pa.RecordBatch:
        given = pa.array([each.shape for each in features], pa.binary())
        shapes, valid = geometry.checked(self._connection, given, "ST_GeomFromWKB")
        problems: list[str | None] = []
        raw: list[str | None] = []
        rows: list[Sequence[Any]] = []
        nothing = (None,) * len(self._attributes)
        placed = geometry.on_earth(self._connection, shapes, valid) if self._system.degrees else valid
        for feature, fine, there in zip(features, valid, placed, strict=True):
            values, problem = (nothing, feature.problem) if feature.problem else self._values(feature)
            if problem is None and not (fine and there):
                problem = geometry.nowhere(feature.number) if fine else geometry.invalid(feature.number)
            if problem is not None and not (self._request.reading.tolerant or problem.code.startswith("row.aside")):
                raise problem
            rows.append(values)
            problems.append(_json(as_json(problem)) if problem else None)
            raw.append(_json([_written(cell) for cell in feature.cells]) if problem else None)
        columns = list(zip(*rows, strict=True)) or [()] * len(nothing)
        return pa.RecordBatch.from_arrays(
            [
                pa.array([each.number for each in features], pa.int64()),
                pa.array(problems, pa.string()),
                pa.array(raw, pa.string()),
                *(pa.array(column, each.type) for column, each in zip(columns, self._attributes, strict=True)),
                self._system.moved(shapes),
            ],
            schema=schema(self.types),
        )

    def _values(self, feature: Feature) -> tuple[Sequence[Any], Invalid | None]:
        values: list[Any] = []
        for at, (cell, each) in enumerate(zip(feature.cells, self._attributes, strict=True)):
            try:
                values.append(None if cell is None else each.value(cell))
            except (ValueError, ArithmeticError):
                problem = _no_value(feature.number, self._names[at], each.called)
                return (None,) * len(self._attributes), problem
        return values, None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _written(cell: Any) -> str | None:
    """A cell as its owner sees it again among the rows put aside."""
    if cell is None:
        return None
    text = cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
    return text.encode("utf-8", "replace").decode()


def _no_value(row: int, column: str, called: Text) -> Invalid:
    return Invalid(
        "row.value",
        Text(f"第 {row} 行“{column}”列的值不是{called.zh}。", f"Row {row}: the value of “{column}” is no {called.en}."),
        Text("请在来源软件中改正该值或清空。", "Correct that value where it came from, or empty it."),
        {"row": row, "column": column},
    )
