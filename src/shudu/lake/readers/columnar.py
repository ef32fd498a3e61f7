"""Parquet, Arrow IPC (Feather) and other sources of typed columns: their types stand, nothing is guessed.

What has no type in a table becomes one that has, without losing a digit: dictionaries their values, structs columns
`outer.inner`, lists and maps JSON text, times of day text, durations whole numbers of the file's unit, decimals of up
to 15 digits DOUBLE.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from shudu.policy.types import Invalid, Text

from .. import layout
from ..recipe import ColumnRecipe, Note, Recipe
from ..units import unit_in
from .port import BATCH_CELLS, Finish, Request, schema

ROWS = 65_536
_UNITS = {"s": "s", "ms": "ms", "us": "μs", "ns": "ns"}


class Columnar:
    """A reader of any stream of record batches of one schema."""

    def __init__(self, request: Request, source: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        self._request, self._source, self._batches = request, source, batches
        self._fields = list(flattened(source))

    @property
    def types(self) -> Sequence[pa.DataType]:
        return [settled(field.type) for _, field in self._fields]

    def understand(self) -> tuple[Recipe, tuple[Note, ...]]:
        if not self._fields:
            raise Invalid(
                "publish.empty",
                Text("文件没有列。", "The file has no columns."),
                Text("请核对文件后再试。", "Check the file and try again."),
            )
        names, notes = layout.checked_names([name for name, _ in self._fields], tolerant=self._request.reading.tolerant)
        columns = tuple(
            ColumnRecipe(
                source=source[:200],
                name=name,
                unit=_unit(field.type) or unit_in(name),
                type="VARCHAR" if pa.types.is_string(type_) else None,
            )
            for (source, field), name, type_ in zip(self._fields, names, self.types, strict=True)
        )
        notes += [
            _duration(each.name, each.unit)
            for each, (_, field) in zip(columns, self._fields, strict=True)
            if _unit(field.type)
        ]
        recipe = self._request.reading.recipe.model_copy(update={"format": self._request.format, "columns": columns})
        return recipe, tuple(notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        made, done = schema(self.types), 0
        for batch in self._batches:
            if self._request.limit is not None:
                batch = batch.slice(0, self._request.limit - done)
            if not batch.num_rows:
                if self._request.limit is not None:
                    return
                continue
            numbers = pa.array(range(done + 1, done + 1 + batch.num_rows), pa.int64())
            nothing = pa.nulls(batch.num_rows, pa.string())
            paths = [path for path, _ in _paths(self._source)]
            columns = [plain(column(batch, path), type_) for path, type_ in zip(paths, self.types, strict=True)]
            yield pa.RecordBatch.from_arrays([numbers, nothing, nothing, *columns], schema=made)
            done += batch.num_rows

    def finish(self) -> Finish:
        return Finish()


def open_reader(request: Request) -> Columnar:
    """Parquet or Arrow IPC, file or stream. Raises Invalid for one that is damaged."""
    try:
        if request.format == "parquet":
            file = pq.ParquetFile(request.path)
            width = max(len(file.schema_arrow), 1)
            rows = max(256, min(ROWS, BATCH_CELLS * 4 // width))
            return Columnar(request, file.schema_arrow, _guarded(file.iter_batches(batch_size=rows)))
        with request.path.open("rb") as head:
            is_file = head.read(6) == b"ARROW1"
        source = pa.OSFile(str(request.path))
        if is_file:
            opened = pa.ipc.open_file(source)
            got = (opened.get_batch(number) for number in range(opened.num_record_batches))
            return Columnar(request, opened.schema, _guarded(got))
        stream = pa.ipc.open_stream(source)
        return Columnar(request, stream.schema, _guarded(iter(stream)))
    except (pa.ArrowException, OSError):
        raise damaged() from None


def _guarded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            batch = next(batches)
            batch.validate(full=True)
        except StopIteration:
            return
        except (pa.ArrowException, OSError):
            raise damaged() from None
        for start in range(0, batch.num_rows, ROWS):
            yield batch.slice(start, ROWS)


def _paths(
    source: pa.Schema | pa.StructType, prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], pa.Field]]:
    for field in source:
        if pa.types.is_struct(field.type) and field.type.num_fields and len(prefix) < 4:
            yield from _paths(field.type, (*prefix, field.name))
        else:
            yield (*prefix, field.name), field


def flattened(source: pa.Schema) -> Iterator[tuple[str, pa.Field]]:
    """The fields, those of structs under `outer.inner`."""
    return ((".".join(path), field) for path, field in _paths(source))


def column(batch: pa.RecordBatch, path: tuple[str, ...]) -> pa.Array:
    found = batch.column(batch.schema.names.index(path[0]))
    for name in path[1:]:
        found = pc.struct_field(found, name)
    return found


def settled(type_: pa.DataType) -> pa.DataType:
    """The type a column of this type is kept as."""
    t = pa.types
    if t.is_dictionary(type_) or t.is_run_end_encoded(type_):
        return settled(type_.value_type)
    if t.is_decimal(type_):
        return pa.float64() if type_.precision <= 15 and type_.scale >= 0 else _decimal(type_)
    if t.is_uint64(type_):
        return pa.decimal128(20, 0)
    if t.is_integer(type_) or t.is_duration(type_):
        return pa.int64()
    if t.is_floating(type_):
        return pa.float64()
    if t.is_boolean(type_) or t.is_timestamp(type_):
        return type_ if not t.is_timestamp(type_) or type_.unit in ("us", "ns") else pa.timestamp("us", type_.tz)
    if t.is_date(type_):
        return pa.date32()
    if t.is_binary(type_) or t.is_large_binary(type_) or t.is_fixed_size_binary(type_) or t.is_binary_view(type_):
        return pa.binary()
    return pa.string()


def _decimal(type_: pa.DataType) -> pa.DataType:
    return pa.decimal128(type_.precision, type_.scale) if type_.precision <= 38 and type_.scale >= 0 else pa.string()


def plain(values: pa.Array, type_: pa.DataType) -> pa.Array:
    """The values as their kept type, exactly."""
    if values.type == type_:
        return values
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_time(values.type):
        return _clock(values)
    if pa.types.is_string(type_) and pa.types.is_nested(values.type):
        values = values.cast(_told(values.type))
        return pa.array([None if value is None else _as_text(value) for value in values.to_pylist()], pa.string())
    try:
        return values.cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if not pa.types.is_string(type_):
            raise damaged() from None
        return pa.array([None if value is None else _as_text(value) for value in values.to_pylist()], pa.string())


def _clock(values: pa.Array) -> pa.Array:
    """Times of day as text: 09:05:01, and as many digits behind the second as it takes, six at least."""
    if values.type.unit != "ns":
        values = values.cast(pa.time64("us"))
    text = pc.replace_substring_regex(values.cast(pa.string()), r"(\.\d{6})000$", r"\1")
    return pc.replace_substring_regex(text, r"\.0+$", "")


def _told(type_: pa.DataType) -> pa.DataType:
    """A nested type in which texts and numbers stand for what Python would cut: it knows no nanoseconds."""
    t = pa.types
    if t.is_struct(type_):
        return pa.struct([each.with_type(_told(each.type)) for each in type_])
    if t.is_map(type_):
        return pa.map_(_told(type_.key_type), _told(type_.item_type))
    if t.is_large_list(type_):
        return pa.large_list(_told(type_.value_type))
    if t.is_list(type_) or t.is_fixed_size_list(type_):
        return pa.list_(_told(type_.value_type))
    if t.is_duration(type_):
        return pa.int64()
    return pa.string() if (t.is_time(type_) or t.is_timestamp(type_)) and type_.unit == "ns" else type_


def _unit(type_: pa.DataType) -> str:
    """The unit in which a duration is kept; empty for other types."""
    inner = type_.value_type if pa.types.is_dictionary(type_) or pa.types.is_run_end_encoded(type_) else type_
    return _UNITS[inner.unit] if pa.types.is_duration(inner) else ""


def _duration(name: str, unit: str) -> Note:
    said = Text(
        f"“{name}”列是时长，读作以 {unit} 为单位的整数。", f"“{name}” holds durations, read as whole numbers of {unit}."
    )
    return Note.of("value.duration", said, column=name, unit=unit)


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict | tuple) else str(value)


def damaged() -> Invalid:
    return Invalid(
        "publish.damaged",
        Text("文件已损坏或不完整，无法读取。", "The file is damaged or incomplete and cannot be read."),
        Text("请从来源重新导出后再试。", "Export it again from where it came and try again."),
    )
