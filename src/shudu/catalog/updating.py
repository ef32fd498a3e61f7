"""A new version of a table: what it is based on, how its file is read, and whether anybody came first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from shudu.lake import queries as lake
from shudu.lake.queries import evolved
from shudu.lake.types import Base, Change, ColumnRecipe, Evolution, Mode, Place, Reading, Recipe, Stored, Understood
from shudu.policy import ids, locks
from shudu.policy.actions import part_of_action
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, refuse_unless
from shudu.policy.types import Actor, Conflict, Invalid, Text

from . import levels, queries
from .models import Asset, Binding, Version
from .types import RESTORE, PublishVersion

T = TypeVar("T")
# What is said of a file that is laid out in another way than its recipe says.
_LAYOUT = frozenset(
    {"publish.choose", "publish.empty", "publish.encoding", "publish.format", "publish.header", "publish.recipe"}
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A version written but not yet entered, and what it was made from: the newest number and the base, if any."""

    place: Place
    stored: Stored
    base: str
    number: int


def writable(actor: Actor, asset: Asset) -> Binding:
    """The binding a new version of `asset` goes to. Raises Refused, and Conflict for what never gets a second one."""
    refuse_unless(decide(actor, Permission.ASSET_UPDATE, asset))
    refuse_unless(decide(actor, Permission.ASSET_PUBLISH))
    if asset.kind != Asset.Kind.TABLE:
        raise _never(
            asset,
            Text("模型不能更新，请发布为新的模型。", "A model is not updated; publish another model."),
        )
    if asset.run:
        raise _never(
            asset,
            Text("任务的交付结果不能更新。", "The result of a run is not updated."),
        )
    return asset.bindings.get()


def base_of(asset: Asset, request: PublishVersion) -> Version | None:
    """The newest live version. Raises Conflict when it is not the one expected, or when one is needed and none is."""
    found = queries.latest(asset.id)
    if request.expected is not None and (found is None or found.id != request.expected):
        raise overtaken(asset.id)
    if found is None and request.mode != Mode.REPLACE:
        raise Conflict(
            "version.no_base",
            Text("没有可用的版本，无从追加或更新。", "There is no live version to add to or to update."),
            Text("请整体替换。", "Replace the whole instead."),
            {"asset": asset.id},
        )
    return found


def write(asset: Asset, binding: Binding, request: PublishVersion) -> Prepared:
    """Write the file before the transaction opens: files without a Version row are nothing and get swept."""
    number = queries.newest_number(binding.id)
    found = base_of(asset, request)
    where = Place(asset.owner, asset.id, ids.new("version"))
    base = _base(found, request) if found else None
    encrypted = levels.needs_encryption(asset.level)

    def land(reading: Reading) -> Stored:
        key = binding.entity_key or None
        return lake.store().land(request.source, where, reading, key=key, encrypted=encrypted, base=base)

    stored, _ = _by_recipe(land, request.reading, found, request.evolution)
    before = found.id if found else ""
    if stored.change is None:
        stored = replace(stored, change=Change(request.mode, before))
    return Prepared(where, stored, before, number)


def understood(asset: Asset, binding: Binding, source: Path, told: Reading) -> tuple[Understood, Reading]:
    """What would be understood of the next version's file, and by which reading; nothing is stored."""
    key = binding.entity_key or None
    return _by_recipe(lambda one: lake.store().preview(source, one, key), told, queries.latest(asset.id), Evolution())


def write_again(asset: Asset, binding: Binding, old: Version) -> Prepared:
    """Store an old version's table once more, as the next version. Raises Conflict `version.erased`."""
    not_erased(old)
    found, number = queries.latest(asset.id), queries.newest_number(binding.id)
    where = Place(asset.owner, asset.id, ids.new("version"))
    table = queries.table(old)
    files = lake.store().again(table, where, encrypted=levels.needs_encryption(asset.level))
    stored = Stored(
        files,
        table.columns,
        old.rows,
        old.source_sha256,
        0,
        old.observations,
        old.recipe,
        change=Change(RESTORE, old.id),
    )
    return Prepared(where, stored, found.id if found else "", number)


def not_erased(old: Version) -> None:
    """Raise Conflict for a version that cannot be published once more, because nothing of it is left."""
    if old.state == Version.State.ERASED:
        raise Conflict(
            "version.erased",
            Text("这个版本的内容已删除，无法恢复。", "This version was erased; it cannot be restored."),
            Text("请从原文件重新发布。", "Publish it again from its source."),
            {"version": old.id},
        )


def in_turn(version: Version) -> None:
    """Let nobody else publish, withdraw or erase a version of this table until the transaction ends, and see what
    those before have made of this one."""
    locks.alone(f"versions of {version.binding_id}")
    version.refresh_from_db(fields=["state"])


@part_of_action
def still_live(version_ids: Iterable[str]) -> None:
    """Raise Conflict `asset.no_version` when one of these was withdrawn or erased; none is until the transaction ends.

    For what was made of them and is about to be entered.
    """
    for version_id in sorted(version_ids):
        version = queries.version_row(version_id)
        in_turn(version)
        queries.shape(version.binding.asset_id, version.id)


def still_newest(asset: Asset, binding: Binding, prepared: Prepared) -> None:
    """Raise Conflict when somebody published, withdrew or erased meanwhile; nobody does until the transaction ends."""
    locks.alone(f"versions of {binding.id}")
    found = queries.latest(asset.id)
    if queries.newest_number(binding.id) != prepared.number or (found.id if found else "") != prepared.base:
        raise overtaken(asset.id)


def overtaken(asset_id: str) -> Conflict:
    return Conflict(
        "version.overtaken",
        Text(
            "这期间有人发布、撤回或删除了版本，这次没有发布。",
            "Meanwhile a version was published, withdrawn or erased; nothing was published.",
        ),
        Text("请核对最新版本后再试。", "Look at the newest version, then try again."),
        {"asset": asset_id},
    )


def _base(found: Version, request: PublishVersion) -> Base:
    table = queries.table(found)
    numbers = queries.field_numbers(found.binding_id)
    return Base(table, request.mode, request.remove_missing, request.evolution, max(numbers, default=0) + 1)


def _by_recipe(
    read: Callable[[Reading], T], told: Reading, found: Version | None, evolution: Evolution
) -> tuple[T, Reading]:
    """Read a file as its publisher says, else as the version before was; and by which reading that was."""
    reading = _reading(told, found, evolution)
    try:
        return read(reading), reading
    except Invalid as error:
        # Next month's file may be of another format, encoding or sheet: what its columns mean is kept all the same.
        anew = _columns_alone(reading)
        if told.recipe != Recipe() or anew == reading or error.code not in _LAYOUT:
            raise
    return read(anew), anew


def _reading(told: Reading, found: Version | None, evolution: Evolution) -> Reading:
    """How the file is read: as the publisher says, else as the version before was."""
    if found is None or not told.recipe.empty:
        return told
    return told.model_copy(update={"recipe": evolved(kept_recipe(found), evolution)})


def kept_recipe(found: Version) -> Recipe:
    """How the file of a version was read."""
    kept = Recipe.model_validate(found.recipe)
    if kept.empty:  # of a version older than recipes: its columns as they are
        columns = tuple(ColumnRecipe(source=one["name"], name=one["name"], type=one["type"]) for one in found.columns)
        kept = Recipe(columns=columns)
    return kept


def _columns_alone(reading: Reading) -> Reading:
    kept = reading.recipe
    return reading.model_copy(update={"recipe": Recipe(columns=kept.columns, crs=kept.crs, moved_from=kept.moved_from)})


def _never(asset: Asset, message: Text) -> Conflict:
    return Conflict("version.never", message, None, {"asset": asset.id})
