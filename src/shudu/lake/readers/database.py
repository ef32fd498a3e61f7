"""A SQLite file: one of its tables, read only, by a connection that trusts nothing the file says about functions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from shudu.policy.types import Invalid, Text

from .. import layout
from ..coltypes import quoted
from ..recipe import ColumnRecipe, Note, Recipe
from ..units import unit_in
from .columnar import damaged
from .port import Batcher, Finish, Request, choices
from .workbook import choose

_TEXT_TYPES = ("CHAR", "CLOB", "TEXT")


class Table:
    """Rows of one table. SQLite types cells, not columns: a column that holds any text is text, unless it was declared
    to be something else."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._connection = opened(request.path)
        # Text that is no UTF-8 comes as bytes rather than as an error.
        self._connection.text_factory = bytes
        self._name, self._columns = "", [("", "")]
        self._texts: set[int] = set()

    @property
    def types(self) -> Sequence[pa.DataType]:
        return [pa.string()] * len(self._columns)

    def understand(self) -> tuple[Recipe, tuple[Note, ...]]:
        try:
            return self._understood()
        except sqlite3.Error:
            raise damaged() from None

    def _understood(self) -> tuple[Recipe, tuple[Note, ...]]:
        # Views would run statements of the file's author.
        found = self._connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
        ).fetchall()
        names = [row[0].decode("utf-8", "replace") for row in found]
        self._name = _chosen(names, self._request)
        described = self._connection.execute(f"PRAGMA table_info({quoted(self._name)})").fetchall()
        self._columns = [(row[1].decode("utf-8", "replace"), (row[2] or b"").decode().upper()) for row in described]
        for number, (name, declared) in enumerate(self._columns):
            kinds = self._connection.execute(
                f"SELECT DISTINCT typeof({quoted(name)}) FROM {quoted(self._name)}"  # noqa: S608 - quoted
            )
            there = {row[0].decode() for row in kinds}
            open_ = declared and not any(word in declared for word in _TEXT_TYPES)
            if "blob" in there or ("text" in there and not open_):
                self._texts.add(number)
        names_, notes = layout.checked_names(
            [name for name, _ in self._columns], tolerant=self._request.reading.tolerant
        )
        columns = tuple(
            ColumnRecipe(source=source[:200], name=name, unit=unit_in(name))
            for (source, _), name in zip(self._columns, names_, strict=True)
        )
        said = Text(f"读取表“{self._name}”。", f"The table “{self._name}” was read.")
        update = {"format": self._request.format, "table": self._name, "columns": columns}
        recipe = self._request.reading.recipe.model_copy(update=update)
        return recipe, (Note.of("database.table", said, table=self._name, choices=choices(names)), *notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        batcher, limit = Batcher(len(self._columns)), self._request.limit
        chosen = ", ".join(quoted(name) for name, _ in self._columns)
        try:
            rows = self._connection.execute(f"SELECT {chosen} FROM {quoted(self._name)}")  # noqa: S608 - quoted
            for number, row in enumerate(rows, 1):
                try:
                    batcher.add(number, [_text(value) for value in row])
                except UnicodeDecodeError:
                    problem = _not_utf8(number)
                    if not self._request.reading.tolerant:
                        raise problem from None
                    batcher.reject(problem, [str(value) for value in row])
                if batcher.ready():
                    yield batcher.take()
                if limit is not None and number >= limit:
                    break
        except sqlite3.Error:
            raise damaged() from None
        if len(batcher):
            yield batcher.take()

    def finish(self) -> Finish:
        return Finish(texts=tuple(sorted(self._texts)))


def opened(path: Path) -> sqlite3.Connection:
    """A hostile file: never written to, its checks on, and nothing it says about functions trusted."""
    address = f"file:{quote(str(path))}?mode=ro&immutable=1"
    connection = sqlite3.connect(address, uri=True, isolation_level=None)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _chosen(names: list[str], request: Request) -> str:
    asked = request.reading.table
    if asked:
        if asked in names:
            return asked
        raise choose("表", "table", names, f"没有名为“{asked}”的表。", f"There is no table “{asked}”.")
    if not names:
        raise Invalid(
            "publish.empty",
            Text("数据库里没有表。", "The database holds no table."),
            Text("请核对文件后再试。", "Check the file and try again."),
        )
    if len(names) > 1:
        zh, en = f"数据库有 {len(names)} 个表，请选一个。", f"The database has {len(names)} tables: choose one."
        raise choose("表", "table", names, zh, en)
    return names[0]


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case bytes():
            return value.decode("utf-8")
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case _:
            return str(value)


def _not_utf8(row: int) -> Invalid:
    return Invalid(
        "row.encoding",
        Text(f"第 {row} 行有二进制内容或无法解码的文字。", f"Row {row} holds bytes that are no text."),
        Text("请删去二进制列，或将文字转为 UTF-8。", "Remove columns of bytes, or convert the text to UTF-8."),
        {"row": row},
    )
