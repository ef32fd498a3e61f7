"""Uploads in parts: announced, appended to at the acknowledged offset, completed by their digest, removed, expired."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Any

from shudu.policy import clock, locks
from shudu.policy.actions import action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Conflict, Invalid, Text

from . import queries, received
from .models import Upload
from .types import CreateUpload, Draft

MOST_UPLOADS = 1_000  # of one party at once


@action(Permission.UPLOAD_CREATE, Event.UPLOAD_RECEIVED)
def create_upload(actor: Actor, request: CreateUpload) -> Upload:
    """Announce a file. Raises Invalid `upload.too_large`, Conflict `upload.quota`, Unavailable `upload.space`."""
    require(actor, Permission.UPLOAD_CREATE)
    options = queries.options()
    if request.size > options.max_upload_mb << 20:
        raise _too_large(options.max_upload_mb)
    locks.alone(f"uploads {actor.party}")  # of two at once, the second counts the first
    count, announced = queries.held_by(actor.party)
    if count >= MOST_UPLOADS or announced + request.size > options.upload_quota_mb << 20:
        raise _quota(options.upload_quota_mb, announced)
    if shutil.disk_usage(options.home).free < request.size:
        raise received.no_space()
    row = Upload.objects.create(
        owner=actor.party,
        name=request.name,
        size=request.size,
        sha256=request.sha256 or "",
        sm3=request.sm3 or "",
        expires=_expiry(),
    )
    record_nothing()  # nothing was received yet
    return row


def append_upload(actor: Actor, upload_id: str, offset: int, data: bytes) -> Upload:
    """Add `data` at `offset`, which must be the acknowledged one; durable when this returns.

    Raises Conflict `upload.offset` (with the offset to go on from), `upload.state` or `upload.lost`, Invalid
    `upload.too_long`, Unavailable `upload.space`; then nothing is counted. Of two writers at one offset, one wins.
    """
    row = queries.upload(actor, upload_id)
    with received.held(queries.bytes_of(row)) as handle:
        row.refresh_from_db()
        _check_receiving(row)
        if row.offset != offset:
            raise _moved(row, offset)
        if offset + len(data) > row.size:
            raise _too_long(row)
        received.write(handle, offset, data)
        return _acknowledge(actor, upload_id, offset, len(data))


@action(Permission.UPLOAD_USE, Event.UPLOAD_RECEIVED)
def _acknowledge(actor: Actor, upload_id: str, offset: int, length: int) -> Upload:
    row = queries.upload(actor, upload_id)
    require(actor, Permission.UPLOAD_USE, row)
    kept = Upload.objects.filter(pk=row.pk, state=Upload.State.RECEIVING, offset=offset)
    if not kept.update(offset=offset + length, expires=_expiry()):
        row.refresh_from_db()
        _check_receiving(row)
        raise _moved(row, offset)
    row.refresh_from_db()
    record_nothing()  # a file is recorded when all of it is here
    return row


def _digests(actor: Actor, upload_id: str) -> tuple[str, str]:
    """Read the whole file before the transaction opens."""
    row = queries.upload(actor, upload_id)
    require(actor, Permission.UPLOAD_USE, row)
    if row.state == Upload.State.COMPLETE:
        return row.sha256, row.sm3
    _check_receiving(row)
    if row.offset != row.size:
        raise _unfinished(row)
    size, sha256, sm3 = received.digests(queries.bytes_of(row), sm3=bool(row.sm3))
    if size != row.size or sha256 != (row.sha256 or sha256) or sm3 != row.sm3:
        _drop(actor, row.id, Upload.State.SPOILED)
        raise _spoiled(row)
    return sha256, sm3


@action(Permission.UPLOAD_USE, Event.UPLOAD_RECEIVED, prepare=_digests)
def complete_upload(actor: Actor, upload_id: str, *, prepared: tuple[str, str]) -> Upload:
    """Hold the file against its declared digest; from then on it can be used. Doing it again changes nothing.

    Raises Conflict `upload.unfinished` while bytes are missing, and Invalid `upload.digest`: then it is gone.
    """
    row = queries.upload(actor, upload_id)
    require(actor, Permission.UPLOAD_USE, row)
    if row.state == Upload.State.COMPLETE:
        record_nothing()
        return row
    row.state, row.sha256, row.expires = Upload.State.COMPLETE, prepared[0], _expiry()
    changed = Upload.objects.filter(pk=row.pk, state=Upload.State.RECEIVING)
    if not changed.update(state=row.state, sha256=row.sha256, expires=row.expires):
        row.refresh_from_db()
        _check_receiving(row)
    record(row.id, {"upload": row.id, "bytes": row.size, "sha256": row.sha256})
    return row


@action(Permission.UPLOAD_USE, Event.UPLOAD_RECEIVED)
def note_upload(actor: Actor, upload_id: str, draft: Draft) -> Upload:
    """Keep how far somebody has come with publishing an upload.

    Raises Conflict `upload.unfinished` for one that is not complete yet, `upload.state` for one that ended.
    """
    row = queries.upload(actor, upload_id)
    require(actor, Permission.UPLOAD_USE, row)
    kept = Upload.objects.filter(pk=row.pk, state=Upload.State.COMPLETE)
    if not kept.update(draft=draft.model_dump(mode="json", exclude_defaults=True), expires=_expiry()):
        row.refresh_from_db()
        raise _unfinished(row) if row.state == Upload.State.RECEIVING else _ended(row)
    row.refresh_from_db()
    record_nothing()  # nothing was received, and nothing published yet
    return row


def remove_upload(actor: Actor, upload_id: str, *, idempotency_key: str | None = None) -> Upload:
    """Remove an upload and its bytes, for good; what was made of it stays. Removing it again changes nothing."""
    return _drop(actor, upload_id, Upload.State.REMOVED, idempotency_key=idempotency_key)


def expire_uploads(actor: Actor) -> int:
    """Remove what nobody went on with, and bytes no upload vouches for: the worker's chore. Returns how many."""
    due = list(Upload.objects.filter(state__in=Upload.KEPT, expires__lt=clock.now()).values_list("id", flat=True)[:100])
    for upload_id in due:
        _drop(actor, upload_id, Upload.State.EXPIRED)
    known = set(Upload.objects.filter(state__in=Upload.KEPT).values_list("id", flat=True))
    received.sweep(queries.root(), known)
    return len(due)


@action(Permission.UPLOAD_REMOVE, Event.UPLOAD_RECEIVED)
def _end(actor: Actor, upload_id: str, state: str) -> Upload:
    row = queries.upload(actor, upload_id)
    require(actor, Permission.UPLOAD_REMOVE, row)
    record_nothing()  # its bytes were never part of anything that was recorded, or that holds its own copy
    if row.state not in Upload.KEPT:
        return row
    kept = Upload.objects.filter(pk=row.pk, state=row.state)
    if state == Upload.State.EXPIRED:  # unless somebody went on with it just now
        kept = kept.filter(expires__lt=clock.now())
    # What was said of it goes with its bytes; what came of it stays, for whoever comes back to the page.
    draft = {name: row.draft[name] for name in ("asset", "made") if name in row.draft}
    if kept.update(state=state, draft=draft):
        row.state, row.draft = state, draft
    return row


def _drop(actor: Actor, upload_id: str, state: str, *, idempotency_key: str | None = None) -> Upload:
    """End an upload, then remove its bytes; killed in between, the worker's sweep removes them."""
    row: Upload = _end(actor, upload_id, state, idempotency_key=idempotency_key)
    if row.state not in Upload.KEPT:
        queries.bytes_of(row).unlink(missing_ok=True)
    return row


def _expiry() -> Any:
    return clock.now() + timedelta(days=queries.options().upload_days)


def _check_receiving(row: Upload) -> None:
    if row.state != Upload.State.RECEIVING:
        raise _ended(row)


_ENDED = {
    Upload.State.COMPLETE: Text("这次上传已经完成。", "This upload is complete already."),
    Upload.State.SPOILED: Text(
        "这次上传的内容与声明的摘要不符，已删除。", "What came in did not have the declared digest and was removed."
    ),
    Upload.State.REMOVED: Text("这次上传已删除。", "This upload was removed."),
    Upload.State.EXPIRED: Text("这次上传已过期并删除。", "This upload has expired and was removed."),
}


def _ended(row: Upload) -> Conflict:
    return Conflict(
        "upload.state",
        _ENDED[Upload.State(row.state)],
        Text("如需再传，请新建一次上传。", "To send the file again, create a new upload."),
        {"upload": row.id, "state": str(row.state)},
    )


def _moved(row: Upload, offset: int) -> Conflict:
    return Conflict(
        "upload.offset",
        Text(
            f"已收到 {row.offset} 字节，不能从 {offset} 处续传。",
            f"{row.offset} bytes have arrived; it cannot go on at {offset}.",
        ),
        Text("请从 expected_offset 续传。", "Go on at `expected_offset`."),
        {"upload": row.id, "expected_offset": row.offset, "provided_offset": offset},
    )


def _too_long(row: Upload) -> Invalid:
    return Invalid(
        "upload.too_long",
        Text(f"内容超过声明的 {row.size} 字节。", f"There is more than the {row.size} bytes declared."),
        Text("请核对文件，或按其实际大小新建上传。", "Check the file, or create an upload of its real size."),
        {"upload": row.id, "size": row.size},
    )


def _unfinished(row: Upload) -> Conflict:
    return Conflict(
        "upload.unfinished",
        Text(f"还差 {row.size - row.offset} 字节。", f"{row.size - row.offset} bytes are still missing."),
        Text("请从 expected_offset 续传。", "Go on at `expected_offset`."),
        {"upload": row.id, "expected_offset": row.offset},
    )


def _spoiled(row: Upload) -> Invalid:
    return Invalid(
        "upload.digest",
        Text("收到的内容与声明的摘要不符，已删除。", "What came in has not the declared digest; it was removed."),
        Text("请核对文件后重新上传。", "Check the file and upload it again."),
        {"upload": row.id},
    )


def _too_large(most: int) -> Invalid:
    return Invalid(
        "upload.too_large",
        Text(f"上传超过 {most} MB。", f"The upload is larger than {most} MB."),
        Text(
            "请拆分文件，或请运营机构调高 max_upload_mb。", "Split it, or have the operating company raise the limit."
        ),
        {"max_upload_mb": most},
    )


def _quota(most: int, announced: int) -> Conflict:
    return Conflict(
        "upload.quota",
        Text(
            f"贵方的上传合计不得超过 {most} MB，现已占用 {announced >> 20} MB。",
            f"Your uploads may hold {most} MB together, and hold {announced >> 20} MB now.",
        ),
        Text("请先删除不再需要的上传。", "Remove uploads you no longer need first."),
        {"upload_quota_mb": most},
    )
