"""The swift way for clean delimited text: the engine parses the file itself, in one reading. Others go by a reader.

Whether a file is clean is guessed from its beginning and its end; where the guess was wrong, the careful way
(`arrival`) begins anew and says what is the matter.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from shudu.policy.types import Invalid, ShuduError, Text

from . import arrival, calendars, doubts, ingest, layout
from .coltypes import GENEROUS, quoted
from .csvscan import row_of, rows_of
from .engine import parquet
from .formats import DELIMITERS, HEAD_BYTES, delimiter_of, encoding_of
from .landing import declared, described, spelled_notes
from .recipe import ColumnRecipe, Note, Reading, Recipe, Report
from .spellings import NULLS
from .types import ObserverFactory, Place, Stored
from .units import units_of

LARGE = 256 << 20  # bytes above which a strict refusal is not looked at a second time
_LOOK = _TAIL = 1 << 16
_NAMED = 1_000_000  # rows beyond which a note does not name them: they would have to be counted one by one


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file will be read: `opened` when the engine can parse it itself."""

    format: str
    reading: Reading
    notes: tuple[Note, ...] = ()
    opened: ingest.Source | None = None
    recipe: Recipe = field(default_factory=Recipe)
    typing: ingest.Typing = ingest.PLAIN

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.recipe.columns)

    def again(self, error: Exception, file: ingest.Held) -> bool:
        """Is the careful way worth trying after this?"""
        if isinstance(error, ingest.Misfit) or self.reading.tolerant:
            return True
        clear = isinstance(error, ShuduError) and error.code in ("publish.key", "publish.empty", "publish.size")
        return not clear and file.status.st_size <= LARGE


def plan(file: ingest.Held, reading: Reading) -> Plan:
    """Look at a file's beginning and end. Raises Invalid for a format nobody reads."""
    format_, notes = arrival.format_of(file, reading)
    slow = Plan(format_, reading, notes)
    told = reading.recipe
    if format_ != "csv" or told.member or told.encoding not in ("", "utf-8", "utf-8-sig"):
        return slow
    head = os.pread(file.handle, HEAD_BYTES, 0)
    tail = os.pread(file.handle, _TAIL, max(0, file.status.st_size - _TAIL))
    try:
        encoding = told.encoding or encoding_of(head)
        if encoding not in ("utf-8", "utf-8-sig"):
            return slow
        text = head[:_LOOK].decode("utf-8-sig", "ignore")
        delimiter = told.delimiter or delimiter_of(text)
        if not delimiter.isascii() or told.header_rows not in ((), (1,)):
            return slow
        records = [record for record, _ in zip(_records(text, delimiter), range(layout.LOOK_AHEAD), strict=False)]
        found = layout.find(list(enumerate(records, 1)), (), tolerant=False, ragged=True)
        opened = ingest.as_csv(file, delimiter)
    except (Invalid, csv.Error):
        return slow
    if units_of(records[1] if records[1:] else ()):
        return slow  # by what stands below, which may be cut off here, that way decides whether it is a row of units
    if found.header_rows != (1,) or found.names != opened.names or found.kept != tuple(range(len(opened.names))):
        return slow
    if not told.keep_totals and any(layout.is_total(record) for record in records[1:]):
        return slow
    if _ends_with_more(tail.decode("utf-8", "ignore"), delimiter, len(opened.names), totals=not told.keep_totals):
        return slow
    columns = tuple(
        ColumnRecipe(source=source, name=name, unit=unit)
        for source, name, unit in zip(found.sources, found.names, found.units, strict=True)
    )
    typing = ingest.Typing(GENEROUS, NULLS)
    if told.columns:
        if [column.source for column in told.columns] != [column.source for column in columns] or any(
            column.name != column.source for column in told.columns
        ):
            return slow
        columns = told.columns
        if all(column.type or column.spelling for column in columns):
            typing = ingest.Typing(declared=tuple(declared(column) for column in columns))
        elif any(column.type or column.spelling for column in columns):
            return slow
    if delimiter != ",":
        by = DELIMITERS.get(delimiter, Text(f"“{delimiter}”", f"“{delimiter}”"))
        notes = (*notes, Note.of("csv.delimiter", Text(f"以{by.zh}分隔。", f"Separated by {by.en}.")))
    # By the first rows alone: what becomes of such a column is the same whether it is said or not.
    cells = (pair for record in records[1:] for pair in zip(opened.names, record, strict=False))
    seen = ((name, calendars.strange(cell)) for name, cell in cells)
    notes = (*notes, *(calendars.note(code, name) for name, code in dict.fromkeys(seen) if code))
    notes = (*notes, *found.notes)
    recipe = told.model_copy(
        update={
            "format": "csv", "encoding": encoding, "delimiter": delimiter, "header_rows": (1,), "columns": columns,
        }
    )  # fmt: skip
    return Plan(format_, reading, notes, opened, recipe, typing)


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _ends_with_more(tail: str, delimiter: str, columns: int, *, totals: bool) -> bool:
    """Do the last rows look like totals, where these are no data, or notes? Then the careful way puts them aside."""
    for line in tail.splitlines()[-5:]:
        cells = [cell.strip('" ') for cell in line.split(delimiter)]
        if (totals and layout.is_total(cells)) or layout.is_note(cells, columns):
            return True
    return False


def store(
    connection: duckdb.DuckDBPyConnection,
    source: ingest.Source,
    folder: Path,
    place: Place,
    key: str | None,
    observers: Mapping[str, ObserverFactory],
    *,
    encrypted: bool,
    plan: Plan | None = None,
    finish: arrival.Finish | None = None,
) -> Stored:
    """Parse, type, write and observe a clean file in a staging folder. Raises Invalid or Misfit for one that is not."""
    files = folder / "files"
    typing = plan.typing if plan else ingest.PLAIN
    written = ingest.write(connection, source, files / arrival.TABLE, encrypted=encrypted, typing=typing)
    if plan and written.rounded:
        raise ingest.Misfit  # the careful way tells where, and how many

    def row_at(index: int) -> int:
        with source.path.open("rb") as file:
            return row_of(file, index, len(source.names), source.delimiter)

    stored = arrival.described(
        connection,
        place,
        written.columns,
        written.rows,
        key,
        observers,
        [files / arrival.TABLE],
        row_at=row_at,
        row_bytes=source.row_bytes,
        encrypted=encrypted,
    )
    source.check_unchanged()
    stored = replace(stored, source_sha256=written.source_sha256, source_bytes=written.source_bytes)
    if plan is None:
        return stored
    columns = tuple(described(column, each) for column, each in zip(plan.recipe.columns, written.spelled, strict=True))
    notes = [*calendars.still(plan.notes, columns), *spelled_notes(columns)]
    if not plan.typing.declared:
        table = doubts.Table(
            parquet([files / arrival.TABLE], encrypted=encrypted, options=", file_row_number = true"),
            {number: quoted(column.name) for number, column in enumerate(written.columns)},
            "file_row_number",
            lambda indexes: _rows_at(source, indexes),
        )
        notes += doubts.doubts(connection, table, dict(enumerate(columns)), source.delimiter)
    report = Report(rows_in=written.rows, rows_out=written.rows, notes=tuple(notes))
    recipe = plan.recipe.model_copy(update={"columns": columns})
    stored = replace(stored, recipe=recipe.model_dump(mode="json"), report=report.model_dump(mode="json"))
    return finish(stored, row_at) if finish else stored


def _rows_at(source: ingest.Source, indexes: Sequence[int]) -> list[int]:
    with source.path.open("rb") as file:
        return rows_of(file, [each for each in indexes if each < _NAMED], len(source.names), source.delimiter)
