"""Does the log still say what it said? Recomputes everything from the entries, and rebuilds tiles from them."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from math import inf

from django.db import transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from shudu.policy import clock
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.types import Text

from . import leaf as leaves
from .merkle import SIZE, Frontier, leaf_hash
from .models import Disclosure, Entry, HashTile, Log, TreeHead
from .note import Checkpoint, Note, VerifierKey
from .proof import Proof
from .sequencer import only_writer, store_tiles
from .tiles import HEIGHT, WIDTH, Position, TilePath, Tree

_STEP = 2_000  # entries in memory at once
_ENOUGH = 1_000  # findings after which a log is plainly broken

Found = Iterator[tuple[str, Text]]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the log's rows that cannot be as it was written. `where` names a row, such as `entry 17`."""

    log: str
    where: str
    message: Text


def check() -> list[Finding]:
    """Recompute every log here; empty when all is as it was signed. Writers wait only for the last few entries."""
    found: list[Finding] = []
    for log in Log.objects.order_by("id"):
        audit = _Audit(log)
        found += [Finding(log.origin, *one) for one in islice(audit.run(), _ENOUGH)]
    unplaced = Outbox.objects.filter(sequenced=True).exclude(id__in=Entry.objects.values("outbox"))
    for number in unplaced.order_by("id").values_list("id", flat=True)[:_ENOUGH]:
        message = Text("该操作标为已存证，但账本中没有其条目。", "This action is marked as logged, and has no entry.")
        found.append(Finding("", f"outbox {number}", message))
    return found


def against(kept: str, verifier_key: str = "") -> list[Finding]:
    """Does the log still extend a checkpoint somebody kept (a signed note, as in a receipt)? Empty when it does.

    `kept` is a checkpoint as it stands, or a whole receipt. This is what notices a log that was cut short or written
    anew as a whole, which `check` alone cannot. Without `verifier_key`, the key of the log here of that
    origin is believed, which may be an earlier one. Raises ValueError for what is neither.
    """
    if kept.startswith("{"):
        try:
            note = Proof.parse(json.loads(kept)["proof"]).checkpoint
        except (KeyError, TypeError) as error:
            raise ValueError("a receipt has a proof") from error
    else:
        note = Note.parse(kept)
    old = Checkpoint.parse(note.text)
    log = Log.objects.filter(origin=old.origin).first()
    own = log.verifier_keys if log else []
    keys = [VerifierKey.parse(verifier_key)] if verifier_key else own
    where = f"checkpoint {old.size}"
    if keys and not any(note.signed_by(key) for key in keys):
        message = Text("该检查点不是用这个密钥签署的。", "This checkpoint is not signed with that key.")
    elif log is None or not set(keys) <= set(own):
        message = Text("这里没有签署该检查点的账本。", "There is no log here that signed this checkpoint.")
    elif Entry.objects.filter(log=log).count() < old.size:
        message = Text(
            "账本比该检查点签署时更短：有条目被删除。",
            "The log is shorter than when this was signed: entries are gone.",
        )
    else:
        frontier = Frontier()
        leaves_then = Entry.objects.filter(log=log, index__lt=old.size).order_by("index")
        for leaf in leaves_then.values_list("leaf", flat=True).iterator(_STEP):
            frontier.append(leaf_hash(bytes(leaf)))
        if frontier.root() == old.root:
            return []
        message = Text(
            "账本与该检查点不符：此前的条目被改动。",
            "The log differs from this checkpoint: earlier entries have changed.",
        )
    return [Finding(old.origin, where, message)]


def rebuild_tiles() -> int:
    """Write every tile anew from the entries; returns how many there are."""
    with transaction.atomic():
        only_writer()
        HashTile.objects.all().delete()
        for log in Log.objects.order_by("id"):
            tree = Tree(Frontier(), {})
            for leaf in Entry.objects.filter(log=log).order_by("index").values_list("leaf", flat=True).iterator(_STEP):
                tree.append(leaf_hash(bytes(leaf)))
                if tree.frontier.size % _STEP == 0:
                    store_tiles(log, tree)
            store_tiles(log, tree)
        return HashTile.objects.count()


class _Audit:
    """One log, recomputed from its first entry on."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.tree = Tree(Frontier(), {})
        self.keys = log.verifier_keys
        rotated = Entry.objects.filter(log=log, event=Event.LOG_KEY_ROTATED).values_list("subject", "index")
        self.since = [0, *(dict(rotated).get(key.key_id.hex(), inf) for key in self.keys[1:])]

    def run(self) -> Found:
        named = [self.log.key_id, *self.log.later_keys.order_by("id").values_list("key_id", flat=True)]
        for key, name in zip(self.keys, named, strict=True):
            if key.key_id.hex() != name:
                yield "log", Text("公钥与其编号不符。", "The public key is not the one its id names.")
        yield from self._rotations()
        if (yield from self._advance()):
            with transaction.atomic():
                only_writer()
                if (yield from self._advance()):
                    yield from self._finish()

    def _rotations(self) -> Found:
        """Does the log itself name each key that took over?"""
        for key in self.keys[1:]:
            about = {"event": Event.LOG_KEY_ROTATED, "subject": key.key_id.hex()}
            # In a restored home it may have come into the log opened after this one.
            entry = Entry.objects.filter(**about).first()
            opened = Disclosure.objects.annotate(text=Cast("fields", TextField())).filter(entry=entry)
            said = opened.values_list("text", flat=True).first() if entry else ""
            if f'"{key}"' not in str(said) and (entry or not Outbox.objects.filter(**about, sequenced=False).exists()):
                message = Text("账本没有记载这个密钥的接替。", "The log has no entry that this key took over.")
                yield f"key {key.key_id.hex()}", message

    def _key(self, size: int) -> VerifierKey:
        """The one that must have signed a checkpoint of this size: the last whose entry it covers."""
        return [key for key, index in zip(self.keys, self.since, strict=True) if index < size or not index][-1]

    def _advance(self) -> Generator[tuple[str, Text], None, bool]:
        """Recompute up to the latest tree head, a page at a time; False when an entry is missing."""
        last = TreeHead.objects.filter(log=self.log).order_by("size").last()
        end = last.size if last else 0
        while (start := self.tree.frontier.size) < end:
            if not (yield from self._page(start, min(start + _STEP, end))):
                return False
        return True

    def _page(self, start: int, end: int) -> Generator[tuple[str, Text], None, bool]:
        rows = Entry.objects.filter(log=self.log, index__gte=start, index__lt=end)
        entries = {entry.index: entry for entry in rows}
        # As text: a damaged row must become a finding, not an error of the JSON decoder.
        kept = Disclosure.objects.filter(entry__in=rows).annotate(text=Cast("fields", TextField()))
        opened = dict(kept.values_list("entry_id", "text"))
        outbox = Outbox.objects.filter(id__in=rows.values("outbox")).defer("fields").in_bulk()
        heads = {head.size: head for head in TreeHead.objects.filter(log=self.log, size__gt=start, size__lte=end)}
        for index in range(start, end):
            entry = entries.get(index)
            if entry is None:
                yield (
                    f"entry {index}",
                    Text("缺少该条目，其后无法核对。", "It is missing; nothing after it can be checked."),
                )
                return False
            for message in _entry(entry, opened.get(entry.id, ""), outbox.get(entry.outbox)):
                yield f"entry {index}", message
            self.tree.append(leaf_hash(bytes(entry.leaf)))
            if index + 1 in heads:
                for message in self._head(heads[index + 1]):
                    yield f"tree head {index + 1}", message
        full = {position: hashes for position, hashes in self.tree.take().items() if len(hashes) == WIDTH * SIZE}
        yield from self._tiles(full)
        return True

    def _head(self, head: TreeHead) -> Iterator[Text]:
        frontier = self.tree.frontier
        if bytes(head.root) != frontier.root() or bytes(head.frontier) != frontier.packed():
            yield Text("树根与条目不符。", "The root is not that of the entries.")
        try:
            note = Note.parse(head.checkpoint)
            signed = note.signed_by(self._key(frontier.size)) and Checkpoint.parse(note.text)
        except ValueError:
            signed = False
        if signed != Checkpoint(self.log.origin, frontier.size, frontier.root()):
            yield Text("检查点与条目不符或签名无效。", "The checkpoint is not of these entries, or not signed.")

    def _tiles(self, expected: dict[Position, bytes]) -> Found:
        for (level, index), hashes in expected.items():
            row = HashTile.objects.filter(log=self.log, level=level, index=index).first()
            if row is None or bytes(row.hashes) != hashes:
                yield str(TilePath(level, index)), Text("分片与条目不符。", "The tile is not that of the entries.")

    def _finish(self) -> Found:
        """What is not yet full, and what no entry or no checkpoint stands behind."""
        yield from self._tiles(self.tree.partial())
        size, level, owed = self.tree.frontier.size, 0, Q()
        while nodes := size >> (HEIGHT * level):
            owed |= Q(level=level, index__lt=-(-nodes // WIDTH))
            level += 1
        for place in HashTile.objects.filter(log=self.log).exclude(owed).values_list("level", "index"):
            yield str(TilePath(*place)), Text("该分片没有对应的条目。", "No entries stand behind this tile.")
        beyond = Entry.objects.filter(log=self.log, index__gte=size)
        for index in beyond.values_list("index", flat=True):
            yield f"entry {index}", Text("该条目不在任何检查点之内。", "No checkpoint covers it.")


def _entry(entry: Entry, opened: str, outbox: Outbox | None) -> Iterator[Text]:
    """What is wrong with an entry's row; the outbox row may have been cleared away, the disclosures only emptied."""
    if bytes(entry.leaf_hash) != leaf_hash(bytes(entry.leaf)):
        yield Text("叶子散列与叶子不符。", "Its hash is not that of its leaf.")
    try:
        leaf = leaves.parse(bytes(entry.leaf))
    except ValueError:
        yield Text("叶子不合规范。", "Its leaf is not well formed.")
        return
    time = entry.time and clock.stamp(entry.time)
    if (leaf.entry_id, leaf.event, leaf.time) != (entry.id, entry.event, time):
        yield Text("条目与其叶子不符。", "Its row differs from its leaf.")
    if outbox and (outbox.event, outbox.subject, outbox.time) != (entry.event, entry.subject, entry.time):
        yield Text("条目与其所记操作不符。", "Its row differs from the action it records.")
    try:
        good = all(leaves.opens(leaf, name, one) for name, one in json.loads(opened).items())
    except (ValueError, AttributeError):
        good = False
    if not good:
        yield Text("留存的字段与承诺不符。", "What is kept of its fields does not match their commitments.")
