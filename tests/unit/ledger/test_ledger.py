"""The log in its database: opening it, placing entries, serving tiles, giving receipts, forgetting."""

import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from shudu.ledger import queries, receipt
from shudu.ledger.actions import forget, open_log
from shudu.ledger.merkle import verify_consistency, verify_inclusion
from shudu.ledger.models import Disclosure, Entry, HashTile, Log, TreeHead
from shudu.ledger.note import Checkpoint, Note, sign
from shudu.ledger.sequencer import sequence
from shudu.ledger.signer import ADAPTERS, Ed25519Signer, load, save
from shudu.ledger.signing import key_file
from shudu.ledger.tiles import TilePath, parse_bundle
from shudu.policy import clock
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.types import Actor, Conflict, Invalid, NotFound, Refused, Role, Unavailable
from unit.ledger.independent import audit

pytestmark = pytest.mark.django_db

OPERATOR = Actor("pty_operator", frozenset({Role.OPERATOR}))
IRI = "https://data.example.org"


@pytest.fixture
def log() -> Log:
    return open_log(OPERATOR, base_iri=IRI, software="shudu test")


def wait(count: int = 1, *, first: int = 0, **more: Any) -> list[Outbox]:
    """So many deposits, done but not yet logged."""
    rows = []
    for number in range(first, first + count):
        fields = {"party": f"pty_{number}", "unit": "CNY.fen", "amount": number, "by": "pty_operator", "via": "console"}
        event = Event.FUNDS_DEPOSITED
        rows.append(Outbox(event=event, version=1, subject=f"pty_{number}", fields=fields | more, time=clock.now()))
    return Outbox.objects.bulk_create(rows)


def fetch(path: str) -> bytes:
    """What the log's address would answer."""
    if path == "checkpoint":
        return queries.checkpoint().encode()
    tile = TilePath.parse(path)
    width = None if tile.width == 256 else tile.width
    return (
        queries.entry_bundle(tile.index, width) if tile.level is None else queries.tile(tile.level, tile.index, width)
    )


def rows_of_the_log() -> list[int]:
    return [model.objects.count() for model in (Entry, Disclosure, HashTile, TreeHead)]


# Opening


def test_opening_makes_a_private_key_beside_the_home(log: Log) -> None:
    file: Path = settings.OPTIONS.keys / key_file(log.key_id)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not file.is_relative_to(settings.OPTIONS.home)
    assert log.origin == "data.example.org/ledger"
    assert log.algorithm == "ed25519"
    assert load(file).verifier == log.verifier_key
    assert queries.verifier_key() == str(log.verifier_key)
    assert queries.verifier_key().startswith(f"data.example.org/ledger+{log.key_id}+")


def test_only_the_operating_company_opens_a_log() -> None:
    for role in Role:
        if role != Role.OPERATOR:
            with pytest.raises(Refused):
                open_log(Actor("pty_1", frozenset({role})), base_iri=IRI, software="shudu test")
    assert not Log.objects.exists()


def test_a_home_has_one_log(log: Log) -> None:
    with pytest.raises(Conflict) as error:
        open_log(OPERATOR, base_iri=IRI, software="shudu test")
    assert error.value.code == "ledger.open"
    assert list(Log.objects.all()) == [log]


@pytest.mark.parametrize(
    "iri",
    [
        "",
        "data.example.org",
        "ftp://data.example.org",
        "https://",
        "https://a b.example",
        "https://a+b.example",
        "https://a.example/?x=1",
        "https://a.example/#x",
        "https://user@a.example",
        "https://[",
        "https://" + "a" * 300,
    ],
)
def test_a_base_iri_that_makes_no_origin_is_refused(iri: str) -> None:
    with pytest.raises(Invalid) as error:
        open_log(OPERATOR, base_iri=iri, software="shudu test")
    assert error.value.code == "ledger.base_iri"


def test_a_base_iri_keeps_its_port_and_path() -> None:
    assert (
        open_log(OPERATOR, base_iri="http://localhost:8000/city/", software="x").origin == "localhost:8000/city/ledger"
    )


def test_before_a_log_is_open_nothing_is_placed_or_lost() -> None:
    wait(3)
    assert sequence() == 0
    with pytest.raises(Conflict) as error:
        queries.checkpoint()
    assert error.value.code == "ledger.not_open"
    log = open_log(OPERATOR, base_iri=IRI, software="shudu test")
    with pytest.raises(NotFound):
        queries.checkpoint()
    assert sequence() == 4
    assert [entry.subject for entry in Entry.objects.order_by("index")] == [log.key_id, "pty_0", "pty_1", "pty_2"]


def test_the_opening_comes_first_whatever_the_limit() -> None:
    wait(3)
    log = open_log(OPERATOR, base_iri=IRI, software="shudu test")
    assert [sequence(1) for _ in range(5)] == [1, 1, 1, 1, 0]
    assert [entry.subject for entry in Entry.objects.order_by("index")] == [log.key_id, "pty_0", "pty_1", "pty_2"]


# Placing entries


@pytest.mark.parametrize("steps", [[1], [2, 254], [255, 1], [256, 1], [257], [100, 200, 400], [1] * 20])
def test_whatever_the_steps_an_independent_reader_agrees(log: Log, steps: list[int]) -> None:
    for number, count in enumerate(steps):
        wait(count - (number == 0), first=1000 * number)
        assert sequence() == count
        size, root = audit(fetch, queries.verifier_key())
        assert (size, root) == (sum(steps[: number + 1]), queries.root_at(size))
    assert sequence() == 0
    assert TreeHead.objects.count() == len(steps)
    assert not Outbox.objects.filter(sequenced=False).exists()


def test_an_independent_reader_would_notice(log: Log) -> None:
    """The reader above can fail: change one byte of anything it fetches."""
    wait(300)
    sequence()
    paths = [
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/45",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/45",
    ]
    for path in paths:
        for at in (0, 40, -10, -1):

            def changed(asked: str, path: str = path, at: int = at) -> bytes:
                data = bytearray(fetch(asked))
                if asked == path:
                    data[at % len(data)] ^= 1
                return bytes(data)

            with pytest.raises((AssertionError, ValueError)):
                audit(changed, queries.verifier_key())


def test_entries_are_placed_in_the_order_of_the_outbox(log: Log) -> None:
    rows = wait(30)
    while sequence(7):
        pass
    assert list(Entry.objects.order_by("index").values_list("outbox", flat=True))[1:] == [row.id for row in rows]
    assert list(Entry.objects.order_by("index").values_list("index", flat=True)) == list(range(31))


def test_every_size_extends_every_earlier_one(log: Log) -> None:
    wait(60)
    while sequence(9):
        pass
    heads = [(head.size, bytes(head.root)) for head in TreeHead.objects.order_by("size")]
    for old, old_root in heads:
        for new, new_root in heads:
            if old <= new:
                assert verify_consistency(old, new, old_root, new_root, queries.consistency(old, new))
    for entry in Entry.objects.all():
        proof = queries.inclusion(entry.index, 61)
        assert verify_inclusion(bytes(entry.leaf_hash), entry.index, 61, proof, queries.root_at(61))


def test_without_its_key_the_log_takes_nothing_and_goes_on_afterwards(log: Log) -> None:
    file: Path = settings.OPTIONS.keys / key_file(log.key_id)
    wait(300)
    sequence(100)
    before, hidden = rows_of_the_log(), file.rename(file.with_suffix(".away"))
    checkpoint = queries.checkpoint()
    with pytest.raises(Unavailable) as error:
        sequence()
    assert error.value.code == "ledger.key"
    assert (rows_of_the_log(), queries.checkpoint()) == (before, checkpoint)
    assert Outbox.objects.filter(sequenced=False).count() == 201
    save(Ed25519Signer.generate(log.origin), file)
    with pytest.raises(Unavailable):
        sequence()
    file.unlink()
    hidden.rename(file)
    assert sequence() == 201
    assert audit(fetch, queries.verifier_key())[0] == 301


def test_a_failure_in_the_middle_leaves_nothing(log: Log) -> None:
    wait(700)
    wait(1, first=700, amount=1.5)
    before = rows_of_the_log()
    with pytest.raises(Invalid) as error:
        sequence()
    assert error.value.where == {"field": "amount"}
    assert rows_of_the_log() == before == [0, 0, 0, 0]
    assert Outbox.objects.filter(sequenced=True).count() == 0


def test_an_action_cannot_commit_what_the_log_could_not_hold(log: Log) -> None:
    for value in (0.5, 2**53, "\ud800", ["x" * 2**20]):
        row = Outbox(event="funds.deposited", version=1, subject="x", fields={"amount": value}, time=clock.now())
        with pytest.raises(Invalid):
            row.save()
    assert Outbox.objects.count() == 1


# Serving tiles


def test_any_width_a_tile_has_had_is_served_and_no_other(log: Log) -> None:
    wait(299)
    sequence()
    full, growing = queries.tile(0, 0), queries.tile(0, 1, 44)
    assert (len(full), len(growing)) == (8192, 44 * 32)
    bundle = parse_bundle(queries.entry_bundle(0))
    for width in (1, 2, 44, 255):
        assert queries.tile(0, 0, width) == full[: 32 * width]
        assert parse_bundle(queries.entry_bundle(0, width)) == bundle[:width]
    assert queries.tile(0, 1, 43) == growing[: 43 * 32]
    assert len(queries.tile(1, 0, 1)) == 32
    for level, index, width in [
        (0, 0, 0),
        (0, 0, -1),
        (0, 0, 256),
        (0, 0, 257),
        (0, 1, None),
        (0, 1, 45),
        (0, 2, 1),
        (0, -1, None),
        (1, 0, 2),
        (1, 0, None),
        (1, 1, 1),
        (2, 0, 1),
        (-1, 0, 1),
        (63, 0, 1),
        (10**30, 0, 1),
        (0, 10**30, 1),
    ]:
        with pytest.raises(NotFound):
            queries.tile(level, index, width)
        if level == 0:
            with pytest.raises(NotFound):
                queries.entry_bundle(index, width)


def test_sizes_and_indices_that_never_were_are_not_found(log: Log) -> None:
    sequence()
    for ask in (
        lambda: queries.root_at(2),
        lambda: queries.root_at(-1),
        lambda: queries.consistency(1, 2),
        lambda: queries.consistency(1, 0),
        lambda: queries.inclusion(1, 1),
        lambda: queries.inclusion(-1, 1),
        lambda: queries.inclusion(0, 2),
    ):
        with pytest.raises(NotFound):
            ask()


def test_missing_tiles_are_said_in_words(log: Log) -> None:
    wait(10)
    sequence()
    HashTile.objects.all().delete()
    with pytest.raises(Unavailable) as error:
        queries.root_at(11)
    assert error.value.code == "ledger.tiles"


# Receipts


def test_a_receipt_once_logged_and_not_before(log: Log) -> None:
    wait(5)
    with pytest.raises(Conflict) as early:
        queries.receipt_for(Event.FUNDS_DEPOSITED, "pty_3")
    assert early.value.code == "ledger.not_yet"
    with pytest.raises(NotFound):
        queries.receipt_for(Event.FUNDS_DEPOSITED, "pty_9")
    sequence()
    with pytest.raises(NotFound):
        queries.receipt_for(Event.RUN_CLOSED, "pty_3")
    data = receipt.encode(queries.receipt_for(Event.FUNDS_DEPOSITED, "pty_3"))
    verdict = receipt.verify(data, queries.verifier_key())
    assert verdict.ok
    assert verdict.disclosed == {
        "party": "pty_3",
        "unit": "CNY.fen",
        "amount": 3,
        "by": "pty_operator",
        "via": "console",
    }
    part = queries.receipt_for(Event.FUNDS_DEPOSITED, "pty_3", disclose=frozenset({"amount"}))
    assert receipt.verify(receipt.encode(part), queries.verifier_key()).disclosed == {"amount": 3}
    assert b"CNY.fen" not in receipt.encode(part)


def test_the_latest_of_several_events_is_the_one_receipted(log: Log) -> None:
    wait(1, amount=1)
    sequence()
    wait(1, amount=2)
    sequence()
    assert queries.receipt_for(Event.FUNDS_DEPOSITED, "pty_0")["disclosures"]["amount"]["value"] == 2
    assert [entry.index for entry in queries.entries("pty_0")] == [1, 2]


def test_text_of_every_plane_survives_into_the_receipt(log: Log) -> None:
    wait(1, unit='𠮷\ue000\n"\\', meta={"\ue000": 1, "𠮷": [None, True, "é"]})
    sequence()
    data = receipt.encode(queries.receipt_for(Event.FUNDS_DEPOSITED, "pty_0"))
    verdict = receipt.verify(data, queries.verifier_key())
    assert verdict.ok
    assert verdict.disclosed["meta"] == {"\ue000": 1, "𠮷": [None, True, "é"]}


# Forgetting


@pytest.fixture
def remembered(log: Log) -> Entry:
    wait(2)
    sequence()
    Outbox.objects.update(dispatched=True)
    return Entry.objects.get(subject="pty_1")


def test_what_is_forgotten_is_gone_here_and_the_rest_still_verifies(remembered: Entry) -> None:
    salt = Disclosure.objects.get(entry=remembered).fields["amount"]["salt"]
    full = receipt.encode(queries.receipt_for(Event.FUNDS_DEPOSITED, "pty_1"))
    assert forget(OPERATOR, "pty_1", ["amount", "by"]) == 1
    data = receipt.encode(queries.receipt_for(Event.FUNDS_DEPOSITED, "pty_1"))
    verdict = receipt.verify(data, queries.verifier_key())
    assert verdict.ok
    assert verdict.disclosed.keys() == {"party", "unit", "via"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT fields FROM ledger_disclosure UNION ALL SELECT fields FROM policy_outbox")
        assert not any(salt in row[0] for row in cursor.fetchall())
    assert "amount" not in Outbox.objects.get(id=remembered.outbox).fields
    assert "amount" in Disclosure.objects.get(entry__subject="pty_0").fields
    assert receipt.verify(full, queries.verifier_key()).ok, "a receipt given out before stays true"


def test_nothing_is_forgotten_while_it_is_on_its_way(remembered: Entry) -> None:
    Outbox.objects.filter(id=remembered.outbox).update(dispatched=False)
    with pytest.raises(Conflict):
        forget(OPERATOR, "pty_1", ["amount"])
    assert "amount" in Disclosure.objects.get(entry=remembered).fields


def test_only_the_operator_forgets_and_only_what_is_there(remembered: Entry, log: Log) -> None:
    with pytest.raises(Refused):
        forget(Actor("pty_1", frozenset({Role.PROVIDER})), "pty_1", ["amount"])
    for subject, names in (("pty_1", ["nothing"]), ("pty_none", ["amount"]), (log.key_id, ["base_iri"])):
        with pytest.raises(Invalid, match=r"ledger\.forget"):
            forget(OPERATOR, subject, names)
    forget(OPERATOR, "pty_1", ["amount"])
    sequence()
    told = queries.receipt_for(Event.FIELDS_FORGOTTEN, "pty_1")["disclosures"]
    assert (told["fields"]["value"], told["entries"]["value"]) == (["amount"], 1)
    assert queries.check() == []


# A restored backup


def test_a_restored_backup_opens_a_second_log_that_pins_the_first(log: Log) -> None:
    wait(20)
    sequence()
    first = queries.verifier_key()
    wait(2, first=20)
    second = open_log(OPERATOR, base_iri=IRI, software="shudu test", pins=queries.checkpoint())
    assert re.fullmatch(r"data\.example\.org/ledger/\d{8}T\d{6}\.\d{6}Z", second.origin)
    sequence()
    assert audit(fetch, queries.verifier_key())[0] == 3
    opening = Entry.objects.get(log=second, index=0)
    assert (opening.event, opening.subject) == (Event.LOG_OPENED, second.key_id)
    pinned = queries.receipt_for(Event.LOG_OPENED, second.key_id)["disclosures"]["pins"]["value"]
    assert Note.parse(pinned).signed_by(log.verifier_key)
    assert queries.verifier_keys() == [queries.verifier_key(), first]
    old, new = (receipt.encode(queries.receipt_for(Event.FUNDS_DEPOSITED, name)) for name in ("pty_7", "pty_21"))
    assert receipt.verify(old, first).ok
    assert not receipt.verify(old, queries.verifier_key()).ok
    assert receipt.verify(new, queries.verifier_key()).ok


def test_what_may_be_pinned(log: Log) -> None:
    wait(5)
    sequence(3)
    older = queries.checkpoint()
    sequence()
    signer = load(settings.OPTIONS.keys / key_file(log.key_id))
    stranger = Ed25519Signer.generate(log.origin)
    later, forked = str(Checkpoint(log.origin, 9, b"\1" * 32)), str(Checkpoint(log.origin, 6, b"\1" * 32))
    other = str(Checkpoint("other.example/ledger", 9, b"\1" * 32))
    for pins in (older, "x", str(sign(later, stranger)), str(sign(forked, signer)), str(sign(other, signer))):
        with pytest.raises(Invalid) as error:
            open_log(OPERATOR, base_iri=IRI, software="shudu test", pins=pins)
        assert error.value.code == "ledger.pins"
    assert open_log(OPERATOR, base_iri=IRI, software="shudu test", pins=str(sign(later, signer))).pk != log.pk


def test_a_first_log_has_nothing_to_pin(log: Log) -> None:
    sequence()
    pins = queries.checkpoint()
    for model in (Disclosure, Entry, TreeHead, HashTile, Log):
        model.objects.all().delete()
    with pytest.raises(Invalid):
        open_log(OPERATOR, base_iri=IRI, software="shudu test", pins=pins)


def test_a_log_signed_with_sm2_gives_receipts_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OPTIONS", replace(settings.OPTIONS, ledger_algorithm="sm2-sm3"))
    log = open_log(OPERATOR, base_iri=IRI, software="shudu test")
    assert log.algorithm == "sm2-sm3"
    wait(3)
    sequence()
    data = receipt.encode(queries.receipt_for(Event.FUNDS_DEPOSITED, "pty_1"))
    assert receipt.verify(data, queries.verifier_key()).ok
    other = ADAPTERS["sm2-sm3"].generate(log.origin).verifier
    assert not receipt.verify(data, str(other)).ok
    assert queries.check() == []
