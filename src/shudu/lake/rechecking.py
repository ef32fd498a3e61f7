"""Rows that were put aside, looked at again: a corrected list as text, and which of its rows fit their table now.

The rules that put rows aside in the first place (`landing`) decide, so that a row that passes here is one publishing
takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet

from shudu.policy.types import Invalid, Text

from . import apart
from .arrival import format_of
from .coltypes import GENEROUS, TEXT, raw
from .ingest import Held
from .landing import Landed, declared, put_aside
from .recipe import ColumnRecipe, Fault, Reading, Recipe
from .types import Column

Cells = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as it stands: its columns, and its rows as text with their number in the file; an empty cell is ""."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def sheet(file: Held, reading: Reading, work: Path, most: int) -> Sheet:
    """All rows of a file. Raises Invalid at one that cannot be read, and `corrections.size` for more than `most`."""
    format_, _ = format_of(file, reading)
    rows: list[tuple[int, tuple[str, ...]]] = []
    with apart.begun(file.handle, file.name, format_, reading, work) as reader:
        columns = tuple(column.name for column in reader.recipe.columns)
        for batch in reader.rows:
            if batch.column("problem").null_count < batch.num_rows:
                raise _no_row(next(row["row"] for row in batch.to_pylist() if row["problem"] is not None))
            cells = [batch.column(raw(at)).cast(pa.string()).to_pylist() for at in range(len(columns))]
            for number, *row in zip(batch.column("row").to_pylist(), *cells, strict=True):
                rows.append((number, tuple(cell or "" for cell in row)))
            if len(rows) > most:
                raise _too_many(most)
        reader.finish()
    return Sheet(columns, tuple(rows))


def check(
    connection: duckdb.DuckDBPyConnection,
    rows: Mapping[int, Cells],
    columns: Sequence[ColumnRecipe],
    key: str | None,
    there: str,
) -> dict[int, tuple[Fault, ...]]:
    """What is wrong with these rows, by their number; a row it does not name fits.

    Every row has a cell for every column. `there` is the table, in SQL, that they would join: its keys are taken.
    """
    if (foreign := _foreign(columns)) is not None:
        return dict.fromkeys(rows, (_only_its_format(foreign),))
    ordered = sorted(rows.items())
    cells = [pa.array([row[at] or None for _, row in ordered], pa.string()) for at in range(len(columns))]
    nothing = pa.nulls(len(ordered), pa.string())
    table = pa.table(
        [pa.array([number for number, _ in ordered], pa.int64()), nothing, nothing, *cells],
        names=["row", "problem", "raw", *(raw(at) for at in range(len(columns)))],
    )
    connection.register("corrected", table)
    connection.execute("CREATE TABLE source AS SELECT * FROM corrected")
    connection.unregister("corrected")
    landed = Landed(Recipe(columns=tuple(columns)), (), tuple(declared(column) for column in columns), len(ordered))
    put_aside(connection, landed, Reading(tolerant=True), key, there=there)
    found: dict[int, tuple[Fault, ...]] = {}
    said = 'SELECT row, "column", code, zh, en, remedy_zh, remedy_en FROM rejected ORDER BY row, "column"'
    for number, *words in connection.execute(said).fetchall():
        fault = Fault(**dict(zip(Fault.model_fields, words, strict=True)))
        found[number] = (*found.get(number, ()), fault)
    return found


def write(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[Cells],
    columns: Sequence[ColumnRecipe],
    empty: Sequence[Column],
    target: Path,
) -> Recipe:
    """Write rows as a file of text columns, with `empty` ones of their own types beside them, and return the recipe by
    which publishing reads it digit for digit."""
    cells = [pa.array([row[at] or None for row in rows], pa.string()) for at in range(len(columns))]
    for column in empty:
        nothing = connection.execute(f"SELECT CAST(NULL AS {column.type}) AS nothing").to_arrow_table()
        cells.append(pa.nulls(len(rows), nothing.schema.field(0).type))
    pa.parquet.write_table(pa.table(cells, names=[raw(at) for at in range(len(cells))]), target)
    told = (*columns, *(ColumnRecipe(source=each.name, name=each.name, type=each.type) for each in empty))
    return Recipe(columns=tuple(each.model_copy(update={"source": raw(at)}) for at, each in enumerate(told)))


def _foreign(columns: Sequence[ColumnRecipe]) -> ColumnRecipe | None:
    """The first column whose values no text can stand for: geometry, and types that only its format has."""
    return next((each for each in columns if not each.spelling and each.type not in (None, TEXT, *GENEROUS)), None)


def _only_its_format(column: ColumnRecipe) -> Fault:
    return Fault(
        column=column.name,
        code="row.format",
        zh=f"“{column.name}”列的类型（{column.type}）不能写成文字，这张表的行不能在清单中改正。",
        en=f"“{column.name}” is {column.type}, which no text can stand for: the rows cannot be corrected in a list.",
        remedy_zh="请在来源文件中改正后发布新版本，或在清单中注明不收录。",
        remedy_en="Correct the file they came from and publish a new version, or leave them out with a reason.",
    )


def _too_many(most: int) -> Invalid:
    return Invalid(
        "corrections.size",
        Text(f"清单超过 {most:,} 行。", f"The list has more than {most:,} rows."),
        Text("请交回下载的清单，不要加行。", "Send back the list as it was downloaded, without more rows."),
    )


def _no_row(number: int) -> Invalid:
    return Invalid(
        "corrections.key",
        Text(f"第 {number} 行不是清单中的行。", f"Row {number} is no row of the list."),
        Text("请重新下载清单，只改数据列。", "Download the list again and change the data columns only."),
        {"row": number},
    )
