"""Publishing a CSV: the lake's whole way in, beside bare DuckDB and beside Python's own sqlite3."""

from __future__ import annotations

import csv
import sqlite3
import sys
from pathlib import Path

import duckdb

from ._measure import Cost, cost_of, folder, least, open_house, report, said, sizes
from ._page import amount, growth, table, write

COLUMNS = 20
# A key, whole numbers, amounts with cents, days, moments, categories and Chinese text; some cells are empty.
SELECT = """
SELECT 'C' || lpad(i::VARCHAR, 9, '0') AS customer_no,
  (hash(i, 1) % 96)::INT AS tenure, (hash(i, 2) % 80 + 18)::INT AS age, (hash(i, 3) % 7)::INT AS calls,
  CASE WHEN hash(i, 4) % 20 = 0 THEN NULL ELSE (hash(i, 4) % 1000000) / 100 END AS charges,
  (hash(i, 5) % 100000) / 100 AS total, (hash(i, 6) % 10000) / 7 AS ratio, (hash(i, 7) % 1000000)::INT AS bytes_used,
  DATE '2020-01-01' + (hash(i, 8) % 2000)::INT AS joined,
  TIMESTAMP '2024-01-01' + to_seconds((hash(i, 9) % 31000000)::INT) AS seen,
  ['月付', '一年', '两年'][(hash(i, 10) % 3 + 1)::INT] AS contract,
  ['锦江区', '青羊区', '金牛区', '武侯区', '成华区', '新都区'][(hash(i, 11) % 6 + 1)::INT] AS district,
  ['web', 'shop', 'phone'][(hash(i, 12) % 3 + 1)::INT] AS channel,
  CASE WHEN hash(i, 13) % 3 = 0 THEN NULL ELSE '备注，第' || (hash(i, 13) % 5000) || '条' END AS note,
  hash(i, 14) % 2 = 0 AS paperless, hash(i, 15) % 2 = 0 AS senior, (hash(i, 16) % 12)::INT AS lines,
  (hash(i, 17) % 500)::INT AS points, (hash(i, 18) % 100000) / 10 AS distance,
  'AB' || (hash(i, 19) % 100000) AS plan
FROM range({rows}) AS t(i)
"""


def make_csv(target: Path, rows: int) -> None:
    query = SELECT.format(rows=rows)
    duckdb.connect(":memory:").execute(f"COPY ({query}) TO '{target}' (FORMAT csv, HEADER)")


def by_shudu(source: Path, place: Path) -> Cost:
    """`write_csv` with a key: read strictly, typed, written, hashed, its key checked, observed, made durable."""
    open_house(place / "home")
    from shudu.lake import queries as lake
    from shudu.lake.types import Place

    store, where = lake.store(), Place("pty_bench", "ast_bench", "ver_bench")

    def work() -> None:
        lake_rows = store.write_csv(source, where, key="customer_no").rows
        assert lake_rows > 0

    return cost_of(work)


def by_duckdb(source: Path, place: Path) -> Cost:
    """Typed by its own sniffer and written with the codec and as many threads as the lake uses; nothing is checked."""

    def work() -> None:
        connection = duckdb.connect(":memory:", config={"threads": "2", "memory_limit": "1GB"})
        target = place / "data.parquet"
        connection.execute(f"COPY (FROM read_csv('{source}')) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
        connection.close()

    return cost_of(work)


def by_sqlite(source: Path, place: Path) -> Cost:
    """Text into an untyped table, one transaction: less work than sqlite-utils, which types and counts in Python."""

    def work() -> None:
        connection = sqlite3.connect(place / "table.sqlite3")
        with source.open(encoding="utf-8", newline="") as file, connection:
            rows = csv.reader(file)
            names = next(rows)
            connection.execute(f"CREATE TABLE t ({', '.join(names)})")
            connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(names))})", rows)
        connection.close()

    return cost_of(work)


WAYS = {"shudu": by_shudu, "duckdb": by_duckdb, "sqlite3": by_sqlite}


def main() -> None:
    amounts = sizes("10k,100k,1m")
    costs: dict[str, list[Cost]] = {way: [] for way in WAYS}
    with folder() as place:
        for size in amounts:
            source = place / f"{size}.csv"
            make_csv(source, size)
            for way, seen in costs.items():
                seen.append(least("publish", way, size, source))
            source.unlink()
    rows = [
        [
            said(size),
            *(amount(costs[way][at].cpu) for way in WAYS),
            f"{costs['shudu'][at].cpu / costs['duckdb'][at].cpu:.2f}×",
            f"{costs['sqlite3'][at].cpu / costs['shudu'][at].cpu:.2f}×",
            *(f"{costs[way][at].peak_mb:.0f}" for way in WAYS),
        ]
        for at, size in enumerate(amounts)
    ]
    grown = [growth(amounts, [cost.cpu for cost in costs[way]]) for way in WAYS]
    held = [growth(amounts, [cost.peak_mb for cost in costs[way]]) for way in WAYS]
    rows.append(["exponent", *grown, "", "", *held])
    ratio = costs["shudu"][-1].cpu / costs["duckdb"][-1].cpu
    write(
        "publish",
        "Publishing a CSV",
        amounts,
        f"{COLUMNS} columns of numbers, days, categories and Chinese text. Shudu is the lake's `write_csv` with a key "
        "and all observers; DuckDB is one `COPY` from CSV to zstd Parquet with as many threads, which checks, hashes "
        "and observes nothing and is not made durable; sqlite3 is `csv.reader` into `executemany`, everything as text "
        "(sqlite-utils, named in the design's budget, does more work than that). Peak memory is of the process, with "
        "what it imports: for Shudu that includes Django.",
        table(
            [
                *("rows", "Shudu CPU s", "DuckDB CPU s", "sqlite3 CPU s", "Shudu / DuckDB", "sqlite3 / Shudu"),
                *("Shudu peak MB", "DuckDB peak MB", "sqlite3 peak MB"),
            ],
            rows,
        ),
        f"Budget: at most 2× the CPU of bare DuckDB at the largest size ({'met' if ratio <= 2 else 'not met'}: "
        f"{ratio:.2f}×), memory flat as the file grows.",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        with folder() as own:
            report(WAYS[sys.argv[2]](Path(sys.argv[4]), own))
    else:
        main()
