"""What every reader does, and the stream it makes.

A stream has the columns `row` (the row in the file, from 1), `problem` (JSON of what is wrong with the row, else NULL),
`raw` (JSON array of the cells of a row with a problem) and `c0`, `c1` … in the order of the recipe's columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from shudu.policy.types import Invalid, ShuduError, Text

from ..recipe import Note, Reading, Recipe

BATCH_ROWS = 8_192
BATCH_CELLS = 1 << 18
FIXED = (("row", pa.int64()), ("problem", pa.string()), ("raw", pa.string()))


@dataclass(frozen=True, slots=True)
class Request:
    """What to read: an open file under `path`, called `name`; `work` is a private folder for what must be unpacked."""

    path: Path
    name: str
    format: str
    reading: Reading
    work: Path
    limit: int | None = None


class Reader(Protocol):
    """Reads one file. `understand` comes first; `finish` is asked when all batches have been taken."""

    def understand(self) -> tuple[Recipe, tuple[Note, ...]]:
        """What was understood, every field filled in. Raises Invalid, in words, for what cannot be read."""
        ...

    @property
    def types(self) -> Sequence[pa.DataType]:
        """The type of each column of the stream, known once the file is understood."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows. Raises Invalid at a wrong row unless the reading is tolerant."""
        ...

    def finish(self) -> Finish:
        """What is known only now."""
        ...


@dataclass(frozen=True, slots=True)
class Finish:
    """`texts` are columns of text whose values may not be taken for numbers, for the file says that they are none."""

    notes: tuple[Note, ...] = ()
    texts: tuple[int, ...] = ()


def choices(names: Sequence[str]) -> list[str]:
    """What there is to choose from: as many names as are told, none longer than a person reads."""
    return [name[:60] for name in names[:50]]


def schema(types: Sequence[pa.DataType]) -> pa.Schema:
    return pa.schema([*FIXED, *((f"c{number}", type_) for number, type_ in enumerate(types))])


def as_json(error: ShuduError) -> dict[str, Any]:
    told: dict[str, Any] = {"code": error.code, "zh": error.message.zh, "en": error.message.en}
    if error.remedy:
        told |= {"remedy_zh": error.remedy.zh, "remedy_en": error.remedy.en}
    return {**told, "where": dict(error.where)}


def from_json(told: dict[str, Any]) -> Invalid:
    remedy = Text(str(told["remedy_zh"]), str(told["remedy_en"])) if "remedy_zh" in told else None
    return Invalid(str(told["code"]), Text(str(told["zh"]), str(told["en"])), remedy, dict(told.get("where", {})))


class Batcher:
    """Gathers rows of text cells into batches of about as much memory whatever their width."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._schema = schema([pa.string()] * columns)
        self._most = max(64, min(BATCH_ROWS, BATCH_CELLS // max(columns, 1)))
        self._empty = (None,) * columns
        self._rows: list[Sequence[str | None]] = []
        self._numbers: list[int] = []
        self._problems: list[str | None] = []
        self._raw: list[str | None] = []
        self._held = 0

    def add(self, number: int, cells: Sequence[str | None]) -> None:
        self._numbers.append(number)
        self._problems.append(None)
        self._raw.append(None)
        self._rows.append(cells)

    def reject(self, problem: Invalid, cells: Sequence[str | None]) -> None:
        """A row that is wrong, with all its cells, so that its owner can mend it."""
        self._numbers.append(int(problem.where.get("row", 0)))
        self._problems.append(json.dumps(as_json(problem), ensure_ascii=False))
        self._raw.append(json.dumps(list(cells), ensure_ascii=False))
        self._rows.append(self._empty)

    def ready(self) -> bool:
        # A few very wide cells weigh as much as thousands of narrow ones; looked at now and then.
        if len(self._rows) & 63 == 63:
            self._held += sum(len(cell) for cell in self._rows[-1] if cell) * 64
        return len(self._rows) >= self._most or self._held > 1 << 24

    def take(self) -> pa.RecordBatch:
        columns = list(zip(*self._rows, strict=True)) if self._rows else [()] * self._columns
        made = pa.RecordBatch.from_arrays(
            [
                pa.array(self._numbers, pa.int64()),
                pa.array(self._problems, pa.string()),
                pa.array(self._raw, pa.string()),
                *(pa.array(column, pa.string()) for column in columns),
            ],
            schema=self._schema,
        )
        self._rows, self._numbers, self._problems, self._raw, self._held = [], [], [], [], 0
        return made

    def __len__(self) -> int:
        return len(self._rows)
