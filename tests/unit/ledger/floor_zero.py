"""A program that runs floor 0 alone (policy and ledger) in a home of its own, for tests that need real processes.

python floor_zero.py HOME prepare N | write N | sequence LIMIT | heads | report
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

home, command, *rest = sys.argv[1:]
Path(home).mkdir(exist_ok=True)
os.environ["SHUDU_HOME"] = home

# ruff: noqa: E402  (the settings read the home, and the models need the settings)
import django
from django.conf import settings
from django.core.management import call_command

from shudu.config import settings as house

settings.configure(
    DATABASES=house.DATABASES,
    DEFAULT_AUTO_FIELD=house.DEFAULT_AUTO_FIELD,
    INSTALLED_APPS=["shudu.policy", "shudu.ledger"],
    OPTIONS=house.OPTIONS,
    USE_TZ=True,
)
django.setup()

from independent import audit  # this script's own folder is on its path

from shudu.ledger import actions, integrity, queries, sequencer
from shudu.ledger.models import TreeHead
from shudu.ledger.tiles import TilePath
from shudu.policy import clock
from shudu.policy.models import Outbox
from shudu.policy.types import Actor, Role


def fetch(path: str) -> bytes:
    if path == "checkpoint":
        return queries.checkpoint().encode()
    tile = TilePath.parse(path)
    width = None if tile.width == 256 else tile.width
    return (
        queries.entry_bundle(tile.index, width) if tile.level is None else queries.tile(tile.level, tile.index, width)
    )


def waiting(number: int) -> Outbox:
    fields = {"party": "pty_1", "unit": "CNY.fen", "amount": number, "by": "pty_0", "via": "console"}
    return Outbox(event="funds.deposited", version=1, subject=f"pty_{number}", fields=fields, time=clock.now())


def heads() -> dict[str, Any]:
    roots = {str(head.size): bytes(head.root).hex() for head in TreeHead.objects.all()}
    return {"heads": roots, "waiting": Outbox.objects.filter(sequenced=False).count(), "rows": Outbox.objects.count()}


def report() -> dict[str, Any]:
    size, root = audit(fetch, queries.verifier_key())
    findings = [str(finding) for finding in integrity.check()]
    return {**heads(), "size": size, "root": root.hex(), "findings": findings}


if command == "prepare":
    call_command("migrate", verbosity=0)
    operator = Actor("pty_operator", frozenset({Role.OPERATOR}))
    actions.open_log(operator, base_iri="https://data.example.org", software="shudu test")
    Outbox.objects.bulk_create(map(waiting, range(int(rest[0]))))
elif command == "write":
    for number in range(int(rest[0])):
        waiting(number).save()
elif command == "sequence":
    print("ready", flush=True)
    while sequencer.sequence(int(rest[0])):
        pass
elif command == "heads":
    print(json.dumps(heads()))
elif command == "report":
    print(json.dumps(report()))
