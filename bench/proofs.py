"""A tall log: proofs from it, and entries appended on top. It is built quickly, with small leaves, row by row as the
sequencer would leave them; every proof is then checked against the signed root."""

from __future__ import annotations

import random
import sqlite3
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from ._measure import Cost, cost_of, folder, least, percentile, report, said, sizes
from ._page import amount, growth, table, write
from .ledger import append, prepare

ON_TOP = 20_000
PROOFS = 500
_STEP = 1 << 16
_ENTRY = 'id, log_id, "index", outbox, event, subject, time, leaf, leaf_hash'
_FAR = 10**12  # outbox numbers nobody else has


def leaf(index: int) -> bytes:
    """A small leaf: what lies in it does not change a proof."""
    return f'{{"entry_id":"ent_{index:026d}"}}'.encode()


def build(entries: int) -> None:
    """Entries, tiles, tree head and signed checkpoint of so many entries in place of the log as it is."""
    from django.conf import settings
    from django.db import connection

    from shudu.ledger.merkle import leaf_hash, node_hash
    from shudu.ledger.merkle import root as root_of
    from shudu.ledger.models import Disclosure, Entry, HashTile, Log, TreeHead
    from shudu.ledger.note import Checkpoint, sign
    from shudu.ledger.queries import _tiles
    from shudu.ledger.signing import in_force, signer
    from shudu.ledger.tiles import WIDTH, hashes_from, holding
    from shudu.policy import clock

    log = Log.objects.get()
    for model in (Disclosure, Entry, HashTile, TreeHead):
        model.objects.all().delete()
    connection.close()
    raw = sqlite3.connect(settings.HOME / "shudu.sqlite3", isolation_level=None)
    now, event, level = clock.now().replace(tzinfo=None).isoformat(" "), "run.closed", 0
    nodes: list[bytes] = []

    def tiles_of(at: int, hashes: list[bytes], first: int) -> list[bytes]:
        """Write a level's tiles, and return the roots of the full ones."""
        pieces = [hashes[start : start + WIDTH] for start in range(0, len(hashes), WIDTH)]
        rows = [(log.pk, at, first + place, b"".join(piece)) for place, piece in enumerate(pieces)]
        raw.executemany('INSERT INTO ledger_hashtile (log_id, level, "index", hashes) VALUES (?, ?, ?, ?)', rows)
        whole = [(index, content) for _, _, index, content in rows if len(content) == WIDTH * 32]
        below = [(hashes_from({(0, index): content}), 2 * index) for index, content in whole]
        return [node_hash(hashes(7, left), hashes(7, left + 1)) for hashes, left in below]

    for start in range(0, entries, _STEP):
        raw.execute("BEGIN IMMEDIATE")
        leaves = [leaf(index) for index in range(start, min(start + _STEP, entries))]
        hashes = [leaf_hash(one) for one in leaves]
        rows = (
            (f"ent_{index:026d}", log.pk, index, _FAR + index, event, f"run_{_mixed(index)}", now, one, hashed)
            for index, (one, hashed) in enumerate(zip(leaves, hashes, strict=True), start=start)
        )
        raw.executemany(f"INSERT INTO ledger_entry ({_ENTRY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        nodes += tiles_of(0, hashes, start // WIDTH)
        raw.execute("COMMIT")
    while nodes:
        level += 1
        raw.execute("BEGIN IMMEDIATE")
        nodes = tiles_of(level, nodes, 0)
        raw.execute("COMMIT")
    raw.close()

    def node(at: int, index: int) -> bytes:
        return hashes_from(_tiles(log, [holding(at, index)]))(at, index)

    peaks, start = b"", 0
    for bit in reversed(range(entries.bit_length())):
        if entries >> bit & 1:
            peaks += node(bit, start >> bit)
            start += 1 << bit
    root = root_of(entries, node)
    note = str(sign(str(Checkpoint(log.origin, entries, root)), *map(signer, in_force(log, entries))))
    TreeHead.objects.create(log=log, size=entries, root=root, frontier=peaks, checkpoint=note, time=clock.now())


def _mixed(index: int) -> str:
    """Subjects come in no order."""
    return sha256(index.to_bytes(8, "big")).hexdigest()[:26]


def proved(size: int) -> dict[str, Any]:
    """Proofs of entries drawn at random, each checked: median and 95th percentile, by the clock and the processor."""
    from shudu.ledger import queries
    from shudu.ledger.merkle import leaf_hash, verify_inclusion

    root, chance = queries.root_at(size), random.Random(1)
    clock: list[float] = []
    processor: list[float] = []
    for _ in range(PROOFS):
        index = chance.randrange(size)
        before, began = time.process_time(), time.perf_counter()
        proof = queries.inclusion(index, size)
        clock.append(1_000 * (time.perf_counter() - began))
        processor.append(1_000 * (time.process_time() - before))
        assert verify_inclusion(leaf_hash(leaf(index)), index, size, proof, root)
    found = {"clock": clock, "processor": processor}
    return {name: [percentile(times, 0.5), percentile(times, 0.95)] for name, times in found.items()}


def child(entries: int) -> Cost:
    with folder() as place:
        home: Path = place / "home"
        prepare(home, 0)
        build(entries)
        from .ledger import waiting_rows

        waiting_rows(ON_TOP)
        found = proved(entries)
        cost = cost_of(lambda: append(ON_TOP))
        size = (home / "shudu.sqlite3").stat().st_size / 2**30
        return Cost(cost.cpu, cost.wall, cost.peak_mb, found | {"size": size})


def main() -> None:
    amounts = sizes("100k,1m")
    costs = [least("proofs", "all", size) for size in amounts]
    rows = [
        [
            said(size),
            f"{cost.found['size']:.1f}",
            *("{:.2f} / {:.2f}".format(*cost.found[what]) for what in ("clock", "processor")),
            amount(ON_TOP / cost.wall),
            amount(1e6 * cost.cpu / ON_TOP),
        ]
        for size, cost in zip(amounts, costs, strict=True)
    ]
    clock, processor = ([cost.found[what][0] for cost in costs] for what in ("clock", "processor"))
    rates = growth(amounts, [cost.cpu for cost in costs])
    rows.append(["exponent", "", growth(amounts, clock), growth(amounts, processor), "", rates])
    slowest, by_processor = (costs[-1].found[what][1] for what in ("clock", "processor"))
    write(
        "proofs",
        "A tall log",
        amounts,
        "Inclusion proofs of entries drawn at random, as they are served, in a log on disk that holds so many; each is "
        f"checked against the signed root afterwards. Then {ON_TOP:,} waiting outbox rows get their places on top, as "
        "in the section on the log. The entries beneath were written quickly, with small leaves and no disclosures.",
        table(
            [
                *("entries", "GiB on disk", "proof ms p50 / p95", "proof CPU ms p50 / p95", "entries/s on top"),
                "µs CPU each",
            ],
            rows,
        ),
        f"Budget: a proof in 5 ms at 10M entries, 95th percentile ({'met' if slowest <= 5 else 'not met'} at "
        f"{said(amounts[-1])}: {slowest:.1f} ms by the clock, {by_processor:.1f} ms of processor).",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        report(child(int(sys.argv[3])))
    else:
        main()
