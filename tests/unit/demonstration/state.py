"""Looks at a home from outside and prints what is in it, as one line of JSON: counts, states, labels, what is wrong.

python state.py HOME
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def look(home: Path) -> dict[str, Any]:
    os.environ.update(SHUDU_HOME=str(home), SHUDU_KEYS=f"{home}.keys")
    from shudu.cli.house import open_home

    open_home(home)
    from shudu.accounts import queries as accounts
    from shudu.agreements.models import Agreement, Offer
    from shudu.cases import queries as cases
    from shudu.catalog import queries as catalog
    from shudu.catalog.models import Asset, Version
    from shudu.catalog.types import CoreFields
    from shudu.exchange.models import Order, OrderRun
    from shudu.identity.models import Membership, Party
    from shudu.lake import queries as lake
    from shudu.ledger.integrity import check
    from shudu.policy.models import IdempotencyKey, Outbox
    from shudu.runs.models import Run

    tables = {}
    for version in Version.objects.select_related("binding__asset").order_by("id"):
        asset = version.binding.asset
        for file in catalog.files(version):
            lake.store().read_file(file, catalog.place(version))  # raises when the bytes are not those of the row
        if asset.origin in ("derived", "unstated"):
            continue
        tables[asset.title["zh"]] = {
            "level": asset.level,
            "suggested": version.observations["level"]["level"],
            "origin": asset.origin,
            "rows": version.rows,
            "gaps": CoreFields.model_validate(asset.core).gaps(),
            "share_type": asset.core["share_type"],
            "state": asset.state,
        }
    folders = {str(catalog.place(version).folder) for version in Version.objects.all()}
    there = {str(folder.relative_to(home)) for folder in (home / "lake").glob("*/*/*") if folder.is_dir()}
    measured = {}
    for version in Version.objects.filter(binding__asset__origin="derived"):
        if version.columns[0]["name"] == "metric":
            file = next(one for one in catalog.files(version) if one.name == "product.csv")
            lines = lake.store().read_file(file, catalog.place(version)).decode().splitlines()[1:]
            measured = {name: float(value) for name, at, value in (line.split(",") for line in lines) if not at}
    return {
        "tables": tables,
        "metrics": measured,
        "assets": _counted(f"{asset.kind}/{asset.origin}" for asset in Asset.objects.all()),
        "parties": _counted(role for party in Party.objects.all() for role in party.roles),
        "codes": sorted(Party.objects.values_list("code", flat=True)),
        "people": Membership.objects.count(),
        "offers": _counted(Offer.objects.values_list("state", flat=True)),
        "agreements": _counted(Agreement.objects.values_list("state", flat=True)),
        "orders": _counted(cases.state(each) for each in Order.objects.values_list("id", flat=True)),
        "settlements": _counted(OrderRun.objects.values_list("state", flat=True)),
        "runs": _counted(f"{run.kind}/{run.state}/{run.error.get('code', '')}" for run in Run.objects.all()),
        "balances": sorted(
            f"{party.code} {accounts.balance(party.id, 'CNY.fen').available}" for party in Party.objects.all()
        ),
        "reserved": sum(accounts.balance(party.id, "CNY.fen").reserved for party in Party.objects.all()),
        "events": _counted(Outbox.objects.values_list("event", flat=True)),
        "requests": IdempotencyKey.objects.count(),
        "wrong": {
            "books": {unit: total for unit, total in accounts.books().items() if total},
            "drift": accounts.drift(),
            "ledger": [finding.where for finding in check()],
            "waiting": Outbox.objects.exclude(dispatched=True, sequenced=True).count(),
            "files lost": sorted(folders - there),
            "files left": sorted(each.name for each in home.glob("demonstration*") if each.suffix != ".done"),
        },
    }


def _counted(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(map(str, values)).items()))


if __name__ == "__main__":
    print(json.dumps(look(Path(sys.argv[1])), ensure_ascii=False))
