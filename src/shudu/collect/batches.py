"""Accepting batches: the same batch twice changes nothing, a broken one is refused, and why is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishVersion
from shudu.identity import queries as identity
from shudu.lake.types import Mode
from shudu.policy import clock, locks
from shudu.policy.actions import action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Conflict, Invalid, Text

from . import gates, queries, received, sender_keys
from .header import BatchHeader
from .models import Batch
from .refusals import Refusal, refused

CODES = frozenset(code.value for code in Refusal)


class Arrived(BaseModel):
    """A batch as it came: its header, how it is to be taken in, and the digests of its file's bytes."""

    model_config = ConfigDict(frozen=True)

    header: BatchHeader
    mode: Mode
    size: int
    sha256: str
    sm3: str
    source: Path = Field(exclude=True)


@dataclass(frozen=True, slots=True)
class _Written:
    """The version written but not yet entered; None when this batch was accepted before."""

    order: PublishVersion
    version: Any


def accept_batch(
    actor: Actor, header: BatchHeader, source: Path, mode: Mode = Mode.APPEND, *, idempotency_key: str | None = None
) -> Batch:
    """Take a batch's file in as a new version of the table its header names.

    The same batch again gives the first answer and changes nothing. Raises a refusal of `refusals` (kept, and listed
    for its sender), or what says that it may be tried again: Conflict `version.overtaken`, Unavailable.
    """
    size, sha256, sm3 = received.digests(source, sm3=True)
    arrived = Arrived(header=header, mode=mode, size=size, sha256=sha256, sm3=sm3, source=source)
    try:
        row: Batch = _accept(actor, arrived, idempotency_key=idempotency_key)
    except (Invalid, Conflict) as error:
        if error.code in CODES:
            _refuse(actor, arrived, error.code, dict(error.where))
        raise
    return row


def _prepare(actor: Actor, arrived: Arrived) -> _Written | None:
    """Everything that can be refused, and the file itself, before the transaction opens."""
    header = arrived.header
    require(actor, Permission.BATCH_SUBMIT)
    asset = queries.table_of(actor, header.catalog_code)
    party = identity.party(actor.party)
    if header.submitted_by not in (party.id, party.code):
        raise refused(Refusal.SUBMITTER)
    if arrived.size != header.bytes:
        raise refused(Refusal.BYTES, declared=header.bytes, found=arrived.size)
    if arrived.sm3 != header.sm3:
        raise refused(Refusal.DIGEST, declared=header.sm3, found=arrived.sm3)
    if _earlier(actor.party, arrived) is not None:
        return None
    if header.signature is not None:
        sender_keys.check(actor.party, header.signed_text, header.signature)
    gates.check(header, level=asset.level, schema_version=queries.schema_version(asset.id), now=clock.now())
    order = PublishVersion(asset=asset.id, source=arrived.source, sha256=arrived.sha256, mode=arrived.mode)
    try:
        written = catalog.write_version(actor, order)
    except Invalid as error:
        where = {**error.where, "cause": error.code}
        raise Invalid(Refusal.CONTENT.value, error.message, error.remedy, where) from None
    if written.stored.source_sha256 != arrived.sha256:  # somebody wrote to it after its digest was taken
        raise Conflict(
            "publish.changed",
            Text(
                "读取期间源文件被修改，什么也没有发布。", "The file changed while it was read; nothing was published."
            ),
            Text("请等写入结束后再提交。", "Hand it in once nobody writes to it."),
        )
    _check_content(header, asset.id, written.stored)
    return _Written(order, written)


def _check_content(header: BatchHeader, asset_id: str, stored: Any) -> None:
    rows = stored.report["rows_in"]
    if rows != header.record_count:
        raise refused(Refusal.COUNT, declared=header.record_count, found=rows)
    came = [column["name"] for column in stored.recipe["columns"]]
    if header.columns and list(header.columns) != came:
        raise refused(Refusal.COLUMNS, declared=len(header.columns), found=len(came))
    before = queries.schema_of(asset_id)
    if before and [(column.name, column.type) for column in stored.columns] != before:
        raise refused(Refusal.COLUMNS, table=len(before), found=len(stored.columns))


def _earlier(party: str, arrived: Arrived) -> Batch | None:
    """The same batch, accepted before. Raises the refusal when its number stands for another."""
    row = queries.accepted(party, arrived.header.batch_id)
    if row is None:
        return None
    same = (row.header_sha256, row.source_sha256, row.mode)
    if same != (arrived.header.sha256, arrived.sha256, arrived.mode.value):
        raise refused(Refusal.REUSED, batch=row.id)
    return row


@action(Permission.BATCH_SUBMIT, Event.BATCH_ACCEPTED, prepare=_prepare)
def _accept(actor: Actor, arrived: Arrived, *, prepared: _Written | None) -> Batch:
    require(actor, Permission.BATCH_SUBMIT)
    header = arrived.header
    locks.alone(f"batch {actor.party} {header.batch_id}")  # of two at once, the second finds the first
    if (row := _earlier(actor.party, arrived)) is not None:
        record_nothing()
        return row
    assert prepared is not None
    version = catalog.publish_version(actor, prepared.order, prepared=prepared.version)
    row = _row(actor, arrived, Batch.State.ACCEPTED)
    row.asset, row.version = prepared.order.asset, version.id
    row.save()
    told = {"batch": row.id, "asset": row.asset, "version": row.version, "channel": row.channel, "mode": row.mode}
    digests = {name: getattr(row, name) for name in ("header_sha256", "source_sha256", "source_sm3")}
    record(row.id, {**told, **digests, "bytes": header.bytes, "records": header.record_count})
    return row


@action(Permission.BATCH_SUBMIT, Event.BATCH_REFUSED)
def _refuse(actor: Actor, arrived: Arrived, code: str, where: dict[str, Any]) -> Batch:
    """Keep why a batch was refused, once, however often it is tried."""
    require(actor, Permission.BATCH_SUBMIT)
    row = _row(actor, arrived, Batch.State.REFUSED)
    row.code, row.where = code, where
    locks.alone(f"batch {actor.party} {row.batch_id}")
    if (before := queries.refused_before(row)) is not None:
        record_nothing()
        return before
    row.save()
    record(row.id, {"batch": row.id, "channel": row.channel, "header_sha256": row.header_sha256, "code": code})
    return row


def _row(actor: Actor, arrived: Arrived, state: str) -> Batch:
    header = arrived.header
    return Batch(
        owner=actor.party,
        batch_id=header.batch_id,
        state=state,
        channel=header.channel.value,
        mode=arrived.mode.value,
        header=header.to_json(),
        header_sha256=header.sha256,
        source_sha256=arrived.sha256,
        source_sm3=arrived.sm3,
        came_by=actor.via.value,
    )
