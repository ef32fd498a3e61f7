"""The rules of release over a million scores: groups, metrics, each check apart, the guard against subtracting."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from ._measure import Cost, cheapest, cost_of, each, folder, open_house, report, said, sizes
from ._page import amount, growth, table, write
from .cleanroom import release_rows

# How many different earlier releases of the same data a table of groups is compared with; None: no guard at all.
EARLIER = {"unguarded": None, "none": 0, "one": 1, "ten": 10}
CHECKS = {
    "entities": "entities and groups told apart",
    "shares": "distinct entities, dominance, carriers",
    "merging": "merging into the remainder, complement",
    "hashes": "keyed hashes for the sketch",
    "files": "caps: both files written",
}


def chosen(rows: int) -> tuple[pa.Table, Any]:
    chance = np.random.default_rng(3)
    label = pa.array(np.where(chance.random(rows) < 0.3, "yes", "no"))
    return release_rows(rows).append_column("label", label), chance.uniform(0, 1, rows)


def groups(earlier: int | None, rows: int) -> Cost:
    from shudu.cleanroom.release import History, ReleaseSpec, release

    data, scores = chosen(rows)
    chance, secret = np.random.default_rng(4), bytes(16)
    spec = ReleaseSpec("key", ("contract", "district"), frozenset({"contract", "district"}))
    known = []
    for _ in range(earlier or 0):
        # The same entities in other groups each time, as by other columns.
        names = np.array(["a", "b", "c", "d", "e"])[chance.integers(0, 5, rows)]
        sketch = release(scores, data.set_column(1, "district", [names]), spec, History(secret)).sketch
        assert sketch is not None
        known.append(sketch)
    history = None if earlier is None else History(secret, tuple(known))
    return cheapest(lambda: cost_of(lambda: {"rows": len(release(scores, data, spec, history).table)}), rows)


def metrics(rows: int) -> Cost:
    from shudu.cleanroom.metrics import MetricSpec, measure
    from shudu.cleanroom.release import History

    data, scores = chosen(rows)
    spec = MetricSpec("key", "label", frozenset({"auc", "ks", "log_loss", "calibration", "counts"}), (0.0, 1.0))
    history = History(bytes(16))
    return cheapest(lambda: cost_of(lambda: {"rows": len(measure(scores, data, spec, history).table)}), rows)


def checks(rows: int) -> Cost:
    """The parts of one release one after the other, as `release` calls them."""
    from shudu.cleanroom.cells import Cells, encode, encode_sorted, renumber
    from shudu.cleanroom.differencing import keyed_hashes
    from shudu.cleanroom.release import DEFAULTS, MEASURES, Watch, to_csv, to_parquet

    data, scores = chosen(rows)
    found: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        made = work()
        found[name] = time.process_time() - began
        return made

    def all_of_them() -> dict[str, Any]:
        (entity, keys), label = timed(
            "entities", lambda: (encode(data.column("key")), renumber(two(encode_sorted, data)))
        )
        cells = timed("shares", lambda: Cells(label, entity, scores, DEFAULTS))
        merge = timed("merging", lambda: cells.merge(Watch(cells, keys, None)))
        timed("hashes", lambda: keyed_hashes(keys, bytes(16)))
        kept = len(merge.merged) - int(merge.merged.sum())
        made = pa.table([[False] * kept, [1] * kept, [0.5] * kept], schema=MEASURES)
        timed("files", lambda: (to_csv(made), to_parquet(made)))
        return dict(found)

    return cheapest(lambda: cost_of(all_of_them), rows)


def two(encode_sorted: Any, data: pa.Table) -> Any:
    district, names = encode_sorted(data.column("district"))
    contract, _ = encode_sorted(data.column("contract"))
    return contract * len(names) + district


WAYS: dict[str, Callable[[int], Cost]] = {
    **{name: lambda rows, earlier=earlier: groups(earlier, rows) for name, earlier in EARLIER.items()},  # type: ignore[misc]
    "metrics": metrics,
    "checks": checks,
}


def main() -> None:
    amounts = sizes("10k,100k,1m")
    ways = [*EARLIER, "metrics"]
    found = {way: each("release", way, amounts) for way in (*ways, "checks")}
    rows = [[said(size), *(amount(found[way][at].cpu) for way in ways)] for at, size in enumerate(amounts)]
    rows.append(["exponent", *(growth(amounts, [cost.cpu for cost in found[way]]) for way in ways)])
    apart = [[words, *(amount(cost.found[name]) for cost in found["checks"])] for name, words in CHECKS.items()]
    more = found["one"][-1].cpu - found["unguarded"][-1].cpu
    write(
        "release",
        "The rules of release",
        amounts,
        "Release class A, sixteen groups by two columns, one row for each entity, processor seconds: the rules alone; "
        "with the sketch that is kept of who is in which group (keyed hashes of all entities, sorted); compared with "
        "one or ten earlier releases that grouped the same entities otherwise. Class B: five metrics against a label, "
        "with the sketch.",
        table(["rows", "A: rules", "and sketch", "compared with 1", "compared with 10", "B: metrics"], rows),
        "What each check of class A takes, processor seconds at each size:",
        table(["check", *map(said, amounts)], apart),
        "Budget: the guard adds at most 0.3 s at the largest size "
        f"({'met' if more <= 0.3 else 'not met'}: {more:.2f} s).",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        with folder() as place:
            open_house(place / "home")
            WAYS[sys.argv[2]](1_000)  # what is loaded by the first release of a process is none of this
            for size in map(int, sys.argv[3:]):
                report(WAYS[sys.argv[2]](size))
    else:
        main()
