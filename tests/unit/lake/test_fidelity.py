"""The fidelity table of docs/formats.md: one table, put into each format, landed and read back."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place, Reading
from unit.lake import odd_files as odd
from unit.lake import odd_workbooks as books

DOCUMENT = Path(__file__).parents[3] / "docs" / "formats.md"
BEGIN, END = "<!-- fidelity: begin -->", "<!-- fidelity: end -->"
VALUES: dict[str, list[Any]] = {
    "integer": [42, -7],
    "integer of 17 digits": [12345678901234567, 2],
    "decimal": [0.1, 29.85],
    "code 0028": ["0028", "12"],
    "identifier of 18 digits": ["510104199003071237", "11010519491231002X"],
    "date": [date(2024, 3, 5), date(1999, 12, 31)],
    "moment": [datetime(2024, 3, 5, 9, 5, 1), datetime(1999, 12, 31, 23, 59, 59)],
    "truth": [True, False],
    "no value": [1.5, None],
    "rare character": ["𠮷野家", "䶮"],
    "line break": ["a\nb", "c"],
}
SHORT = list(VALUES.values())


def _csv() -> bytes:
    text = io.StringIO(newline="")
    cells = [
        [str(v).lower() if isinstance(v, bool) else "" if v is None else v for v in row]
        for row in zip(*SHORT, strict=True)
    ]
    csv.writer(text).writerows([list(VALUES), *cells])
    return text.getvalue().encode()


def _records() -> list[dict[str, Any]]:
    rows = zip(*SHORT, strict=True)
    return [{n: str(v) if isinstance(v, date) else v for n, v in zip(VALUES, row, strict=True)} for row in rows]


def _sqlite() -> bytes:
    types = ["INTEGER", "INTEGER", "REAL", "TEXT", "TEXT", "DATE", "DATETIME", "BOOLEAN", "REAL", "TEXT", "TEXT"]
    names = ", ".join(f'"{name}" {type_}' for name, type_ in zip(VALUES, types, strict=True))

    def cell(value: Any) -> str:
        if value is None or isinstance(value, bool | int | float):
            return "NULL" if value is None else str(int(value) if isinstance(value, bool) else value)
        return f"'{value}'"

    rows = [f"({', '.join(map(cell, row))})" for row in zip(*SHORT, strict=True)]
    return odd.sqlite(f"CREATE TABLE t ({names})", f"INSERT INTO t VALUES {', '.join(rows)}")


def _table() -> pa.Table:
    return pa.table(VALUES)


def _sheet() -> list[tuple[Any, ...]]:
    # A workbook's own numbers end at 15 digits; a longer one is refused with its place (test_odd_files).
    there = {name: values for name, values in VALUES.items() if name != "integer of 17 digits"}
    return [tuple(there), *zip(*there.values(), strict=True)]


def _dbf() -> bytes:
    fields = [
        ("f0", "N", 15), ("f1", "N", 17), ("f2", "N", 8), ("f3", "C", 4), ("f4", "C", 18), ("f5", "D", 8),
        ("f6", "L", 1), ("f7", "N", 5), ("f8", "C", 16), ("f9", "C", 5),
    ]  # fmt: skip
    there = [values for name, values in VALUES.items() if name not in NOT_IN_DBF]
    return odd.dbf(fields, [odd.dbf_row(fields, row) for row in zip(*there, strict=True)])


def _collection() -> bytes:
    return odd.collection(*((odd.point(104, 30), record) for record in _records()), crs="EPSG:4490")


def _map(driver: str, suffix: str) -> dict[str, bytes]:
    """As GDAL writes it, which most map programs are made of."""
    chosen = ", ".join(f'"{name}" AS f{at}' for at, name in enumerate(VALUES))
    return odd.drawn(driver, suffix, f"SELECT ST_Point(104, 30) AS geom, {chosen} FROM given", given=_table())


NOT_IN_DBF = {"moment"}  # dBASE has days only
LOST = {"integer of 17 digits": "refused: already lost"}
LEFT_OUT = {"XLSX": LOST, "XLS": LOST, "ODS": LOST, "DBF": {"moment": "none there"}}
NUMBERED = {"GeoJSON", "GeoPackage", "Shapefile"}  # the driver puts a number of its own before the file's columns
FORMATS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "CSV": ("a.csv", _csv),
    "CSV, GB 18030": ("b.csv", lambda: _csv().decode().encode("gb18030")),
    "XLSX": ("a.xlsx", lambda: odd.book(("t", _sheet()))),
    "XLS": ("a.xls", lambda: books.xls(("t", _sheet()))),
    "ODS": ("a.ods", lambda: books.ods(("t", _sheet()))),
    "JSON": ("a.json", lambda: json.dumps(_records(), ensure_ascii=False).encode()),
    "NDJSON": ("a.ndjson", lambda: "\n".join(json.dumps(row) for row in _records()).encode()),
    "Parquet": ("a.parquet", lambda: odd.parquet(_table())),
    "Arrow": ("a.arrow", lambda: odd.arrow(_table())),
    "SQLite": ("a.db", _sqlite),
    "DBF": ("a.dbf", _dbf),
    "GeoJSON": ("a.geojson", _collection),
    "GeoPackage": ("a.gpkg", lambda: _map("GPKG", ".gpkg")["图.gpkg"]),
    "Shapefile": ("a.zip", lambda: odd.zipped(_map("ESRI Shapefile", ".shp"))),
}


def _cell(name: str, there: Any, type_: str) -> str:
    values = VALUES[name]
    if there == values and [type(each) for each in there] == [type(each) for each in values]:
        return type_
    return f"{type_}, the text as written" if [str(each) for each in values] == there else f"{type_}: {there[0]}"


def measured(store: DuckDBStore, folder: Path) -> str:
    lines = [f"| | {' | '.join(FORMATS)} |", f"|---|{'---|' * len(FORMATS)}"]
    found: dict[str, dict[str, str]] = {}
    for number, (format_, (name, made)) in enumerate(FORMATS.items()):
        (folder / name).write_bytes(made())
        stored = store.land(folder / name, Place("o", "a", f"v{number}"), Reading(), key=None)
        table = pq.read_table(store.home / stored.files[0].path)
        names = [name for name in VALUES if name not in LEFT_OUT.get(format_, {})]
        columns = stored.columns[format_ in NUMBERED :][: len(names)]
        found[format_] = LEFT_OUT.get(format_, {}) | {
            name: _cell(name, table[each.name].to_pylist(), each.type)
            for name, each in zip(names, columns, strict=True)
        }
    for name in VALUES:
        cells = [found[format_][name] for format_ in FORMATS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_fidelity_table_is_golden(store: DuckDBStore, tmp_path: Path) -> None:
    table = measured(store, tmp_path)
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if os.environ.get("SHUDU_GOLDEN") == "write":
        DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")
    else:
        assert rest.partition(END)[0].strip() == table
