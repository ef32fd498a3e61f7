"""The log: entries appended durably per second, and the time of a proof."""

from __future__ import annotations

import random
import sqlite3
import sys
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from ._measure import Cost, cost_of, folder, least, open_house, percentile, report, said, sizes
from ._page import amount, growth, table, write

# What one run of the main job leaves: its events, as often as they occur.
JOB = (
    *("agreement.concluded", "agreement.concluded", "order.placed", "run.started", "run.closed", "order.settled"),
    *("run.closed", "funds.deposited"),
)
BATCH = 10_000
PROOFS = 200


def append(entries: int) -> None:
    """The sequencer, as the worker calls it, on so many waiting outbox rows."""
    from shudu.ledger.actions import sequence
    from shudu.ledger.models import Entry

    before = Entry.objects.count()
    while sequence():
        pass
    assert Entry.objects.count() == before + entries


def prepare(place: Path, entries: int) -> None:
    """A home with so many rows waiting for their place."""
    open_house(place)
    from shudu.ledger.actions import sequence

    while sequence():
        pass
    waiting_rows(entries)


def waiting_rows(entries: int) -> None:
    """So many more outbox rows, written out to the file."""
    from django.db import connection

    from shudu.policy import clock, ids
    from shudu.policy.events import ACTOR_FIELDS, LEAVES, Event
    from shudu.policy.models import Outbox

    now = clock.now()

    def waiting(number: int) -> Outbox:
        event = Event(JOB[number % len(JOB)])
        run = ids.new("run")
        fields: dict[str, Any] = {name: _value(name, number, run) for name in (*LEAVES[event].fields, *ACTOR_FIELDS)}
        return Outbox(event=event.value, version=LEAVES[event].version, subject=run, fields=fields, time=now)

    for start in range(0, entries, BATCH):
        Outbox.objects.bulk_create([waiting(number) for number in range(start, min(start + BATCH, entries))])
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _value(name: str, number: int, run: str) -> Any:
    """Something of the size that stands there in truth."""
    match name:
        case "inputs":
            return [{"version": run, "agreement": run, "files": [sha256(run.encode()).hexdigest()]}] * 2
        case "outputs":
            files = {"product.csv": sha256(run.encode()).hexdigest(), "product.parquet": sha256(b"").hexdigest()}
            return [{"version": run, "files": files}]
        case "meters":
            return {"rows_in": number, "rows_out": 12, "bytes_out": 4_096}
        case "split_fen":
            return {"provider": 600, "modeller": 300, "platform": 100}
        case "amount" | "amount_fen" | "price_fen" | "runs":
            return number
        case _:
            return sha256(run.encode()).hexdigest() if name.endswith("sha256") else run


def bare(place: Path, entries: int) -> None:
    """The least a durable log can cost here: a hash and an insert for each entry, committed as often as we do."""
    connection = sqlite3.connect(place / "bare.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY, leaf BLOB, hash BLOB)")
    leaf = random.randbytes(1_200)
    for start in range(0, entries, BATCH):
        rows = ((number, leaf, sha256(leaf).digest()) for number in range(start, min(start + BATCH, entries)))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO entry VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
    connection.close()


def proofs() -> dict[str, Any]:
    """Inclusion proofs of entries drawn at random, and whole receipts: median and 95th percentile, milliseconds."""
    from shudu.ledger import queries
    from shudu.ledger.models import Entry, TreeHead
    from shudu.policy.events import Event

    size = TreeHead.objects.order_by("size").values_list("size", flat=True).last() or 0
    chance = random.Random(1)
    found: dict[str, list[float]] = {"proof": [], "proof_cpu": [], "receipt": []}

    def timed(name: str, work: Callable[[], Any]) -> None:
        clock, processor = time.perf_counter(), time.process_time()
        work()
        found[name].append(1_000 * (time.perf_counter() - clock))
        if f"{name}_cpu" in found:
            found[f"{name}_cpu"].append(1_000 * (time.process_time() - processor))

    for _ in range(PROOFS):
        index = chance.randrange(size)
        timed("proof", partial(queries.inclusion, index, size))
        row = Entry.objects.get(index=index)
        timed("receipt", partial(queries.receipt_for, Event(row.event), row.subject))
    return {name: [percentile(times, 0.5), percentile(times, 0.95)] for name, times in found.items()}


def child(kind: str, entries: int) -> Cost:
    with folder() as place:
        if kind == "bare":
            return cost_of(lambda: bare(place, entries))
        prepare(place / "home", entries)
        cost = cost_of(lambda: append(entries))
        return Cost(cost.cpu, cost.wall, cost.peak_mb, proofs())


def main() -> None:
    amounts = sizes("1k,10k,100k")
    pairs = [(least("ledger", "ours", size), least("ledger", "bare", size)) for size in amounts]
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    rows = [
        [
            said(size),
            amount(size / our.wall),
            amount(1e6 * our.cpu / size),
            amount(1e6 * their.cpu / size),
            f"{our.cpu / their.cpu:.1f}×",
            f"{our.peak_mb:.0f}",
            "{:.2f} / {:.2f}".format(*our.found["proof"]),
            "{:.2f} / {:.2f}".format(*our.found["proof_cpu"]),
            "{:.2f} / {:.2f}".format(*our.found["receipt"]),
        ]
        for size, (our, their) in zip(amounts, pairs, strict=True)
    ]
    rows.append(
        [
            "exponent",
            "",
            growth(amounts, [cost.cpu for cost in ours]),
            growth(amounts, [cost.cpu for cost in theirs]),
            "",
            growth(amounts, [cost.peak_mb for cost in ours]),
            growth(amounts, [cost.found["proof"][0] for cost in ours]),
            growth(amounts, [cost.found["proof_cpu"][0] for cost in ours]),
            growth(amounts, [cost.found["receipt"][0] for cost in ours]),
        ]
    )
    heads = ["entries", "entries/s", "µs CPU each", "bare SQLite", "ratio", "peak MB"]
    heads += ["proof ms p50 / p95", "proof CPU ms p50 / p95", "receipt ms p50 / p95"]
    rate = amounts[-1] / ours[-1].wall
    slowest = max(cost.found["proof"][1] for cost in ours)
    write(
        "ledger",
        "The log",
        amounts,
        "Waiting outbox rows, as many of each event as the main job leaves, get their places: salts and commitments "
        "for every field, leaves, tiles, tree head and signed checkpoint, committed durably (`synchronous=FULL`) "
        f"{BATCH:,} at a time. Beside it, a bare SQLite table takes one hash and one insert for each entry. Proofs are "
        f"of {PROOFS} entries drawn at random. The exponents of CPU are of the whole, not of each.",
        table(heads, rows),
        f"Budget: at least 5,000 entries/s at the largest size ({'met' if rate >= 5_000 else 'not met'}: {rate:,.0f}); "
        f"a proof in 5 ms ({'met' if slowest <= 5 else 'not met'}: {slowest:.1f} ms by the clock, 95th percentile).",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        report(child(sys.argv[2], int(sys.argv[3])))
    else:
        main()
