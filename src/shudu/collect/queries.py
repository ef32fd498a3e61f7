"""Every read of what came in and of what is read by itself, and the way to a source's database."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet, Sum

from shudu.catalog import queries as catalog
from shudu.catalog.queries import Asset, Version
from shudu.config.options import Options
from shudu.lake import queries as lake
from shudu.lake.types import EVERYTHING, Mode, Place, quoted
from shudu.ledger.types import VerifierKey
from shudu.policy import clock
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, refuse_unless, visible
from shudu.policy.types import Actor, Conflict, Text, not_found
from shudu.runs import queries as runs

from . import dropping, reaching, received
from .models import Batch as Batch
from .models import Feed as Feed
from .models import Inbox as Inbox
from .models import SenderKey
from .models import Source as Source
from .models import Upload as Upload
from .refusals import Refusal, refused
from .sources.kinds import KINDS
from .sources.port import Endpoint, Limits
from .types import Draft


def upload(actor: Actor, upload_id: str) -> Upload:
    """An upload of the actor's; anything else is not found."""
    row = Upload.objects.filter(pk=upload_id).first()
    if row is None or not decide(actor, Permission.UPLOAD_REMOVE, row):
        raise not_found("上传", "upload", upload_id)
    return row


def uploads(actor: Actor) -> QuerySet[Upload]:
    """The actor's uploads whose bytes are here, newest first."""
    return visible(actor, Permission.UPLOAD_USE, Upload.objects.filter(state__in=Upload.KEPT)).order_by("-id")


def begun(actor: Actor, limit: int = 5) -> list[Upload]:
    """The newest of the actor's complete uploads that somebody began to publish and has not finished."""
    rows = uploads(actor).filter(state=Upload.State.COMPLETE).exclude(draft={})
    return [row for row in rows[: limit * 4] if not draft_of(row).made][:limit]


def draft_of(row: Upload) -> Draft:
    """What was said of an upload so far."""
    return Draft.model_validate(row.draft)


def held_by(party: str) -> tuple[int, int]:
    """How many uploads a party has here, and how many bytes it announced with them."""
    found = Upload.objects.filter(owner=party, state__in=Upload.KEPT).aggregate(n=Count("pk"), b=Sum("size"))
    return found["n"], found["b"] or 0


def options() -> Options:
    return settings.OPTIONS


def root() -> Path:
    """Where the bytes of uploads lie."""
    return Path(settings.HOME) / "received"


def bytes_of(row: Upload) -> Path:
    """The file of an upload: the owner comes first, so a tenant's files share one prefix."""
    return root() / row.owner / row.id


@contextmanager
def source_of(row: Upload) -> Iterator[Path]:
    """The bytes of a complete upload, under its name, while the block lasts. Raises Conflict for any other."""
    if row.state != Upload.State.COMPLETE:
        raise Conflict(
            "upload.state",
            Text(
                "这次上传没有完成，或已不在，不能使用。", "This upload is not complete, or is gone; it cannot be used."
            ),
            Text("请传完并完成它，或重新上传。", "Send all of it and complete it, or upload it again."),
            {"upload": row.id, "state": str(row.state)},
        )
    with received.named(root(), bytes_of(row), row.name) as path:
        yield path


def uploads_behind(version_id: str) -> list[str]:
    """The uploads of a version's owner that hold the very file the version was made of."""
    version = catalog.version_row(version_id)
    rows = Upload.objects.filter(owner=version.owner, sha256=version.source_sha256, state__in=Upload.KEPT)
    return list(rows.values_list("id", flat=True)) if version.source_sha256 else []


def table_of(actor: Actor, code: str) -> Asset:
    """The actor's own table of this catalogue code; a refusal for any other."""
    row = Asset.objects.filter(code=code, owner=actor.party, kind=Asset.Kind.TABLE).first()
    if row is None:
        raise refused(Refusal.ASSET, catalog_code=code)
    return row


def schema_of(asset_id: str) -> list[tuple[str, str]]:
    """Names and types of the columns of a table's newest live version."""
    version = catalog.latest(asset_id)
    return _schema(version.columns) if version else []


def schema_version(asset_id: str) -> int:
    """Which schema a table has now: 1, and one more each time a version's columns differ from the one before."""
    number, last = 0, None
    for version in reversed(catalog.versions_of(asset_id)):
        if (found := _schema(version.columns)) != last:
            number, last = number + 1, found
    return max(number, 1)


def _schema(columns: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(column["name"], column["type"]) for column in columns]


def accepted(party: str, batch_id: str) -> Batch | None:
    """The batch a party has under this number of its own."""
    return Batch.objects.filter(owner=party, batch_id=batch_id, state=Batch.State.ACCEPTED).first()


def refused_before(row: Batch) -> Batch | None:
    """The same refusal of the same batch, kept before."""
    same = {name: getattr(row, name) for name in ("owner", "header_sha256", "source_sha256", "code", "state")}
    return Batch.objects.filter(**same).first()


def batch(actor: Actor, batch_id: str) -> Batch:
    """A batch by our id, for who may see it; anything else is not found."""
    row = Batch.objects.filter(pk=batch_id).first()
    if row is None or not decide(actor, Permission.BATCH_READ, row):
        raise not_found("批次", "batch", batch_id)
    return row


def batches(actor: Actor) -> QuerySet[Batch]:
    """Every batch the actor may see, newest first."""
    return visible(actor, Permission.BATCH_READ, Batch.objects.all()).order_by("-id")


def origins(version_ids: Iterable[str]) -> dict[str, Batch]:
    """The batch each of these versions came as, if it did; for doors that have decided who may see the versions."""
    return {row.version: row for row in Batch.objects.filter(version__in=list(version_ids))}


def inbox(actor: Actor) -> Inbox:
    """The drop folder of the actor's party; not found where it never opened one."""
    row = Inbox.objects.filter(owner=actor.party).first()
    if row is None or not decide(actor, Permission.INBOX_USE, row):
        raise not_found("投递夹", "inbox", actor.party)
    return row


def open_inboxes() -> list[Inbox]:
    return list(Inbox.objects.filter(state=Inbox.State.OPEN).order_by("owner"))


def drop_folder(row: Inbox) -> dropping.Place:
    """Where a drop folder lies: under the option `inbox`, else in the home."""
    root = Path(options().inbox) if options().inbox else Path(settings.HOME) / "inbox"
    return dropping.Place(root / row.name)


def clear_deliveries(version_id: str) -> None:
    """Remove the files of deliveries a version was made of from its owner's drop folder. OSError as it comes."""
    row = Inbox.objects.filter(owner=catalog.version_row(version_id).owner).first()
    if row is not None:
        dropping.forget_files(drop_folder(row), version_id)


def erased(versions: Iterable[str]) -> set[str]:
    """Which of these versions are erased."""
    asked = set(versions)
    return asked - set(catalog.not_erased(asked))


def inbox_waiting(actor: Actor) -> list[dropping.Found]:
    """What lies in the actor's drop folder and is not taken yet, with why it waits. OSError where it cannot be seen."""
    return list(dropping.look(drop_folder(inbox(actor))))


def sender_keys(actor: Actor) -> QuerySet[SenderKey]:
    """The keys of the actor's party, newest first."""
    return SenderKey.objects.filter(owner=actor.party).order_by("-id")


def sender_key(actor: Actor, key_id: str) -> SenderKey:
    row = sender_keys(actor).filter(pk=key_id).first()
    if row is None:
        raise not_found("密钥", "key", key_id)
    return row


def valid_keys(party: str) -> list[VerifierKey]:
    """The keys a party may sign with now."""
    rows = SenderKey.objects.filter(owner=party, revoked=None, until__gt=clock.now())
    return [VerifierKey.parse(row.verifier) for row in rows]


def source(actor: Actor, source_id: str) -> Source:
    """A source of the actor's party; anything else is not found."""
    row = Source.objects.filter(pk=source_id).first()
    if row is None or not decide(actor, Permission.SOURCE_READ, row):
        raise not_found("来源库", "source", source_id)
    return row


def sources(actor: Actor) -> QuerySet[Source]:
    return visible(actor, Permission.SOURCE_READ, Source.objects.all())


def feed(actor: Actor, feed_id: str) -> Feed:
    """A feed the actor may see; anything else is not found."""
    row = Feed.objects.select_related("source").filter(pk=feed_id).first()
    if row is None or not decide(actor, Permission.FEED_READ, row):
        raise not_found("供数", "feed", feed_id)
    return row


def feeds(actor: Actor) -> QuerySet[Feed]:
    return visible(actor, Permission.FEED_READ, Feed.objects.select_related("source"))


def feed_row(feed_id: str) -> Feed:
    """The row, for steps of a run that was started about it."""
    return Feed.objects.select_related("source").get(pk=feed_id)


def refuse_unless_allowed(host: str, port: int) -> None:
    """Raises Refused `source.host` where the option `source_hosts` does not name this place."""
    reaching.refuse_unless_allowed(settings.OPTIONS.source_hosts, host, port)


def work_folder(run: str) -> Path:
    """Where a run of collecting keeps what it has read until it is landed."""
    return Path(settings.HOME) / "collect" / run


def clear_work_folders() -> None:
    """Remove the folders of runs that wait no more."""
    there = {path.name: path for path in work_folder("").glob("run_*")}
    waiting = {run.id for run in runs.run_rows(there) if run.state == "queued"}
    for name in set(there) - waiting:
        shutil.rmtree(there[name], ignore_errors=True)


def refuse_unless_open(row: Source) -> None:
    """Raises Conflict for a closed source, and Refused where `source_hosts` does not name its place."""
    if row.state != Source.State.ACTIVE:
        raise Conflict(
            "source.closed",
            Text("这个来源库已停用。", "This source is closed."),
            Text("请重新登记来源库。", "Add the source again."),
            {"source": row.id},
        )
    refuse_unless_allowed(row.host, row.port)


def way(row: Source) -> reaching.Way:
    """How to reach a source's database, with its password. Raises as `refuse_unless_open`."""
    refuse_unless_open(row)
    options = settings.OPTIONS
    extension = KINDS[row.kind].extension
    endpoint = Endpoint(row.host, row.port, row.database, row.user, _password(row), row.tls, options.source_ca)
    limits = Limits(options.source_rows, options.max_upload_mb << 20, options.source_seconds)
    return reaching.Way(row.kind, endpoint, str(lake.extension(extension)) if extension else "", limits)


def tables(actor: Actor, source_id: str) -> list[dict[str, Any]]:
    """The tables of a source, for who may publish from it. It connects: for the worker alone."""
    row = source(actor, source_id)
    refuse_unless(decide(actor, Permission.FEED_OPEN, row))
    return reaching.tables(way(row))


def fields(actor: Actor, source_id: str, table: str) -> list[dict[str, Any]]:
    """The columns of a source's table, as `tables`."""
    row = source(actor, source_id)
    refuse_unless(decide(actor, Permission.FEED_OPEN, row))
    return reaching.fields(way(row), table)


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What was last found in a source. `found` is None before anything was; it stays when a later look fails."""

    run: runs.Run | None
    found: list[dict[str, Any]] | None = None
    more: bool = False
    at: datetime | None = None

    @property
    def going(self) -> bool:
        return self.run is not None and self.run.state == "queued"

    @property
    def error(self) -> dict[str, Any] | None:
        return self.run.error or None if self.run else None


def surveyed(row: Source, table: str | None = None) -> Surveyed:
    """The tables of a source, or the columns of one, as the worker last found them, and how its latest look stands."""
    asked = {"source": row.id, "table": table or ""}
    latest = runs.started_with("survey", row.owner, **asked).first()
    closed = latest if latest is None or latest.state == "closed" else runs.latest_closed("survey", row.owner, **asked)
    if closed is None:
        return Surveyed(latest)
    told = closed.done["look"]
    return Surveyed(latest, told["found"], told["more"], closed.closed)


def refreshes(row: Feed) -> QuerySet[runs.Run]:
    """The runs of a feed, newest first; for who may see the feed."""
    return runs.started_with("collection", row.owner, feed=row.id)


def feed_of(actor: Actor, asset_id: str) -> Feed | None:
    """The feed that keeps an asset current now, for who may see it."""
    kept = feeds(actor).filter(asset=asset_id, state=Feed.State.ACTIVE)
    return kept.order_by("-id").first()


def secret_place(row: Source) -> Place:
    """What the data key of a source's password is kept under."""
    return Place(row.owner, row.id, "password")


def secret_context(row: Source) -> tuple[str, ...]:
    return ("source-password", row.owner, row.id)


def _password(row: Source) -> str:
    if not row.secret:
        return ""
    key = lake.data_keys().secret(secret_place(row))
    return lake.unseal(key, base64.b64decode(row.secret), secret_context(row)).decode()


def standing(row: Feed) -> dict[str, Any]:
    """How the latest refresh of a feed stands: `run`, its `state`, `error` in words, `meters`, `closed`; and `odd`: by
    column, how many values had no counterpart and were read as no value."""
    return standings([row])[row.id]


def standings(rows: Iterable[Feed]) -> dict[str, dict[str, Any]]:
    """`standing` of each of these feeds, by id, read at once."""
    by_run = {row.run: row.id for row in rows}
    return {
        by_run[run.id]: {
            "run": run.id,
            "state": str(run.state),
            "error": run.error or None,
            "meters": run.meters,
            "odd": run.done.get("fetch", {}).get("odd", {}),
            "closed": run.closed,
        }
        for run in runs.run_rows(by_run)
    }


def beyond(row: Feed, base: Version | None) -> reaching.Beyond | None:
    """Where a feed goes on: behind the largest value of its watermark in the newest version, or at it where rows are
    put in by their key. None for the whole table."""
    column = row.rule["watermark"]
    if base is None or column is None:
        return None
    kind = next((each["type"] for each in base.columns if each["name"] == column), "")
    if not kind:
        raise Conflict(
            "feed.watermark",
            Text(f"最新版本里没有增量标记列“{column}”。", f"The newest version has no column “{column}”."),
            Text("请重新设立供数。", "Open a feed anew."),
            {"column": column},
        )
    largest = f"max({quoted(column)})"
    text = f"CAST({largest} AS VARCHAR)"
    if kind == "TIMESTAMP WITH TIME ZONE":
        text = f"CAST(timezone('UTC', {largest}) AS VARCHAR) || '+00'"
    asked = {"largest": text}
    found = lake.store().measure(catalog.files(base), catalog.place(base), asked, EVERYTHING)["largest"]
    if found is not None:
        return reaching.Beyond(column, found, row.rule["mode"] == "upsert")
    if row.rule["mode"] == "upsert":
        return None
    raise Conflict(
        "feed.watermark",
        Text(f"增量标记列“{column}”没有任何值。", f"The watermark “{column}” has no value at all."),
        Text("请换一列作增量标记。", "Choose another column."),
        {"column": column},
    )


def latest_edge(row: Feed) -> str:
    """The digest of the rows at a feed's watermark, as its latest run that came to its end read them.

    Empty where the newest version may hold them no more: what that run led to was erased, withdrawn or restored over.
    """
    run = runs.latest_closed("collection", row.owner, feed=row.id)
    if run is None:
        return ""
    read = run.done.get("fetch", {})
    led_to = read["base"] if read.get("same") else runs.versions_made([run.id]).get(run.id)
    for version in catalog.versions_of(row.asset):
        live = version.state == Version.State.LIVE
        if version.id == led_to:
            return str(read.get("edge", "")) if live else ""
        if live and version.change.get("mode") not in (Mode.APPEND, Mode.UPSERT):
            return ""
    return ""


def refuse_to_refill(row: Feed, base: Version, by_hand: bool) -> None:
    """Raises Conflict `feed.erased` where the version a feed would go on from was erased: only somebody who asks for it
    reads its rows in again."""
    newer = (each for each in catalog.versions_of(row.asset) if each.number > base.number)
    if by_hand or all(each.state != Version.State.ERASED for each in newer):
        return
    run = runs.latest_closed("collection", row.owner, feed=row.id)
    read = run.done.get("fetch", {}) if run else {}
    if read.get("same") and read["base"] == base.id:
        return  # what was erased did not come from here, or somebody asked and there was nothing to read in
    raise Conflict(
        "feed.erased",
        Text(
            "最新版本已被删除，自动刷新会把其中的数据重新读入，因此没有刷新。",
            "The newest version was erased. A refresh by itself would read its rows in again, so it did not.",
        ),
        Text("如来源库中已处理妥当，请手动刷新一次。", "Once the source is as it should be, refresh it once by hand."),
        {"feed": row.id},
    )


def due(limit: int = 20) -> list[Feed]:
    """The feeds whose next refresh has fallen due, the longest waiting first."""
    waiting = Feed.objects.filter(state=Feed.State.ACTIVE, due__lte=clock.now())
    return list(waiting.order_by("due", "id")[:limit])
