"""Every read of the log. What tlog-tiles serves is public; receipts disclose values, so their callers ask first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Max, Q, QuerySet

from shudu.policy.events import CONFIDENTIAL, Event
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, NotFound, Text, Unavailable, not_found

from . import merkle, note, receipt
from .integrity import against as against
from .integrity import check as check
from .models import Disclosure, Entry, HashTile, Log, TreeHead
from .note import Note, VerifierKey
from .proof import Proof
from .signing import in_force, signer
from .tiles import WIDTH, Position, TilePath, encode_bundle, hashes_from, tiles_for

T = TypeVar("T")


def log() -> Log:
    """The log that grows now."""
    row = Log.objects.order_by("id").last()
    if row is None:
        raise Conflict(
            "ledger.not_open",
            Text("存证账本尚未开立。", "No ledger has been opened here."),
            Text("请先运行“shudu init”。", "Run “shudu init” first."),
        )
    return row


def verifier_key() -> str:
    """The present log's verifier key, one line."""
    return str(log().verifier_key)


def verifier_keys() -> list[str]:
    """Every verifier key of every log ever opened here, newest first."""
    return [str(key) for row in Log.objects.order_by("-id") for key in reversed(row.verifier_keys)]


def signing_keys() -> list[tuple[VerifierKey, bool]]:
    """Every verifier key of the present log, newest first, and whether it signs the next checkpoint."""
    own = log()
    head = TreeHead.objects.filter(log=own).order_by("size").last()
    signing = in_force(own, head.size if head else 0)
    return [(key, key in signing) for key in reversed(own.verifier_keys)]


def base_iri() -> str:
    """The base IRI under which the first log here was opened."""
    first = Log.objects.order_by("id").first()
    if first is None:
        return log().origin  # says that there is none
    opened = Outbox.objects.get(event=Event.LOG_OPENED, subject=first.key_id)
    return str(opened.fields["base_iri"])


def signed(text: str) -> str:
    """A note of `text` signed with the present log's key; its first line must not be a log's origin.

    Raises Unavailable `ledger.key` when the key is not in the key folder.
    """
    if Log.objects.filter(origin=text.partition("\n")[0]).exists():
        raise ValueError("only the sequencer signs checkpoints")
    return str(note.sign(text, signer(log().verifier_key)))


def checkpoint() -> str:
    """The present log's latest checkpoint, a signed note."""
    return _head(log()).checkpoint


def tile(level: int, index: int, width: int | None = None) -> bytes:
    """A tile's hashes: all 256, or the first `width` (1 to 255) if the tree has them. NotFound for any other."""
    row = HashTile.objects.filter(log=log(), level=level, index=index).first()
    end = _width(width) * merkle.SIZE
    if row is None or not 0 < end <= len(row.hashes):
        raise _no_tile(level, index, width)
    return bytes(row.hashes)[:end]


def entry_bundle(index: int, width: int | None = None) -> bytes:
    """The entries under a level-0 tile, or the first `width` of them, each behind its length. NotFound for others."""
    start, end = index * WIDTH, index * WIDTH + _width(width)
    rows = Entry.objects.filter(log=log(), index__gte=start, index__lt=end).order_by("index")
    leaves = [bytes(leaf) for leaf in rows.values_list("leaf", flat=True)]
    if not 0 < len(leaves) == end - start:
        raise _no_tile(None, index, width)
    return encode_bundle(leaves)


def served(path: str) -> tuple[bytes, bool]:
    """What lies at `tile/…`, and whether it is full and so never changes. NotFound for any other path or spelling."""
    try:
        place = TilePath.parse(path)
    except ValueError:
        raise not_found("存证账本分片", "tile of the ledger", path[:64]) from None
    width = None if place.width == WIDTH else place.width
    content = entry_bundle(place.index, width) if place.level is None else tile(place.level, place.index, width)
    return content, width is None


def root_at(size: int) -> bytes:
    """The root the present log had at `size`, from its tiles."""
    return _computed(_log_of(size), lambda hashes: merkle.root(size, hashes))


def consistency(old: int, new: int) -> list[bytes]:
    """The proof that the present log at `new` extends itself at `old` (RFC 9162 §2.1.4)."""
    own = _log_of(new)
    if not 0 <= old <= new:
        raise _no_size(old)
    return _computed(own, lambda hashes: merkle.consistency_proof(old, new, hashes))


def inclusion(index: int, size: int) -> list[bytes]:
    """The proof that entry `index` is in the present log at `size` (RFC 9162 §2.1.3)."""
    own = _log_of(size)
    if not 0 <= index < size:
        raise not_found("存证条目", "ledger entry", str(index))
    return _computed(own, lambda hashes: merkle.inclusion_proof(index, size, hashes))


def entries(subject: str) -> list[Entry]:
    """What the log holds of a subject, oldest first."""
    return list(Entry.objects.filter(subject=subject).order_by("outbox"))


def placed(subjects: Iterable[str]) -> list[Entry]:
    """What the log holds of several subjects, oldest first, read at once."""
    return list(Entry.objects.filter(subject__in=list(subjects)).order_by("outbox"))


def about(subjects: Iterable[str], *more: QuerySet[Any], events: Iterable[str]) -> QuerySet[Entry]:
    """What the log holds of some events of these subjects, and of the rows of these querysets, newest first."""
    wanted = Q(subject__in=list(subjects))
    for rows in more:
        wanted |= Q(subject__in=rows.order_by().values("pk"))
    return Entry.objects.filter(wanted, event__in=list(events)).order_by("-outbox")


def newest(before: int | None = None, limit: int = 50) -> list[Entry]:
    """Entries of the present log, newest first, below index `before`. What a leaf says in clear is public."""
    rows = Entry.objects.filter(log=log())
    if before is not None:
        rows = rows.filter(index__lt=before)
    return list(rows.order_by("-index")[:limit])


def receipt_for(
    event: Event, subject: str, *, disclose: frozenset[str] | None = None, confidential: bool = False
) -> dict[str, Any]:
    """The receipt of the latest such event, with every field that can still be opened or only those in `disclose`.

    What is `events.CONFIDENTIAL` stays closed unless `confidential`: the caller says who may see what they stand for.

    Write it with `receipt.encode`. NotFound when nothing happened, Conflict `ledger.not_yet` before it is sequenced.
    """
    entry = Entry.objects.select_related("log").filter(event=event, subject=subject).order_by("outbox").last()
    if entry is None:
        if Outbox.objects.filter(sequenced=False, event=event, subject=subject).exists():
            raise Conflict(
                "ledger.not_yet",
                Text("这件事尚未记入存证账本。", "The ledger has not placed this yet."),
                Text("请稍候再取，并确认后台进程在运行。", "Ask again shortly, and see that the worker runs."),
            )
        raise not_found("存证回执", "receipt", subject)
    head = _head(entry.log)
    path = _computed(entry.log, lambda hashes: merkle.inclusion_proof(entry.index, head.size, hashes))
    proof = Proof(entry.index, tuple(path), Note.parse(head.checkpoint))
    opened = Disclosure.objects.get(entry=entry).fields
    kept = frozenset() if confidential else CONFIDENTIAL.get(event, frozenset())
    shown = {name: one for name, one in opened.items() if name not in kept and (disclose is None or name in disclose)}
    return receipt.build(bytes(entry.leaf), shown, str(proof))


def _head(row: Log) -> TreeHead:
    head = TreeHead.objects.filter(log=row).order_by("size").last()
    if head is None:
        raise not_found("检查点", "checkpoint", row.origin)
    return head


def _computed(own: Log, work: Callable[[merkle.Hashes], T]) -> T:
    """What `work` makes of the log's nodes, with all the tiles it needs read at once."""
    tiles = _tiles(own, sorted(tiles_for(work)))
    try:
        return work(hashes_from(tiles))
    except LookupError:
        raise Unavailable(
            "ledger.tiles",
            Text("存证账本的分片不完整。", "The ledger's tiles are incomplete."),
            Text("请重建分片；条目本身不受影响。", "Rebuild the tiles; the entries themselves are not affected."),
        ) from None


def _tiles(own: Log, wanted: list[Position]) -> dict[Position, bytes]:
    """In plain SQL: making the same of `Q`s took longer than reading the tiles."""
    if not wanted:
        return {}
    table, level, index = map(connection.ops.quote_name, (HashTile._meta.db_table, "level", "index"))
    # The log stands in each part: otherwise SQLite reads through all tiles of the log instead of looking each up.
    each = " OR ".join([f"(log_id = %s AND {level} = %s AND {index} = %s)"] * len(wanted))
    with connection.cursor() as cursor:
        sql = f"SELECT {level}, {index}, hashes FROM {table} WHERE {each}"  # noqa: S608 - our own names
        cursor.execute(sql, [part for position in wanted for part in (own.pk, *position)])
        return {(at, number): bytes(hashes) for at, number, hashes in cursor.fetchall()}


def _log_of(size: int) -> Log:
    """The present log, if it has ever had this size."""
    own = log()
    if not 0 <= size <= (TreeHead.objects.filter(log=own).aggregate(size=Max("size"))["size"] or 0):
        raise _no_size(size)
    return own


def _width(width: int | None) -> int:
    if width is None:
        return WIDTH
    return width if width < WIDTH else 0  # a full tile has one name only


def _no_tile(level: int | None, index: int, width: int | None) -> NotFound:
    return not_found(
        "存证账本分片", "tile of the ledger", str(TilePath(level, index, WIDTH if width is None else width))
    )


def _no_size(size: int) -> NotFound:
    return not_found("该规模的存证账本", "ledger of size", str(size))
