"""Publishing and looking: `shudu publish`, `shudu models publish`, `shudu assets`."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy.types import Invalid, Text

from .session import As, Home, Json, Key, session, typed

if TYPE_CHECKING:
    from shudu.catalog.queries import Asset

models = typer.Typer(no_args_is_help=True, help="Models (模型).")
assets = typer.Typer(no_args_is_help=True, help="Assets (数据资源).")


def describe(asset: Asset) -> dict[str, Any]:
    from shudu.catalog import queries

    version = queries.latest(asset.id)
    return {
        "id": asset.id,
        "version": version.id if version else None,
        "owner": asset.owner,
        "kind": str(asset.kind),
        "title": queries.title(asset),
        "code": asset.code,
        "level": asset.level,
        "state": str(asset.state),
        "rows": version.rows if version else None,
        "files": {file.name: file.sha256 for file in queries.files(version)} if version else {},
    }


def _core_fields(source: Path | None) -> dict[str, Any]:
    """The core fields from a JSON file, checked when they become `CoreFields`."""
    if source is None:
        return {}
    try:
        fields = json_module.loads(source.read_text("utf-8"))
    except (OSError, ValueError):
        fields = None
    if not isinstance(fields, dict):
        raise Invalid(
            "publish.core",
            Text("核心字段文件不是可读的 JSON 对象。", "The file of core fields is not a readable JSON object."),
            Text("字段见 docs/operations.md。", "docs/operations.md lists the fields."),
            {"file": source.name},
        )
    return fields


def publish(
    file: Annotated[Path, typer.Argument(help="A UTF-8 CSV file with a header row.")],
    owner: Annotated[str, typer.Option("--owner", metavar="ORG", help="Whose it is: id, code or name.")],
    title: Annotated[str, typer.Option("--title", metavar="T", help="Its title.")],
    entity: Annotated[
        str | None, typer.Option("--key", metavar="COLUMN", help="The column that names an entity.")
    ] = None,
    level: Annotated[
        str, typer.Option("--level", metavar="L", help="L1–L5 (GB/T 43697); L6 is never accepted.")
    ] = "L2",
    title_en: Annotated[str | None, typer.Option("--title-en", help="The title in English.")] = None,
    origin: Annotated[str, typer.Option(help="real | real rows, synthetic key | synthetic | unstated")] = "unstated",
    core: Annotated[
        Path | None, typer.Option("--core", metavar="FILE", help="Core fields of the catalogue entry (JSON).")
    ] = None,
    findable: Annotated[
        bool, typer.Option("--findable/--hidden", help="Whether other parties find its entry; never its content.")
    ] = False,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Publish a file as a table: typed, checked, stored, listed, logged."""
    with session(home, as_, json) as current:
        from shudu.catalog import actions, queries
        from shudu.catalog.types import PublishTable

        request = typed(
            PublishTable,
            source=file,
            title=title,
            title_en=title_en,
            key=entity,
            level=level,
            origin=origin,
            core=_core_fields(core),
            findable=findable,
        )
        asset = actions.publish(current.actor(owner), request, idempotency_key=key)
        version = queries.latest(asset.id)
        suggestion = version.observations.get("level") if version else None
        current.show(
            {**describe(asset), "suggested_level": suggestion}, Text("数据资源已发布。", "The table is published.")
        )


@models.command("publish")
def publish_model(
    file: Annotated[Path, typer.Argument(help="A scorecard (JSON).")],
    owner: Annotated[str, typer.Option("--owner", metavar="ORG", help="Whose it is: id, code or name.")],
    inputs: Annotated[str, typer.Option("--inputs", metavar="a,b,c", help="The columns it may see.")],
    title: Annotated[
        str | None, typer.Option("--title", metavar="T", help="Its title (default: its own name).")
    ] = None,
    title_en: Annotated[str | None, typer.Option("--title-en", help="The title in English.")] = None,
    findable: Annotated[
        bool, typer.Option("--findable/--hidden", help="Whether other parties find its entry; never its content.")
    ] = True,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Publish a model; it is stored encrypted and only ever opened for the sandbox."""
    with session(home, as_, json) as current:
        from shudu.catalog import actions
        from shudu.catalog.types import PublishModel

        columns = tuple(name.strip() for name in inputs.split(",") if name.strip())
        request = typed(PublishModel, source=file, title=title, title_en=title_en, inputs=columns, findable=findable)
        asset = actions.publish_model(current.actor(owner), request, idempotency_key=key)
        current.show(describe(asset), Text("模型已发布。", "The model is published."))


@assets.command("list")
def list_assets(home: Home = None, as_: As = None, json: Json = False) -> None:
    """The catalogue entries an organisation may see."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries

        rows = [describe(row) for row in queries.newest(current.actor(), 200)]
        current.show({"id": None, "assets": rows}, Text(f"{len(rows)} 项数据资源。", f"{len(rows)} assets."))


@assets.command("show")
def show_asset(
    asset: Annotated[str, typer.Argument(help="Asset id.")], home: Home = None, as_: As = None, json: Json = False
) -> None:
    """One catalogue entry."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries

        row = queries.asset(current.actor(), asset)
        current.show({**describe(row), "core": row.core, "terms": row.terms}, Text("数据资源。", "The asset."))


@assets.command("review")
def review(
    asset: Annotated[str, typer.Argument(help="Asset id.")],
    opinion: Annotated[str, typer.Option(help="The review's opinion; only its digest is recorded.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Record the review that important data (L5) needs before anyone may use it."""
    with session(home, as_, json) as current:
        from shudu.catalog import actions

        row = actions.review_level(current.actor(), asset, opinion, idempotency_key=key)
        current.show(describe(row), Text("审核已记录。", "The review is recorded."))


@assets.command("erase")
def erase(
    version: Annotated[str, typer.Argument(help="Version id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Erase a version's files everywhere; digests and a tombstone stay."""
    with session(home, as_, json) as current:
        from shudu.catalog import actions

        row = actions.erase(current.actor(), version, idempotency_key=key)
        current.show({"id": row.id, "state": str(row.state)}, Text("版本已删除。", "The version is erased."))
