"""Taking a backup of the home while everybody works, and opening a home that came from one."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from importlib.metadata import version as installed
from pathlib import Path

from django.conf import settings
from django.db import connection

from shudu.catalog import actions as catalog_actions
from shudu.catalog import queries as catalog
from shudu.identity import queries as identity
from shudu.lake import actions as lake_actions
from shudu.lake import queries as lake
from shudu.ledger import actions as ledger_actions
from shudu.ledger import queries as ledger
from shudu.ledger.types import Note
from shudu.policy import clock
from shudu.policy.actions import action, record, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Conflict, Invalid, Text, Unavailable
from shudu.runs import queries as runs

from . import archive
from .disk import explained
from .manifest import OPTIONS, ROWS, RULES, Kept, Manifest
from .types import Reopened, Taken


def _write(actor: Actor, target: Path) -> Taken:
    """Write the backup before the transaction opens: nobody waits for the copying."""
    require(actor, Permission.BACKUP_TAKE)
    home: Path = settings.HOME
    target = target.absolute()
    for folder in (home, settings.OPTIONS.keys):
        if target.is_relative_to(folder):
            raise Invalid(
                "backup.place",
                Text("备份不能放在主目录或密钥目录里。", "A backup does not lie in the home or in the keys folder."),
                Text("请放到另一块磁盘或另一台机器。", "Put it on another disk or another machine."),
                {"place": target.name},
            )
    rows = ""

    def copy_rows(folder: Path) -> None:
        nonlocal rows
        rows = str(folder / ROWS)
        with explained(target):
            _copy_rows(folder / ROWS)

    with lake.store().frozen(copy_rows) as frozen:
        expected = runs.stored_digests()
        files = {ROWS: Path(rows)}
        files |= {name: home / name for name in (OPTIONS, RULES) if (home / name).is_file()}
        published = sorted(path for path in frozen.rglob("*") if path.is_file())
        files.update((f"lake/{path.relative_to(frozen)}", path) for path in published)
        taken = Taken("", False, len(files), 0, ())

        def describe(copied: dict[str, Kept]) -> str:
            nonlocal taken
            note, signed, damaged = _manifest(copied, expected)
            size = sum(kept.bytes for kept in copied.values())
            taken = Taken(hashlib.sha256(note.encode()).hexdigest(), signed, len(copied), size, damaged)
            return note

        archive.write(target, files, describe)
    return taken


@action(Permission.BACKUP_TAKE, Event.BACKUP_TAKEN, prepare=_write)
def take(actor: Actor, target: Path, *, prepared: Taken) -> Taken:
    """Write a backup of the home to `target` (a name ending in `.tar`: one file, else a folder), which must be new.

    Rows and files agree as of one moment; nobody is stopped but publishers and erasers, for as long as copying the rows
    takes. Private keys are no part of it. Raises what `archive.write` raises, and Invalid `backup.place`.
    """
    require(actor, Permission.BACKUP_TAKE)
    told = {"manifest_sha256": prepared.manifest_sha256, "files": prepared.files, "bytes": prepared.bytes}
    record(prepared.manifest_sha256, told)
    return prepared


def _rewrap(actor: Actor) -> tuple[str, int]:
    """Before the transaction opens: the old key may go only when no row that needs it can come back by a rollback."""
    require(actor, Permission.DATA_KEYS_ROTATE)
    wrapped = lake_actions.rotate_kek(lake.keyring())
    return lake.keyring().known()[-1], wrapped


@action(Permission.DATA_KEYS_ROTATE, Event.DATA_KEYS_ROTATED, prepare=_rewrap)
def rotate_data_keys(actor: Actor, *, prepared: tuple[str, int]) -> tuple[str, int]:
    """Wrap every data key with a new key-encryption key and destroy the old ones: no earlier backup opens anything
    encrypted any more. Stored files stay as they are. Returns the new key's id and how many data keys there are.

    Killed halfway it leaves both keys and loses nothing; asked again, it finishes.
    """
    require(actor, Permission.DATA_KEYS_ROTATE)
    key, wrapped = prepared
    record(key, {"key": key, "wrapped": wrapped})
    return prepared


def reopen(manifest: Manifest, kept_checkpoint: str = "") -> Reopened:
    """Make a restored home ready, before anybody sees it: erase again what was erased since, and open a log that pins
    the last checkpoint held, which is `kept_checkpoint` or else the backup's own.

    Raises Invalid `ledger.pins` for a checkpoint that is not the old log's or contradicts it.
    """
    pins = kept_checkpoint or manifest.checkpoint
    findings = tuple(f"{one.log} {one.where}" for one in ledger.check())
    operator = identity.actor_for(identity.operator().id)
    log = ledger_actions.open_log(
        operator, base_iri=ledger.base_iri(), software=f"shudu {installed('shudu')}", pins=pins
    )
    erased = catalog.not_erased(lake.keyring().erased())
    for version in erased:
        catalog_actions.erase(identity.system(), version)
    for tombstone in catalog.tombstones():  # the rows may be of the moment between a tombstone and the erasure's end
        lake.store().erase(catalog.place(tombstone))
    lake.store().sweep(set(runs.stored_digests()), older_than=0)
    while ledger_actions.sequence():
        pass
    return Reopened(log.origin, int(Note.parse(pins).text.split("\n")[1]), tuple(erased), findings)


def _copy_rows(target: Path) -> None:
    """The rows as of one moment, without what lies in free pages: what was deleted is not in the copy.

    VACUUM INTO reads within one transaction, so writers go on and the copy is whole.
    """
    if connection.vendor != "sqlite":
        raise Unavailable(
            "backup.rows",
            Text("这里的数据行不在主目录的 SQLite 中。", "The rows here do not lie in the home's SQLite."),
            Text("请用数据库自己的备份工具。", "Use the database's own means of backup."),
        )
    try:
        with closing(sqlite3.connect(connection.settings_dict["NAME"])) as source:
            source.execute("VACUUM INTO ?", [str(target)])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            raise Unavailable(
                "backup.space",
                Text("主目录所在磁盘的空间不足，什么也没有留下。", "The home's disk is full; nothing was left behind."),
                Text("请清理空间后再试。", "Free some space, then try again."),
            ) from None
        raise Conflict(
            "backup.rows",
            Text("数据库无法完整读出，未作备份。", "The database cannot be read whole; no backup was made."),
            Text("请检查磁盘，并改用较早的备份。", "Check the disk; an earlier backup may be whole."),
        ) from None


def _manifest(copied: Mapping[str, Kept], expected: Mapping[str, str]) -> tuple[str, bool, tuple[str, ...]]:
    damaged = tuple(sorted(path for path, kept in copied.items() if expected.get(path, kept.sha256) != kept.sha256))
    manifest = Manifest(
        created=clock.stamp(clock.now()),
        software=f"shudu {installed('shudu')}",
        checkpoint=ledger.checkpoint(),
        damaged=damaged,
        files=dict(copied),
    )
    try:
        return ledger.signed(manifest.text()), True, damaged
    except Unavailable:  # without its key a home can still be saved; whoever restores it is told
        return manifest.text(), False, damaged
