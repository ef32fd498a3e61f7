"""Every write about databases: add, look into and close a source; open, refresh and close a feed."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta

import rfc8785

from shudu.lake import queries as lake
from shudu.policy import clock, locks
from shudu.policy.actions import action, part_of_action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Conflict, Text, Via
from shudu.runs import actions as runs
from shudu.runs.types import StartRun

from . import queries
from .models import Feed, Source
from .sources.kinds import KINDS
from .types import AddSource, OpenFeed, Survey

COLLECTION = "collection"
SURVEY = "survey"


def _sealed(actor: Actor, request: AddSource) -> Source:
    """The row with its password sealed: its data key is made before the transaction opens, as any."""
    require(actor, Permission.SOURCE_ADD)
    port = request.port or KINDS[request.kind].port
    queries.refuse_unless_allowed(request.host, port)
    row = Source(
        owner=actor.party,
        name=request.name,
        kind=request.kind,
        host=request.host,
        port=port,
        database=request.database,
        user=request.user,
        tls=request.tls,
    )
    if password := request.password.get_secret_value():
        key = lake.data_keys().create(queries.secret_place(row))
        sealed = lake.seal(key, password.encode(), queries.secret_context(row))
        row.secret = base64.b64encode(sealed).decode()
    return row


@action(Permission.SOURCE_ADD, Event.SOURCE_ADDED, prepare=_sealed)
def add_source(actor: Actor, request: AddSource, *, prepared: Source) -> Source:
    """Add a database of the actor's party. Nobody connects to it yet; the operating company must allow its address."""
    require(actor, Permission.SOURCE_ADD)
    row = prepared
    row.save(force_insert=True)
    record(row.id, {"source": row.id, "owner": row.owner, "kind": row.kind})
    return row


@action(Permission.SOURCE_CLOSE, Event.SOURCE_CLOSED)
def close_source(actor: Actor, source_id: str) -> Source:
    """Read nothing from a source any more; its password is destroyed. Raises Conflict while a feed reads from it."""
    row = queries.source(actor, source_id)
    require(actor, Permission.SOURCE_CLOSE, row)
    if row.state == Source.State.CLOSED:
        record_nothing()
        return row
    if row.feeds.filter(state=Feed.State.ACTIVE).exists():
        raise Conflict(
            "source.in_use",
            Text("还有供数在读取这个来源库。", "Feeds still read from this source."),
            Text("请先停止这些供数。", "Close those feeds first."),
            {"source": row.id},
        )
    row.state, row.secret = Source.State.CLOSED, ""
    row.save(update_fields=["state", "secret"])
    lake.data_keys().destroy(queries.secret_place(row))
    record(row.id, {"source": row.id, "owner": row.owner})
    return row


@action(Permission.FEED_OPEN, Event.RUN_STARTED)
def survey(actor: Actor, source_id: str, request: Survey) -> Source:
    """Start looking which tables a source has, or which columns one has; while that goes on, starts no second time.

    The worker connects and finds them: `queries.surveyed` says what it found.
    """
    row = queries.source(actor, source_id)
    require(actor, Permission.FEED_OPEN, row)
    queries.refuse_unless_open(row)
    record_nothing()
    locks.alone(f"survey {row.id}")  # of two at once, the second finds the first one's run
    if queries.surveyed(row, request.table).going:
        return row
    params = {"source": row.id, "table": request.table or ""}
    runs.start(actor, StartRun(SURVEY, row.owner, COLLECTION, (), params=params))
    return row


@action(Permission.FEED_OPEN, Event.FEED_OPENED)
def open_feed(actor: Actor, request: OpenFeed) -> Feed:
    """Publish a table of a source: a run reads all of it and enters it as a new asset, which the rule keeps current."""
    source = queries.source(actor, request.source)
    require(actor, Permission.FEED_OPEN, source)
    require(actor, Permission.ASSET_PUBLISH)
    rule = request.rule.model_dump(mode="json")
    row = Feed.objects.create(
        owner=actor.party,
        source=source,
        table=request.table,
        columns=list(request.columns),
        fields=request.table_fields(),
        rule=rule,
    )
    _start(actor, row)
    told = {"table": row.table, "columns": row.columns, **rule}
    digest = hashlib.sha256(rfc8785.dumps(told)).hexdigest()
    record(row.id, {"feed": row.id, "owner": row.owner, "source": source.id, "rule_sha256": digest})
    return row


@action(Permission.FEED_REFRESH, Event.RUN_STARTED)
def refresh(actor: Actor, feed_id: str) -> Feed:
    """Start a refresh of a feed now; the next falls due an interval from now. Raises Conflict while one goes on."""
    row = queries.feed(actor, feed_id)
    require(actor, Permission.FEED_REFRESH, row)
    if row.state == Feed.State.CLOSED:
        raise Conflict("feed.closed", Text("这项供数已停止。", "This feed is closed."), None, {"feed": row.id})
    locks.alone(f"feed {row.id}")  # of two at once, the second finds the first one's run
    row.refresh_from_db()
    if queries.standing(row)["state"] == "queued":
        raise Conflict(
            "feed.running",
            Text("上一次刷新还在进行。", "A refresh of this feed is going on."),
            Text("请等它结束。", "Wait until it has ended."),
            {"feed": row.id, "run": row.run},
        )
    _start(actor, row)
    record_nothing()
    return row


@action(Permission.FEED_REFRESH, Event.FEED_CLOSED)
def close_feed(actor: Actor, feed_id: str) -> Feed:
    """Refresh an asset no more. It stays, with all its versions."""
    row = queries.feed(actor, feed_id)
    require(actor, Permission.FEED_REFRESH, row)
    if row.state == Feed.State.CLOSED:
        record_nothing()
        return row
    row.state, row.due = Feed.State.CLOSED, None
    row.save(update_fields=["state", "due"])
    record(row.id, {"feed": row.id, "asset": row.asset})
    return row


@action(Permission.FEED_REFRESH, Event.FEED_OPENED)
def bind(actor: Actor, feed_id: str, asset_id: str) -> Feed:
    """Note which asset a feed's first run has published; the run's own entry says so."""
    row = queries.feed_row(feed_id)
    require(actor, Permission.FEED_REFRESH, row)
    Feed.objects.filter(pk=row.id, asset="").update(asset=asset_id)
    record_nothing()
    return row


@part_of_action
def _start(actor: Actor, row: Feed) -> None:
    """Queue a run of a feed, and say when the next falls due."""
    params = {"feed": row.id, "by_hand": actor.via != Via.WORKER}
    run = runs.start(actor, StartRun(COLLECTION, row.owner, COLLECTION, (), params=params))
    row.run = run.id
    minutes = row.rule["every_minutes"]
    row.due = clock.now() + timedelta(minutes=minutes) if minutes else None
    row.save(update_fields=["run", "due"])
