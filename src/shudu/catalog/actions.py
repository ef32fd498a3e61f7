"""Every write of the catalogue: tables, their versions, models, reviews of levels, erasing, and results of runs."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import rfc8785
from django.db import transaction

from shudu.cases import queries as cases
from shudu.identity import queries as identity
from shudu.lake import queries as lake
from shudu.lake.types import Column, Place, Stored, StoredFile
from shudu.policy import audiences, ids, locks, plain_text
from shudu.policy.actions import action, part_of_action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.rules import refuse_unless
from shudu.policy.types import Actor, Conflict, Invalid, Text

from . import codes, correcting, levels, projecting, updating
from .model_kinds import ModelSpec, read_model
from .models import Asset, Binding, Correction, LevelReview, Right, Version
from .procedures import CORRECTION
from .promising import keep_promise
from .promising import promise as promise
from .queries import asset as visible_asset
from .queries import correction, place
from .queries import version as visible_version
from .types import Corrected, PublishModel, PublishTable, PublishVersion, Result
from .updating import still_live as still_live

MODEL_BYTES = 64 << 20
CARD_BYTES = 1_000_000
LONGEST_OPINION = 20_000


def _write_table(actor: Actor, request: PublishTable) -> tuple[Place, Stored]:
    """Write the file before the transaction opens: files without a Version row are nothing and get swept."""
    require(actor, Permission.ASSET_PUBLISH)
    refuse_unless(levels.accepts(request.level))
    where = Place(actor.party, ids.new("asset"), ids.new("version"))
    encrypted = levels.needs_encryption(request.level)
    return where, lake.store().land(request.source, where, request.reading, key=request.key, encrypted=encrypted)


@action(Permission.ASSET_PUBLISH, Event.ASSET_PUBLISHED, prepare=_write_table)
def publish(actor: Actor, request: PublishTable, *, prepared: tuple[Place, Stored]) -> Asset:
    """Publish a file as a new table asset of the actor's party, version 1."""
    require(actor, Permission.ASSET_PUBLISH)
    where, stored = prepared
    asset = _enter(
        where,
        kind=Asset.Kind.TABLE,
        title=_title(request.title, request.title_en),
        level=request.level,
        core=request.core.model_dump(mode="json"),
        origin=request.origin,
        findable=request.findable,
    )
    binding = Binding.objects.create(asset=asset, kind=Asset.Kind.TABLE, entity_key=request.key or "")
    _enter_version(binding, where, stored)
    _all_rights(asset)
    record(asset.id, _published(asset, where.version, stored))
    return asset


def write_version(actor: Actor, request: PublishVersion) -> updating.Prepared:
    """Write the file; `publish_version(…, prepared=…)` then enters it, also as part of another room's action."""
    asset = visible_asset(actor, request.asset)
    return updating.write(asset, updating.writable(actor, asset), request)


@action(Permission.ASSET_UPDATE, Event.VERSION_PUBLISHED, prepare=write_version)
def publish_version(actor: Actor, request: PublishVersion, *, prepared: updating.Prepared) -> Version:
    """Publish a file as the next version of a table: in place of its rows, beside them, or by key.

    Raises Conflict `version.overtaken` when another version came first: what was read is never what was lost.
    """
    asset = visible_asset(actor, request.asset)
    require(actor, Permission.ASSET_UPDATE, asset)
    binding = updating.writable(actor, asset)
    return _next_version(asset, binding, prepared)


def _write_restored(actor: Actor, version_id: str) -> updating.Prepared:
    old = visible_version(actor, version_id)
    asset = old.binding.asset
    return updating.write_again(asset, updating.writable(actor, asset), old)


@action(Permission.ASSET_UPDATE, Event.VERSION_PUBLISHED, prepare=_write_restored)
def restore(actor: Actor, version_id: str, *, prepared: updating.Prepared) -> Version:
    """Publish an old version of a table once more, as the newest; what came between stays. Raises Conflict
    `version.erased`, and `version.overtaken` as `publish_version` does."""
    old = visible_version(actor, version_id)
    asset = old.binding.asset
    require(actor, Permission.ASSET_UPDATE, asset)
    updating.in_turn(old)
    updating.not_erased(old)  # since it was read
    return _next_version(asset, updating.writable(actor, asset), prepared)


@action(Permission.ASSET_UPDATE, Event.VERSION_PUBLISHED)
def _add_corrected(actor: Actor, asset_id: str, prepared_version: updating.Prepared) -> Version:
    """Enter rows that were corrected, which stand written already, as the next version."""
    asset = visible_asset(actor, asset_id)
    require(actor, Permission.ASSET_UPDATE, asset)
    return _next_version(asset, updating.writable(actor, asset), prepared_version)


def _look_at_list(actor: Actor, version_id: str, sent: Corrected) -> correcting.Looked:
    row = correction(actor, version_id)
    require(actor, Permission.ROWS_CORRECT, row)
    return correcting.look(row, actor, sent)


@action(Permission.ROWS_CORRECT, Event.ROWS_CORRECTED, prepare=_look_at_list)
def correct(actor: Actor, version_id: str, sent: Corrected, *, prepared: correcting.Looked) -> Correction:
    """Take a corrected list: what fits now becomes a new version, what is left out says why, the rest stays open.

    Raises Invalid `corrections.columns`, `.key` or `.twice` for what is no list of this version, Conflict
    `corrections.changed` or `version.overtaken` when somebody was faster; then nothing is changed. The same list again
    changes nothing.
    """
    updating.in_turn(visible_version(actor, version_id))
    row = correction(actor, version_id)  # not erased since the list was looked at
    require(actor, Permission.ROWS_CORRECT, row)
    if not prepared.passed and not prepared.left and prepared.kept is None:
        record_nothing()
        return row
    into = _add_corrected(actor, row.asset_id, prepared.into).id if prepared.into else ""
    row = correcting.settle(prepared, into, actor)
    record(
        row.id,
        {
            "asset": row.asset_id,
            "version": version_id,
            "case": cases.case(version_id, CORRECTION.name).id,
            "added": len(prepared.passed),
            "left_out": len(prepared.left),
            "open": row.open,
            "into": into,
        },
    )
    return row


def _write_model(actor: Actor, request: PublishModel) -> tuple[Place, Stored, ModelSpec]:
    require(actor, Permission.MODEL_PUBLISH)
    refuse_unless(levels.accepts(request.level))
    data = _read_small(request.source)
    card = _card_file(request.card)
    spec = read_model(data, request.card, request.source.name)
    declared = tuple(name for name, _ in spec.inputs)
    if set(declared) != set(request.inputs) or len(request.inputs) != len(declared):
        odd = sorted(set(declared) ^ set(request.inputs)) or sorted(request.inputs)
        raise Invalid(
            "model.inputs",
            Text(
                f"声明的输入列与模型文件不一致：{'、'.join(odd)}。",
                f"The declared inputs differ from the model file's: {', '.join(odd)}.",
            ),
            Text(f"模型文件使用：{'、'.join(declared)}。", f"The model file uses: {', '.join(declared)}."),
            {"file": request.source.name},
        )
    where = Place(actor.party, ids.new("asset"), ids.new("version"))
    encrypted = levels.needs_encryption(request.level)
    # The model first: `queries.model_files` reads them by this order.
    files = lake.store().write_files({"model": data, **card}, where, encrypted=encrypted)
    digest = hashlib.sha256(data).hexdigest()
    columns = tuple(Column(name, kind, True) for name, kind in spec.inputs)
    return where, Stored(files, columns, 0, digest, len(data), {}), spec


@action(Permission.MODEL_PUBLISH, Event.ASSET_PUBLISHED, prepare=_write_model)
def publish_model(actor: Actor, request: PublishModel, *, prepared: tuple[Place, Stored, ModelSpec]) -> Asset:
    """Publish a model file as a new model asset of the actor's party, version 1."""
    require(actor, Permission.MODEL_PUBLISH)
    where, stored, spec = prepared
    title = request.title or _said(spec.name, "title")
    asset = _enter(
        where,
        kind=Asset.Kind.MODEL,
        title=_title(title, request.title_en),
        level=request.level,
        core={},
        origin="unstated",
        findable=request.findable,
    )
    name, smallest, largest = spec.output
    binding = Binding.objects.create(
        asset=asset,
        kind=Asset.Kind.MODEL,
        spec={
            "kind": spec.kind,
            "inputs": [list(pair) for pair in spec.inputs],
            "output": {"name": name, "min": smallest, "max": largest},
            "sha256": stored.source_sha256,
            "card": spec.card,
        },
    )
    _enter_version(binding, where, stored)
    _all_rights(asset)
    record(asset.id, _published(asset, where.version, stored))
    return asset


@action(Permission.ASSET_REVIEW, Event.LEVEL_REVIEWED)
def review_level(actor: Actor, asset_id: str, opinion: str) -> Asset:
    """Record the review that important data (L5) needs before anyone may use it; only the opinion's digest stays."""
    asset = visible_asset(actor, asset_id)
    require(actor, Permission.ASSET_REVIEW, asset)
    if asset.state != Asset.State.AWAITING_REVIEW:
        raise Conflict(
            "level.reviewed",
            Text("该数据资源不在待审状态。", "This asset is not waiting for a review."),
            None,
            {"asset": asset.id},
        )
    digest = hashlib.sha256(_opinion(opinion).encode()).hexdigest()
    LevelReview.objects.create(asset=asset, level=asset.level, party=actor.party, opinion_sha256=digest)
    asset.state = Asset.State.ACTIVE
    asset.save(update_fields=["state"])
    record(asset.id, {"asset": asset.id, "level": asset.level, "opinion_sha256": digest})
    return asset


@action(Permission.ASSET_ERASE, Event.VERSION_ERASED)
def erase(actor: Actor, version_id: str) -> Version:
    """Erase a version's files everywhere, and what was noted of its values; digests, counts and a tombstone stay."""
    version = visible_version(actor, version_id)
    asset = version.binding.asset
    require(actor, Permission.ASSET_ERASE, asset)
    updating.in_turn(version)
    if version.state == Version.State.ERASED:
        record_nothing()
        return version
    version.state = Version.State.ERASED
    version.observations = lake.without_values(version.observations)
    version.save(update_fields=["state", "observations"])
    keep_promise(version.binding)
    # After the commit: a rollback must not lose files. A crash in between leaves them to the sweep, which knows only
    # versions that are not erased.
    where = place(version)
    transaction.on_commit(lambda: lake.store().erase(where))
    if (also := correcting.forget(version, actor)) is not None:
        transaction.on_commit(also)
    digests = [file["sha256"] for file in version.files]
    record(version.id, {"asset": asset.id, "version": version.id, "files": digests})
    return version


@action(Permission.ASSET_ERASE, Event.VERSION_WITHDRAWN)
def withdraw(actor: Actor, version_id: str, basis: str) -> Version:
    """Take a version out of use; its files stay. `basis` is the revoked agreement, or "owner"."""
    version = visible_version(actor, version_id)
    asset = version.binding.asset
    require(actor, Permission.ASSET_ERASE, asset)
    updating.in_turn(version)
    if version.state != Version.State.LIVE:
        record_nothing()
        return version
    version.state = Version.State.WITHDRAWN
    version.save(update_fields=["state"])
    keep_promise(version.binding)
    record(version.id, {"asset": asset.id, "version": version.id, "basis": basis})
    return version


def show_due() -> None:
    """Show what has changed to other engines: a projection, of which nothing is recorded; the worker's chore."""
    projecting.show_due()


def _show_anew(actor: Actor) -> dict[str, Mapping[str, str]]:
    """Before the transaction opens: it takes as long as there are tables."""
    require(actor, Permission.PROJECTION_REBUILD)
    return projecting.show_all()


@action(Permission.PROJECTION_REBUILD, Event.PROJECTION_REBUILT, prepare=_show_anew)
def rebuild_projection(actor: Actor, *, prepared: dict[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """Show every table to other engines anew, from nothing; returns each with the versions that cannot be shown and
    the column that is why."""
    require(actor, Permission.PROJECTION_REBUILD)
    record(actor.party, {"tables": len(prepared)})
    return prepared


@part_of_action
def disclose(asset_ids: Iterable[str]) -> None:
    """Keep anew for whom these assets' entries stand open: for every action that changes what a rule on them looks at,
    after its own writes."""
    audiences.write(Permission.ASSET_READ, Asset.objects.filter(pk__in=set(asset_ids)))


@part_of_action
def add_result(result: Result, *, entity_key: str = "") -> Asset:
    """Enter what a run made as a new asset of the buyer: held and usable; operating it takes a new agreement."""
    asset = _enter(
        Place(result.owner, result.asset, result.version),
        kind=Asset.Kind.TABLE,
        title=result.title,
        level=result.level,
        core={},
        origin="derived",
        code_kind="product",
        terms=result.terms,
        run=result.run,
    )
    binding = Binding.objects.create(asset=asset, kind=Asset.Kind.TABLE, entity_key=entity_key)
    Version.objects.create(
        id=result.version,
        binding=binding,
        owner=result.owner,
        number=1,
        files=list(result.files),
        columns=[column.to_json() for column in result.columns],
        rows=result.rows,
    )
    for kind in (Right.Kind.HOLD, Right.Kind.USE):
        Right.objects.create(asset=asset, party=result.owner, kind=kind, basis=result.run)
    return asset


def _opinion(text: str) -> str:
    if len(text) > LONGEST_OPINION:
        raise Invalid(
            "level.opinion",
            Text(f"审核意见至多 {LONGEST_OPINION} 个字符。", f"An opinion has at most {LONGEST_OPINION} characters."),
            Text("请写要点，另附全文。", "State the main points and keep the full text elsewhere."),
        )
    return _said(text, "opinion")


def _said(text: str, field: str) -> str:
    """Text that came past the typed inputs: from inside a file, or as an argument of its own."""
    try:
        return plain_text.clean_lines(text)
    except ValueError as error:
        zh, _, en = str(error).partition(" / ")
        raise Invalid(
            "input",
            Text(f"“{field}”不正确：{zh}。", f"“{field}” is not right: {en}."),
            Text("请修改后重试。", "Correct it and try again."),
            {"field": field},
        ) from None


def _enter(where: Place, *, kind: str, code_kind: str = "", **fields: Any) -> Asset:
    code_kind = code_kind or kind
    owner_code = identity.party(where.owner).code or "0" * 18
    prefix = codes.asset_code(owner_code, code_kind, 1)[:17]
    locks.alone(f"asset code {prefix}")  # of two at once, the second counts the first
    taken = Asset.objects.filter(code__startswith=prefix).count()
    waiting = levels.needs_review(fields["level"])
    asset = Asset.objects.create(
        id=where.asset,
        owner=where.owner,
        kind=kind,
        code=codes.asset_code(owner_code, code_kind, taken + 1),
        state=Asset.State.AWAITING_REVIEW if waiting else Asset.State.ACTIVE,
        **fields,
    )
    disclose([asset.id])
    return asset


def _next_version(asset: Asset, binding: Binding, prepared: updating.Prepared) -> Version:
    updating.still_newest(asset, binding, prepared)
    where, stored = prepared.place, prepared.stored
    version = _enter_version(binding, where, stored, prepared.number + 1)
    record(
        version.id,
        {
            "asset": asset.id,
            "version": version.id,
            "number": version.number,
            "mode": version.change["mode"],
            "base": version.change["base"],
            "files": _digests(stored.files),
            "source_sha256": stored.source_sha256,
            "schema_sha256": _schema_sha256(stored),
            "rows": stored.rows,
        },
    )
    return version


def _enter_version(binding: Binding, where: Place, stored: Stored, number: int = 1) -> Version:
    version = Version.objects.create(
        id=where.version,
        binding=binding,
        owner=where.owner,
        number=number,
        files=[file.to_json() for file in stored.files],
        columns=[column.to_json() for column in stored.columns],
        rows=stored.rows,
        source_sha256=stored.source_sha256,
        observations=stored.observations,
        recipe=stored.recipe,
        report=stored.report,
        side_files=[file.to_json() for file in stored.side_files],
        change=stored.change.to_json() if stored.change else {},
    )
    keep_promise(binding)
    correcting.open_correction(version)
    return version


def _all_rights(asset: Asset) -> None:
    for kind in Right.Kind:
        Right.objects.create(asset=asset, party=asset.owner, kind=kind)


def _title(title: str, title_en: str | None) -> dict[str, str]:
    return {"zh": title, "en": title_en} if title_en else {"zh": title}


def _published(asset: Asset, version: str, stored: Stored) -> dict[str, Any]:
    return {
        "asset": asset.id,
        "owner": asset.owner,
        "kind": str(asset.kind),
        "level": asset.level,
        "code": asset.code,
        "version": version,
        "files": _digests(stored.files),
        "source_sha256": stored.source_sha256,
        "schema_sha256": _schema_sha256(stored),
        "rows": stored.rows,
    }


def _schema_sha256(stored: Stored) -> str:
    return hashlib.sha256(rfc8785.dumps([column.to_json() for column in stored.columns])).hexdigest()


def _digests(files: tuple[StoredFile, ...]) -> dict[str, str]:
    return {file.name: file.sha256 for file in files}


def _read_small(source: Path) -> bytes:
    try:
        # Without O_NONBLOCK a named pipe would hold us until somebody writes to it.
        with open(os.open(source, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _unreadable(source, Text("模型文件不是普通文件。", "The model file is not a regular file."))
            data = file.read(MODEL_BYTES + 1)
    except OSError as error:
        said = Text("读不到模型文件。", f"The model file cannot be read: {error.strerror}.")
        raise _unreadable(source, said) from error
    if len(data) > MODEL_BYTES:
        raise Invalid(
            "model.too_large",
            Text("模型文件超过 64 MB。", "The model file is larger than 64 MB."),
            Text("请缩小模型。", "Make the model smaller."),
            {"file": source.name},
        )
    return data


def _card_file(card: dict[str, Any] | None) -> dict[str, bytes]:
    """The card as it is stored: canonical JSON (RFC 8785), so that equal cards are equal bytes."""
    if card is None:
        return {}
    try:
        data = rfc8785.dumps(card)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeEncodeError):
        data = b""
    if not data or len(data) > CARD_BYTES:
        raise Invalid(
            "card.not_json",
            Text("模型说明不是不超过 1 MB 的 JSON 对象。", "The model card is not a JSON object of at most 1 MB."),
            Text("请检查后重新提交。", "Check it and submit it again."),
        )
    return {"card.json": data}


def _unreadable(source: Path, message: Text) -> Invalid:
    remedy = Text("请核对路径与权限。", "Check the path and its permissions.")
    return Invalid("model.unreadable", message, remedy, {"file": source.name})
