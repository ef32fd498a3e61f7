"""Uploads in parts over the API: what was acknowledged is there, nothing else is, and nobody gets another's."""

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from shudu.collect import actions, handlers, queries, received
from shudu.collect.models import Upload
from shudu.collect.types import Draft
from shudu.identity import queries as parties
from shudu.lake.types import Reading
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, NotFound
from shudu.runs.worker import spread_news
from unit.api.conftest import TABLE, Caller, Market, market

assert market  # the fixture

PARTIAL = "application/partial-upload"
SM3_OF_TABLE = received.hashes.Hash(received.hashes.SM3())
SM3_OF_TABLE.update(TABLE)
SM3 = SM3_OF_TABLE.finalize().hex()


def announce(who: Caller, data: bytes = TABLE, name: str = "customers.csv", **more: Any) -> str:
    body = {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), **more}
    return str(who.do("POST", "/uploads", body)["id"])


def append(who: Caller, upload: str, offset: int, data: bytes, kind: str = PARTIAL) -> HttpResponse:
    headers = {"authorization": f"Bearer {who.secret}", "accept-language": "en", "upload-offset": str(offset)}
    answer: HttpResponse = who.client.patch(f"/api/v1/uploads/{upload}", data, content_type=kind, headers=headers)
    return answer


def told(answer: HttpResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    found: dict[str, Any] = json.loads(answer.content)
    return found


def test_a_file_in_parts_becomes_a_table(market: Market) -> None:
    who = market.provider
    upload = announce(who, sm3=SM3)
    cut = len(TABLE) // 3
    assert told(append(who, upload, 0, TABLE[:cut]), 200)["offset"] == cut
    head = who.call("HEAD", f"/uploads/{upload}")
    assert (head["Upload-Offset"], head["Upload-Length"], head["Upload-Complete"]) == (str(cut), str(len(TABLE)), "?0")
    assert who.refused(409, "POST", f"/uploads/{upload}/complete")["code"] == "upload.unfinished"
    assert who.refused(409, "POST", f"/uploads/{upload}/publish", {"title": "客户"})["code"] == "upload.state"
    # The same part again is not taken twice; the answer says where to go on.
    again = told(append(who, upload, 0, TABLE[:cut]), 409)
    assert (again["code"], again["where"]["expected_offset"]) == ("upload.offset", cut)
    assert append(who, upload, cut, TABLE[cut:])["Upload-Complete"] == "?1"
    before = Outbox.objects.filter(event="upload.received").count()
    done = who.do("POST", f"/uploads/{upload}/complete")
    assert done["state"] == "complete"
    assert who.do("POST", f"/uploads/{upload}/complete")["state"] == "complete"
    assert Outbox.objects.filter(event="upload.received").count() == before + 1
    assert told(append(who, upload, len(TABLE), b"x"), 409)["code"] == "upload.state"
    made = who.do("POST", f"/uploads/{upload}/publish", {"title": "客户", "key": "customer_no"})
    assert who.get(f"/versions/{made['version']}")["source_sha256"] == hashlib.sha256(TABLE).hexdigest()
    assert who.get(f"/versions/{made['version']}/report")["report"]["rows_in"] == TABLE.count(b"\n") - 1
    next_one = f"/uploads/{upload}/publish/{made['asset']}"
    assert who.refused(422, "POST", next_one, {"mode": "append"})["code"], "the same keys once more"
    newer = who.do("POST", next_one, {"mode": "upsert", "expected": made["version"]})
    assert who.get(f"/versions/{newer['version']}")["number"] == 2
    assert who.refused(404, "POST", f"/uploads/{upload}/publish/ast_x", {})["code"] == "not_found"
    assert who.do("DELETE", f"/uploads/{upload}")["state"] == "removed"
    assert not queries.bytes_of(Upload.objects.get(pk=upload)).exists()
    assert who.get(f"/assets/{made['asset']}")["id"] == made["asset"]


def test_an_erased_version_takes_the_upload_it_was_made_of_along(market: Market) -> None:
    who = market.provider
    kept, gone = announce(who, b"no\n1\n"), announce(who)
    append(who, kept, 0, b"no\n1\n")
    append(who, gone, 0, TABLE)
    for upload in (kept, gone):
        who.do("POST", f"/uploads/{upload}/complete")
    made = who.do("POST", f"/uploads/{gone}/publish", {"title": "客户", "key": "customer_no"})
    bytes_of = queries.bytes_of(Upload.objects.get(pk=gone))
    assert bytes_of.exists()
    who.do("DELETE", f"/versions/{made['version']}")
    while spread_news():
        pass
    assert not bytes_of.exists()
    assert [who.get(f"/uploads/{upload}")["state"] for upload in (kept, gone)] == ["complete", "removed"]
    assert [who.call("HEAD", f"/uploads/{upload}").status_code for upload in (kept, gone)] == [200, 404]
    assert "Upload-Offset" not in who.call("GET", f"/uploads/{gone}")


def test_a_broken_file_is_refused_and_gone(market: Market) -> None:
    who = market.provider
    for wrong in ({"sha256": "0" * 64}, {"sm3": "0" * 64}):
        upload = announce(who, **wrong)
        append(who, upload, 0, TABLE)
        assert who.refused(422, "POST", f"/uploads/{upload}/complete")["code"] == "upload.digest"
        assert who.get(f"/uploads/{upload}")["state"] == "spoiled"
        assert who.call("HEAD", f"/uploads/{upload}").status_code == 404
        assert not queries.bytes_of(Upload.objects.get(pk=upload)).exists()
        assert who.refused(409, "POST", f"/uploads/{upload}/complete")["where"]["state"] == "spoiled"


def test_what_is_not_a_part_is_refused(market: Market) -> None:
    who = market.provider
    upload = announce(who)
    assert told(append(who, upload, 0, TABLE, "text/csv"), 415)["code"] == "upload.media_type"
    assert told(append(who, upload, 0, TABLE + b"x"), 413)["code"] == "upload.too_long"
    assert told(append(who, upload, 7, b"x"), 409)["where"]["expected_offset"] == 0
    for bad in ({"size": 0}, {"sha256": None}, {"sha256": "0" * 63}, {"name": "../x"}, {"name": "a\u202etxt.csv"}):
        body = {"name": "a.csv", "size": 1, "sha256": "0" * 64, **bad}
        assert who.refused(422, "POST", "/uploads", body)["code"] == "input", bad
    reader = Caller(who.party, market.buyer.secret)
    assert told(append(reader, upload, 0, TABLE), 404)["code"] == "not_found"
    assert who.get(f"/uploads/{upload}")["offset"] == 0


def test_one_key_makes_one_upload(market: Market) -> None:
    body = {"name": "a.csv", "size": 3, "sha256": "0" * 64}
    first = market.provider.do("POST", "/uploads", body, key="one")["id"]
    assert market.provider.do("POST", "/uploads", body, key="one")["id"] == first
    assert market.provider.refused(409, "POST", "/uploads", {**body, "size": 4}, key="one")["code"] == (
        "idempotency.reused"
    )


def test_a_party_holds_only_so_much(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OPTIONS", replace(settings.OPTIONS, upload_quota_mb=2, max_upload_mb=2))
    who, body = market.provider, {"name": "a.csv", "size": 1 << 20, "sha256": "0" * 64}
    first = who.do("POST", "/uploads", body)["id"]
    who.do("POST", "/uploads", body)
    assert who.refused(409, "POST", "/uploads", {**body, "size": 1})["code"] == "upload.quota"
    assert market.modeller.do("POST", "/uploads", body)["offset"] == 0, "each party has its own"
    who.do("DELETE", f"/uploads/{first}")
    who.do("POST", "/uploads", body)
    assert who.refused(413, "POST", "/uploads", {**body, "size": 3 << 20})["code"] == "upload.too_large"


def test_what_nobody_goes_on_with_expires(market: Market, clock: Any) -> None:
    actor = parties.actor_for(market.provider.party)
    row = actions.create_upload(actor, actions_request(b"abcdef"))
    actions.append_upload(actor, row.id, 0, b"abc")
    clock.advance(days=6)
    actions.append_upload(actor, row.id, 3, b"d")
    clock.advance(days=6)
    handlers.expire_uploads()
    assert queries.upload(actor, row.id).offset == 4, "each part gives it more time"
    stray = queries.root() / row.owner / "upl_stray"
    stray.write_bytes(b"x")
    clock.advance(days=2)
    handlers.expire_uploads()
    assert queries.upload(actor, row.id).state == "expired"
    assert not queries.bytes_of(row).exists()
    assert stray.exists(), "a file that just came may belong to a row about to be written"
    assert stray.name in received.sweep(queries.root(), set(), older_than=0)
    with pytest.raises(Conflict, match=r"upload\.state"):
        actions.append_upload(actor, row.id, 4, b"ef")


def test_what_was_said_of_an_upload_is_kept_with_it_and_goes_with_it(market: Market) -> None:
    provider, stranger = (parties.actor_for(who.party) for who in (market.provider, market.stranger))
    upload = announce(market.provider)
    said = Draft(reading=Reading(tolerant=True, sheet="甲"), fields={"title": "客户"})
    with pytest.raises(Conflict):  # not all of it is here
        actions.note_upload(provider, upload, said)
    append(market.provider, upload, 0, TABLE)
    actions.complete_upload(provider, upload)
    assert queries.begun(provider) == [], "nobody has begun to publish it"
    with pytest.raises(NotFound):
        actions.note_upload(stranger, upload, said)
    before = Outbox.objects.count()
    row = actions.note_upload(provider, upload, said)
    assert queries.draft_of(row) == said
    assert (queries.begun(provider), queries.begun(stranger)) == ([row], [])
    actions.note_upload(provider, upload, Draft(made="ast_1"))
    assert queries.begun(provider) == []
    row = actions.remove_upload(provider, upload)
    assert queries.draft_of(row) == Draft(made="ast_1"), "what came of it stays"
    with pytest.raises(Conflict):
        actions.note_upload(provider, upload, said)
    assert Outbox.objects.count() == before, "nothing of this is anybody else's business"


def actions_request(data: bytes) -> Any:
    from shudu.collect.types import CreateUpload

    return CreateUpload(name="a.csv", size=len(data), sha256=hashlib.sha256(data).hexdigest())


@contextmanager
def full_at(size: int) -> Iterator[None]:
    """A disk on which no file grows beyond `size`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_counts_nothing(market: Market) -> None:
    who, data = market.provider, bytes(range(256)) * (32 << 12)  # 32 MiB, beyond the rows' own files
    upload = announce(who, data)
    assert append(who, upload, 0, data[: 30 << 20]).status_code == 200
    with full_at(31 << 20):
        answer = append(who, upload, 30 << 20, data[30 << 20 :])
    assert told(answer, 507)["code"] == "upload.space"
    row = Upload.objects.get(pk=upload)
    assert row.offset == queries.bytes_of(row).stat().st_size == 30 << 20
    assert append(who, upload, 30 << 20, data[30 << 20 :]).status_code == 200
    assert who.do("POST", f"/uploads/{upload}/complete")["state"] == "complete"


def test_bytes_behind_the_offset_were_never_acknowledged(market: Market) -> None:
    """A process killed between the write and its acknowledgement leaves them; the next part takes their place."""
    actor = parties.actor_for(market.provider.party)
    row = actions.create_upload(actor, actions_request(b"abcdef"))
    actions.append_upload(actor, row.id, 0, b"abc")
    place = queries.bytes_of(row)
    place.write_bytes(b"abcXXXXXXX")
    actions.append_upload(actor, row.id, 3, b"def")
    assert place.read_bytes() == b"abcdef"
    place.unlink()
    with pytest.raises(Conflict, match=r"upload\.lost"):
        actions.complete_upload(actor, row.id)


@examples(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    data=st.binary(min_size=1, max_size=60),
    moves=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12),
)
def test_whatever_is_tried_the_file_is_what_was_sent(market: Market, data: bytes, moves: list[tuple[int, int]]) -> None:
    """A law: only a part at the acknowledged offset moves it, and what is there is always a beginning of the file."""
    actor = parties.actor_for(market.provider.party)
    row = actions.create_upload(actor, actions_request(data))
    place, offset = queries.bytes_of(row), 0
    for at, length in [*moves, (0, 0)]:
        part = data[at : at + length]
        if at == offset:
            offset = actions.append_upload(actor, row.id, at, part).offset
            assert offset == at + len(part)
        else:
            with pytest.raises(Conflict, match=r"upload\.offset") as caught:
                actions.append_upload(actor, row.id, at, part)
            assert caught.value.where["expected_offset"] == offset
        assert (place.read_bytes() if place.exists() else b"") == data[:offset]
    actions.append_upload(actor, row.id, offset, data[offset:])
    assert actions.complete_upload(actor, row.id).state == "complete"
