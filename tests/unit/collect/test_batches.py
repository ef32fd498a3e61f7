"""Batches: one accepted through each channel, the same twice once, and each way of being wrong refused and kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from shudu.catalog import actions as catalog
from shudu.catalog import queries as assets
from shudu.catalog.types import PublishTable
from shudu.collect import actions, gates, queries, received
from shudu.collect.header import BatchHeader
from shudu.collect.models import Batch
from shudu.collect.refusals import WORDS, Refusal
from shudu.collect.types import RegisterKey
from shudu.identity import queries as parties
from shudu.ledger.types import note, signer
from shudu.policy.models import Outbox
from shudu.policy.types import Actor, Conflict, Invalid, ShuduError
from unit.api.conftest import Caller, found

from .headers import CHANNELS, fields, header

DOCS = Path(__file__).parents[3] / "docs" / "collecting.md"
FIRST = "no,place,value\n1,武侯,3\n2,青羊,4\n"
MORE = "no,place,value\n3,锦江,5\n4,成华,6\n5,金牛,7\n"


class Desk:
    """A provider with a table, and files to hand in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.market = found()
        self.market.register()
        self.actor: Actor = parties.actor_for(self.market.provider.party)
        self.other: Actor = parties.actor_for(self.market.modeller.party)
        self.asset = catalog.publish(self.actor, PublishTable(source=self.file(FIRST), title="监测", key="no"))

    def file(self, text: str, name: str = "batch.csv") -> Path:
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def header(self, text: str = MORE, **changed: Any) -> BatchHeader:
        return header(self.file(text), self.asset.code, self.actor.party, **changed)

    def accept(self, told: BatchHeader, text: str = MORE, **more: Any) -> Batch:
        row: Batch = actions.accept_batch(more.pop("actor", self.actor), told, self.file(text), **more)
        return row


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any) -> Any:
    whole = transaction.atomic()
    whole._from_testcase = True  # as TestCase marks its own: what must be durable may lie within it
    with django_db_blocker.unblock(), whole:
        yield Desk(tmp_path_factory.mktemp("desk"))
        transaction.set_rollback(True)


@pytest.fixture
def desk(kept: Desk, db: None) -> Desk:
    return kept


def events(name: str) -> int:
    return Outbox.objects.filter(event=name).count()


@pytest.mark.parametrize("channel", CHANNELS)
def test_one_batch_through_each_channel(desk: Desk, channel: str) -> None:
    row = desk.accept(desk.header(channel=channel))
    version = assets.latest(desk.asset.id)
    assert version is not None
    assert (row.state, row.channel, row.version, version.rows) == ("accepted", channel, version.id, 5)
    assert queries.origins([version.id])[version.id] == row
    told = Outbox.objects.get(event="batch.accepted").fields
    assert told["channel"] == channel
    assert told["source_sm3"] == row.header["sm3"]
    assert row.header["legal_basis"] not in str(told), "the ledger holds digests, not what people wrote"


@pytest.mark.parametrize("channel", CHANNELS)
def test_what_a_channel_must_say_is_asked_for(desk: Desk, channel: str) -> None:
    whole = fields(desk.file(MORE), desk.asset.code, desk.actor.party, channel=channel)
    assert BatchHeader.model_validate(whole)
    for name in CHANNELS[channel]:
        if name != "conditions":  # a gift may come without
            left = {**whole, "collection": {key: one for key, one in whole["collection"].items() if key != name}}
            with pytest.raises(ValueError, match="collection"):
                BatchHeader.model_validate(left)


def test_the_same_batch_twice_changes_nothing(desk: Desk) -> None:
    first = desk.accept(desk.header())
    before = (Outbox.objects.count(), len(assets.versions_of(desk.asset.id)))
    assert desk.accept(desk.header()).id == first.id
    assert desk.accept(desk.header(), idempotency_key="again").id == first.id
    assert (Outbox.objects.count(), len(assets.versions_of(desk.asset.id))) == before
    with pytest.raises(Conflict, match=r"batch\.reused"):
        desk.accept(desk.header(FIRST), FIRST)
    with pytest.raises(Conflict, match=r"batch\.reused"):
        desk.accept(desk.header(period_to="2026-03-01"))
    assert len(assets.versions_of(desk.asset.id)) == before[1]
    assert queries.accepted(desk.actor.party, first.batch_id) == first


WRONG: dict[Refusal, dict[str, Any]] = {
    Refusal.ASSET: {"catalog_code": "307010000000000000/000099"},
    Refusal.BYTES: {"bytes": 1},
    Refusal.CALIBRATION: {"channel": "sensor", "collection": {"calibrated_until": "2026-02-01"}},
    Refusal.COLUMNS: {"columns": ["no", "place"]},
    Refusal.COUNT: {"record_count": 4},
    Refusal.DIGEST: {"sm3": "0" * 64},
    Refusal.DUPLICATE_COLLECTION: {"collection": {"obtainable_by_sharing": True}},
    Refusal.IMPACT_ASSESSMENT: {"channel": "web", "collection": {"personal_information": True}},
    Refusal.LEVEL: {"class_level": "L3"},
    Refusal.LICENCE: {"channel": "purchase", "collection": {"licensed_until": "2020-01-01"}},
    Refusal.RIGHTS: {"channel": "donation", "collection": {"rights_warranted": False}},
    Refusal.SCHEMA: {"schema_version": 2},
    Refusal.SIGNATURE: {"signature": "— nobody AAAAAAA=\n"},
    Refusal.SITE: {"channel": "web", "collection": {"robots": "disallowed"}},
    Refusal.SUBMITTER: {"submitted_by": "52510100MA00003066"},
    Refusal.TIME: {"collected_at": "2099-01-01T00:00:00Z"},
}


@pytest.mark.parametrize("code", WRONG)
def test_each_way_of_being_wrong_is_refused_and_kept_once(desk: Desk, code: Refusal) -> None:
    told = desk.header(**WRONG[code])
    before = len(assets.versions_of(desk.asset.id))
    for _ in range(2):
        with pytest.raises(ShuduError) as caught:
            desk.accept(told)
        assert caught.value.code == code
        assert caught.value.remedy
    row = Batch.objects.get(owner=desk.actor.party, code=code)
    assert (row.state, row.version) == ("refused", "")
    assert len(assets.versions_of(desk.asset.id)) == before
    assert events("batch.refused") == 1
    assert desk.accept(desk.header()).state == "accepted", "a refused batch leaves its number free"


@pytest.mark.parametrize(
    ("collected", "changed", "code"),
    [
        ("2026-12-31T15:59:59Z", {"channel": "purchase", "collection": {"licensed_until": "2026-12-31"}}, ""),
        (
            "2026-12-31T16:00:00Z",
            {"channel": "purchase", "collection": {"licensed_until": "2026-12-31"}},
            "batch.licence",
        ),
        ("2027-01-05T15:59:59Z", {"channel": "sensor"}, ""),
        ("2027-01-05T16:00:00Z", {"channel": "sensor"}, "batch.calibration"),
        ("2027-01-05T23:00:00+14:00", {"channel": "sensor"}, ""),
        ("2026-01-04T16:00:00Z", {"channel": "sensor"}, ""),
        ("0001-01-01T00:00:00+08:00", {"channel": "sensor"}, "batch.calibration"),
    ],
)
def test_days_are_shanghai_s(desk: Desk, collected: str, changed: dict[str, Any], code: str) -> None:
    told = desk.header(collected_at=collected, **changed)
    now = max(told.collected_at, datetime(2026, 3, 1, tzinfo=UTC))
    how: dict[str, Any] = {"level": desk.asset.level, "schema_version": 1, "now": now}
    if not code:
        gates.check(told, **how)
        return
    with pytest.raises(ShuduError) as caught:
        gates.check(told, **how)
    assert caught.value.code == code


@pytest.mark.parametrize("text", ["", "no,place,value\n3,锦江\n4,成华,6,7\n", "no,place\n3,锦江\n", "\x00\x01\x02\n"])
def test_a_file_that_is_no_such_table_is_refused(desk: Desk, text: str) -> None:
    if not text:
        with pytest.raises(ValueError, match="bytes"):
            desk.header(text)
        return
    with pytest.raises(Invalid) as caught:
        desk.accept(desk.header(text), text)
    assert caught.value.code in (Refusal.CONTENT, Refusal.COLUMNS)
    assert Batch.objects.get(owner=desk.actor.party).state == "refused"


def test_every_code_is_tried_and_documented(desk: Desk) -> None:
    assert set(WRONG) | {Refusal.CONTENT, Refusal.REUSED} == set(Refusal) == set(WORDS)
    rows = re.findall(r"^\| `(batch\.[a-z_]+)` \| ([^|]+) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == {code.value: message.en for code, (message, _) in WORDS.items()}


@pytest.mark.parametrize("algorithm", signer.ADAPTERS)
def test_a_signature_counts_while_its_key_does(desk: Desk, algorithm: str, clock: Any) -> None:
    mine = signer.ADAPTERS[algorithm].generate("91510100MA0000103G")
    told = desk.header()
    lines = str(note.sign(told.signed_text, mine)).removeprefix(f"{told.signed_text}\n")
    signed = told.model_copy(update={"signature": lines})
    with pytest.raises(Invalid, match=r"batch\.signature"):
        desk.accept(signed)
    key = actions.register_key(desk.actor, RegisterKey(verifier=str(mine.verifier), days=30))
    newer = signer.ADAPTERS[algorithm].generate("91510100MA0000103G")
    actions.register_key(desk.actor, RegisterKey(verifier=str(newer.verifier), days=60))
    first = desk.accept(signed)
    assert first.state == "accepted", "an older key stays valid for its time"
    clock.advance(days=31)
    second = desk.header(batch_id="2")
    again = str(note.sign(second.signed_text, mine)).removeprefix(f"{second.signed_text}\n")
    with pytest.raises(Invalid, match=r"batch\.signature"):
        desk.accept(second.model_copy(update={"signature": again}))
    actions.revoke_key(desk.actor, key.id)
    assert desk.accept(signed).id == first.id, "what was accepted stays"


def test_a_batch_is_handed_in_over_http(desk: Desk) -> None:
    who: Caller = desk.market.provider
    from .test_uploads import announce, append

    data = desk.file(MORE).read_bytes()
    upload = announce(who, data, "batch.csv")
    told = fields(desk.file(MORE), desk.asset.code, "91510100MA0000103G")
    body = {"upload": upload, "header": told, "mode": "append"}
    assert who.refused(409, "POST", "/batches", body)["code"] == "upload.state"
    append(who, upload, 0, data)
    who.do("POST", f"/uploads/{upload}/complete")
    assert (
        who.refused(422, "POST", "/batches", {**body, "header": {**told, "record_count": 9}})["code"] == "batch.count"
    )
    made = who.do("POST", "/batches", body)
    assert who.do("POST", "/batches", body)["id"] == made["id"]
    assert [one["state"] for one in who.get("/batches")["items"]] == ["accepted", "refused"]
    assert who.get(f"/batches/{made['id']}")["version"] == made["version"]
    assert desk.market.modeller.get("/batches")["items"] == []
    assert who.refused(404, "POST", "/batches", {**body, "upload": "upl_x"})["code"] == "not_found"


def test_a_file_written_to_after_its_digest_was_taken_is_not_published(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digests are those of one moment; what is read a moment later must be the same bytes."""
    told, real = desk.header(), received.digests

    def then_changed(place: Path, *, sm3: bool) -> tuple[int, str, str]:
        found = real(place, sm3=sm3)
        place.write_text(MORE.replace("武侯", "青羊").replace("5", "6"), "utf-8")
        return found

    monkeypatch.setattr(received, "digests", then_changed)
    with pytest.raises(Conflict) as caught:
        desk.accept(told)
    assert caught.value.code == "publish.changed"
    assert len(assets.versions_of(desk.asset.id)) == 1
