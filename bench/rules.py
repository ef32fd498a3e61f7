"""Lists, counts and searches of assets under the rules, beside the same without any."""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ._measure import Cost, folder, least, open_house, report, said, sizes
from ._page import amount, growth, table, write

AGREEMENTS = 10_000
PAGE = 100
ACTORS = ("operator", "provider", "buyer", "busy buyer", "reader of all")
WORK = ("list", "page", "count", "common", "rare")
LOOKED_AT = 300


def milliseconds(works: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The least processor time of two dozen calls of each, or of two seconds' worth; in turn, so that whatever else
    the machine does meanwhile slows them all."""
    least = dict.fromkeys(works, math.inf)
    began = time.perf_counter()
    for turn in range(24):
        if turn >= 3 and time.perf_counter() - began > 2 * len(works):
            break
        for name, work in works.items():
            start = time.process_time()
            work()
            least[name] = min(least[name], 1_000 * (time.process_time() - start))
    return least


def child(assets: int) -> Cost:
    with folder() as place:
        open_house(place / "home")
        from django.db.models import Q

        from shudu.catalog import queries
        from shudu.catalog.models import Asset, AssetAudience
        from shudu.policy import clock
        from shudu.policy.permissions import Permission
        from shudu.policy.rules import decide
        from shudu.policy.types import Actor, Role

        from ._city import build, size

        actors = build(assets, AGREEMENTS).actors
        reader = actors["reader of all"] = Actor("pty_reader_of_all", frozenset({Role.BUYER}))
        keys = Asset.objects.values_list("pk", flat=True)
        everything = [AssetAudience(row_id=key, token=f"party:{reader.party}", until=clock.FOREVER) for key in keys]
        AssetAudience.objects.bulk_create(everything, batch_size=2_000)
        size()
        every = Asset.objects.order_by("-id")
        middle, rare = every[assets // 2].pk, f"第{assets // 3}号数据"

        def matching(word: str) -> Any:
            said_so = Q(title__zh__icontains=word) | Q(title__en__icontains=word) | Q(code__icontains=word)
            return lambda: list(every.filter(said_so)[:PAGE])

        works: dict[str, dict[str, Callable[[], Any]]] = {
            "bare": {
                "list": lambda: list(every[:PAGE]),
                "page": lambda: list(every.filter(pk__lt=middle)[:PAGE]),
                "count": every.count,
                "common": matching("数据"),
                "rare": matching(rare),
            }
        }
        found: dict[str, Any] = {"bare": {}}
        chance = random.Random(3)
        sample = list(Asset.objects.filter(pk__in=chance.sample(list(keys), min(LOOKED_AT, assets))))
        for name, actor in actors.items():
            seen = {row.pk for row in queries.newest(actor, assets)}
            if name != "reader of all":  # whom no rule knows: only what is kept
                odd = [row for row in sample if bool(decide(actor, Permission.ASSET_READ, row)) != (row.pk in seen)]
                assert not odd, f"the list and a single check differ for {name}"
            assert queries.count(actor) == len(seen)
            found[name] = {"seen": len(seen)}
            works[name] = {
                "list": partial(queries.newest, actor, PAGE),
                "page": partial(queries.newest, actor, PAGE, before=middle),
                "count": partial(queries.count, actor),
                "common": partial(queries.newest, actor, PAGE, words="数据"),
                "rare": partial(queries.newest, actor, PAGE, words=rare),
            }
        for what in WORK:
            for name, cost in milliseconds({name: work[what] for name, work in works.items()}).items():
                found[name][what] = cost
        return Cost(0, 0, 0, found)


def main() -> None:
    amounts = sizes("1k,10k,100k")
    found = [least("rules", "all", size).found for size in amounts]
    rows = []
    worst: dict[str, float] = {}
    for size, costs in zip(amounts, found, strict=True):
        bare = costs["bare"]
        rows.append([said(size), "no rules", said(size), *(amount(bare[what]) for what in WORK)])
        for name in ACTORS:
            ratios = {what: costs[name][what] / bare[what] for what in WORK}
            if size == amounts[-1]:
                worst[name] = max(ratios.values())
            shown = [f"{amount(costs[name][what])} ({ratios[what]:.1f}×)" for what in WORK]
            rows.append(["", name, f"{costs[name]['seen']:,}", *shown])
    for name in ("bare", *ACTORS):
        exponents = [growth(amounts, [costs[name][what] for costs in found]) for what in WORK]
        rows.append(["exponent", "no rules" if name == "bare" else name, "", *exponents])
    over = [f"{name} {ratio:.1f}×" for name, ratio in worst.items() if ratio > 1.5]
    write(
        "rules",
        "Lists, counts and searches under the rules",
        amounts,
        f"The newest {PAGE} assets, {PAGE} from the middle of the catalogue on, the count of all, and a search for a "
        f"word in every title and for one in a single title, as `catalog.queries` answers them, in a catalogue with "
        f"{AGREEMENTS:,} agreements on {AGREEMENTS // 5:,} offers; processor milliseconds, the least of several, and "
        "their ratio to the same without rules. The operator sees everything by its role, a provider owns one asset "
        "in a hundred, a busy buyer has concluded every tenth agreement, everybody sees what is on offer, and one "
        f"reader is let into every asset by name. Before measuring, {LOOKED_AT} assets are decided one by one: the "
        "lists agree.",
        table(["assets", "who", "sees", "list", "page", "count", "common word", "rare word"], rows),
        f"Budget: at most 1.5× of the same without rules, at the largest size "
        f"({'met' if not over else 'not met: at worst ' + ', '.join(over)}).",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        report(child(int(sys.argv[3])))
    else:
        main()
