"""Every read of the catalogue a door or an upper room uses."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import Count, Q, QuerySet

from shudu.cases import queries as cases
from shudu.lake import queries as lake
from shudu.lake.types import Column, Place, Reading, Recipe, ShownTable, StoredFile, Table, Understood, field_ids
from shudu.policy import audiences, clock
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, refuse_unless, visible
from shudu.policy.types import Actor, Conflict, Decision, Text, not_found

from . import diffing, levels
from .corrections import MOST as MOST
from .corrections import Form, code_lists, written
from .diffing import VersionDifference as VersionDifference
from .models import Asset as Asset
from .models import Correction as Correction
from .models import Right
from .models import Version as Version
from .procedures import CORRECTION as CORRECTION
from .types import RESTORE, LanguageMap, Offered

# What a correction list is sent as.
FORMS = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}


def asset_row(asset_id: str) -> Asset:
    """The row, for actions that decide for themselves who may."""
    row = Asset.objects.filter(pk=asset_id).first()
    if row is None:
        raise not_found("数据资源", "asset", asset_id)
    return row


def version_row(version_id: str) -> Version:
    row = Version.objects.select_related("binding__asset").filter(pk=version_id).first()
    if row is None:
        raise not_found("版本", "version", version_id)
    return row


def asset(actor: Actor, asset_id: str) -> Asset:
    """An asset the actor may see the entry of; anything else is not found."""
    row = Asset.objects.filter(pk=asset_id).first()
    if row is None or not decide(actor, Permission.ASSET_READ, row):
        raise not_found("数据资源", "asset", asset_id)
    return row


def assets(actor: Actor) -> QuerySet[Asset]:
    """All assets the actor may see the entries of, newest first. To list them, ask `newest`: it is far quicker."""
    return visible(actor, Permission.ASSET_READ, Asset.objects.all()).order_by("-id")


def newest(
    actor: Actor, limit: int, *, before: str | None = None, words: str = "", overdue: bool = False, **fields: Any
) -> list[Asset]:
    """The newest assets the actor may see the entries of, from the one before `before` on, with these field values.

    With `words`, those whose title or code holds every one of them; with `overdue`, those past their promised update.
    """
    rows = Asset.objects.filter(**fields)
    if overdue:
        rows = rows.filter(due__lt=clock.now())
    for word in unicodedata.normalize("NFC", words).split()[:8]:
        rows = rows.filter(Q(title__zh__icontains=word) | Q(title__en__icontains=word) | Q(code__icontains=word))
    return audiences.newest(actor, Permission.ASSET_READ, rows, limit=limit, before=before)


def count(actor: Actor) -> int:
    """How many assets the actor may see the entries of."""
    return audiences.count(actor, Permission.ASSET_READ, Asset.objects.all())


def overdue(actor: Actor) -> QuerySet[Asset]:
    """The assets of the actor's own party whose promised update is late, the longest first."""
    return Asset.objects.filter(owner=actor.party, due__lt=clock.now()).order_by("due", "id")


def results(actor: Actor) -> QuerySet[Asset]:
    """The results of runs that the actor's party holds, newest first."""
    return Asset.objects.filter(owner=actor.party).exclude(run="").order_by("-id")


def titles(asset_ids: Iterable[str]) -> dict[str, LanguageMap]:
    """What these assets are called, read at once; for doors that have already decided who may."""
    return dict(Asset.objects.filter(pk__in=list(asset_ids)).values_list("id", "title"))


def versions_of(asset_id: str) -> list[Version]:
    """Every version of an asset, whatever became of it, newest first."""
    return list(versions(asset_id))


def versions(asset_id: str) -> QuerySet[Version]:
    """The same, for doors that show some at a time."""
    return Version.objects.select_related("binding").filter(binding__asset=asset_id).order_by("-number")


def assets_of_versions(version_ids: Iterable[str]) -> dict[str, Asset]:
    """Whose versions these are, read at once; for doors that have already decided who may."""
    rows = Version.objects.select_related("binding__asset").filter(pk__in=list(version_ids))
    return {row.id: row.binding.asset for row in rows}


def numbers(version_ids: Iterable[str]) -> dict[str, int]:
    """The number of each of these versions, read at once; for doors that have already decided who may."""
    return dict(Version.objects.filter(pk__in=list(version_ids)).values_list("id", "number"))


def latest(asset_id: str) -> Version | None:
    """The newest live version of an asset."""
    live = Version.objects.filter(binding__asset=asset_id, state=Version.State.LIVE)
    return live.select_related("binding__asset").order_by("-number").first()


def live_versions() -> QuerySet[Version]:
    """Every live version, for rooms that look after what was published."""
    return Version.objects.filter(state=Version.State.LIVE)


def latest_of(asset_ids: Iterable[str]) -> dict[str, Version]:
    """The newest live version of each of these assets that has one, read at once."""
    live = Version.objects.filter(binding__asset__in=list(asset_ids), state=Version.State.LIVE)
    rows = live.select_related("binding").order_by("number")
    return {row.binding.asset_id: row for row in rows}


def repeated(row: Version) -> Version:
    """The version that this one repeats, where it was restored; else itself."""
    while row.change.get("mode") == RESTORE:
        row = version_row(row.change["base"])
    return row


def field_numbers(binding_id: str) -> set[int]:
    """Every field id the columns of any version have had: an old file may still hold one under it."""
    rows = Version.objects.filter(binding=binding_id).values_list("columns", flat=True)
    return {number for columns in rows for number in field_ids([Column.from_json(column) for column in columns])}


def updatable(actor: Actor, asset_id: str) -> Asset:
    """An asset of the actor's own, to publish a version of; anything else is not found or refused."""
    row = asset(actor, asset_id)
    refuse_unless(decide(actor, Permission.ASSET_UPDATE, row))
    return row


def newest_number(binding_id: str) -> int:
    """The number of the newest version, whatever became of it; 0 where there is none."""
    row = Version.objects.filter(binding=binding_id).order_by("-number").first()
    return row.number if row else 0


def version(actor: Actor, version_id: str) -> Version:
    """A version of an asset the actor may see the entry of, whatever its state; anything else is not found."""
    row = Version.objects.select_related("binding__asset").filter(pk=version_id).first()
    if row is None or not decide(actor, Permission.ASSET_READ, row.binding.asset):
        raise not_found("版本", "version", version_id)
    return row


def offered(actor: Actor, asset_id: str, version_id: str | None = None) -> Offered:
    """One live version of an asset and its shape; `Conflict` when none may be used now."""
    return shape(asset(actor, asset_id).id, version_id)


def shape(asset_id: str, version_id: str | None = None) -> Offered:
    """The same for rooms that have already decided who may."""
    version = version_row(version_id) if version_id else latest(asset_id)
    if version is None or version.binding.asset_id != asset_id or version.state != Version.State.LIVE:
        raise Conflict(
            "asset.no_version",
            Text("该数据资源没有可用的版本。", "This asset has no version that can be used."),
            Text("请其所属主体发布新版本。", "Ask its owner to publish a new version."),
            {"asset": asset_id},
        )
    row = version.binding.asset
    if row.state != Asset.State.ACTIVE:
        raise Conflict(
            "asset.awaiting_review",
            Text("重要数据（L5）须先有审核记录才能使用。", "Important data (L5) needs a recorded review before use."),
            Text(
                "请主管部门或运营机构完成级别审核。", "Ask the authority or the operating company to review its level."
            ),
            {"asset": asset_id},
        )
    spec = version.binding.spec
    return Offered(
        asset=row.id,
        owner=row.owner,
        kind=row.kind,
        level=row.level,
        version=version.id,
        title=title(row),
        columns=tuple(Column.from_json(column) for column in version.columns),
        entity_key=version.binding.entity_key or None,
        inputs=tuple(name for name, _ in spec.get("inputs", [])),
        model_sha256=spec.get("sha256"),
        files=tuple(file["sha256"] for file in version.files),
    )


def title(row: Asset) -> LanguageMap:
    return dict(row.title)


def files(version: Version) -> tuple[StoredFile, ...]:
    return tuple(StoredFile.from_json(file) for file in version.files)


def model_files(version: Version) -> tuple[bytes, dict[str, Any] | None]:
    """A model's bytes and its card, for the clean room alone: no door gives them out. Raises `lake.damaged`."""
    model, *card = files(version)
    read = lake.store().read_file
    return read(model, place(version)), json.loads(read(card[0], place(version))) if card else None


def stored_digests() -> dict[str, str]:
    """The files every version vouches for, by path with their SHA-256; any other file of the lake is an orphan."""
    rows = Version.objects.exclude(state=Version.State.ERASED).values_list("files", "side_files")
    found = {file["path"]: file["sha256"] for files, side in rows.iterator() for file in (*files, *side)}
    kept = Correction.objects.exclude(files=[]).values_list("files", flat=True)
    return found | {file["path"]: file["sha256"] for files in kept for file in files}


def tombstones() -> list[Version]:
    """Every erased version."""
    return list(Version.objects.filter(state=Version.State.ERASED).select_related("binding").order_by("id"))


def not_erased(version_ids: Iterable[str]) -> list[str]:
    """Which of these versions are here and not erased."""
    here = Version.objects.filter(pk__in=list(version_ids)).exclude(state=Version.State.ERASED)
    return sorted(here.values_list("id", flat=True))


def version_at(asset_id: str, moment: datetime) -> Version | None:
    """The version that was the newest at a moment, whatever became of it since; None before the first."""
    rows = Version.objects.filter(binding__asset=asset_id, created__lte=moment)
    return rows.select_related("binding__asset").order_by("-number").first()


def difference(actor: Actor, version_id: str, against: str | None = None, limit: int = 0) -> VersionDifference:
    """What a version changed of another (of the one before it, unless told), and up to `limit` of the rows.

    Whoever sees the entry sees how the columns differ; rows are counted and shown for who may inspect the table.
    Raises Conflict for the first version and for one that was erased.
    """
    new = version(actor, version_id)
    old = version(actor, against) if against else _before(new)
    if old is None or old.binding_id != new.binding_id:
        raise Conflict(
            "version.nothing_to_compare",
            Text("没有可比较的版本。", "There is no version to compare it with."),
            Text("请指明同一数据资源的另一版本。", "Name another version of the same asset."),
            {"version": new.id},
        )
    before, after = table(old), table(new)
    rows = None
    if decide(actor, Permission.ASSET_INSPECT, new.binding.asset):
        for one in (old, new):
            if one.state == Version.State.ERASED:
                raise Conflict(
                    "version.erased",
                    Text(f"第 {one.number} 版的内容已删除，无法比较。", f"Version {one.number} was erased."),
                    Text("请与另一版本比较。", "Compare with another version."),
                    {"version": one.id},
                )
        rows = lake.store().compare(before, after, key=new.binding.entity_key or None, limit=limit)
    return VersionDifference(old.id, new.id, diffing.schema(before.columns, after.columns), rows)


def _before(row: Version) -> Version | None:
    return Version.objects.filter(binding=row.binding_id, number__lt=row.number).order_by("-number").first()


def inspected(actor: Actor, version_id: str) -> Version:
    """A version for the eyes of its owner, who may see how its file was read and what was put aside."""
    row = version(actor, version_id)
    refuse_unless(decide(actor, Permission.ASSET_INSPECT, row.binding.asset))
    return row


def may_inspect(actor: Actor, row: Asset) -> bool:
    """May they see how an asset's files were read?"""
    return bool(decide(actor, Permission.ASSET_INSPECT, row))


def rejected(actor: Actor, version_id: str) -> tuple[StoredFile, Place]:
    """The side file of rejected rows, for the owner. Raises NotFound when every row was taken."""
    row = inspected(actor, version_id)
    if row.state == Version.State.ERASED or not row.side_files:
        raise not_found("被搁置的行", "file of rejected rows", version_id)
    return StoredFile.from_json(row.side_files[0]), place(row)


def correction(actor: Actor, version_id: str) -> Correction:
    """What is to be done about the rows of a version that were put aside, for its owner. Raises NotFound when none
    were."""
    row = inspected(actor, version_id)
    found = Correction.objects.select_related("version__binding", "asset").filter(version=row.id).first()
    if found is None or row.state == Version.State.ERASED:
        raise not_found("更正清单", "correction list", version_id)
    return found


def to_correct(version_id: str) -> int:
    """How many rows of a version's file were wrong and put aside; for doors that have decided already who may."""
    return Correction.objects.filter(version=version_id).values_list("rows", flat=True).first() or 0


def corrections(actor: Actor) -> QuerySet[Correction]:
    """Every correction list of the actor's party that has rows open, newest first."""
    rows = visible(actor, Permission.ROWS_CORRECT, Correction.objects.filter(open__gt=0))
    return rows.select_related("asset", "version").order_by("-id")


def waiting(actor: Actor, asset_id: str) -> list[Correction]:
    """Those of one asset."""
    return list(corrections(actor).filter(asset=asset_id)[:20])


def correction_list(actor: Actor, version_id: str, form: Form) -> tuple[int, bytes]:
    """The rows of a version that are open, as a list for their owner to correct; and how many it holds.

    Raises NotFound when none were put aside, Conflict `corrections.closed` when none is left.
    """
    from . import correcting  # it reads with what stands here

    row = correction(actor, version_id)
    refuse_unless(decide(actor, Permission.ROWS_CORRECT, row))
    open_ = list(correcting.open_rows(row).values())
    if not open_:
        raise Conflict(
            "corrections.closed",
            Text("没有待更正的行了。", "No row is left to be corrected."),
            None,
            {"version": version_id},
        )
    shown = open_[:MOST]
    return len(shown), written(correcting.list_of(row, code_lists(row.asset_id)), shown, form)


def correction_state(row: Correction) -> str:
    """Where the case of a correction stands."""
    return cases.state(row.version_id, CORRECTION.name)


def settled(row: Correction) -> dict[str, Any]:
    """What became of the rows that are done with: how many were added, how many left out, in which versions."""
    found = row.settled.values("outcome").annotate(rows=Count("id"))
    rows = {each["outcome"]: each["rows"] for each in found}
    into = row.settled.exclude(into="").order_by("into").values_list("into", flat=True).distinct()
    return {"added": rows.get("added", 0), "left_out": rows.get("left_out", 0), "into": list(into)}


def understood(actor: Actor, source: Path, reading: Reading, key: str | None = None) -> Understood:
    """What would be understood of a file, for somebody who may publish it; nothing is stored."""
    refuse_unless(decide(actor, Permission.ASSET_PUBLISH))
    return lake.store().preview(source, reading, key)


def understood_next(actor: Actor, asset_id: str, source: Path, told: Reading) -> tuple[Understood, Reading]:
    """The same of a file that is to become the next version of a table, and the reading it was understood by."""
    from . import updating  # it reads with what stands here

    row = asset(actor, asset_id)
    return updating.understood(row, updating.writable(actor, row), source, told)


def kept_recipe(asset_id: str) -> Recipe:
    """How the file of a table's newest live version was read; for doors that have decided already who may."""
    from . import updating  # it reads with what stands here

    found = latest(asset_id)
    return updating.kept_recipe(found) if found else Recipe()


def table(version: Version) -> Table:
    """A version as the lake takes it."""
    return Table(place(version), files(version), tuple(Column.from_json(column) for column in version.columns))


def showable() -> QuerySet[Asset]:
    """Every table that other engines may be shown: what lies in plain Parquet, and was not made by a run."""
    plain = [code for code in levels.LEVELS if not levels.needs_encryption(code)]
    return Asset.objects.filter(kind=Asset.Kind.TABLE, run="", level__in=plain)


def live(asset_id: str) -> QuerySet[Version]:
    """An asset's live versions, the oldest first."""
    rows = Version.objects.filter(binding__asset=asset_id, state=Version.State.LIVE)
    return rows.select_related("binding").order_by("number")


def shown_tables(actor: Actor) -> list[ShownTable]:
    """What other engines are shown, for the operating company."""
    refuse_unless(decide(actor, Permission.PROJECTION_REBUILD))
    return lake.projection().tables()


def place(version: Version) -> Place:
    """Where a version's files lie."""
    return Place(version.owner, version.binding.asset_id, version.id)


def may_offer(party_id: str, asset_id: str) -> Decision:
    """Does the party hold 经营权 (the right to operate) in the asset?"""
    if Right.objects.filter(asset=asset_id, party=party_id, kind=Right.Kind.OPERATE, ended=None).exists():
        return Decision.allow("right.operate", Text("持有经营权。", "Holds the right to operate it."))
    return Decision.deny(
        "right.operate",
        Text(
            "上架需要该数据资源的经营权，贵方没有。",
            "Offering an asset takes the right to operate it, which you do not hold.",
        ),
        Text(
            "请向持有方取得经营权，或请其自行上架。",
            "Obtain that right from its holder, or ask the holder to offer it.",
        ),
    )


def rights(asset_id: str) -> QuerySet[Right]:
    """Every right in an asset, with where it comes from."""
    return Right.objects.filter(asset=asset_id).order_by("id")
