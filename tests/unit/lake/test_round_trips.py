"""Whatever a table holds, it comes back from each format as docs/formats.md promises, and no digit is lost on the way.

One column for each row of the fidelity table there, and some in which kinds of values are mixed. Writers are not ours:
csv, json, sqlite3, openpyxl, xlwt, GDAL, the engine; only what nobody writes any more (DBF, and ODS by its XML) is put
together by the tests themselves.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shudu.lake import apart
from shudu.lake.actions import StoredDataKeys
from shudu.lake.keys import Keyring
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place, Reading
from unit.lake import in_process
from unit.lake import odd_files as odd
from unit.lake import odd_workbooks as books
from unit.lake.test_fidelity import BEGIN, DOCUMENT, END

Values = list[Any]
Table = dict[str, Values]

# Signs that break readers: of the second plane, quotes, separators, ends of lines, blanks of all widths, formulas.
_SIGNS = st.one_of(
    st.sampled_from(list("𠮷䶮é\"'`,;|\t\n，　 =+-@#%&<>\\/:0a甲。\u200b\ufeff🏙")),
    st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co")),
)
_TEXT = st.text(_SIGNS, min_size=1, max_size=12)
_FLOAT = st.builds(
    lambda digits, scale: float(Decimal(digits).scaleb(-scale)), st.integers(-(10**14), 10**14), st.integers(0, 8)
)
_DAY = st.dates(date(1900, 3, 1), date(9999, 12, 31))
_MOMENT = st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31)).map(lambda moment: moment.replace(microsecond=0))
_IDENTIFIER = st.from_regex(r"[1-9][0-9]{16}[0-9X]", fullmatch=True)
# By the rows of docs/formats.md: what always stands in the first row, so that the column is of that kind, and the rest.
KINDS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "integer": (42, st.integers(-(10**15) + 1, 10**15 - 1)),
    "integer of 17 digits": (12345678901234567, st.integers(-(2**63) + 1, 2**63 - 1)),
    "decimal": (0.1, _FLOAT),
    "code 0028": ("0028", st.from_regex(r"0[0-9]{1,9}", fullmatch=True)),
    "identifier of 18 digits": ("510104199003071237", _IDENTIFIER),
    "date": (date(2024, 3, 5), _DAY),
    "moment": (datetime(2024, 3, 5, 9, 5, 1), _MOMENT),
    "truth": (True, st.booleans()),
    "no value": (1.5, st.one_of(st.none(), _FLOAT)),
    "rare character": ("𠮷野家", _TEXT),
    "line break": ("a\nb", st.lists(_TEXT, min_size=1, max_size=3).map("\n".join)),
}


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A table with a column of each kind; the first names its rows, so that none is a row of totals or none at all."""
    rows = draw(st.integers(1, 6))
    made: Table = {"no": [f"r{number}" for number in range(rows)]}
    for kind, (first, others) in KINDS.items():
        rest = st.one_of(others, st.none()) if draw(st.booleans()) else others
        made[kind] = [first, *(draw(rest) for _ in range(rows - 1))]
    return made


def _plain(value: Any) -> Any:
    """A cell of text as such files are written: true, 2024-03-05 09:05:01, nothing for no value."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else value


def _rows(table: Table) -> list[tuple[Any, ...]]:
    return [tuple(table), *zip(*table.values(), strict=True)]


def _csv(table: Table, encoding: str = "utf-8", **dialect: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, **dialect).writerows([_plain(value) for value in row] for row in _rows(table))
    return text.getvalue().encode(encoding)


def _records(table: Table) -> list[dict[str, Any]]:
    names, *rows = _rows(table)
    return [{n: str(v) if isinstance(v, date) else v for n, v in zip(names, row, strict=True)} for row in rows]


def _json(table: Table) -> bytes:
    return json.dumps(_records(table), ensure_ascii=False, indent=1).encode()


def _ndjson(table: Table) -> bytes:
    return "\n".join(json.dumps(record) for record in _records(table)).encode()


_DECLARED = {int: "INTEGER", float: "REAL", str: "TEXT", bool: "BOOLEAN", date: "DATE", datetime: "DATETIME"}


def _sqlite(table: Table) -> bytes:
    names = ", ".join(f'"{name}" {_DECLARED[type(values[0])]}' for name, values in table.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        connection = sqlite3.connect(path)
        connection.execute(f"CREATE TABLE t ({names})")
        rows = [[str(v) if isinstance(v, date) else v for v in row] for row in _rows(table)[1:]]
        connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(table))})", rows)
        connection.commit()
        connection.close()
        return path.read_bytes()


def _parquet(table: Table) -> bytes:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as engine:
        path = Path(folder) / "a.parquet"
        engine.register("given", pa.table(table))
        engine.execute(f"COPY given TO '{path}' (FORMAT parquet)")
        return path.read_bytes()


_FIELDS = {int: ("N", 20), float: ("N", 32), str: ("C", 200), bool: ("L", 1), date: ("D", 8)}


def _dbf(table: Table) -> bytes:
    fields = [(f"f{at}", *_FIELDS[type(values[0])]) for at, values in enumerate(table.values())]
    rows = [[f"{Decimal(repr(v)):.10f}" if isinstance(v, float) else v for v in row] for row in _rows(table)[1:]]
    return odd.dbf([(name, kind, width) for name, kind, width in fields], [odd.dbf_row(fields, row) for row in rows])


def _geojson(table: Table) -> bytes:
    return odd.collection(*((odd.point(104, 30), record) for record in _records(table)), crs="EPSG:4490")


def _drawn(driver: str, suffix: str, table: Table) -> dict[str, bytes]:
    names = ", ".join(f"{name} AS f{at}" for at, name in enumerate(f'"{name}"' for name in table))
    return odd.drawn(driver, suffix, f"SELECT ST_Point(104, 30) AS geom, {names} FROM given", given=pa.table(table))


@dataclass(frozen=True)
class Format:
    """How tables are written in a format, the column of the fidelity table that promises what comes back, the kinds it
    has no place for, what its writers themselves change, and what they write for no text."""

    name: str
    write: Callable[[Table], bytes]
    promised: str
    without: frozenset[str] = frozenset()
    changes: Callable[[Any, type], Any] = lambda value, kind: value
    nothing: str | None = None


def _trimmed(value: Any, kind: type) -> Any:
    """A workbook's cell has no blanks around it, and a blank one no value."""
    return (value.strip() or None) if isinstance(value, str) else value


def _dbase(value: Any, kind: type) -> Any:
    """Text is filled up with blanks."""
    return (value.rstrip("\0 ") or None) if isinstance(value, str) else value


def _drawn_day(value: Any, kind: type) -> Any:
    """The engine's spatial extension cannot write a day before 1970."""
    return max(value, date(1970, 1, 1)) if kind is date and value else value


def _shape(value: Any, kind: type) -> Any:
    """Numbers have 24 places, 15 of them behind the point."""
    value = _dbase(_drawn_day(value, kind), kind)
    if isinstance(value, float):
        return value if abs(value) < 1e6 else round(value / 1e9, 9)
    return value % 10**17 if kind is int and value is not None else value


_SHEET = frozenset({"integer of 17 digits"})  # refused: test_odd_files
FORMATS = {
    "CSV": Format("a.csv", _csv, "CSV"),
    "CSV, all quoted": Format(
        "a.csv", lambda t: _csv(t, quoting=csv.QUOTE_ALL, lineterminator="\n"), "CSV", nothing=""
    ),
    "CSV, semicolons": Format("a.csv", lambda t: _csv(t, delimiter=";"), "CSV"),
    "CSV with a mark": Format("a.csv", lambda t: _csv(t, "utf-8-sig"), "CSV"),
    "CSV, GB 18030": Format("a.csv", lambda t: _csv(t, "gb18030"), "CSV, GB 18030"),
    "CSV, UTF-16": Format("a.csv", lambda t: _csv(t, "utf-16"), "CSV"),
    "TSV": Format("a.tsv", lambda t: _csv(t, delimiter="\t"), "CSV"),
    "ZIP of a CSV": Format("a.zip", lambda t: odd.zipped({"表.csv": _csv(t)}), "CSV"),
    "XLSX": Format("a.xlsx", lambda t: odd.book(("t", _rows(t)), formulas=False), "XLSX", _SHEET, _trimmed),
    "XLS": Format("a.xls", lambda t: books.xls(("t", _rows(t))), "XLS", _SHEET, _trimmed),
    "ODS": Format("a.ods", lambda t: books.ods(("t", _rows(t))), "ODS", _SHEET, _trimmed),
    "JSON": Format("a.json", _json, "JSON"),
    "NDJSON": Format("a.ndjson", _ndjson, "NDJSON"),
    "Parquet": Format("a.parquet", _parquet, "Parquet"),
    "Arrow": Format("a.arrow", lambda t: odd.arrow(pa.table(t)), "Arrow"),
    "SQLite": Format("a.db", _sqlite, "SQLite"),
    "DBF": Format("a.dbf", _dbf, "DBF", frozenset({"moment"}), _dbase),
    "GeoJSON": Format("a.geojson", _geojson, "GeoJSON"),
    "GeoPackage": Format(
        "a.gpkg", lambda t: _drawn("GPKG", ".gpkg", t)["图.gpkg"], "GeoPackage", frozenset(), _drawn_day
    ),
    "Shapefile": Format(
        "a.zip", lambda t: odd.zipped(_drawn("ESRI Shapefile", ".shp", t)), "Shapefile", frozenset(), _shape
    ),
}


MAPS = {"GeoJSON", "GeoPackage", "Shapefile"}  # the spatial extension takes a while to load


def promises() -> dict[tuple[str, str], str]:
    """The fidelity table as it is published: what becomes of a kind of value in a format."""
    lines = DOCUMENT.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {(row[0], name): cell for row in rows for name, cell in zip(head[1:], row[1:], strict=True)}


PROMISES = promises()


def _kept(promise: str, value: Any) -> Any:
    """What is promised of this value."""
    type_, _, rest = promise.partition(":")
    if value is None or (not rest and "as written" not in promise):
        return value
    if "as written" in promise:
        return str(value)
    if isinstance(value, bool):
        return int(value)
    return value.replace(tzinfo=UTC) if "ZONE" in type_ else value.isoformat()


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], tuple[list[str], list[Values]]]:
    """Lands a file; the types and the values of its columns in order."""
    monkeypatch.setattr(apart, "begun", in_process.begun)
    store = DuckDBStore(tmp_path / "home", StoredDataKeys(Keyring(tmp_path / "keys")))
    count = iter(range(10**9))

    def land(name: str, content: bytes) -> tuple[list[str], list[Values]]:
        file = tmp_path / name
        file.write_bytes(content)
        stored = store.land(file, Place("o", "a", f"v{next(count)}"), Reading(), key=None)
        kept = pq.read_table(store.home / stored.files[0].path)
        return [column.type for column in stored.columns], [kept[column.name].to_pylist() for column in stored.columns]

    return land


_QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def comes_back(format_: str, table: Table, landing: Callable[..., Any]) -> None:
    how = FORMATS[format_]
    there = {
        name: [how.changes(value, type(values[0])) for value in values]
        for name, values in table.items()
        if name not in how.without
    }
    types, columns = landing(how.name, how.write(there))
    skipped = len(types) - len(there) - (format_ in MAPS)  # a number of its own first
    for at, (kind, values) in enumerate(there.items(), skipped):
        promise = PROMISES.get((kind, how.promised), "VARCHAR")
        assert types[at] == promise.partition(":")[0].partition(",")[0], kind
        kept = [_kept(promise, value) for value in values]
        if types[at] == "VARCHAR":
            kept = [how.nothing if value is None else value for value in kept]
        assert columns[at] == kept, kind


def trials(examples: int, format_: str, landing: Callable[..., Any]) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=_QUIET)
    @given(tables())
    def holds(table: Table) -> None:
        comes_back(format_, table, landing)

    holds()


@pytest.mark.parametrize("format_", FORMATS)
def test_a_table_comes_back_as_promised(format_: str, landing: Callable[..., Any]) -> None:
    trials(2 if format_ in MAPS else 4, format_, landing)


@pytest.mark.soak
@pytest.mark.parametrize("format_", FORMATS)
def test_many_tables_come_back_as_promised(format_: str, landing: Callable[..., Any]) -> None:
    trials(300, format_, landing)


# A number as JSON may write it, with however many digits.
_NUMERAL = st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)

_TEXTS = st.one_of(
    _NUMERAL,
    _IDENTIFIER,
    st.from_regex(r"[+-]?[0-9]{1,20}", fullmatch=True),
    st.sampled_from(
        ["true", "false", "2024-03-05", "2024-03-05 09:05:01", "12:30", "1,234", "50%", "3.5万", "１２", "是", "-0"]
    ),
    _DAY.map(str),
    _MOMENT.map(str),
)


def said(value: str, type_: str, kept: Any) -> bool:
    """Does what is kept say what was written, digit for digit?"""
    match type_:
        case "BIGINT":
            return Decimal(value) == kept
        case "DOUBLE":
            return Decimal(value) == Decimal(repr(kept))
        case "BOOLEAN":
            return value == str(kept).lower()
        case "DATE":
            return value == kept.isoformat()
        case "TIMESTAMP":
            return datetime.fromisoformat(value) == kept
    return bool(value == kept)


def _of_numerals(column: list[str]) -> dict[str, tuple[str, bytes]]:
    """A column of numbers in the formats that write numbers as they like."""
    objects = [f'{{"n": {value}}}' for value in column]
    features = ", ".join(f'{{"type": "Feature", "geometry": null, "properties": {each}}}' for each in objects)
    return {
        "CSV": ("a.csv", "\n".join(["n,x", *(f"{value},x" for value in column)]).encode()),
        "JSON": ("a.json", f"[{', '.join(objects)}]".encode()),
        "NDJSON": ("a.ndjson", "\n".join([*objects, ""]).encode()),
        "GeoJSON": ("a.geojson", f'{{"type": "FeatureCollection", "features": [{features}]}}'.encode()),
    }


@pytest.mark.parametrize("format_", ["CSV", "JSON", "NDJSON", "GeoJSON"])
def test_no_number_loses_a_digit(format_: str, landing: Callable[..., Any]) -> None:
    @settings(max_examples=4 if format_ in MAPS else 15, deadline=None, suppress_health_check=_QUIET)
    @given(st.lists(_NUMERAL, min_size=2, max_size=6))
    def holds(column: list[str]) -> None:
        types, columns = landing(*_of_numerals(column)[format_])
        at = int(format_ == "GeoJSON")
        assert all(said(value, types[at], kept) for value, kept in zip(column, columns[at], strict=True)), types

    holds()


def _of_texts(table: Table) -> dict[str, tuple[str, bytes]]:
    rows = _rows(table)
    fields = [(name, "C", 40) for name in table]
    return {
        "XLSX": ("a.xlsx", odd.book(("t", rows))),
        "XLS": ("a.xls", books.xls(("t", rows))),
        "ODS": ("a.ods", books.ods(("t", rows))),
        "JSON": ("a.json", json.dumps(_records(table)).encode()),
        "SQLite": ("a.db", _sqlite(table)),
        "DBF": ("a.dbf", odd.dbf(fields, [odd.dbf_row(fields, row) for row in rows[1:]])),
        "GeoJSON": ("a.geojson", _geojson(table)),
    }


@pytest.mark.parametrize("format_", ["XLSX", "XLS", "ODS", "JSON", "SQLite", "DBF", "GeoJSON"])
def test_no_text_loses_a_digit(format_: str, landing: Callable[..., Any]) -> None:
    """Texts that look like numbers and dates: where a type is taken, it says the same; else the text stands."""

    @settings(max_examples=3 if format_ in MAPS else 10, deadline=None, suppress_health_check=_QUIET)
    @given(st.lists(st.tuples(_TEXTS, _TEXTS), min_size=2, max_size=5))
    def holds(rows: list[tuple[str, str]]) -> None:
        names = [f"r{number}" for number in range(len(rows))]
        table: Table = {"no": names, "a": [row[0] for row in rows], "b": ["甲", *(row[1] for row in rows[1:])]}
        types, columns = landing(*_of_texts(table)[format_])
        at = 1 + int(format_ == "GeoJSON")
        assert types[at + 1] == "VARCHAR"
        assert columns[at + 1] == table["b"]
        if len({type(value) for value in columns[at]}) == 1 and types[at] in ("BIGINT", "DOUBLE"):
            # By a spelling (1,234 · 50% · 3.5万), or plainly.
            assert all(
                _number(value) == Decimal(repr(kept)) for value, kept in zip(table["a"], columns[at], strict=True)
            )
        elif types[at] == "BOOLEAN":
            assert [value in ("true", "是") for value in table["a"]] == columns[at]
        else:
            assert all(said(v, types[at], kept) for v, kept in zip(table["a"], columns[at], strict=True)), types

    holds()


def _number(value: str) -> Decimal:
    """What a number says that people wrote."""
    plain = value.replace(",", "").translate(str.maketrans("１２", "12"))
    return Decimal(plain.rstrip("%万")) * (10_000 if plain.endswith("万") else 1)
