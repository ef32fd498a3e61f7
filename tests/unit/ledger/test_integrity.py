"""Change any byte the log has stored and `check` says where."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import BinaryField

from shudu.ledger import queries
from shudu.ledger.actions import open_log
from shudu.ledger.integrity import check, rebuild_tiles
from shudu.ledger.models import Disclosure, Entry, HashTile, Log, TreeHead
from shudu.ledger.sequencer import sequence
from shudu.policy.models import Outbox
from unit.ledger.test_ledger import IRI, OPERATOR, wait

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def log() -> Log:
    row = open_log(OPERATOR, base_iri=IRI, software="shudu test")
    wait(11)
    while sequence(4):
        pass
    assert check() == []
    return row


def places() -> set[str]:
    found = check()
    assert all(finding.message.zh and finding.message.en for finding in found)
    return {finding.where for finding in found}


def flip(model: Any, column: str, at: int, **row: Any) -> bool:
    """Change one bit of a stored column behind Django's back; False when the database itself refuses."""
    table, key, found = model._meta.db_table, model._meta.pk.column, model.objects.get(**row)
    kind = "BLOB" if isinstance(model._meta.get_field(column), BinaryField) else "TEXT"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT CAST({column} AS BLOB) FROM {table} WHERE {key} = %s", [found.pk])
            data = bytearray(cursor.fetchone()[0])
            data[at] ^= 1 << at % 7
            cursor.execute(
                f"UPDATE {table} SET {column} = CAST(%s AS {kind}) WHERE {key} = %s", [bytes(data), found.pk]
            )
    except IntegrityError:
        return False
    return True


def test_bytes_of_a_leaf() -> None:
    for at in range(0, len(Entry.objects.get(index=5).leaf), 5):
        assert flip(Entry, "leaf", at, index=5)
        assert "entry 5" in places(), at
        assert flip(Entry, "leaf", at, index=5)
    assert check() == []


def test_every_byte_of_a_checkpoint_and_its_root() -> None:
    head = TreeHead.objects.get(size=8)
    for column, length in (("checkpoint", len(head.checkpoint.encode())), ("root", 32), ("frontier", 32)):
        for at in range(length):
            assert flip(TreeHead, column, at, size=8)
            assert places() == {"tree head 8"}, (column, at)
            assert flip(TreeHead, column, at, size=8)
    assert check() == []


def test_bytes_of_a_tile() -> None:
    for at in range(0, 12 * 32, 7):
        assert flip(HashTile, "hashes", at, level=0)
        assert places() == {"tile/0/000"}
        assert flip(HashTile, "hashes", at, level=0)


def test_bytes_of_what_opens_a_commitment() -> None:
    entry = Entry.objects.get(index=5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT length(CAST(fields AS BLOB)) FROM ledger_disclosure WHERE entry_id = %s", [entry.id])
        (length,) = cursor.fetchone()
    changed = 0
    for at in range(0, length, 5):
        if flip(Disclosure, "fields", at, entry__index=5):
            changed += 1
            assert places() == {"entry 5"}, at
            assert flip(Disclosure, "fields", at, entry__index=5)
    assert changed > length // 10


CHANGES: dict[str, tuple[Callable[[], Any], str]] = {
    "leaf hash": (lambda: Entry.objects.filter(index=3).update(leaf_hash=b"\0" * 32), "entry 3"),
    "event": (lambda: Entry.objects.filter(index=3).update(event="run.closed"), "entry 3"),
    "subject": (lambda: Entry.objects.filter(index=3).update(subject="pty_99"), "entry 3"),
    "time": (lambda: Entry.objects.filter(index=3).update(time=log_row().opened), "entry 3"),
    "entry gone": (
        lambda: (Disclosure.objects.filter(entry__index=3).delete(), Entry.objects.filter(index=3).delete()),
        "entry 3",
    ),
    "entries exchanged": (lambda: exchange(3, 4), "tree head 4"),
    "entry added": (
        lambda: Entry.objects.create(
            id="ent_x",
            log=log_row(),
            index=12,
            outbox=10**6,
            event="x",
            subject="x",
            time=log_row().opened,
            leaf=b"",
            leaf_hash=b"",
        ),
        "entry 12",
    ),
    "disclosures gone": (lambda: Disclosure.objects.filter(entry__index=3).delete(), "entry 3"),
    "value changed": (lambda: disclose(3, amount={"value": 10**6}), "entry 3"),
    "salt changed": (lambda: disclose(3, amount={"salt": "00" * 32}), "entry 3"),
    "salt cut": (lambda: disclose(3, amount={"salt": "00"}), "entry 3"),
    "field added": (lambda: disclose(3, more={"salt": "00" * 32, "value": 1}), "entry 3"),
    "root": (lambda: TreeHead.objects.filter(size=8).update(root=b"\0" * 32), "tree head 8"),
    "size": (lambda: TreeHead.objects.filter(size=8).update(size=7), "tree head 7"),
    "last head gone": (lambda: TreeHead.objects.filter(size=12).delete(), "entry 8"),
    "every head gone": (lambda: TreeHead.objects.all().delete(), "entry 0"),
    "tile gone": (lambda: HashTile.objects.all().delete(), "tile/0/000"),
    "tile added": (lambda: HashTile.objects.create(log=log_row(), level=1, index=0, hashes=b"\0" * 32), "tile/1/000"),
    "tile longer": (lambda: HashTile.objects.update(hashes=b"\0" * 13 * 32), "tile/0/000"),
    "origin": (lambda: Log.objects.update(origin="other.example/ledger"), "log"),
    "public key": (lambda: Log.objects.update(public_key=b"\0" * 32), "log"),
    "key id": (lambda: Log.objects.update(key_id="00000000"), "log"),
}


def log_row() -> Log:
    return Log.objects.get()


def disclose(index: int, **changes: dict[str, Any]) -> None:
    row = Disclosure.objects.get(entry__index=index)
    row.fields |= {name: row.fields.get(name, {}) | change for name, change in changes.items()}
    row.save()


def exchange(one: int, other: int) -> None:
    for old, new in ((one, 10**6), (other, one), (10**6, other)):
        Entry.objects.filter(index=old).update(index=new)


@pytest.mark.parametrize("name", CHANGES)
def test_every_column_matters(name: str) -> None:
    change, where = CHANGES[name]
    change()
    assert where in places()


def test_an_action_that_was_never_logged_or_whose_entry_names_another() -> None:
    (hidden,) = wait(1, first=99)
    Outbox.objects.filter(id=hidden.id).update(sequenced=True)
    assert places() == {f"outbox {hidden.id}"}
    moved = Entry.objects.get(index=3)
    Entry.objects.filter(index=3).update(outbox=hidden.id)
    assert places() == {f"outbox {moved.outbox}", "entry 3"}


def test_forgotten_fields_are_no_finding() -> None:
    Disclosure.objects.update(fields={})
    assert check() == []


def test_tiles_are_a_projection(log: Log) -> None:
    wait(600, first=100)
    sequence()
    before = {(tile.level, tile.index): bytes(tile.hashes) for tile in HashTile.objects.all()}
    HashTile.objects.filter(level=0, index=1).delete()
    HashTile.objects.filter(level=1).update(hashes=b"\0" * 64)
    HashTile.objects.create(log=log, level=3, index=9, hashes=b"")
    assert places() == {"tile/0/001", "tile/1/000", "tile/3/009"}
    assert rebuild_tiles() == 4
    assert {(tile.level, tile.index): bytes(tile.hashes) for tile in HashTile.objects.all()} == before
    assert check() == []
    assert queries.root_at(612) == bytes(TreeHead.objects.get(size=612).root)


def test_a_log_longer_than_a_page(log: Log) -> None:
    wait(4_500, first=100)
    while sequence(1_300):
        pass
    assert check() == []
    Entry.objects.filter(index=4_000).update(leaf=b"{}")
    assert "entry 4000" in places()
    assert "tile/0/015" in places()
