"""The steps of a collection: read the source into a file of our own, then land it as a version; and those of a survey,
which only looks what is there. Each may be killed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shudu.catalog import actions as catalog_actions
from shudu.catalog import queries as catalog
from shudu.catalog.types import PublishTable, PublishVersion
from shudu.identity import queries as identity
from shudu.policy.types import Conflict, Invalid, Text, Via
from shudu.runs.types import Outcome, Work

from . import actions, edges, queries, reaching
from .models import Feed

MOST_FOUND = 5_000  # tables, or columns of one: what is found stays in the run's row


def fetch(work: Work) -> Mapping[str, Any]:
    """Read the table, or what is new of it, into the run's folder.

    `base` is the version the watermark was taken from: what is read is landed on that one or not at all.
    """
    feed = _feed(work)
    way = queries.way(feed.source)
    base = catalog.latest(feed.asset) if feed.asset else None
    if feed.asset and base is None:
        raise Conflict(
            "asset.no_version",
            Text("该数据资源没有可用的版本，无从更新。", "The asset has no version left to go on from."),
            Text("请先恢复一个版本，或重新设立供数。", "Restore a version first, or open a feed anew."),
            {"asset": feed.asset},
        )
    if base is not None:
        queries.refuse_to_refill(feed, base, bool(work.params.get("by_hand")))
    beyond = queries.beyond(feed, base)
    folder = queries.work_folder(work.run)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    target = folder / _file_name(feed)
    found = reaching.read(way, feed.table, feed.columns, beyond, target)
    read = {"rows": found["rows"], "odd": found["odd"], "base": base.id if base else "", "bytes": 0, "sha256": ""}
    if found["rows"]:
        read |= {"bytes": target.stat().st_size, "sha256": _digest(target)}
    edge, only = edges.edge(target, feed.rule["watermark"], feed.fields["key"]) if found["rows"] else ("", False)
    # Rows at the watermark are read once more; when they are all there is, and are the same, nothing has changed.
    same = bool(beyond) and (not found["rows"] or (only and edge == queries.latest_edge(feed)))
    same = same or bool(base and base.source_sha256 and base.source_sha256 == read["sha256"])
    return {**read, "edge": edge or queries.latest_edge(feed), "same": same}


def land(work: Work) -> Outcome:
    """Publish what was read; the key of idempotency is the run, so that it is published once.

    The file stays until the run has ended (`handlers.clear_away`): killed after landing, this step asks for it again.
    """
    feed = _feed(work)
    read = work.done["fetch"]
    meters = {"rows_in": read["rows"], "bytes_in": read["bytes"], "odd": sum(read["odd"].values())}
    folder = queries.work_folder(work.run)
    if read["same"]:
        return Outcome(None, [], {}, meters)
    if not read["rows"]:
        raise Invalid(
            "publish.empty",
            Text("来源表没有一行数据。", "The source's table has no rows."),
            Text("请核对来源表。", "Check the table at the source."),
        )
    file = folder / _file_name(feed)
    if not file.is_file():
        raise Conflict(
            "feed.lost",
            Text("读出的文件已不在本机。", "The file that was read is no longer on this machine."),
            Text("请再刷新一次。", "Refresh once more."),
        )
    asset, version = _entered(work, feed, file, read)
    return Outcome(None, [], {}, meters, entered=((asset, version),))


def _entered(work: Work, feed: Feed, file: Path, read: Mapping[str, Any]) -> tuple[str, str]:
    """The asset and the version that what was read has become."""
    actor = identity.actor_for(feed.owner, Via.WORKER)
    if not read["base"]:
        table = PublishTable(source=file, sha256=read["sha256"], **feed.fields)
        asset = catalog_actions.publish(actor, table, idempotency_key=work.run)
        actions.bind(actor, feed.id, asset.id)
        first = catalog.versions_of(asset.id)[-1]
        return asset.id, first.id
    following = PublishVersion(
        asset=feed.asset,
        source=file,
        sha256=read["sha256"],
        mode=feed.rule["mode"],
        expected=read["base"],
        reading=feed.fields["reading"],
    )
    version = catalog_actions.publish_version(actor, following, idempotency_key=work.run)
    return feed.asset, version.id


def look(work: Work) -> Mapping[str, Any]:
    """Ask a source for its tables, or for the columns of one, in its owner's name."""
    actor = identity.actor_for(work.party, Via.WORKER)
    source, table = work.params["source"], work.params["table"]
    found = queries.fields(actor, source, table) if table else queries.tables(actor, source)
    return {"found": found[:MOST_FOUND], "more": len(found) > MOST_FOUND}


def told(work: Work) -> Outcome:
    """Nothing was made of what was found."""
    return Outcome(None, [], {}, {"found": len(work.done["look"]["found"])})


def _feed(work: Work) -> Feed:
    feed = queries.feed_row(work.params["feed"])
    if feed.state != Feed.State.ACTIVE:
        raise Conflict("feed.closed", Text("这项供数已停止。", "This feed is closed."))
    return feed


def _file_name(feed: Feed) -> str:
    return f"{feed.table.replace('/', '_')[:100]}.parquet"


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
