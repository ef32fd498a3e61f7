"""Drop folders: what cannot be taken now waits its turn, holds up nobody else's, and is answered in the end."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishTable
from shudu.collect import dropping, inbox
from shudu.collect.models import Batch
from shudu.policy.types import Conflict, Text, Unavailable

from .test_batches import desk as desk
from .test_batches import kept as kept
from .test_inbox import Box
from .test_inbox import box as box


@pytest.mark.parametrize(
    "passing",
    [
        Conflict("version.overtaken", Text("某处", "somewhere")),
        Unavailable("lake.space", Text("某处", "somewhere")),
        OSError(28, "No space left on device"),
        RuntimeError("unforeseen"),
    ],
    ids=["overtaken", "lake full", "disk full", "unforeseen"],
)
def test_what_cannot_be_taken_now_waits(
    box: Box, monkeypatch: pytest.MonkeyPatch, passing: Exception, caplog: Any
) -> None:
    box.put()
    box.put("三月.csv", "no,place,value\n8,新都,1\n", batch_id="3")
    with monkeypatch.context() as now:

        def fails(*_: Any, **__: Any) -> None:
            raise passing

        now.setattr(inbox, "accept_batch", fails)
        assert box.take() == 0
        assert box.take() == 0
    assert "二月" not in caplog.text
    assert "somewhere" not in caplog.text
    assert (list(box.place.accepted.iterdir()), list(box.place.refused.iterdir())) == ([], [])
    assert box.take() == 2
    assert Batch.objects.filter(state="accepted").count() == 2


def other_table(box: Box) -> Any:
    source = box.desk.file("no,place,value\n1,武侯,3\n", "other.csv")
    return catalog.publish(box.desk.actor, PublishTable(source=source, title="另一张表", key="no"))


@pytest.mark.parametrize("code", ["version.overtaken", "lake.space", "unforeseen"])
def test_what_must_wait_holds_up_only_what_comes_for_its_table(
    box: Box, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    other = other_table(box)
    box.put("a.csv")
    box.put("b.csv", "no,place,value\n1,新都,1\n", batch_id="2", mode="upsert")
    box.put("c.csv", batch_id="3", catalog_code=other.code)
    real = inbox.accept_batch

    def fails(actor: Any, header: Any, *rest: Any) -> Batch:
        if header.batch_id == "2026-03-02-1":
            raise RuntimeError if code == "unforeseen" else Unavailable(code, Text("某处", "somewhere"))
        made: Batch = real(actor, header, *rest)
        return made

    monkeypatch.setattr(inbox, "accept_batch", fails)
    assert box.take() == 1
    assert [row.batch_id for row in Batch.objects.all()] == ["3"]
    assert (box.take(), len(list(box.place.taking.iterdir()))) == (0, 2), "rows put in by key stay in their order"
    monkeypatch.setattr(inbox, "accept_batch", real)
    assert box.take() == 2
    assert [row.batch_id for row in Batch.objects.order_by("id")] == ["3", "2026-03-02-1", "2"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(RuntimeError("秘密的值"), "inbox.fault"), (Unavailable("lake.space", Text("某处", "somewhere")), "lake.space")],
    ids=["unforeseen", "full"],
)
def test_every_delivery_is_answered_in_the_end(
    box: Box, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, caplog: Any
) -> None:
    box.put()

    def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(inbox, "accept_batch", fails)
    assert box.take() == 0
    (taken,) = box.place.taking.iterdir()
    long_ago = time.time() - inbox.LONGEST
    os.utime(taken, (long_ago, long_ago))
    assert box.take() == 1
    (told,) = box.answers(box.place.refused)
    assert f"\n{code}\n" in told
    assert "put it into `new` again" in told
    assert "秘密" not in told + caplog.text


def test_one_that_does_not_fit_on_the_disk_waits_unread(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.put()
    copied: list[Path] = []
    with monkeypatch.context() as now:
        now.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
        now.setattr(dropping, "copy", lambda file, *_: copied.append(file))
        assert (box.take(), copied) == (0, [])
    assert box.take() == 1


def test_when_nothing_can_be_taken_not_everything_is_tried(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(inbox.MOST_WAITING + 2):
        box.put(f"{number:02}.csv", catalog_code=f"307010000000000000/{number:06}")
    tried: list[Any] = []

    def fails(_: Any, header: Any, *__: Any) -> None:
        tried.append(header)
        raise Unavailable("lake.space", Text("某处", "somewhere"))

    monkeypatch.setattr(inbox, "accept_batch", fails)
    assert box.take() == 0
    assert (len(tried), len(box.lies())) == (inbox.MOST_WAITING, 4)


@pytest.mark.parametrize("name", ["record_count", "bytes", "schema_version"])
def test_a_header_s_largest_numbers_are_answered(box: Box, name: str) -> None:
    """RFC 8785 knows whole numbers to 2**53 - 1 alone: a header over it has no digest."""
    for number in (2**53 - 1, 2**53, 10**400):
        box.put(f"{len(str(number))}-{number % 10}.csv", **{name: number})
    box.put("z.csv")
    assert box.take(patience=0.0) == 4
    assert len(box.answers(box.place.refused)) == 3
    assert "inbox.fault" not in "".join(box.answers(box.place.refused))
    assert Batch.objects.filter(state="accepted").count() == 1
