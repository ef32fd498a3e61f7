"""Uploads in parts: `shudu uploads`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy.types import Invalid, Text

from .listing import After, Limit, part, show
from .session import As, Home, Json, Key, Session, session, typed

if TYPE_CHECKING:
    from .sending import Receiver

app = typer.Typer(no_args_is_help=True, help="Uploads in resumable parts (上传).")
Owner = Annotated[str | None, typer.Option("--owner", metavar="ORG", help="Whose it is: id, code or name.")]
Id = Annotated[str, typer.Argument(help="The upload's id.")]


@app.command()
def send(
    file: Annotated[Path, typer.Argument(help="The file to send.")],
    owner: Owner = None,
    site: Annotated[
        str, typer.Option("--site", metavar="URL", help="Send it there instead, with the token in SHUDU_TOKEN.")
    ] = "",
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Send a file in parts. The same command again goes on where it was interrupted."""
    from rich.progress import Progress

    from . import sending

    with session(home, as_, json, opened=not site) as current:
        receiver = _site(site, current) if site else _this_home(current, owner)
        with Progress(console=current.console, disable=json or not current.console.is_terminal) as progress:
            bar = progress.add_task(file.name.replace("[", "("), total=None)
            row = sending.send(
                file, receiver, key=key or "", told=lambda at, of: progress.update(bar, completed=at, total=of)
            )
        current.show(row, Text("上传完成。", "The upload is complete."))


def _site(address: str, current: Session) -> Receiver:
    from .sending import Site

    return Site(address, _token(), current.language)


def _this_home(current: Session, owner: str | None) -> Receiver:
    from .sending import ThisHome

    return ThisHome(current.actor(owner))


def _token() -> str:
    token = os.environ.get("SHUDU_TOKEN", "")
    if not token or not token.isascii() or not token.isprintable():
        raise Invalid(
            "upload.token",
            Text("没有可用的访问令牌。", "There is no token to call with."),
            Text("请把令牌放进环境变量 SHUDU_TOKEN。", "Put the token into the environment variable SHUDU_TOKEN."),
        )
    return token


@app.command("list")
def list_uploads(after: After = None, limit: Limit = 50, home: Home = None, as_: As = None, json: Json = False) -> None:
    """The uploads whose bytes are here."""
    with session(home, as_, json) as current:
        from shudu.collect import queries

        found = part(queries.uploads(current.actor()), after, limit)
        show(current, "uploads", found, limit, _described, Text("上传", "uploads"))


@app.command("show")
def show_upload(upload: Id, home: Home = None, as_: As = None, json: Json = False) -> None:
    """How far an upload is."""
    with session(home, as_, json) as current:
        from shudu.collect import queries

        current.show(_described(queries.upload(current.actor(), upload)), Text("上传。", "The upload."))


@app.command()
def remove(upload: Id, home: Home = None, as_: As = None, json: Json = False, key: Key = None) -> None:
    """Remove an upload and its bytes; what was made of it stays."""
    with session(home, as_, json) as current:
        from shudu.collect import actions

        row = actions.remove_upload(current.actor(), upload, idempotency_key=key)
        current.show(_described(row), Text("上传已删除。", "The upload is removed."))


@app.command()
def publish(
    upload: Id,
    title: Annotated[str, typer.Option("--title", metavar="T", help="Its title.")],
    entity: Annotated[
        str | None, typer.Option("--key", metavar="COLUMN", help="The column that names an entity.")
    ] = None,
    level: Annotated[str, typer.Option("--level", metavar="L", help="L1–L5 (GB/T 43697).")] = "L2",
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Publish a complete upload as a new table."""
    with session(home, as_, json) as current:
        from shudu.catalog import actions
        from shudu.catalog.types import PublishTable
        from shudu.collect import queries

        from .assets import describe

        actor = current.actor()
        row = queries.upload(actor, upload)
        with queries.source_of(row) as source:
            request = typed(PublishTable, source=source, sha256=row.sha256, title=title, key=entity, level=level)
            asset = actions.publish(actor, request, idempotency_key=key)
        current.show(describe(asset), Text("数据资源已发布。", "The table is published."))


@app.command()
def update(
    upload: Id,
    asset: Annotated[str, typer.Argument(help="Asset id.")],
    mode: Annotated[str, typer.Option("--mode", help="append | replace | upsert")] = "replace",
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Publish a complete upload as the next version of a table."""
    with session(home, as_, json) as current:
        from shudu.catalog import actions
        from shudu.catalog import queries as catalog
        from shudu.catalog.types import PublishVersion
        from shudu.collect import queries

        actor = current.actor()
        row, table = queries.upload(actor, upload), catalog.asset(actor, asset)
        with queries.source_of(row) as source:
            request = typed(PublishVersion, asset=table.id, source=source, sha256=row.sha256, mode=mode)
            made = actions.publish_version(actor, request, idempotency_key=key)
        told = {"id": made.id, "upload": row.id, "asset": table.id, "number": made.number}
        current.show(told, Text("新版本已发布。", "The new version is published."))


def _described(row: Any) -> dict[str, Any]:
    from shudu.collect.api import Upload

    told: dict[str, Any] = Upload.of(row).model_dump(mode="json")
    return told
