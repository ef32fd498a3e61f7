"""From whatever file people have to one typed Parquet file: read apart, typed by all its values, rows wrong put aside.

The rows of the reader (`apart`) become one table in the engine, which spills into the staging folder and is as safe
there as the version will be. Types are decided on all values (`coltypes.GENEROUS`), or declared by a recipe. Then every
row is either in the table or, with its reason, among the rejected: rows in = rows out + rejected.
"""

# ruff: noqa: S608 - every name and path in the SQL goes through coltypes.quoted or literal

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from shudu.policy.types import Invalid, Text

from . import apart, calendars, doubts, layout, rounding
from .coltypes import GENEROUS, TEXT, Candidates, literal, misfit, quoted, raw, typed
from .deciding import Ask, narrowed, settled
from .engine import KEY_NAME, one
from .ingest import ROW_GROUP, ROW_GROUP_BYTES
from .kinds import TYPES, called
from .progress import TYPING, asked
from .recipe import PLACED, Aside, ColumnRecipe, Note, Reading, Recipe, Report
from .spellings import NULLS, SPELLINGS
from .types import Column

SAMPLE = 5_000
REJECTED = ("row", "column", "code", "zh", "en", "remedy_zh", "remedy_en", "cells")


@dataclass(frozen=True, slots=True)
class Landed:
    """A table in the engine, read and decided but not yet written. `columns` pair with what the recipe says."""

    recipe: Recipe
    notes: tuple[Note, ...]
    decided: tuple[Candidates | None, ...]  # None: typed by the format itself
    rows: int
    rounded: frozenset[int] = frozenset()  # columns of nothing but rounded identifiers


def read(
    connection: duckdb.DuckDBPyConnection,
    handle: int,
    name: str,
    format_: str,
    reading: Reading,
    work: Path,
    *,
    limit: int | None = None,
) -> Landed:
    """Read the open file `handle` into the table `source` of `connection` and decide its columns' types."""
    with apart.begun(handle, name, format_, reading, work, limit=limit) as reader:
        connection.register("stream", reader.rows)
        connection.execute("CREATE TABLE source AS SELECT * FROM stream")
        connection.unregister("stream")
        finish = reader.finish()
    asked()(TYPING)
    notes = [*reader.notes, *finish.notes]
    types = {field[0]: field[1] for field in connection.execute("DESCRIBE source").fetchall()}
    columns, more = _matched(reader.recipe.columns, reading)
    notes += more
    open_ = [
        number
        for number, column in columns
        if types[raw(number)] == TEXT and number not in finish.texts and not (column.type or column.spelling)
    ]
    found = _decided(connection, open_)
    decided: list[Candidates | None] = []
    kept: list[ColumnRecipe] = []
    for number, column in columns:
        type_ = types[raw(number)]
        if type_ != TEXT:
            decided.append(None)
            kept.append(column.model_copy(update={"type": type_}))
            continue
        candidates = found.get(number) or declared(column)
        decided.append(candidates)
        kept.append(described(column, candidates))
    if [number for number, _ in columns] != list(range(len(reader.recipe.columns))):
        # The recipe's order from here on: c0 is its first column.
        chosen = ", ".join(f"{raw(number)} AS {raw(at)}" for at, (number, _) in enumerate(columns))
        aside = _reordered([number for number, _ in columns], len(reader.recipe.columns))
        connection.execute(f"CREATE TABLE ordered AS SELECT row, problem, {aside} AS raw, {chosen} FROM source")
        connection.execute("DROP TABLE source")
        connection.execute("ALTER TABLE ordered RENAME TO source")
    rows = one(connection, "SELECT count(*) FROM source")[0]
    recipe = reader.recipe.model_copy(update={"columns": tuple(kept)})
    texts = [at for at, (number, _) in enumerate(columns) if types[raw(number)] == TEXT and number not in finish.texts]
    rounded = rounding.found(connection, texts)
    notes += [rounding.note(kept[at].name, cells) for at, (cells, _) in rounded.items()]
    undeclared = {at for at, (number, _) in enumerate(columns) if number in open_}
    lost = frozenset(at for at, (_, alone) in rounded.items() if alone and at in undeclared)
    notes = [*calendars.still(notes, kept), *spelled_notes(kept)]
    if undeclared:
        sound = "(SELECT * FROM source WHERE problem IS NULL)"
        doubts.sample(connection, sound, sorted(undeclared))
        table = doubts.Table(sound, {at: raw(at) for at in undeclared})
        notes += doubts.doubts(connection, table, {at: kept[at] for at in sorted(undeclared)}, recipe.delimiter)
    return Landed(recipe, tuple(notes), tuple(decided), rows, lost)


def _reordered(numbers: Sequence[int], width: int) -> str:
    """SQL: the cells of a wrong row in the recipe's order, wherever they stand in the reader's (`PLACED`)."""
    cells = "CAST(CAST(raw AS JSON) AS VARCHAR[])"
    order = ", ".join(f"{cells}[{number + 1}]" for number in numbers)
    placed = ", ".join(map(literal, PLACED))
    moved = f"CAST(to_json(list_concat([{order}], {cells}[{width + 1}:])) AS VARCHAR)"
    whole = f"problem->>'$.code' = 'row.value' AND len({cells}) >= {width}"
    return f"CASE WHEN problem->>'$.code' IN ({placed}) OR ({whole}) THEN {moved} ELSE raw END"


def described(column: ColumnRecipe, candidates: Candidates) -> ColumnRecipe:
    """What a column's recipe says once its type is known."""
    best = candidates.best or TEXT
    spelling = SPELLINGS.get(best)
    return column.model_copy(
        update={
            "type": spelling.type if spelling else best,
            "spelling": best if spelling else "",
            "unit": column.unit or (spelling.unit if spelling else ""),
            "nulls": candidates.nulls if best != TEXT else (),
        }
    )


def _matched(there: Sequence[ColumnRecipe], reading: Reading) -> tuple[list[tuple[int, ColumnRecipe]], list[Note]]:
    """The file's columns by number, as the recipe tells them. Raises Invalid when the file has another shape."""
    told = reading.recipe.columns
    if not told:
        return list(enumerate(there)), []
    taken: set[str] = set()
    for column in told:
        name = column.name
        if name.lower() in taken or not layout.usable(name):
            raise _changed(
                f"配方中的列名“{name}”重复或不可用。", f"The recipe's name “{name}” is repeated or unusable."
            )
        taken.add(name.lower())
    numbers: dict[str, list[int]] = {}
    for number, column in enumerate(there):
        numbers.setdefault(column.source, []).append(number)
    matched = []
    for column in told:
        if not numbers.get(column.source):
            raise _changed(f"文件缺少配方中的列“{column.source}”。", f"The file lacks the column “{column.source}”.")
        matched.append((numbers[column.source].pop(0), column))  # of columns called the same, one after the other
    more = [source for source, left in numbers.items() for _ in left]
    if not more:
        return matched, []
    if not reading.tolerant:
        extra = more[0]
        raise _changed(f"文件多出配方中没有的列“{extra}”。", f"The recipe does not know the column “{extra}”.")
    said = Text(
        f"{len(more)} 列不在配方中，没有收入表中。",
        f"{len(more)} columns are not in the recipe and were left out.",
    )
    return matched, [Note.of("recipe.extra", said, columns=more)]


def declared(column: ColumnRecipe) -> Candidates:
    """What a recipe says of a text column. Raises Invalid for a type or a spelling nobody knows."""
    spelled = column.spelling or column.type or TEXT
    if spelled not in (TEXT, *GENEROUS):
        raise _changed(
            f"配方中“{column.name}”列的类型或写法无法识别。", f"The recipe's type of “{column.name}” is not known."
        )
    return Candidates(() if spelled == TEXT else (spelled,), True, column.nulls if spelled != TEXT else ())


def _decided(connection: duckdb.DuckDBPyConnection, numbers: Sequence[int]) -> dict[int, Candidates]:
    """The type of each text column, by all its values; a sample first, so that all values answer few questions."""
    if not numbers:
        return {}

    def asking(table: str) -> Ask:
        return lambda asked: one(connection, f"SELECT {', '.join(asked)} FROM {table}")

    fresh = dict.fromkeys(numbers, Candidates(GENEROUS))
    sampled = narrowed(asking(f"(SELECT * FROM source WHERE problem IS NULL LIMIT {SAMPLE})"), fresh, NULLS)
    everything = asking("(SELECT * FROM source WHERE problem IS NULL)")
    return settled(everything, narrowed(everything, sampled, NULLS), NULLS)


def spelled_notes(columns: Sequence[ColumnRecipe]) -> list[Note]:
    """Words about spellings and nulls, for the report."""
    notes = []
    for column in columns:
        if column.nulls:
            said = Text(
                f"“{column.name}”列中的 {'、'.join(column.nulls)} 作空值。",
                f"In the column “{column.name}”, {', '.join(column.nulls)} mean nothing.",
            )
            notes.append(Note.of("value.nulls", said, column=column.name))
        if column.spelling:
            kind, type_ = called(column.spelling), TYPES[SPELLINGS[column.spelling].type]
            said = Text(
                f"“{column.name}”列的写法是“{kind.zh}”，存为{type_.zh}。",
                f"The column “{column.name}” is written as “{kind.en}” and stored as {type_.en}.",
            )
            notes.append(Note.of("value.spelling", said, column=column.name))
    return notes


def put_aside(
    connection: duckdb.DuckDBPyConnection, landed: Landed, reading: Reading, key: str | None, *, there: str = ""
) -> None:
    """Make the table `rejected` of all rows that are wrong; strict raises at the first that does not fit its type.

    Tolerant says of a row every column that is wrong. `there` is a table, in SQL, whose keys are taken already.
    """
    connection.execute(
        "CREATE TABLE rejected AS SELECT row, problem->>'$.where.column' AS \"column\", problem->>'$.code' AS code,"
        " problem->>'$.zh' AS zh, problem->>'$.en' AS en, problem->>'$.remedy_zh' AS remedy_zh,"
        " problem->>'$.remedy_en' AS remedy_en, raw AS cells FROM source WHERE problem IS NOT NULL"
    )
    for number, (column, candidates) in enumerate(zip(landed.recipe.columns, landed.decided, strict=True)):
        if candidates is not None and (sql := misfit(raw(number), candidates)) != "false":
            # Of a row that is wrong already, its owner wants to know the rest as well.
            _reject(connection, landed, reading, sql, column.name, _misfit(column), more=reading.tolerant)
    for number in sorted(landed.rounded):
        name = landed.recipe.columns[number].name
        _reject(connection, landed, reading, rounding.looks_rounded(raw(number)), name, rounding.lost(name))
    if key is not None and reading.tolerant:
        number = next(at for at, column in enumerate(landed.recipe.columns) if column.name == key)
        c = raw(number) if landed.decided[number] is None else f"nullif(trim({raw(number)}), '')"
        _reject(connection, landed, reading, f"{c} IS NULL", key, _key_problem(key, empty=True))
        again = (
            f"(row, {c}) IN (SELECT (row, key) FROM (SELECT row, {c} AS key, row_number() OVER (PARTITION BY {c}"
            " ORDER BY row) AS nth FROM source WHERE problem IS NULL) WHERE nth > 1)"
        )
        _reject(connection, landed, reading, again, key, _key_problem(key, empty=False))
        if there:
            each = landed.decided[number]
            value = raw(number) if each is None else typed(raw(number), each)
            taken = f"SELECT CAST({quoted(key)} AS VARCHAR) FROM {there} WHERE {quoted(key)} IS NOT NULL"
            again = f"CAST(CASE WHEN problem IS NULL THEN {value} END AS VARCHAR) IN ({taken})"
            _reject(connection, landed, reading, again, key, _key_problem(key, empty=False))


def _reject(
    connection: duckdb.DuckDBPyConnection,
    landed: Landed,
    reading: Reading,
    sql: str,
    column: str,
    said: Invalid,
    *,
    more: bool = False,
) -> None:
    still = "(problem IS NULL OR problem = '{}')" if more else "problem IS NULL"
    first = one(connection, f"SELECT min(row) FROM source WHERE {still} AND {sql}")[0]
    if first is None:
        return
    if not reading.tolerant:
        text = Text(f"第 {first} 行：{said.message.zh}", f"Row {first}: {said.message.en}")
        raise Invalid(said.code, text, said.remedy, {"row": first, "column": column})
    assert said.remedy is not None
    words = (column, said.code, said.message.zh, said.message.en, said.remedy.zh, said.remedy.en)
    cells = ", ".join(f"CAST({raw(at)} AS VARCHAR)" for at in range(len(landed.recipe.columns)))
    connection.execute(
        f"INSERT INTO rejected SELECT row, {', '.join(map(literal, words))}, CAST(to_json([{cells}]) AS VARCHAR)"
        f" FROM source WHERE {still} AND {sql}"
    )
    connection.execute(f"UPDATE source SET problem = '{{}}' WHERE problem IS NULL AND {sql}")


def write(
    connection: duckdb.DuckDBPyConnection, landed: Landed, target: Path, aside: Path, *, encrypted: bool
) -> tuple[tuple[Column, ...], Report]:
    """Write the table to `target` and what was rejected, if anything, to `aside`."""
    out, weight = one(
        connection,
        f"SELECT count(*), avg(({_weight(landed)})) FROM (SELECT * FROM source WHERE problem IS NULL LIMIT {SAMPLE})",
    )
    if not out:
        raise Invalid(
            "publish.empty",
            Text("没有一行可以发布。", "Not a single row can be published."),
            Text("请核对文件，或先预览。", "Check the file, or preview it first."),
        )
    columns = landed.recipe.columns
    chosen = [
        f"{raw(number) if candidates is None else typed(raw(number), candidates)} AS {quoted(column.name)}"
        for number, (column, candidates) in enumerate(zip(columns, landed.decided, strict=True))
    ]
    group = max(2_048, min(ROW_GROUP, int(ROW_GROUP_BYTES / max(weight or 1, 1))))
    stats = copy(
        connection,
        f"SELECT {', '.join(chosen)} FROM source WHERE problem IS NULL",
        target,
        [column.name for column in columns],
        group,
        encrypted,
    )
    if one(connection, "SELECT count(*) FROM rejected")[0]:
        copy(connection, 'SELECT * FROM rejected ORDER BY row, "column"', aside, REJECTED, 2_048, encrypted)
    counts = dict(connection.execute("SELECT code, count(DISTINCT row) FROM rejected GROUP BY code").fetchall())
    rows = int(stats[0])
    report = Report(
        rows_in=landed.rows,
        rows_out=rows,
        rejected=landed.rows - rows,
        reasons=dict(sorted(counts.items())),
        notes=landed.notes,
    )
    made = tuple(
        Column(column.name, str(column.type), int(stats[1].get(quoted(column.name), {}).get("null_count", rows)) > 0)
        for column in columns
    )
    return made, report


def _weight(landed: Landed) -> str:
    parts = [f"coalesce(strlen({raw(n)}), 0)" if each is not None else "8" for n, each in enumerate(landed.decided)]
    return " + ".join(parts)


def copy(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    target: Path,
    names: Sequence[str],
    group: int,
    encrypted: bool,
    fields: Sequence[int] = (),
) -> tuple[int, dict[str, dict[str, str]]]:
    """Write what `query` gives as one Parquet file; returns its rows and what the engine knows of each column.

    `fields` are the columns' field ids, their positions unless told.
    """
    numbers = fields or range(1, len(names) + 1)
    ids = ", ".join(f"{quoted(name)}: {number}" for number, name in zip(numbers, names, strict=True))
    key = f", ENCRYPTION_CONFIG {{footer_key: '{KEY_NAME}'}}" if encrypted else ""
    row = one(
        connection,
        f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group},"
        f" FIELD_IDS {{{ids}}}, RETURN_STATS, USE_TMP_FILE false, OVERWRITE true{key})",
    )
    return row[1], row[4]


def row_at(connection: duckdb.DuckDBPyConnection, index: int) -> int:
    """The row in the file of the table's row `index` (from 0)."""
    row: int = one(connection, f"SELECT row FROM source WHERE problem IS NULL LIMIT 1 OFFSET {index}")[0]
    return row


def asides(connection: duckdb.DuckDBPyConnection) -> tuple[Aside, ...]:
    """What `put_aside` put aside, counted by reason and column, the most frequent first."""
    # Words of the reader name the row, so those of the first row stand for all.
    found = connection.execute(
        "SELECT code, CASE WHEN code IN ('row.value', 'row.formula') OR code LIKE 'row.key.%'"
        " THEN coalesce(\"column\", '') ELSE '' END AS name,"
        " count(DISTINCT row) AS n, min(row) AS first, arg_min(zh, row), arg_min(en, row),"
        " coalesce(arg_min(remedy_zh, row), ''), coalesce(arg_min(remedy_en, row), '') FROM rejected"
        " GROUP BY code, name ORDER BY n DESC, first"
    ).fetchall()
    names = ("code", "column", "rows", "first", "zh", "en", "remedy_zh", "remedy_en")
    return tuple(Aside(**dict(zip(names, row, strict=True))) for row in found)


def sample(connection: duckdb.DuckDBPyConnection, landed: Landed, rows: int = 20) -> tuple[tuple[str | None, ...], ...]:
    """The first rows as text, for whoever brought the file."""
    chosen = ", ".join(f"left(CAST({raw(n)} AS VARCHAR), 200)" for n in range(len(landed.recipe.columns)))
    return tuple(connection.execute(f"SELECT {chosen} FROM source WHERE problem IS NULL LIMIT {rows}").fetchall())


def _changed(zh: str, en: str) -> Invalid:
    return Invalid(
        "publish.recipe",
        Text(zh, en),
        Text("请更正配方，或不带配方重新预览。", "Correct the recipe, or preview again without one."),
    )


def _misfit(column: ColumnRecipe) -> Invalid:
    kind = called(column.spelling or column.type)
    return Invalid(
        "row.value",
        Text(f"“{column.name}”列的值读不成“{kind.zh}”。", f"The value in “{column.name}” is no {kind.en}."),
        Text(
            f"请改正该值，或在配方中更改“{column.name}”列的类型。",
            f"Correct the value, or change the type of “{column.name}” in the recipe.",
        ),
    )


def _key_problem(key: str, *, empty: bool) -> Invalid:
    if empty:
        return Invalid(
            "row.key.empty",
            Text(f"主键列“{key}”为空。", f"The key column “{key}” is empty."),
            Text("请补上主键。", "Fill the key in."),
        )
    return Invalid(
        "row.key.repeated",
        Text(f"主键列“{key}”与前面的行重复。", f"The key column “{key}” repeats an earlier row's."),
        Text("请删去重复的行，或另选一列作主键。", "Remove the row, or choose another key."),
    )
