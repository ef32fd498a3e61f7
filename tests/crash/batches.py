"""Kills a process at every point at which accepting a batch changes anything: `python batches.py HOME EVERY`.

As `driver.py`, whose homes and checks it uses; what is of batches is looked at here, before and after.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from crash import driver


def accept() -> None:
    """The same batch, by its own number and without a key; what an earlier try left is looked at first."""
    from shudu.catalog.models import Asset
    from shudu.collect import actions
    from unit.collect.headers import header

    lines = (driver.EXAMPLE / "customers.csv").read_text("utf-8").splitlines()
    file = Path(os.environ["POINT"]).with_name("batch.csv")
    file.write_text("\n".join([lines[0], *("NEW" + line for line in lines[1:50])]) + "\n", "utf-8")
    table, sender = Asset.objects.get(kind="table"), driver.parties()["provider"]
    left = whole_batches(table.id)
    row = actions.accept_batch(sender, header(file, table.code, sender.party), file)
    assert left in ([], [row.id]), "what was accepted before is what is accepted again"
    assert whole_batches(table.id) == [row.id]


def whole_batches(asset: str) -> list[str]:
    """Every batch is there with its version, its event and its rows, or nothing of it is."""
    from shudu.catalog import queries
    from shudu.collect.models import Batch
    from shudu.policy.models import Outbox

    rows = list(Batch.objects.all())
    _, *versions = reversed(queries.versions_of(asset))
    assert [(row.state, row.version) for row in rows] == [("accepted", version.id) for version in versions]
    assert list(Outbox.objects.filter(event="batch.accepted").values_list("subject", flat=True)) == [
        row.id for row in rows
    ]
    return [row.id for row in rows]


if __name__ == "__main__":
    place = Path(sys.argv[1])
    driver.setup(place)
    from django.db import connection

    connection.close()
    driver.OPERATIONS["batch"] = (accept, "template")
    driver.matrix(place, "batch", int(sys.argv[2]))
