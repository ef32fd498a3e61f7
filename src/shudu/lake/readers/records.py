"""JSON: an array of objects, or one object a line. Read twice, so that all fields are known before the
first record.

An object inside a record becomes columns `outer.inner`; a list stays JSON text. Numbers are taken as they are written,
so no digit passes through binary floating point; a text that looks like a number stays text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from shudu.policy.types import Invalid, Text

from .. import layout
from ..csvhead import MAX_COLUMNS
from ..csvscan import MAX_RECORD
from ..recipe import ColumnRecipe, Note, Recipe
from ..units import unit_in
from .json_stream import Decoder, Number, Stream
from .port import Batcher, Finish, Request

DEPTH = 4
Record = tuple[int, dict[str, Any] | Invalid, str]


class Records:
    """The reader of both kinds."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._fields: list[str] = []
        self._texts: set[int] = set()

    @property
    def types(self) -> Sequence[pa.DataType]:
        return [pa.string()] * len(self._fields)

    def understand(self) -> tuple[Recipe, tuple[Note, ...]]:
        seen: dict[str, None] = {}
        texts: set[str] = set()
        lists: set[str] = set()
        deep = False
        wrong: Invalid | None = None
        for count, (_, record, _) in enumerate(self._records(), 1):
            if isinstance(record, Invalid):
                wrong = wrong or record
            else:
                for name, value in flat(record):
                    seen.setdefault(name)
                    deep = deep or "." in name
                    if isinstance(value, list | dict):
                        lists.add(name)
                    if isinstance(value, list | dict) or (isinstance(value, str) and not isinstance(value, Number)):
                        texts.add(name)
                if len(seen) > MAX_COLUMNS:
                    raise _json_error(
                        "publish.columns", f"字段超过 {MAX_COLUMNS:,} 个。", f"There are over {MAX_COLUMNS:,} fields."
                    )
            if self._request.limit is not None and count >= self._request.limit:
                break
        if not seen and wrong is not None:
            raise wrong
        if not seen:
            raise _json_error("publish.empty", "没有一条记录。", "It holds no record.")
        self._fields, titles = self._arranged(seen)
        self._texts = {number for number, name in enumerate(self._fields) if name in texts}
        names, notes = layout.checked_names(titles, tolerant=self._request.reading.tolerant)
        if deep:
            said = Text("嵌套的对象展开为“外.内”列。", "Nested objects became columns “outer.inner”.")
            notes.append(Note.of("json.nested", said))
        if lists:
            said = Text("列表保留为 JSON 文本。", "Lists stay JSON text.")
            notes.append(Note.of("json.lists", said, columns=sorted(lists)))
        columns = tuple(
            ColumnRecipe(source=source[:200], name=name, unit=unit_in(name))
            for source, name in zip(titles, names, strict=True)
        )
        update = {"format": self._request.format, "columns": columns, "encoding": "utf-8"}
        return self._request.reading.recipe.model_copy(update=update), tuple(notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        batcher = Batcher(len(self._fields))
        place = {name: number for number, name in enumerate(self._fields)}
        for taken, (number, record, raw) in enumerate(self._records(), 1):
            if isinstance(record, Invalid):
                if not self._request.reading.tolerant:
                    raise record
                batcher.reject(record, [raw])
            else:
                cells: list[str | None] = [None] * len(self._fields)
                for name, value in flat(record):
                    cells[place[name]] = _text(value)
                batcher.add(number, cells)
            if batcher.ready():
                yield batcher.take()
            if self._request.limit is not None and taken >= self._request.limit:
                break
        if len(batcher):
            yield batcher.take()

    def finish(self) -> Finish:
        return Finish(texts=tuple(sorted(self._texts)))

    def _arranged(self, seen: Iterable[str]) -> tuple[list[str], list[str]]:
        """The fields in the order of their columns, and what these are called."""
        return list(seen), list(seen)

    def _records(self) -> Iterator[Record]:
        return self._lines() if self._request.format == "ndjson" else self._array()

    def _lines(self) -> Iterator[Record]:
        with self._request.path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_RECORD), b""), 1):
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                    if text.strip():
                        yield number, record(json.loads(text, cls=Decoder), number), text.strip()
                except (ValueError, RecursionError):
                    yield number, broken(number), line.decode("utf-8", "replace").strip()

    def _array(self) -> Iterator[Record]:
        """Element by element: the file is never in memory as a whole."""
        with self._request.path.open(encoding="utf-8-sig") as file:
            stream, number = Stream(file), 0
            try:
                if stream.peek() == "{":
                    yield from _only_list(stream.whole())
                    return
                for value in stream.elements():
                    number += 1
                    yield number, record(value, number), written(value)[:10_000]
                if stream.peek():
                    raise ValueError("more behind the list")
            except UnicodeDecodeError:
                raise _json_error("publish.encoding", "JSON 不是 UTF-8 编码。", "The JSON is not in UTF-8.") from None
            except (ValueError, RecursionError):
                raise broken(number + 1) from None


def flat(record: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The fields of a record, those of inner objects under `outer.inner`, down to `DEPTH`."""
    for name, value in record.items():
        if isinstance(value, dict) and value and depth < DEPTH:
            yield from flat(value, f"{prefix}{name}.", depth + 1)
        else:
            yield prefix + name, value


def _only_list(whole: Any) -> Iterator[Record]:
    """A single object is one record, unless it wraps one list of objects, as many services answer."""
    lists = [value for value in whole.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    found = lists[0] if len(lists) == 1 else [whole]
    for number, value in enumerate(found, 1):
        yield number, record(value, number), written(value)[:10_000]


def record(value: Any, number: int) -> dict[str, Any] | Invalid:
    if isinstance(value, dict):
        return value
    return Invalid(
        "row.object",
        Text(f"第 {number} 条不是对象。", f"Record {number} is no object."),
        Text("每条记录须是 {…} 形式的对象。", "Every record must be an object {…}."),
        {"row": number},
    )


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return str(value)
        case _:
            return written(value)


def written(value: Any) -> str:
    """JSON text of a value whose numbers are as they were written."""
    match value:
        case Number():
            return value
        case list():
            return f"[{', '.join(map(written, value))}]"
        case dict():
            return f"{{{', '.join(f'{json.dumps(n, ensure_ascii=False)}: {written(v)}' for n, v in value.items())}}}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def broken(number: int) -> Invalid:
    return Invalid(
        "row.json",
        Text(f"第 {number} 条不是完整的 JSON。", f"Record {number} is no whole JSON."),
        Text("请从来源重新导出；字段不可重名。", "Export it again from where it came; no field may occur twice."),
        {"row": number},
    )


def _json_error(code: str, zh: str, en: str) -> Invalid:
    return Invalid(code, Text(zh, en), Text("请核对文件后再试。", "Check the file and try again."))
