"""Drop folders: what is whole is handed in once, what is not waits, what is wrong is refused, and each is told."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import struct
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from shudu.catalog import queries as assets
from shudu.catalog.actions import erase
from shudu.collect import actions, batches, dropping, inbox, queries
from shudu.collect.models import Batch, Inbox
from shudu.collect.package import LARGEST_DIRECTORY
from shudu.collect.types import RegisterKey, package
from shudu.lake.types import Mode
from shudu.ledger.types import signer
from shudu.policy.models import Outbox
from shudu.policy.outbox import dispatch
from shudu.policy.types import Invalid, NotFound

from .headers import fields
from .test_batches import MORE, Desk
from .test_batches import desk as desk
from .test_batches import kept as kept

DOCS = (Path(__file__).parents[3] / "docs" / "collecting.md").read_text("utf-8")


class Box:
    """An organisation's open drop folder, and its sender."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.place = queries.drop_folder(actions.open_inbox(desk.actor))

    def told(self, file: Path, **changed: Any) -> dict[str, Any]:
        return fields(file, self.desk.asset.code, self.desk.actor.party, **changed)

    def put(self, name: str = "二月.csv", text: str = MORE, **changed: Any) -> Path:
        """A data file and then its header."""
        file = self.place.new / name
        file.write_text(text, "utf-8")
        mode = changed.pop("mode", None)
        told = self.told(file, **changed)
        (self.place.new / f"{name}{dropping.HEADER}").write_text(
            json.dumps({**told, "mode": mode} if mode else told), "utf-8"
        )
        return file

    def take(self, patience: float = 900.0) -> int:
        return actions.take_in(quiet=0.0, patience=patience)

    def answers(self, of: Path) -> list[str]:
        return [(each / dropping.ANSWER).read_text("utf-8") for each in sorted(of.iterdir())]

    def lies(self) -> list[str]:
        return sorted(os.listdir(self.place.new))

    def waits(self, **how: float) -> dict[str, Any]:
        return {one.name: one.waits for one in dropping.look(self.place, **{"quiet": 0.0, **how})}


@pytest.fixture
def box(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    monkeypatch.setattr(settings, "OPTIONS", replace(settings.OPTIONS, inbox=str(tmp_path / "inbox")))
    return Box(desk)


def versions(box: Box) -> int:
    return len(assets.versions_of(box.desk.asset.id))


def test_a_file_with_its_header_is_handed_in_once(box: Box) -> None:
    box.put()
    assert box.take() == 1
    row = Batch.objects.get()
    assert (row.state, row.came_by, row.owner) == ("accepted", "folder", box.desk.actor.party)
    assert Outbox.objects.get(event="batch.accepted").fields["via"] == "folder"
    (delivery,) = box.place.accepted.iterdir()
    assert {each.name for each in delivery.iterdir()} == {"二月.csv", "二月.csv.header.json", "result.txt"}
    (told,) = box.answers(box.place.accepted)
    assert "已接收" in told
    assert "Accepted" in told
    assert row.version in told
    assert (box.lies(), list(box.place.taking.iterdir())) == ([], [])
    made, news = versions(box), Outbox.objects.count()
    box.put()
    assert (box.take(), box.take()) == (1, 0)
    assert (versions(box), Outbox.objects.count(), Batch.objects.count()) == (made, news, 1)
    assert len(box.answers(box.place.accepted)) == 2, "the same again is told the same"
    page = box.desk.market.provider.get("/batches")["items"]
    assert [one["came_by"] for one in page] == ["folder"]


def test_how_its_rows_join_may_stand_in_the_header(box: Box) -> None:
    box.put(text="no,place,value\n1,武侯,9\n", mode="upsert")
    box.take()
    latest = assets.latest(box.desk.asset.id)
    assert latest is not None
    assert (latest.rows, Batch.objects.get().mode) == (2, "upsert")


def test_a_broken_one_is_refused_and_told_why_and_what_to_do(box: Box) -> None:
    box.put(sm3="0" * 64)
    box.put("按月.csv", batch_id="2", record_count=9)
    before = versions(box)
    assert box.take() == 2
    assert versions(box) == before
    assert {row.code for row in Batch.objects.filter(state="refused")} == {"batch.digest", "batch.count"}
    told = "".join(box.answers(box.place.refused))
    for code in ("batch.digest", "batch.count"):
        assert code in told
    assert "请重新传输" in told
    assert "Send it again." in told
    box.put()
    assert box.take() == 1
    assert Batch.objects.filter(state="accepted").count() == 1, "a refused one leaves its number free"


def test_what_is_half_written_is_not_taken(box: Box) -> None:
    file = box.put()
    header = box.place.new / f"{file.name}{dropping.HEADER}"
    whole, said = file.read_bytes(), header.read_bytes()
    assert box.waits(quiet=10.0) == {header.name: dropping.UNFINISHED}, "somebody touched it just now"
    file.write_bytes(whole[:-3])
    header.write_bytes(said[:-3])
    (box.place.new / "三月.csv").write_bytes(whole)
    (box.place.new / "四月.csv.part").write_bytes(whole)
    (box.place.new / ".五月.csv").write_bytes(whole)
    assert box.take() == 0
    assert set(box.waits().values()) == {dropping.UNFINISHED, dropping.NO_HEADER}
    header.write_bytes(said)
    assert box.take() == 0, "the header is whole, the file is shorter than it says"
    file.write_bytes(whole)
    assert box.take() == 1
    assert box.lies() == [".五月.csv", "三月.csv", "四月.csv.part"]


def test_what_stays_broken_is_refused_in_the_end(box: Box) -> None:
    (box.place.new / "a.csv").write_text(MORE)
    (box.place.new / f"a.csv{dropping.HEADER}").write_text("{")
    (box.place.new / f"b.csv{dropping.HEADER}").write_text(json.dumps(box.told(box.place.new / "a.csv")))
    (box.place.new / f"c.csv{dropping.HEADER}").write_text(json.dumps({"batch_id": "秘密的值"}))
    (box.place.new / "c.csv").write_text(MORE)
    (box.place.new / "d.zip").write_bytes(b"PK\x03\x04 cut short")
    assert box.take() == 1, "c is whole, and no header"
    assert box.take(patience=0.0) == 3
    assert box.lies() == []
    told = "".join(box.answers(box.place.refused))
    for code in ("batch.header", "inbox.file", "package.unreadable"):
        assert f"\n{code}\n" in told
    assert "秘密的值" not in told


def test_a_package_needs_no_header(box: Box, tmp_path: Path) -> None:
    mine = signer.ADAPTERS["ed25519"].generate("91510100MA0000103G")
    file = tmp_path / "二月.csv"
    file.write_text(MORE, "utf-8")
    package.make([(file, box.told(file), Mode.APPEND)], box.place.new / "a.zip", mine)
    whole = (box.place.new / "a.zip").read_bytes()
    assert box.take() == 1
    assert "package.signature" in box.answers(box.place.refused)[0]
    actions.register_key(box.desk.actor, RegisterKey(verifier=str(mine.verifier)))
    (box.place.new / "a.zip").write_bytes(whole[:-30])
    assert box.take() == 0
    (box.place.new / "a.zip").write_bytes(whole)
    made = versions(box)
    assert box.take() == 1
    (box.place.new / "b.zip").write_bytes(whole)
    assert box.take() == 1
    assert versions(box) == made + 1
    assert len(box.answers(box.place.accepted)) == 2
    erase(box.desk.actor, Batch.objects.get().version)
    dispatch()
    assert {file.name for file in box.place.accepted.glob("*/*")} == {dropping.ANSWER}


def test_hostile_things_are_neither_followed_nor_waited_for(box: Box, tmp_path: Path) -> None:
    new, outside = box.place.new, tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text(MORE, "utf-8")
    said = json.dumps(box.told(outside / "secret.csv"))
    (new / "link.csv").symlink_to(outside / "secret.csv")
    os.mkfifo(new / "pipe.csv")
    (new / "folder.csv").mkdir()
    os.link(outside / "secret.csv", new / "second.csv")
    for name in ("link", "pipe", "folder", "second"):
        (new / f"{name}.csv{dropping.HEADER}").write_text(said)
    (new / f"linked.csv{dropping.HEADER}").symlink_to(outside / "secret.csv")
    for name in (b"\xff\xfe.csv", "a\u202eb.csv".encode(), b"a\nb.csv"):
        Path(os.fsdecode(os.fsencode(new) + b"/" + name)).write_text(MORE)
        Path(os.fsdecode(os.fsencode(new) + b"/" + name + dropping.HEADER.encode())).write_text(said)
    assert box.take() == 3
    assert Batch.objects.count() == 0
    assert [told.splitlines()[0] for told in sorted(box.answers(box.place.refused))] == [
        "folder.csv",
        "link.csv",
        "pipe.csv",
    ]
    assert {"link.csv", "pipe.csv", "folder.csv", "second.csv", f"linked.csv{dropping.HEADER}"} < set(box.lies())
    assert list(box.waits().values()).count(dropping.NAME) == 3
    assert (outside / "secret.csv").read_text("utf-8") == MORE


def test_a_delivery_that_goes_meanwhile_keeps_no_other_s_files(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker removes what was answered long ago beside its news of what was erased."""
    for _ in range(2):
        box.put()
        box.take()
    version, real, gone = Batch.objects.get().version, dropping._names, []

    def then(answer: Path, of: str) -> bool:
        found = real(answer, of)
        if not gone:
            gone.append(answer.parent)
            shutil.rmtree(answer.parent)
        return found

    monkeypatch.setattr(dropping, "_names", then)
    dropping.forget_files(box.place, version)
    (left,) = box.place.accepted.iterdir()
    assert os.listdir(left) == [dropping.ANSWER]


def test_what_is_put_in_a_package_s_place_is_not_waited_for(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    (box.place.new / "a.zip").write_bytes(b"PK")
    real = dropping._status

    def then(file: Path) -> os.stat_result | None:
        """Its sender puts a pipe there between two looks."""
        found = real(file)
        file.unlink()
        os.mkfifo(file)
        return found

    monkeypatch.setattr(dropping, "_status", then)
    look = threading.Thread(target=box.waits, daemon=True)
    look.start()
    look.join(5.0)
    assert not look.is_alive()


def test_a_package_s_directory_is_not_read_before_its_length(box: Box, tmp_path: Path) -> None:
    """`zipfile` reads all of it into memory: of 50 MB it makes half a gigabyte."""
    one = struct.pack("<4s4B4HL2L5H2L8s", b"PK\1\2", 20, 0, 20, *(0,) * 8, 8, *(0,) * 6, b"00000000")
    many = LARGEST_DIRECTORY // len(one) + 1
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65_535, 65_535, many * len(one), 0, 0)
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, many, many, many * len(one), 0)
    for name, tail in (
        ("plain", end),
        ("comment", end[:-2] + b"\1\0x"),
        ("64", large + struct.pack("<4sLQL", b"PK\6\7", 0, many * len(one), 1) + end[:12] + b"\xff" * 8 + b"\0\0"),
    ):
        file = tmp_path / f"{name}.zip"
        file.write_bytes(one * many + tail)
        assert len(zipfile.ZipFile(file).namelist()) == many, "it is a right archive otherwise"
        (box.place.new / file.name).write_bytes(file.read_bytes())
        with pytest.raises(Invalid, match=r"package\.unreadable"), package.opened(file, []):
            pass
    assert set(box.waits().values()) == {dropping.UNFINISHED}
    assert box.take(patience=0.0) == 3
    assert "package.unreadable" in box.answers(box.place.refused)[0]


def test_a_look_opens_no_more_than_it_needs(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of 100,000 broken headers would keep the worker from everybody else's."""
    opened, real = [], dropping.header_in
    monkeypatch.setattr(dropping, "header_in", lambda file: opened.append(file) or real(file))
    for number in range(5):
        box.put(f"b{number}.csv", batch_id=str(number))
    first = next(iter(dropping.look(box.place, 0.0)))
    assert (first.name, first.waits, len(opened)) == (f"b0.csv{dropping.HEADER}", None, 1)
    for number in range(dropping.MOST_TRIED + 5):
        (box.place.new / f"a{number:04}.csv{dropping.HEADER}").write_text("{")
    opened.clear()
    waits = list(box.waits().values())
    assert len(opened) == dropping.MOST_TRIED
    assert (waits.count(dropping.UNFINISHED), waits.count(dropping.LATER)) == (dropping.MOST_TRIED, 5 + 5)
    assert box.take() == 0
    assert box.take(patience=0.0) == dropping.MOST_TRIED + 10, "in their turn"


def test_what_grows_while_it_is_copied_fills_no_disk(box: Box, tmp_path: Path) -> None:
    file = box.put()
    size = file.stat().st_size
    with file.open("a") as sender:
        sender.write(MORE * 100)
    dropping.copy(file, tmp_path / "copy", size)
    assert (tmp_path / "copy").stat().st_size == size + 1, "enough to be of another size than its header says"


def test_a_huge_one_is_refused_unread(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OPTIONS", replace(settings.OPTIONS, max_upload_mb=1))
    file = box.put()
    os.truncate(file, 1 << 40)
    assert box.take() == 1
    assert "inbox.size" in box.answers(box.place.refused)[0]


@contextmanager
def held_to_permissions() -> Iterator[None]:
    """Even root, for a while: without the two capabilities by which it reads what it may not (capabilities(7))."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, had = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, had) == 0
    bare = (ctypes.c_uint32 * 6)(*had)
    bare[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH; the effective set alone
    assert libc.capset(header, bare) == 0
    try:
        yield
    finally:
        assert libc.capset(header, had) == 0


def test_what_may_not_be_read_is_refused(box: Box) -> None:
    box.put().chmod(0)
    with held_to_permissions():
        assert box.take() == 1
    assert "inbox.permission" in box.answers(box.place.refused)[0]


def test_another_organisations_header_or_folder_counts_for_nothing(box: Box) -> None:
    box.put(submitted_by=box.desk.other.party)
    box.take()
    assert "batch.submitter" in box.answers(box.place.refused)[0]
    theirs = queries.drop_folder(Inbox(owner=box.desk.other.party, name=box.desk.other.party))
    theirs.make()
    (theirs.new / "a.csv").write_text(MORE)
    (theirs.new / f"a.csv{dropping.HEADER}").write_text(json.dumps(box.told(theirs.new / "a.csv")))
    assert box.take() == 0, "nobody opened it"
    with pytest.raises(NotFound):
        queries.inbox(box.desk.other)


def test_a_closed_one_is_left_alone(box: Box) -> None:
    box.put()
    actions.close_inbox(box.desk.actor)
    actions.close_inbox(box.desk.actor)
    assert box.take() == 0
    actions.open_inbox(box.desk.actor)
    actions.open_inbox(box.desk.actor)
    assert box.take() == 1
    events = Outbox.objects.filter(event__startswith="inbox.").order_by("id").values_list("event", flat=True)
    assert list(events) == ["inbox.opened", "inbox.closed", "inbox.opened"]


def test_the_bytes_that_were_checked_are_those_published(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that still holds the file open writes into it after its digest was taken."""
    file = box.put()
    real = batches.received.digests
    with file.open("r+b") as sender:

        def then(place: Path, **how: Any) -> Any:
            found = real(place, **how)
            sender.seek(0)
            sender.write(b"no,place,value\n9,")
            sender.flush()
            return found

        monkeypatch.setattr(batches.received, "digests", then)
        assert box.take() == 1
    row = Batch.objects.get()
    assert row.state == "accepted"
    latest = assets.latest(box.desk.asset.id)
    assert latest is not None
    assert latest.report["rows_in"] == 3
    assert "9" not in str(latest.columns)


def test_of_two_workers_one_is_at_it(box: Box) -> None:
    box.put()
    handle = os.open(box.place.folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert box.take() == 0
    assert len(box.lies()) == 2
    os.close(handle)
    assert box.take() == 1


@pytest.fixture
def spoilt(box: Box, tmp_path: Path) -> Box:
    box.put()
    box.place.refused.rmdir()
    box.place.refused.symlink_to(tmp_path)
    return box


def test_a_folder_that_is_not_as_we_made_it_stops_no_other(spoilt: Box, caplog: Any) -> None:
    assert spoilt.take() == 0
    assert "NotADirectoryError" in caplog.text
    assert len(spoilt.lies()) == 2


def test_answered_ones_go_in_time(box: Box) -> None:
    box.put()
    box.take()
    (old,) = box.place.accepted.iterdir()
    os.utime(old, (0, 0))
    box.take()
    assert not old.exists()


def test_an_erased_version_takes_the_files_of_its_delivery(box: Box) -> None:
    box.put()
    box.take()
    box.put("三月.csv", "no,place,value\n8,青羊,1\n", batch_id="other")
    box.take()
    of_it, other = sorted(box.place.accepted.iterdir())
    assert len(list(of_it.iterdir())) == 3
    erase(box.desk.actor, Batch.objects.order_by("id")[0].version)
    dispatch()
    assert [file.name for file in of_it.iterdir()] == [dropping.ANSWER]
    assert len(list(other.iterdir())) == 3, "another's stays"


def test_a_delivery_answered_after_its_version_was_erased_keeps_no_files(box: Box) -> None:
    box.put()
    box.take()
    erase(box.desk.actor, Batch.objects.get().version)
    box.put()
    box.take()
    _, again = sorted(box.place.accepted.iterdir())
    assert [file.name for file in again.iterdir()] == [dropping.ANSWER]
    assert Batch.objects.count() == 1


def test_the_documentation_names_what_the_code_does() -> None:
    assert f"february.csv{dropping.HEADER}" in DOCS
    assert f"in the last {dropping.QUIET:.0f} seconds" in DOCS
    assert f"after {dropping.PATIENCE / 60:.0f} minutes" in DOCS
    assert f"after {inbox.LONGEST / 3600:.0f} hours" in DOCS
    for end in dropping._UNFINISHED:
        assert f"`{end}`" in DOCS


def test_the_lock_is_held_while_a_delivery_is_taken(box: Box) -> None:
    got: list[bool] = []
    with dropping.alone(box.place) as mine:
        assert mine

        def other() -> None:
            with dropping.alone(box.place) as theirs:
                got.append(theirs)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert got == [False]
