"""Databases and what is published from them: `shudu sources`, `shudu feeds`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy.types import Invalid, ShuduError, Text

from .listing import After, Limit, part, show, stamp
from .session import As, Home, Json, Key, listed, session, small, typed

if TYPE_CHECKING:
    from shudu.collect.queries import Feed, Source

sources = typer.Typer(no_args_is_help=True, help="Databases to publish from (来源库).")
feeds = typer.Typer(no_args_is_help=True, help="What is published from a source and kept current (供数).")
Owner = Annotated[str, typer.Option("--owner", metavar="ORG", help="Whose it is: id, code or name.")]


def describe_source(row: Source) -> dict[str, Any]:
    names = ("id", "owner", "name", "kind", "host", "port", "database", "user", "tls")
    return {**{name: getattr(row, name) for name in names}, "state": str(row.state)}


def describe(row: Feed) -> dict[str, Any]:
    from shudu.collect import queries

    latest = queries.standing(row)
    return {
        "id": row.id,
        "owner": row.owner,
        "source": row.source_id,
        "asset": row.asset or None,
        "table": row.table,
        "columns": row.columns,
        "rule": row.rule,
        "state": str(row.state),
        "due": stamp(row.due),
        "latest": {**latest, "closed": stamp(latest["closed"])},
    }


def _password(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        data = sys.stdin.buffer.readline(4_096) if str(file) == "-" else small(file, 4_096)
        return data.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise Invalid(
            "source.password_file",
            Text("读不到密码文件。", "The password file cannot be read."),
            Text("请核对路径与权限。", "Check the path and its permissions."),
        ) from None


def minutes(text: str) -> int:
    """`30m`, `12h`, `1d`, `2w` in minutes; `` is 0."""
    if not text:
        return 0
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", text)
    if found is None:
        raise Invalid(
            "feed.every",
            Text("刷新间隔写作 30m、12h、1d 或 2w。", "An interval is written 30m, 12h, 1d or 2w."),
            Text("分、时、日、周各为 m、h、d、w。", "m, h, d and w are minutes, hours, days and weeks."),
        )
    return int(found[1]) * {"m": 1, "h": 60, "d": 1_440, "w": 10_080}[found[2]]


@sources.command("add")
def add(
    name: Annotated[str, typer.Option("--name", metavar="T", help="What you call it.")],
    kind: Annotated[str, typer.Option("--kind", help="postgresql | mysql (MariaDB too)")],
    host: Annotated[str, typer.Option("--host", help="Host or address; a socket's folder or path.")],
    database: Annotated[str, typer.Option("--database", metavar="NAME", help="The database.")],
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="A user that may only SELECT.")],
    owner: Owner,
    port: Annotated[int | None, typer.Option("--port", help="Default: the usual one of the kind.")] = None,
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", metavar="FILE", help="Its first line is the password; - for input."),
    ] = None,
    tls: Annotated[str, typer.Option("--tls", help="verify | require | off")] = "verify",
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Add a database; its address must stand in the option source_hosts. The password is kept sealed."""
    with session(home, as_, json) as current:
        from shudu.collect import actions
        from shudu.collect.types import AddSource

        request = typed(
            AddSource, name=name, kind=kind, host=host, port=port, database=database, user=user,
            password=_password(password_file), tls=tls,
        )  # fmt: skip
        row = actions.add_source(current.actor(owner), request, idempotency_key=key)
        current.show(describe_source(row), Text("来源库已登记。", "The source is added."))


@sources.command("list")
def list_sources(after: After = None, limit: Limit = 50, home: Home = None, as_: As = None, json: Json = False) -> None:
    """The sources of an organisation, newest first."""
    with session(home, as_, json) as current:
        from shudu.collect import queries

        rows = part(queries.sources(current.actor()), after, limit)
        show(current, "sources", rows, limit, describe_source, Text("来源库", "sources"))


@sources.command("tables")
def tables(
    source: Annotated[str, typer.Argument(help="Source id.")],
    table: Annotated[str, typer.Option("--table", metavar="T", help="Show the columns of this one.")] = "",
    wait: Annotated[bool, typer.Option("--wait/--queue", help="Look here and now, or leave it to the worker.")] = True,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """The tables of a source that can be read, or the columns of one; --wait connects from this machine."""
    with session(home, as_, json) as current:
        from shudu.collect import actions, queries
        from shudu.collect.types import Survey
        from shudu.runs.worker import settle

        asked = typed(Survey, table=table or None)
        row = actions.survey(current.actor(), source, asked, idempotency_key=key)
        told = queries.surveyed(row, asked.table)
        if wait and told.going and told.run is not None:
            settle(told.run.id)
            told = queries.surveyed(row, asked.table)
        if told.error:
            raise _as_error(told.error, source=row.id)
        if told.going:
            current.show({"id": row.id, "run": told.run and told.run.id}, Text("已排队查看。", "It is queued."))
            return
        found = told.found or []
        said = Text(f"{len(found)} 列。", f"{len(found)} columns.") if table else Text(
            f"{len(found)} 张可读的表。", f"{len(found)} tables that can be read."
        )  # fmt: skip
        current.show({"id": row.id, "columns" if table else "tables": found}, said)


def _as_error(error: dict[str, Any], **where: Any) -> ShuduError:
    """What a run failed with, as the error it was."""
    remedy = Text(**error["remedy"]) if "remedy" in error else None
    return ShuduError(error["code"], Text(**error["message"]), remedy, where)


@sources.command("close")
def close(
    source: Annotated[str, typer.Argument(help="Source id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Read nothing from a source any more; its password is destroyed."""
    with session(home, as_, json) as current:
        from shudu.collect import actions

        row = actions.close_source(current.actor(), source, idempotency_key=key)
        current.show(describe_source(row), Text("来源库已停用。", "The source is closed."))


@feeds.command("open")
def open_feed(
    source: Annotated[str, typer.Option("--source", metavar="SRC", help="Source id.")],
    table: Annotated[str, typer.Option("--table", metavar="T", help="The table, such as public.customers.")],
    owner: Owner,
    title: Annotated[str, typer.Option("--title", metavar="T", help="The asset's title.")],
    columns: Annotated[str, typer.Option("--columns", metavar="a,b,c", help="Only these columns.")] = "",
    entity: Annotated[str | None, typer.Option("--key", metavar="COLUMN", help="The column that names a row.")] = None,
    mode: Annotated[str, typer.Option("--mode", help="replace | upsert | append")] = "replace",
    watermark: Annotated[
        str | None,
        typer.Option("--watermark", metavar="COLUMN", help="Read only rows beyond its largest value so far."),
    ] = None,
    every: Annotated[str, typer.Option("--every", metavar="1d", help="How often: 30m, 12h, 1d, 2w.")] = "",
    level: Annotated[str, typer.Option("--level", metavar="L", help="L1–L5 (GB/T 43697).")] = "L2",
    title_en: Annotated[str | None, typer.Option("--title-en", help="The title in English.")] = None,
    origin: Annotated[str, typer.Option(help="real | real rows, synthetic key | synthetic | unstated")] = "unstated",
    core: Annotated[
        Path | None, typer.Option("--core", metavar="FILE", help="Core fields of the catalogue entry (JSON).")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--queue", help="Read it here and now, or leave it to the worker.")
    ] = True,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Publish a table of a source as an asset, and keep it current by a rule."""
    with session(home, as_, json) as current:
        from shudu.collect import actions
        from shudu.collect.types import OpenFeed

        from .assets import json_object

        request = typed(
            OpenFeed,
            source=source,
            table=table,
            columns=listed(columns),
            rule={"mode": mode, "watermark": watermark, "every_minutes": minutes(every)},
            title=title,
            title_en=title_en,
            key=entity,
            level=level,
            origin=origin,
            core=json_object(core, "publish.core", Text("核心字段文件", "file of core fields")),
        )
        row = actions.open_feed(current.actor(owner), request, idempotency_key=key)
        if wait:
            row = settled(row)
        current.show(describe(row), Text("供数已设立。", "The feed is open."))


def settled(row: Feed) -> Feed:
    """The feed once its run has ended. Raises what the run failed with."""
    from shudu.collect import queries
    from shudu.runs.worker import settle

    settle(row.run)
    found = queries.feed_row(row.id)
    if error := queries.standing(found)["error"]:
        raise _as_error(error, feed=row.id, run=row.run)
    return found


@feeds.command("list")
def list_feeds(after: After = None, limit: Limit = 50, home: Home = None, as_: As = None, json: Json = False) -> None:
    """The feeds of an organisation, newest first."""
    with session(home, as_, json) as current:
        from shudu.collect import queries

        show(
            current, "feeds", part(queries.feeds(current.actor()), after, limit), limit, describe, Text("供数", "feeds")
        )


@feeds.command("show")
def show_feed(
    feed: Annotated[str, typer.Argument(help="Feed id.")], home: Home = None, as_: As = None, json: Json = False
) -> None:
    """A feed, its rule, and how its latest refresh stands."""
    with session(home, as_, json) as current:
        from shudu.collect import queries

        current.show(describe(queries.feed(current.actor(), feed)), Text("供数。", "The feed."))


@feeds.command("refresh")
def refresh(
    feed: Annotated[str, typer.Argument(help="Feed id.")],
    wait: Annotated[
        bool, typer.Option("--wait/--queue", help="Read it here and now, or leave it to the worker.")
    ] = True,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Read what is new at the source now and land it as the asset's next version."""
    with session(home, as_, json) as current:
        from shudu.collect import actions

        row = actions.refresh(current.actor(), feed, idempotency_key=key)
        if wait:
            row = settled(row)
        current.show(describe(row), Text("供数已刷新。", "The feed is refreshed."))


@feeds.command("close")
def close_feed(
    feed: Annotated[str, typer.Argument(help="Feed id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Refresh an asset no more; it stays, with all its versions."""
    with session(home, as_, json) as current:
        from shudu.collect import actions

        row = actions.close_feed(current.actor(), feed, idempotency_key=key)
        current.show(describe(row), Text("供数已停止。", "The feed is closed."))
