"""Every page of the site's address map, for each person of the demonstration who may see it: server time and size."""

from __future__ import annotations

import gzip
import logging
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

from ._measure import Cost, folder, open_house, percentile, report, said
from ._page import amount, table, write

TIMES = 12
MOST_OF_A_KIND = 2  # of the rows a person sees, the newest few stand for the rest
BUDGET_MS, BUDGET_KB = 50, 200
LEFT_OUT = re.compile(r"account_|mfa_|static|ledger_tile|result_(csv|parquet)|health")


def addresses(actor: Any) -> Iterator[tuple[str, str]]:
    """(name, path) of every page for this person, with ids of what the person sees."""
    from django.urls import get_resolver, reverse

    from shudu.agreements import queries as agreements
    from shudu.catalog import queries as catalog
    from shudu.exchange import queries as exchange
    from shudu.runs import queries as runs

    seen = catalog.newest(actor, 100)
    carried = [row.id for row in runs.runs(actor)[:MOST_OF_A_KIND]]
    ids = {
        "asset": [row.id for row in seen if not row.run],
        "result": [row.id for row in seen if row.run],
        "offer_id": [row.id for row in agreements.offers(actor)[:MOST_OF_A_KIND]],
        "order_id": [row.id for row in exchange.orders(actor)[:MOST_OF_A_KIND]],
        "agreement_id": [row.id for row in agreements.agreements(actor)[:MOST_OF_A_KIND]],
        "run_id": carried,
    }
    for name, found in sorted(get_resolver("shudu.site.urls").reverse_dict.lists(), key=str):
        if not isinstance(name, str) or LEFT_OUT.match(name):
            continue
        parameters = found[0][0][0][1]
        if not parameters:
            yield name, reverse(name)
        elif name in ("receipt", "receipt_file"):
            yield from ((name, reverse(name, args=["run.closed", one])) for one in carried)
        elif len(parameters) == 1:
            given = ids.get(name) or ids.get(parameters[0]) or ids["asset" if parameters[0] == "asset_id" else "result"]
            yield from ((name, reverse(name, args=[one])) for one in given[:MOST_OF_A_KIND])


def child() -> Cost:
    with folder() as place:
        open_house(place / "home")
        from django.conf import settings
        from django.test import Client

        from shudu.cli.demonstration import flow
        from shudu.identity import queries as identity
        from shudu.identity.models import Person

        logging.disable(logging.WARNING)  # pages that only take forms say so
        people = flow.load(settings.HOME, settings.OPTIONS.keys, lambda text: None).sign_ins
        pages: dict[str, dict[str, list[float]]] = {}
        for username in people:
            person = Person.objects.get(username=username)
            client = Client(headers={"host": "localhost", "accept-language": "zh-CN"})
            client.force_login(person, "allauth.account.auth_backends.AuthenticationBackend")
            actor = identity.actor_for(identity.memberships(person)[0].party_id)
            for name, path in addresses(actor):
                first = client.get(path)
                if first.status_code != 200:  # not for this person, or it only takes forms
                    continue
                body = first.content if not first.streaming else b"".join(first.streaming_content)  # type: ignore[attr-defined]
                kept = pages.setdefault(name, {"cpu": [], "clock": [], "kb": []})
                kept["kb"].append(len(gzip.compress(body, 6)) / 1_024)
                for _ in range(TIMES):
                    before, began = time.process_time(), time.perf_counter()
                    client.get(path)
                    kept["clock"].append(1_000 * (time.perf_counter() - began))
                    kept["cpu"].append(1_000 * (time.process_time() - before))
        return Cost(0, 0, 0, {"pages": pages, "people": len(people)})


def main() -> None:
    found = child().found
    pages = sorted(found["pages"].items(), key=lambda pair: -percentile(pair[1]["cpu"], 0.95))
    rows = [
        [
            name,
            said(len(times["cpu"])),
            *(f"{percentile(times[what], 0.5):.1f} / {percentile(times[what], 0.95):.1f}" for what in ("cpu", "clock")),
            amount(max(times["kb"])),
        ]
        for name, times in pages
    ]
    every = [ms for _, times in pages for ms in times["cpu"]]
    by_clock = [ms for _, times in pages for ms in times["clock"]]
    slow = [name for name, times in pages if percentile(times["cpu"], 0.95) > BUDGET_MS]
    worst, largest = percentile(every, 0.95), max(max(times["kb"]) for _, times in pages)
    write(
        "pages",
        "The pages",
        [],
        f"Every page of the address map on the demonstration's city, asked {TIMES} times by each of its "
        f"{found['people']} people who may see it, for up to {MOST_OF_A_KIND} of the things each sees: milliseconds of "
        "the processor and by the clock from request to answer, through all middleware, in one process without a "
        "network; the last column is the largest answer, compressed with gzip.",
        table(["page", "times", "CPU ms p50 / p95", "ms p50 / p95", "KB compressed"], rows),
        f"Budget: {BUDGET_MS} ms of server time, 95th percentile ({'met' if worst <= BUDGET_MS else 'not met'}: "
        f"{worst:.0f} ms of processor over all pages, {percentile(by_clock, 0.95):.0f} ms by the clock"
        f"{', but not ' + ', '.join(slow) if slow else ''}); at most {BUDGET_KB} KB compressed "
        f"({'met' if largest <= BUDGET_KB else 'not met'}: {largest:.0f} KB).",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        report(child())
    else:
        main()
