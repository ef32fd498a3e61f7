"""New versions of a table: rows appended, put in the place of others by key, or the whole replaced, beside bare DuckDB.

The table has the columns of `publish`. The file holds a tenth of its rows: all new when appended; half of them new and
half changed when they come by key; when the whole is replaced, as many as the table has.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from ._measure import Cost, cost_of, folder, least, open_house, report, said, sizes
from ._page import amount, growth, table, write
from .publish import SELECT

MODES = ("append", "upsert", "replace")


def make(target: Path, first: int, end: int) -> None:
    """Rows `first` to `end` as CSV, their key by their number and everything else by chance."""
    rows = f"SELECT * REPLACE ('C' || lpad((i + {first})::VARCHAR, 9, '0') AS customer_no) FROM numbered"
    numbered = SELECT.format(rows=end - first).replace("SELECT 'C'", "SELECT i, 'C'", 1)
    query = f"WITH numbered AS ({numbered}) SELECT * EXCLUDE (i) FROM ({rows})"
    duckdb.connect(":memory:").execute(f"COPY ({query}) TO '{target}' (FORMAT csv, HEADER)")


def files(place: Path, mode: str, rows: int) -> tuple[Path, Path]:
    old, new = place / "old.csv", place / "new.csv"
    starts = {"append": rows, "upsert": rows - rows // 20, "replace": 0}
    make(old, 0, rows)
    make(new, starts[mode], starts[mode] + (rows if mode == "replace" else rows // 10))
    return old, new


def by_shudu(place: Path, mode: str, rows: int) -> Cost:
    """What a new version does: the file read by the kept recipe, put together with the base, the whole observed."""
    open_house(place / "home")
    from shudu.lake import queries as lake
    from shudu.lake.types import Base, Mode, Place, Reading, Recipe, Table

    old, new = files(place, mode, rows)
    store, key = lake.store(), "customer_no"
    before, after = (Place("pty_bench", "ast_bench", f"ver_{number}") for number in (1, 2))
    first = store.land(old, before, Reading(), key=key)
    base = Base(Table(before, first.files, first.columns), Mode(mode), next_field=len(first.columns) + 1)
    reading = Reading(recipe=Recipe(**first.recipe))
    return cost_of(lambda: {"rows": store.land(new, after, reading, key=key, base=base).rows})


def by_duckdb(place: Path, mode: str, rows: int) -> Cost:
    """The same rows by one statement from Parquet and CSV to Parquet; nothing is checked, hashed or observed."""
    old, new = files(place, mode, rows)
    base, target = place / "old.parquet", place / "new.parquet"
    options = "(FORMAT parquet, COMPRESSION zstd)"
    duckdb.connect(":memory:").execute(f"COPY (FROM read_csv('{old}')) TO '{base}' {options}")
    kept = f"FROM '{base}' AS old ANTI JOIN read_csv('{new}') AS fresh USING (customer_no) UNION ALL "
    query = f"{kept if mode == 'upsert' else ''}FROM read_csv('{new}')"

    def work() -> dict[str, float]:
        connection = duckdb.connect(":memory:", config={"threads": "2", "memory_limit": "1GB"})
        connection.execute(f"COPY ({query}) TO '{target}' {options}")
        connection.close()
        return {}

    return cost_of(work)


WAYS = {f"{way.__name__}-{mode}": (way, mode) for way in (by_shudu, by_duckdb) for mode in MODES}


def main() -> None:
    amounts = sizes("10k,100k,1m")
    rows = []
    for mode in MODES:
        pairs = [[least("versions", f"{way}-{mode}", size) for way in ("by_shudu", "by_duckdb")] for size in amounts]
        for size, (ours, bare) in zip(amounts, pairs, strict=True):
            ratio = f"{ours.cpu / bare.cpu:.2f}×"
            rows.append([mode, said(size), amount(ours.cpu), amount(bare.cpu), ratio, f"{ours.peak_mb:.0f}"])
        grown = [growth(amounts, [pair[at].cpu for pair in pairs]) for at in (0, 1)]
        rows.append([mode, "exponent", *grown, "", growth(amounts, [ours.peak_mb for ours, _ in pairs])])
    write(
        "versions",
        "New versions",
        amounts,
        "A table of so many rows with the columns of “Publishing a CSV”, and a file: a tenth as many rows to append or "
        "take by key, half of them new; or the whole anew. Shudu is the lake's `land` onto the version before: its "
        "digest checked, the file read by the kept recipe, keys compared, rows written or files linked, and the whole "
        "table observed again. DuckDB is one `COPY` of the same rows (an anti-join and a union where they come by key; "
        "of the appended rows alone), which checks, counts, hashes and observes nothing.",
        table(["way", "rows", "Shudu CPU s", "DuckDB CPU s", "ratio", "Shudu peak MB"], rows),
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        with folder() as own:
            way, mode = WAYS[sys.argv[2]]
            report(way(own, mode, int(sys.argv[3])))
    else:
        main()
