"""Lists and counts of assets under the rules, beside the same without any."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from ._measure import Cost, folder, least, open_house, report, said, sizes
from ._page import amount, growth, table, write

AGREEMENTS = 10_000
PAGE = 100
ACTORS = ("operator", "provider", "buyer", "busy buyer")


def milliseconds(work: Callable[[], Any]) -> float:
    """The least processor time of a dozen calls, or of two seconds' worth."""
    taken, began = [], time.perf_counter()
    while len(taken) < 12 and (len(taken) < 3 or time.perf_counter() - began < 2):
        start = time.process_time()
        work()
        taken.append(1_000 * (time.process_time() - start))
    return min(taken)


def child(assets: int) -> Cost:
    with folder() as place:
        open_house(place / "home")
        from shudu.catalog.queries import Asset
        from shudu.catalog.queries import assets as visible_to

        from ._city import build

        city = build(assets, AGREEMENTS)
        every = Asset.objects.order_by("-id")
        found: dict[str, Any] = {
            "bare": {"list": milliseconds(lambda: list(every[:PAGE])), "count": milliseconds(every.count)}
        }
        for name, actor in city.actors.items():
            seen = visible_to(actor)
            found[name] = {
                "list": milliseconds(lambda rows=seen: list(rows[:PAGE])),
                "count": milliseconds(seen.count),
                "seen": seen.count(),
            }
        return Cost(0, 0, 0, found)


def main() -> None:
    amounts = sizes("1k,10k,100k")
    found = [least("rules", "all", size).found for size in amounts]
    rows = []
    worst = 0.0
    for size, costs in zip(amounts, found, strict=True):
        bare = costs["bare"]
        rows.append([said(size), "no rules", said(size), amount(bare["list"]), "", amount(bare["count"]), ""])
        for name in ACTORS:
            cost = costs[name]
            ratios = [cost[what] / bare[what] for what in ("list", "count")]
            worst = max(worst, *ratios) if size == amounts[-1] else worst
            rows.append(
                [
                    "",
                    name,
                    f"{cost['seen']:,}",
                    *(amount(cost["list"]), f"{ratios[0]:.1f}×", amount(cost["count"]), f"{ratios[1]:.1f}×"),
                ]
            )
    for name in ("bare", *ACTORS):
        exponents = [growth(amounts, [costs[name][what] for costs in found]) for what in ("list", "count")]
        rows.append(["exponent", "no rules" if name == "bare" else name, "", exponents[0], "", exponents[1], ""])
    write(
        "rules",
        "Lists and counts under the rules",
        amounts,
        f"The newest {PAGE} assets and the count of all, asked as `catalog.queries.assets` asks them, in a catalogue "
        f"with {AGREEMENTS:,} agreements on {AGREEMENTS // 5:,} offers; processor milliseconds, the least of several. "
        "The operator sees everything, a provider owns one asset in a hundred, a busy buyer has concluded every tenth "
        "agreement, and everybody sees what is on offer.",
        table(["assets", "who", "sees", "list ms", "ratio", "count ms", "ratio"], rows),
        f"Budget: at most 1.5× of the same without rules, at the largest size "
        f"({'met' if worst <= 1.5 else 'not met'}: at worst {worst:.1f}×).",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        report(child(int(sys.argv[3])))
    else:
        main()
