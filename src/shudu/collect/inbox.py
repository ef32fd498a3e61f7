"""Drop folders: opened and closed by whose they are, looked at by the worker, taken from as batches and packages."""

from __future__ import annotations

import logging
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shudu.identity import queries as identity
from shudu.lake.types import Mode
from shudu.policy import clock, storage
from shudu.policy.actions import action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Invalid, ShuduError, Text, Unavailable, Via

from . import dropping, queries, received
from .batches import accept_batch
from .header import BatchHeader
from .models import Batch, Inbox
from .packages import accept_package

log = logging.getLogger("shudu.collect")
AT_ONCE = 30.0  # seconds of one look; what is left waits for the next
MOST_WAITING = 20  # tables, of one folder at one look, whose deliveries must wait before the rest waits with them
LONGEST = 86_400.0  # seconds after which what still cannot be taken is refused
_AGAIN = frozenset({"version.overtaken"})
_OURS = frozenset({"home.rows", "home.damaged"})  # no delivery can be taken, this one or another


@action(Permission.INBOX_OPEN, Event.INBOX_OPENED)
def open_inbox(actor: Actor) -> Inbox:
    """From now on what lies whole in the actor's drop folder is handed in, in its name. Again, it changes nothing."""
    require(actor, Permission.INBOX_OPEN)
    party = identity.party(actor.party)
    row, new = Inbox.objects.get_or_create(owner=party.id, defaults={"name": party.code or party.id})
    place = queries.drop_folder(row)
    try:
        place.make()
        place.check()
    except OSError as error:
        raise _no_folder(error) from None
    if not new and row.state == Inbox.State.OPEN:
        record_nothing()
        return row
    row.state = Inbox.State.OPEN
    row.save(update_fields=["state"])
    record(row.owner, {"owner": row.owner})
    return row


@action(Permission.INBOX_USE, Event.INBOX_CLOSED)
def close_inbox(actor: Actor) -> Inbox:
    """Take nothing more from the actor's drop folder; what lies in it stays. Again, it changes nothing."""
    row = queries.inbox(actor)
    require(actor, Permission.INBOX_USE, row)
    if row.state == Inbox.State.CLOSED:
        record_nothing()
        return row
    row.state = Inbox.State.CLOSED
    row.save(update_fields=["state"])
    record(row.owner, {"owner": row.owner})
    return row


def take_in(quiet: float = dropping.QUIET, patience: float = dropping.PATIENCE) -> int:
    """Take what lies whole in every open drop folder: the worker's chore. Returns how many were answered.

    One delivery of each folder in turn, so that nobody's many hold up another's one. Whatever goes wrong with a folder
    is logged without a name from it and stops no other.
    """
    until = time.monotonic() + AT_ONCE
    turns: list[tuple[Inbox, Callable[[], bool]]] = []
    answered = 0
    for row in queries.open_inboxes():
        turns.append((row, _Turns(row, quiet, patience)))
    while turns and time.monotonic() < until:
        for turn in list(turns):
            row, once = turn
            try:
                more = once()
                answered += more
            except Exception as error:
                known = error if isinstance(error, ShuduError) else storage.said(error)
                code = known.code if known else type(error).__name__
                log.warning("the drop folder of %s is left for the next look: %s", row.owner, code)
                more = False
            if not more:
                turns.remove(turn)
    return answered


class _Turns:
    """One folder's deliveries, one at each call."""

    def __init__(self, row: Inbox, quiet: float, patience: float) -> None:
        self._row, self._quiet, self._patience = row, quiet, patience
        self._place = queries.drop_folder(row)
        self._put_off: set[str] = set()  # what is to be tried again at the next look
        self._lines: set[str | None] = set()  # and what those behind it must wait for, so that none overtakes it
        self._looked = False

    def __call__(self) -> bool:
        """Take and answer one; False when there is none left that can be, or another worker is at it."""
        self._place.check()
        actor = identity.actor_for(self._row.owner, Via.FOLDER)
        with dropping.alone(self._place) as mine:
            if not mine:
                return False
            if not self._looked:
                dropping.forget(self._place, queries.options().upload_days * 86_400)
                self._looked = True
            while len(self._lines) < MOST_WAITING and (folder := self._next()) is not None:
                if self._answered(actor, folder):
                    return True
            return False

    def _next(self) -> Path | None:
        for folder in dropping.claimed(self._place):
            if folder.name in self._put_off:
                continue
            if dropping.gather(self._place, folder) == (None, None):
                folder.rmdir()
                continue
            return folder
        for found in dropping.look(self._place, self._quiet, self._patience):
            if found.waits is None:
                return dropping.claim(self._place, found.name)
        return None

    def _answered(self, actor: Actor, folder: Path) -> bool:
        """Was it answered? Otherwise it waits, and holds up nothing but what comes for the same table after it."""
        header, file = dropping.gather(self._place, folder)
        if file is None:
            folder.rmdir()
            return True
        line = dropping.line_of(header)
        if line is not None and line in self._lines:
            self._put_off.add(folder.name)
            return False
        if _answer(actor, self._place, folder, _Delivery(header, file), self._patience):
            return True
        self._put_off.add(folder.name)
        self._lines.add(line)
        return False


@dataclass(frozen=True, slots=True)
class _Delivery:
    """Whose answer is written: a file with its header, or a package."""

    header: Path | None
    file: Path


def _answer(actor: Actor, place: dropping.Place, folder: Path, delivery: _Delivery, patience: float) -> bool:
    """Hand a claimed delivery in and move it to where it belongs; False where it stays, to be tried again."""
    try:
        rows = _hand_in(actor, delivery)
    except Exception as error:
        why = _refusal(actor, delivery, error, dropping.waited(folder), patience)
        if why is None:
            return False
        dropping.answer(folder, place.refused, _why(delivery, why))
    else:
        dropping.answer(folder, place.accepted, _what(delivery, rows))
        # The same again, or a worker killed between the two: its version may have been erased before its answer.
        for version in queries.erased(row.version for row in rows):
            dropping.forget_files(place, version)
    return True


def _refusal(actor: Actor, delivery: _Delivery, error: Exception, waited: float, patience: float) -> ShuduError | None:
    """Why a delivery is refused after this error; None while it may be tried again. Raises what stops every delivery.

    An error nobody foresaw may pass, so it gets `patience` seconds; a delivery that always meets it is answered then.
    """
    known = error if isinstance(error, ShuduError) else storage.said(error)
    if known is None:
        at = traceback.extract_tb(error.__traceback__)[-1]
        name = type(error).__name__
        log.error("a delivery of %s met %s at %s:%d", actor.party, name, Path(at.filename).name, at.lineno or 0)
        return _fault(delivery.file, name) if waited >= patience else None
    if known.code in _OURS:
        raise error
    if storage.passes(known) or isinstance(known, Unavailable) or known.code in _AGAIN:
        log.warning("a delivery of %s waits: %s", actor.party, known.code)
        return known if waited >= LONGEST else None
    return known


def _hand_in(actor: Actor, delivery: _Delivery) -> list[Batch]:
    file = delivery.file
    header, mode = _header(delivery.header) if delivery.header else (None, Mode.APPEND)
    try:
        size = file.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        raise _missing(file) from None
    most = queries.options().max_upload_mb
    if size > most << 20:
        raise _too_large(file, most)
    if shutil.disk_usage(queries.options().home).free < size:
        raise _no_space(file)
    with received.aside(queries.root()) as private:
        copy = private / received.short(file.name)
        try:
            dropping.copy(file, copy, size)
        except ValueError:
            raise _missing(file) from None
        except OSError as error:
            if (full := storage.said(error)) is not None:
                raise full from None
            raise _unreadable(file) from None
        if header is None:
            return accept_package(actor, copy)
        return [accept_batch(actor, header, copy, mode)]


def _header(file: Path) -> tuple[BatchHeader, Mode]:
    """The header, and how its rows join the table: `mode`, which may stand in it here."""
    try:
        told = dropping.header_in(file)
        mode = Mode(told.pop("mode", Mode.APPEND.value))
        return BatchHeader.model_validate(told), mode
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))[:200]
        raise _no_header(file, field=field) from None
    except (OSError, ValueError, TypeError):
        raise _no_header(file) from None


def _what(delivery: _Delivery, rows: list[Batch]) -> str:
    lines = [f"{row.batch_id}  {row.id}  {row.version}" for row in rows]
    return _letter(
        delivery,
        Text(
            "已接收：成为所属数据表的新版本。无须再做什么。",
            "Accepted, as a new version of its table. Nothing is left to do.",
        ),
        Text("批次号、批次编号、版本编号：", "Number, id and version of each batch:"),
        lines,
    )


def _why(delivery: _Delivery, error: ShuduError) -> str:
    remedy = error.remedy or Text("", "")
    again = Text("改正后请重新放入 new。", "Once it is right, put it into `new` again.")
    if delivery.header is None:
        again = Text(
            "包内在它之前的批次已接收；改正后重新放入 new，已接收的不会重复。",
            "Batches before it in the package are accepted; put a right one into `new`: those are not taken twice.",
        )
    places = [f"{name}: {value}" for name, value in error.where.items()]
    return _letter(
        delivery,
        Text(f"没有接收：{error.message.zh}", f"Refused: {error.message.en}"),
        Text(f"{remedy.zh}{again.zh}", f"{remedy.en} {again.en}".strip()),
        [error.code, *places],
    )


def _letter(delivery: _Delivery, first: Text, second: Text, lines: list[str]) -> str:
    moment = clock.now().isoformat(timespec="seconds")
    return "\n".join([delivery.file.name, moment, "", first.zh, second.zh, "", first.en, second.en, "", *lines, ""])


def _no_header(file: Path, **where: Any) -> Invalid:
    return Invalid(
        "batch.header",
        Text(
            "批次头不是可读的 JSON 对象，或有误。", "The header is no readable JSON object, or lacks what it must say."
        ),
        Text("写法见 docs/collecting.md。", "docs/collecting.md shows how to write it."),
        {"file": file.name, **where},
    )


def _missing(file: Path) -> Invalid:
    return Invalid(
        "inbox.file",
        Text("批次头旁边没有普通的数据文件。", "No regular data file lies beside the header."),
        Text("先放数据文件，最后放批次头；不用链接。", "Put the data file first and its header last, and no link."),
        {"file": file.name},
    )


def _unreadable(file: Path) -> Invalid:
    return Invalid(
        "inbox.permission",
        Text("数据文件不许读取。", "The data file may not be read."),
        Text("请让同组可读（umask 027）。", "Let its group read it (umask 027)."),
        {"file": file.name},
    )


def _too_large(file: Path, most: int) -> Invalid:
    return Invalid(
        "inbox.size",
        Text(f"文件超过 {most} MB。", f"The file is larger than {most} MB."),
        Text("请拆分，或请运营机构调高 max_upload_mb。", "Split it, or have the operating company raise the limit."),
        {"file": file.name, "max_upload_mb": most},
    )


def _no_space(file: Path) -> Unavailable:
    return Unavailable(
        "inbox.space",
        Text("磁盘放不下这次投递。", "The disk has no room for this delivery."),
        Text("请运营机构腾出空间。", "Have the operating company make room."),
        {"file": file.name},
    )


def _fault(file: Path, error: str) -> Unavailable:
    return Unavailable(
        "inbox.fault",
        Text(
            "接收时本系统出错，未完成的写入已回滚。", "A fault of ours stopped it; unfinished writes were rolled back."
        ),
        Text("请告知运营机构，日志中有出错的位置。", "Tell the operating company: its log says where."),
        {"file": file.name, "error": error},
    )


def _no_folder(error: OSError) -> Unavailable:
    return Unavailable(
        "inbox.folder",
        Text("投递夹建不了或不能使用。", "The drop folder cannot be made or used."),
        Text("请核对选项 inbox 所指位置与权限。", "Check the place the option `inbox` names, and its permissions."),
        {"reason": type(error).__name__},
    )
