"""Publishing and looking: `shudu publish`, `shudu models publish`, `shudu assets`."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy import clock, json_text
from shudu.policy.types import Invalid, Text

from .listing import After, Limit, show, stamp
from .session import As, Home, Json, Key, listed, session, showing, small, typed

if TYPE_CHECKING:
    from shudu.catalog.queries import Asset, Version

models = typer.Typer(no_args_is_help=True, help="Models (模型).")
JSON_BYTES = 1_000_000
MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]
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
        "due": stamp(asset.due),
        "overdue": asset.overdue,
        "rows": version.rows if version else None,
        "files": {file.name: file.sha256 for file in queries.files(version)} if version else {},
    }


def json_object(source: Path | None, code: str, what: Text) -> dict[str, Any]:
    """An object from a JSON file; its fields are checked when it becomes a typed input."""
    if source is None:
        return {}
    try:
        fields = json_text.read(small(source, JSON_BYTES))
    except (OSError, ValueError):
        fields = None
    if not isinstance(fields, dict):
        raise Invalid(
            code,
            Text(f"{what.zh}不是可读的 JSON 对象。", f"The {what.en} is not a readable JSON object."),
            Text("字段见 docs/operations.md。", "docs/operations.md lists the fields."),
            {"file": source.name},
        )
    return fields


def publish(
    file: Annotated[Path, typer.Argument(help="A file that holds a table: CSV, XLSX, XLS, ODS, JSON, Parquet, SHP …")],
    owner: Annotated[str, typer.Option("--owner", metavar="ORG", help="Whose it is: id, code or name.")],
    title: Annotated[str, typer.Option("--title", metavar="T", help="Its title.")] = "",
    sheet: Annotated[
        str, typer.Option("--sheet", metavar="NAME", help="The sheet, table, layer or file in it to read.")
    ] = "",
    tolerant: Annotated[
        bool, typer.Option("--tolerant", help="Put wrong rows aside with reasons instead of stopping at the first.")
    ] = False,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="There is no header: the first row is data, columns are numbered.")
    ] = False,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", metavar="FILE", help="A recipe (JSON) to read the file by.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show what was understood; publish nothing.")] = False,
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
        from shudu.catalog.types import PublishTable, Reading
        from shudu.lake.types import NO_HEADER

        actor = current.actor(owner)
        told = json_object(recipe, "publish.recipe", Text("配方文件", "recipe"))
        if no_header:
            told["header_rows"] = NO_HEADER
        reading = typed(Reading, sheet=sheet, tolerant=tolerant, recipe=told)
        if preview:
            understood = queries.understood(actor, file, reading)
            current.show(
                {"id": None, **understood.model_dump(mode="json")}, Text("读到的内容。", "What was understood.")
            )
            return
        request = typed(
            PublishTable,
            source=file,
            title=title,
            title_en=title_en,
            key=entity,
            level=level,
            origin=origin,
            findable=findable,
            core=json_object(core, "publish.core", Text("核心字段文件", "file of core fields")),
            reading=reading,
        )
        with showing(current):
            asset = actions.publish(actor, request, idempotency_key=key)
        version = queries.latest(asset.id)
        assert version is not None
        found = {"suggested_level": version.observations.get("level"), "report": version.report}
        current.show({**describe(asset), **found}, Text("数据资源已发布。", "The table is published."))


@models.command("publish")
def publish_model(
    file: Annotated[Path, typer.Argument(help="Scorecard, ONNX, LightGBM text, XGBoost JSON or UBJ, or one SELECT.")],
    owner: Annotated[str, typer.Option("--owner", metavar="ORG", help="Whose it is: id, code or name.")],
    inputs: Annotated[str, typer.Option("--inputs", metavar="a,b,c", help="The columns it may see.")],
    title: Annotated[
        str | None, typer.Option("--title", metavar="T", help="Its title (default: its own name).")
    ] = None,
    title_en: Annotated[str | None, typer.Option("--title-en", help="The title in English.")] = None,
    card: Annotated[
        Path | None, typer.Option("--card", metavar="FILE", help="The model card (JSON); a scorecard holds its own.")
    ] = None,
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

        columns = listed(inputs)
        request = typed(
            PublishModel,
            source=file,
            title=title,
            title_en=title_en,
            inputs=columns,
            card=json_object(card, "card.not_json", Text("模型说明文件", "model card")) if card else None,
            findable=findable,
        )
        asset = actions.publish_model(current.actor(owner), request, idempotency_key=key)
        current.show(describe(asset), Text("模型已发布。", "The model is published."))


@assets.command("list")
def list_assets(
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is late for its promised update.")] = False,
    after: After = None,
    limit: Limit = 50,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """The catalogue entries an organisation may see, newest first."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries

        rows = queries.newest(current.actor(), limit + 1, before=after, overdue=overdue)
        show(current, "assets", rows, limit, describe, Text("数据资源", "assets"))


@assets.command("show")
def show_asset(
    asset: Annotated[str, typer.Argument(help="Asset id.")], home: Home = None, as_: As = None, json: Json = False
) -> None:
    """One catalogue entry."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries

        row = queries.asset(current.actor(), asset)
        current.show({**describe(row), "core": row.core, "terms": row.terms}, Text("数据资源。", "The asset."))


@assets.command("promise")
def promise(
    asset: Annotated[str, typer.Argument(help="Asset id.")],
    cycle: Annotated[
        str, typer.Option("--cycle", metavar="N", help="1 real time … 9 not updated, as `update_cycle` in --core.")
    ],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Promise another update cycle (更新周期) for a table; it counts from its newest version on."""
    with session(home, as_, json) as current:
        from shudu.catalog import actions
        from shudu.catalog.types import UpdateCycle

        row = actions.promise(current.actor(), asset, typed(UpdateCycle, update_cycle=cycle), idempotency_key=key)
        current.show(describe(row), Text("更新周期已更改。", "The update cycle is changed."))


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


def keep(content: bytes, target: Path) -> None:
    """Write what only its owner may read."""
    try:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
    except OSError:
        raise Invalid(
            "console.target",
            Text(f"无法写入“{target.name}”。", f"“{target.name}” cannot be written."),
            Text("请换一个可写的位置。", "Choose a place that can be written to."),
        ) from None


@assets.command("report")
def report(
    version: Annotated[str, typer.Argument(help="Version id.")],
    rejected: Annotated[
        Path | None, typer.Option("--rejected", metavar="FILE", help="Write the rejected rows here (Parquet).")
    ] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """How a version's file was read and what became of its rows; for its owner."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries
        from shudu.lake import queries as lake

        row = queries.inspected(current.actor(), version)
        if rejected is not None:
            stored, place = queries.rejected(current.actor(), version)
            keep(lake.store().table_bytes(stored, place), rejected)
        current.show(
            {"id": row.id, "recipe": row.recipe, "report": row.report}, Text("读取报告。", "How the file was read.")
        )


def _pairs(said: list[str] | None) -> dict[str, str]:
    """`old=new`, as often as it is said."""
    pairs = {}
    for one in said or ():
        before, sign, after = one.partition("=")
        if not sign:
            raise Invalid(
                "console.pair",
                Text(f"“{one}”缺少等号。", f"“{one}” lacks an equals sign."),
                Text("写法：旧名=新名，或 列=类型。", "Write OLD=NEW, or COLUMN=TYPE."),
            )
        pairs[before] = after
    return pairs


def _version(row: Version) -> dict[str, Any]:
    from shudu.catalog import queries

    return {
        "id": row.id,
        "asset": row.binding.asset_id,
        "number": row.number,
        "state": str(row.state),
        "rows": row.rows,
        "change": row.change,
        "files": {file.name: file.sha256 for file in queries.files(row)},
        "source_sha256": row.source_sha256,
        "created": row.created,
    }


@assets.command("update")
def update(
    asset: Annotated[str, typer.Argument(help="Asset id.")],
    file: Annotated[Path, typer.Argument(help="The file with the new rows, of any format `publish` takes.")],
    mode: Annotated[
        str, typer.Option("--mode", help="replace all rows | append these | upsert: replace those with the same key")
    ] = "replace",
    remove_missing: Annotated[
        bool, typer.Option("--remove-missing", help="With upsert: take out the rows whose key the file does not name.")
    ] = False,
    expected: Annotated[
        str | None, typer.Option("--expected", metavar="VERSION", help="Refuse unless this is the newest live version.")
    ] = None,
    add: Annotated[list[str] | None, typer.Option("--add", metavar="COLUMN", help="A column that is new.")] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", metavar="COLUMN", help="A column that goes.")] = None,
    rename: Annotated[
        list[str] | None, typer.Option("--rename", metavar="OLD=NEW", help="A column's new name.")
    ] = None,
    retype: Annotated[
        list[str] | None, typer.Option("--retype", metavar="COLUMN=TYPE", help="A column's wider type.")
    ] = None,
    sheet: Annotated[
        str, typer.Option("--sheet", metavar="NAME", help="The sheet, table, layer or file in it to read.")
    ] = "",
    tolerant: Annotated[
        bool, typer.Option("--tolerant", help="Put wrong rows aside with reasons instead of stopping at the first.")
    ] = False,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", metavar="FILE", help="A recipe (JSON) in place of the kept one.")
    ] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Publish a file as the next version of a table; it is read as the version before was."""
    with session(home, as_, json) as current:
        from shudu.catalog import actions, queries
        from shudu.catalog.types import PublishVersion, Reading

        actor = current.actor()
        told = json_object(recipe, "publish.recipe", Text("配方文件", "recipe"))
        request = typed(
            PublishVersion,
            asset=queries.asset(actor, asset).id,
            source=file,
            mode=mode,
            remove_missing=remove_missing,
            expected=expected,
            evolution={"add": add or (), "drop": drop or (), "rename": _pairs(rename), "retype": _pairs(retype)},
            reading=typed(Reading, sheet=sheet, tolerant=tolerant, recipe=told),
        )
        with showing(current):
            row = actions.publish_version(actor, request, idempotency_key=key)
        found = {"suggested_level": row.observations.get("level"), "report": row.report}
        current.show({**_version(row), **found}, Text("新版本已发布。", "The new version is published."))


@assets.command("versions")
def versions(
    asset: Annotated[str, typer.Argument(help="Asset id.")],
    at: Annotated[
        datetime | None,
        typer.Option("--at", formats=MOMENTS, help="Only the version that was the newest then (Asia/Shanghai)."),
    ] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Every version of an asset, newest first, whatever became of it."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries

        row = queries.asset(current.actor(), asset)
        rows = queries.versions_of(row.id)
        if at is not None:
            then = queries.version_at(row.id, clock.asked(at.replace(tzinfo=clock.SHANGHAI)))
            rows = [then] if then else []
        show(current, "versions", rows, len(rows), _version, Text("版本", "versions"))


@assets.command("diff")
def diff(
    version: Annotated[str, typer.Argument(help="Version id.")],
    against: Annotated[
        str | None, typer.Option("--against", metavar="VERSION", help="Another version (default: the one before).")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, max=200, help="Show up to so many of the rows.")] = 0,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """What a version changed: columns, and for its owner rows by key."""
    with session(home, as_, json) as current:
        from dataclasses import asdict

        from shudu.catalog import queries

        found = asdict(queries.difference(current.actor(), version, against, rows))
        told = {"id": found["new"], "against": found["old"], "columns": found["schema"], "rows": found["rows"]}
        current.show(told, Text("两个版本的差异。", "How the two versions differ."))


@assets.command("restore")
def restore(
    version: Annotated[str, typer.Argument(help="Version id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Publish an old version once more, as the newest; what came between stays."""
    with session(home, as_, json) as current:
        from shudu.catalog import actions

        row = actions.restore(current.actor(), version, idempotency_key=key)
        current.show(_version(row), Text("版本已恢复。", "The version is restored."))


@assets.command("erase")
def erase(
    version: Annotated[str, typer.Argument(help="Version id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Erase a version's files here and what was made ready of them; digests and a tombstone stay.

    What buyers got under agreements stands until these are revoked, as their terms say; later versions keep their rows.
    """
    with session(home, as_, json) as current:
        from shudu.catalog import actions

        row = actions.erase(current.actor(), version, idempotency_key=key)
        current.show({"id": row.id, "state": str(row.state)}, Text("版本已删除。", "The version is erased."))


@assets.command("version")
def show_version(
    version: Annotated[str, typer.Argument(help="Version id.")], home: Home = None, as_: As = None, json: Json = False
) -> None:
    """A version: its state and its files by their digests."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries

        current.show(_version(queries.version(current.actor(), version)), Text("版本。", "The version."))
