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
from .json_stream import NoNumber, Number, Stream, Twice, decoded
from .port import Batcher, Finish, Request

DEPTH = 4
Record = tuple[int, dict[str, Any] | Invalid, str]


class Records:
    """The reader of both kinds."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._fields: list[str] = []
        self._texts: set[int] = set()
        self._found_in: Note | None = None

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
        if self._found_in:
            notes.append(self._found_in)
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
                        value, flawed = decoded(text)
                        raw = written(value) if "\\u" in text else text.strip()
                        yield checked(value, number, raw, flawed=flawed)
                except (ValueError, RecursionError):
                    yield number, broken(number), line.decode("utf-8", "replace").strip()

    def _array(self) -> Iterator[Record]:
        """Element by element: the file is never in memory as a whole."""
        with self._request.path.open(encoding="utf-8-sig") as file:
            stream, number = Stream(file), 0
            try:
                if stream.peek() == "{":
                    yield from self._wrapped(stream.whole(), flawed=stream.flawed)
                    return
                for value in stream.elements():
                    number += 1
                    yield checked(value, number, written(value), flawed=stream.flawed)
                if stream.peek():
                    raise ValueError("more behind the list")
            except UnicodeDecodeError:
                raise _json_error("publish.encoding", "JSON 不是 UTF-8 编码。", "The JSON is not in UTF-8.") from None
            except (ValueError, RecursionError):
                raise broken(number + 1) from None

    def _wrapped(self, whole: dict[str, Any], *, flawed: bool) -> Iterator[Record]:
        """A single object is one record, unless it wraps one list of objects, as many services answer."""
        lists = list(_lists(whole))
        if len(lists) != 1:
            yield checked(whole, 1, written(whole), flawed=flawed)
            return
        [(path, found)] = lists
        around = [name for name, _ in flat(whole) if name != path]
        left = Text("", "")
        if around:
            names, more = "、".join(name[:40] for name in around[:5]), len(around) > 5
            left = Text(
                f"；它之外的字段（{names}{'等' if more else ''}）没有收入",
                f"; the fields around it ({names.replace('、', ', ')}{', …' if more else ''}) were left out",
            )
        said = Text(f"记录取自“{path}”里的列表{left.zh}。", f"The records are those of the list “{path}”{left.en}.")
        self._found_in = Note.of("json.wrapped", said, list=path, around=around[:50])
        for number, value in enumerate(found, 1):
            yield checked(value, number, written(value), flawed=flawed)


def flat(record: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The fields of a record, those of inner objects under `outer.inner`, down to `DEPTH`."""
    for name, value in record.items():
        if isinstance(value, dict) and value and depth < DEPTH:
            yield from flat(value, f"{prefix}{name}.", depth + 1)
        else:
            yield prefix + name, value


def _lists(value: dict[str, Any], path: str = "", depth: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """The lists of objects in an object and those in it, each with where it stands."""
    for name, each in value.items():
        if isinstance(each, list) and each and isinstance(each[0], dict):
            yield path + name, each
        elif isinstance(each, dict) and depth < DEPTH:
            yield from _lists(each, f"{path}{name}.", depth + 1)


def checked(value: Any, number: int, raw: str, *, flawed: bool) -> Record:
    """A value of the file as a record, or what is wrong with it. `raw` is its text, without escapes for signs."""
    found = value if isinstance(value, Invalid) else record(value, number)
    if isinstance(found, dict):
        flaw = _flaw(found) if flawed else ""
        if not flaw and not _is_text(raw):
            flaw = "text"
        if not flaw and any(isinstance(each, dict) for each in found.values()) and _meet(found):
            flaw = "meet"
        found = _flawed(number, flaw) if flaw else found
    return number, found, raw[:10_000].encode("utf-8", "backslashreplace").decode()


def _flaw(value: Any) -> str:
    """What a value holds that no record may."""
    if isinstance(value, NoNumber):
        return "number"
    if isinstance(value, Twice):
        return "twice"
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((flaw for each in inner if (flaw := _flaw(each))), "")


def _is_text(written: str) -> bool:
    """Half of a pair of surrogates is no character."""
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return True


def _meet(record: dict[str, Any]) -> bool:
    """Do two fields become one column, as `"a.b"` and the `b` in `a` do?"""
    names = [name for name, _ in flat(record)]
    return len(set(names)) < len(names)


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
        Text("请从来源重新导出。", "Export it again from where it came."),
        {"row": number},
    )


# What is wrong, and what would mend it.
_FLAWS = {
    "number": (
        Text("有 NaN 或 Infinity，JSON 没有这样的数", "holds NaN or Infinity, which are no numbers in JSON"),
        Text("请在来源把它改为 null 或数。", "Make it null, or a number, where it came from."),
    ),
    "twice": (
        Text("有一个字段出现了两次", "holds a field twice"),
        Text("请在来源删去或改名其中一个。", "Remove or rename one of the two where it came from."),
    ),
    "text": (
        Text("有半个字符（不成对的 \\ud800–\\udfff）", "holds half a character (\\ud800–\\udfff without its pair)"),
        Text("请从来源以 UTF-8 重新导出。", "Export it again from where it came, in UTF-8."),
    ),
    "meet": (
        Text("有两个字段展开后是同一列（“外.内”）", "holds two fields that become one column (“outer.inner”)"),
        Text("请在来源给名字里带点的字段改名。", "Rename the field with a point in its name where it came from."),
    ),
}


def _flawed(number: int, flaw: str) -> Invalid:
    said, remedy = _FLAWS[flaw]
    code = {"number": "row.nan", "twice": "row.repeated", "text": "row.encoding", "meet": "row.field"}[flaw]
    return Invalid(code, Text(f"第 {number} 条{said.zh}。", f"Record {number} {said.en}."), remedy, {"row": number})


def _json_error(code: str, zh: str, en: str) -> Invalid:
    return Invalid(code, Text(zh, en), Text("请核对文件后再试。", "Check the file and try again."))
