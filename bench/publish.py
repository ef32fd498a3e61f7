"""Publishing a CSV: the lake's whole way in, beside sqlite-utils, PostgreSQL's COPY and bare DuckDB.

sqlite-utils takes half an hour for ten million rows. `BENCH_WAYS=shudu,duckdb` measures only those and takes the others
from build/bench, where the last figures of this machine are kept; the page says when each was taken. So
`BENCH_WAYS=sqlite-utils make bench ARGS=publish=10m` runs it apart, and its row stays.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path

import duckdb

from ._measure import ROOT, Cost, cost_of, folder, least, open_house, report, said, sizes
from ._page import amount, growth, table, write

COLUMNS = 20
FLAT = 1.25
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
    """What publishing does: recognised, read strictly, typed, written, hashed, its key checked, observed, durable."""
    open_house(place / "home")
    from shudu.lake import queries as lake
    from shudu.lake.types import Place, Reading

    store, where = lake.store(), Place("pty_bench", "ast_bench", "ver_bench")

    def work() -> dict[str, float]:
        stored = store.land(source, where, Reading(), key="customer_no")
        return {"stored_mb": sum(file.bytes for file in stored.files) / 1e6}

    return cost_of(work)


def by_duckdb(source: Path, place: Path) -> Cost:
    """Typed by its own sniffer and written with the codec and as many threads as the lake uses; nothing is checked."""
    target = place / "data.parquet"

    def work() -> dict[str, float]:
        connection = duckdb.connect(":memory:", config={"threads": "2", "memory_limit": "1GB"})
        connection.execute(f"COPY (FROM read_csv('{source}')) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
        connection.close()
        return {"stored_mb": target.stat().st_size / 1e6}

    return cost_of(work)


def by_sqlite_utils(source: Path, place: Path) -> Cost:
    """Types guessed from all rows, as `sqlite-utils insert --csv` does it; no index, no statistics."""
    target = place / "table.sqlite3"
    command = [Path(sys.executable).with_name("sqlite-utils"), "insert", target, "t", source, "--csv", "--silent"]
    cost = _waited(subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL))
    return Cost(cost.cpu, cost.wall, cost.peak_mb, {"stored_mb": target.stat().st_size / 1e6})


def by_postgresql(source: Path, place: Path) -> Cost:
    """COPY by the server from the file into a typed table, the server's default settings; from its start to its stop,
    so that its checkpoint counts."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name))
    who = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    as_server = {"user": who.pw_uid, "group": who.pw_gid, "cwd": place, "stdout": subprocess.DEVNULL}
    for path in (place, source):
        os.chown(path, who.pw_uid, -1)
    source.parent.chmod(0o711)
    data = place / "data"
    options = ["-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C"]
    subprocess.run([programs / "initdb", "-D", data, *options], check=True, **as_server)  # type: ignore[call-overload]
    names = {"VARCHAR": "text", "DOUBLE": "double precision"}
    described = duckdb.sql(f"DESCRIBE FROM read_csv('{source}')").fetchall()
    columns = ", ".join(f"{name} {names.get(type_, type_)}" for name, type_, *_ in described)
    started = [programs / "postgres", "-D", data, "-k", place, "-c", "listen_addresses="]
    server = subprocess.Popen(started, stderr=subprocess.DEVNULL, **as_server)  # type: ignore[call-overload]

    def tell(sql: str) -> str:
        asked = [str(programs / "psql"), "-h", str(place), "-U", "bench", "-d", "postgres", "-qAtc", sql]
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
        return done.stdout

    while subprocess.run([programs / "pg_isready", "-q", "-h", place], check=False).returncode:
        time.sleep(0.05)
    tell(f"CREATE TABLE t ({columns})")
    began = time.perf_counter()
    tell(f"COPY t FROM '{source}' (FORMAT csv, HEADER)")
    wall = time.perf_counter() - began
    stored = int(tell("SELECT pg_total_relation_size('t')")) / 1e6
    server.terminate()
    cost = _waited(server)
    return Cost(cost.cpu, wall, cost.peak_mb, {"stored_mb": stored})


def _waited(process: subprocess.Popen[bytes]) -> Cost:
    """What a program cost from its start to its end, with the processes it waited for."""
    began = time.perf_counter()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{process.args!r} failed: {status}")
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - began, used.ru_maxrss / 1024, {})


WAYS = {"shudu": by_shudu, "duckdb": by_duckdb, "postgresql": by_postgresql, "sqlite-utils": by_sqlite_utils}
NAMES = {"shudu": "Shudu", "duckdb": "DuckDB", "postgresql": "PostgreSQL", "sqlite-utils": "sqlite-utils"}
KEPT = ROOT / "build" / "bench" / "publish.json"


def main() -> None:
    amounts = sizes("100k,1m,10m")
    asked = os.environ.get("BENCH_WAYS", ",".join(WAYS)).split(",")
    figures = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    for size in amounts:
        with folder() as place:
            source = place / f"{size}.csv"
            make_csv(source, size)
            for way in asked:
                taken = {"cost": asdict(least("publish", way, size, source)), "on": f"{date.today():%Y-%m-%d}"}
                figures[f"{way} {size}"] = taken
                KEPT.write_text(json.dumps(figures, indent=1), "utf-8")
    _write(amounts, {way: [figures.get(f"{way} {size}") for size in amounts] for way in WAYS})


def _write(amounts: list[int], figures: dict[str, list[dict[str, object] | None]]) -> None:
    costs = {way: [Cost(**each["cost"]) if each else None for each in row] for way, row in figures.items()}  # type: ignore[arg-type]
    rows = []
    for at, size in enumerate(amounts):
        for way, each in costs.items():
            cost, ours = each[at], costs["shudu"][at]
            if cost is None or ours is None:
                rows.append([said(size), NAMES[way], *["–"] * 5, "not measured"])
                continue
            shown = [amount(cost.cpu), f"{cost.cpu / ours.cpu:.2f}×", amount(cost.wall), f"{cost.peak_mb:.0f}"]
            rows.append([said(size), NAMES[way], *shown, amount(cost.found["stored_mb"]), str(figures[way][at]["on"])])  # type: ignore[index]
    for way, each in costs.items():
        there = [(size, cost) for size, cost in zip(amounts, each, strict=True) if cost]
        found = [size for size, _ in there]
        held = growth(found, [cost.peak_mb for _, cost in there])
        rows.append(["exponent", NAMES[way], growth(found, [cost.cpu for _, cost in there]), "", "", held, "", ""])
    fast, slow = (_budget(each, amounts, costs) for each in (("duckdb", 2.0), ("sqlite-utils", 25.0)))
    write(
        "publish",
        "Publishing a CSV",
        amounts,
        f"{COLUMNS} columns of numbers, days, categories and Chinese text. Shudu is the lake's `land` with a key and "
        "all observers: the format recognised, read strictly, typed without losing a digit, written, hashed, checked, "
        "profiled, scored and classified, made durable. DuckDB is one `COPY` from CSV to zstd Parquet with as many "
        "threads, which checks, hashes and observes nothing and is not made durable. PostgreSQL is the server's own "
        "`COPY` into a typed table without an index, with the processor seconds of all its processes from start to "
        "stop. sqlite-utils is `sqlite-utils insert --csv`. Peak memory is that of the largest process, with what it "
        "imports or shares: for Shudu that includes Django. Distinct counts in Shudu's profile are exact "
        "where few and else approximate (HyperLogLog), quantiles are of a sample (t-digest), and say so; all counts of "
        "quality are exact.",
        table(
            ["rows", "way", "CPU s", "to Shudu", "s", "peak MB", "stored MB", "measured"],
            rows,
        ),
        f"Budget: at most 2× the CPU of bare DuckDB ({fast}); `sqlite-utils insert` at least 25× Shudu's CPU ({slow}); "
        f"memory flat as the file grows, which is a peak at most {FLAT}× that of a tenth of the rows "
        f"({_flat(amounts, costs['shudu'])}).",
        "What Shudu does beyond bare DuckDB, dearest first: it reads the table back for distinct counts, ranges, "
        "quantiles, dirty cells and the key; it proves of each cell that its text comes back from its type, where "
        "DuckDB casts; it reads the file's bytes a second time for the digest, UTF-8 and quotes. Planning these "
        "questions is a fixed cost, which is why the ratio is worst for small files.",
    )


def _flat(amounts: list[int], ours: list[Cost | None]) -> str:
    """Whether ten times the rows took hardly more memory: at the largest size with a tenth of it beside it."""
    peaks = {size: cost.peak_mb for size, cost in zip(amounts, ours, strict=True) if cost}
    pairs = [(size, peaks[size] / peaks[size // 10]) for size in sorted(peaks) if size // 10 in peaks]
    if not pairs:
        return "not measured"
    size, ratio = pairs[-1]
    return f"{'met' if ratio <= FLAT else 'not met'} at {said(size)}: {ratio:.2f}×"


def _budget(limit: tuple[str, float], amounts: list[int], costs: dict[str, list[Cost | None]]) -> str:
    """Whether it is met at the largest size at which both were measured: at most twice one way, at least 25× less than
    the other."""
    way, bound = limit
    both = [
        (size, ours.cpu / theirs.cpu)
        for size, ours, theirs in zip(amounts, costs["shudu"], costs[way], strict=True)
        if ours and theirs
    ]
    if not both:
        return "not measured"
    size, ratio = both[-1]
    met, shown = (ratio <= bound, ratio) if way == "duckdb" else (1 / ratio >= bound, 1 / ratio)
    return f"{'met' if met else 'not met'} at {said(size)}: {shown:.2f}×"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        with folder() as own:
            report(WAYS[sys.argv[2]](Path(sys.argv[4]), own))
    else:
        main()
