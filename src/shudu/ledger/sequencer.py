"""The single sequencer: gives waiting outbox rows their places in the log.

Entries, disclosures, tiles, tree head and signed checkpoint commit in one transaction. Salts are drawn afresh on each
try, so a try that failed would have had another root; its signature never left the process, because a checkpoint is
read from committed rows only. That is how a size never has two roots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

from shudu.policy import clock, ids
from shudu.policy.events import Event
from shudu.policy.models import Outbox

from .leaf import seal
from .merkle import Frontier, leaf_hash
from .models import Disclosure, Entry, HashTile, Log, TreeHead
from .note import Checkpoint, sign
from .signing import in_force, retire, signer
from .tiles import Tree, growing

_LOCK = 0x5348_5544_554C_4F47  # "SHUDULOG": PostgreSQL's advisory lock of the log's only writer
_BATCH = 500  # rows in memory at once
_READ = ("id", "event", "version", "subject", "time", "fields")  # of a waiting row; no object is made of it
_Waiting = tuple[int, str, int, str, datetime, dict[str, Any]]


def only_writer() -> None:
    """Wait until this transaction is the only one that writes to the log; SQLite's IMMEDIATE has seen to it already."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def sequence(limit: int = 10_000) -> int:
    """Give up to `limit` waiting outbox rows a place; returns how many. Rows wait while no log is open.

    Any number of processes may call it. Must not run inside another transaction: one that rolled back afterwards would
    take back a checkpoint that somebody may have read.
    """
    waiting = Outbox.objects.filter(sequenced=False).order_by("id")
    if not waiting.exists():
        return 0
    with transaction.atomic(durable=True):
        only_writer()
        log = Log.objects.order_by("id").last()
        if log is None:
            return 0
        tree = _tree(log)
        rows: Iterable[_Waiting] = waiting.values_list(*_READ)[:limit].iterator(_BATCH)
        if tree.frontier.size == 0:  # whatever was done before, a log begins with its own opening
            first = waiting.filter(event=Event.LOG_OPENED, subject=log.key_id).values_list(*_READ)
            others = waiting.exclude(id__in=first.values("id")).values_list(*_READ)
            rows = chain(first, others[: limit - len(first)].iterator(_BATCH))
        placed = _append(log, tree, iter(rows))
    retire(log, tree.frontier.size)
    return placed


def _tree(log: Log) -> Tree:
    head = TreeHead.objects.filter(log=log).order_by("size").last()
    if head is None:
        return Tree(Frontier(), {})
    stored = {}
    for (level, index), _ in growing(head.size):
        stored[level, index] = bytes(HashTile.objects.get(log=log, level=level, index=index).hashes)
    return Tree(Frontier(head.size, bytes(head.frontier)), stored)


def _append(log: Log, tree: Tree, rows: Iterator[_Waiting]) -> int:
    start = tree.frontier.size
    signers = [signer(key) for key in in_force(log, start)]
    while batch := list(islice(rows, _BATCH)):
        entries, disclosures = [], []
        for row in batch:
            entry, opened = _entry(log, tree.frontier.size, row)
            entries.append(entry)
            disclosures.append(opened)
            tree.append(entry[-1])
        _insert(Entry, entries)
        _insert(Disclosure, disclosures)
    size, root = tree.frontier.size, tree.frontier.root()
    if size > start:
        store_tiles(log, tree)
        placed = Entry.objects.filter(log=log, index__gte=start)
        Outbox.objects.filter(id__in=placed.values("outbox")).update(sequenced=True)
        note = sign(str(Checkpoint(log.origin, size, root)), *signers)
        frontier = tree.frontier.packed()
        TreeHead.objects.create(
            log=log, size=size, root=root, frontier=frontier, checkpoint=str(note), time=clock.now()
        )
    return size - start


def _entry(log: Log, index: int, row: _Waiting) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The rows of an entry and of its disclosure, their values in the order of the models' fields."""
    outbox, event, version, subject, moment, values = row
    number = ids.new("entry")
    sealed = seal(version=version, event=event, time=clock.stamp(moment), entry_id=number, values=values)
    hashed = leaf_hash(sealed.leaf)
    entry = (number, log.pk, index, outbox, event, subject, moment, sealed.leaf, hashed)
    return entry, (number, sealed.disclosures)


_AS_IT_IS = {"CharField", "ForeignKey", "OneToOneField", "PositiveBigIntegerField", "BinaryField"}


def _insert(model: type[Model], rows: Iterable[tuple[Any, ...]]) -> None:
    """What `bulk_create` does, without making an object of each row, and asking Django only how to write what databases
    write differently: together two thirds of what an entry cost."""
    fields = model._meta.concrete_fields
    table, *columns = map(connection.ops.quote_name, [model._meta.db_table, *(str(field.column) for field in fields)])
    marks = ", ".join(["%s"] * len(fields))
    special = [(at, field) for at, field in enumerate(fields) if field.get_internal_type() not in _AS_IT_IS]
    values = []
    for row in rows:
        ready = list(row)
        for at, field in special:
            ready[at] = field.get_db_prep_save(row[at], connection)
        values.append(ready)
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)  # noqa: S608 - our own names


def store_tiles(log: Log, tree: Tree) -> None:
    """Write the tiles that have grown since the last time."""
    changed = tree.take().items()
    HashTile.objects.bulk_create(
        [HashTile(log=log, level=level, index=index, hashes=hashes) for (level, index), hashes in changed],
        update_conflicts=True,
        unique_fields=["log", "level", "index"],
        update_fields=["hashes"],
    )
