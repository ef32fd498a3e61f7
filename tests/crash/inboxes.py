"""Kills a process at every point at which taking from a drop folder changes anything: `python inboxes.py HOME EVERY`.

As `batches.py`: two deliveries wait, whole; whoever comes after the killed one finds each accepted exactly once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from crash import batches, driver


def take() -> None:
    """What the worker does; the sender puts its files in once, and never again."""
    from shudu.catalog.models import Asset
    from shudu.collect import actions, dropping, queries
    from unit.collect.headers import fields

    sender = driver.parties()["provider"]
    place = queries.drop_folder(actions.open_inbox(sender))
    once = Path(os.environ["SHUDU_HOME"]) / "sent"
    table = Asset.objects.get(kind="table")
    lines = (driver.EXAMPLE / "customers.csv").read_text("utf-8").splitlines()
    if not once.exists():
        once.touch()
        for number in (1, 2):
            name = f"{number}.csv"
            rows = "\n".join([lines[0], *(f"NEW{number}{line}" for line in lines[1:50])]) + "\n"
            (place.new / name).write_text(rows, "utf-8")
            told = fields(place.new / name, table.code, sender.party, batch_id=f"b-{number}")
            (place.new / f"{name}{dropping.HEADER}").write_text(json.dumps(told), "utf-8")
    whole = batches.whole_batches(table.id)
    assert len(whole) <= 2
    actions.take_in(quiet=0.0)
    assert batches.whole_batches(table.id)[: len(whole)] == whole, "what was accepted stays what it was"
    assert len(batches.whole_batches(table.id)) == 2
    assert (os.listdir(place.new), os.listdir(place.taking), os.listdir(place.refused)) == ([], [], [])
    found = [sorted(os.listdir(each)) for each in sorted(place.accepted.iterdir())]
    assert found == [[f"{number}.csv", f"{number}.csv.header.json", "result.txt"] for number in (1, 2)]


if __name__ == "__main__":
    home = Path(sys.argv[1])
    driver.setup(home)
    from django.db import connection

    connection.close()
    driver.OPERATIONS["inbox"] = (take, "template")
    driver.matrix(home, "inbox", int(sys.argv[2]))
