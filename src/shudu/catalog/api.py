"""Assets, models and versions in the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from django.http import HttpResponse
from ninja import File, Query, Router, UploadedFile
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from shudu.lake import queries as lake
from shudu.lake.types import Understood
from shudu.policy import clock
from shudu.policy.api import Call, Moment, Page, Paging, Parameters, Upload, link, named, page
from shudu.policy.types import not_found

from . import actions, queries
from .models import Asset as AssetRow
from .models import Version as VersionRow
from .types import (
    Corrected,
    LanguageMap,
    ModelFields,
    Opinion,
    PublishModel,
    PublishTable,
    PublishVersion,
    Reading,
    TableFields,
    UpdateCycle,
    VersionFields,
)

assets = Router(tags=["assets"])
models = Router(tags=["models"])
versions = Router(tags=["assets"])
corrections = Router(tags=["corrections"])


class Column(BaseModel):
    """A column; `sensitivity` when something in it needs care."""

    name: str
    type: str
    nullable: bool
    sensitivity: str | None


class StoredFile(BaseModel):
    """A stored file by its digest."""

    name: str
    bytes: int
    sha256: str


class Change(BaseModel):
    """How a version came from the one before; a count is null where nobody counted."""

    mode: str
    base: str
    added: int | None = None
    changed: int | None = None
    unchanged: int | None = None
    removed: int | None = None


class Version(BaseModel):
    """An immutable state of an asset. Its digests stay when its files are gone."""

    id: str
    asset: str
    number: int
    state: Literal["live", "withdrawn", "erased"]
    rows: int
    files: list[StoredFile]
    source_sha256: str
    change: Change | None
    created: Moment

    @classmethod
    def of(cls, row: VersionRow) -> Version:
        return cls(
            id=row.id,
            asset=row.binding.asset_id,
            number=row.number,
            state=cast(Any, str(row.state)),
            rows=row.rows,
            files=[StoredFile(name=one.name, bytes=one.bytes, sha256=one.sha256) for one in queries.files(row)],
            source_sha256=row.source_sha256,
            change=Change(**row.change) if row.change else None,
            created=row.created,
        )


class Asset(BaseModel):
    """A catalogue entry. `due` is until when its update cycle asks for a version; `overdue`, whether that passed."""

    id: str
    owner: str
    kind: Literal["table", "model"]
    state: Literal["active", "awaiting_review"]
    title: LanguageMap
    level: str
    code: str
    origin: str
    findable: bool
    due: Moment | None
    overdue: bool
    created: Moment
    version: Version | None

    @classmethod
    def fields_of(cls, row: AssetRow, version: VersionRow | None) -> dict[str, Any]:
        return {
            "id": row.id,
            "owner": row.owner,
            "kind": str(row.kind),
            "state": str(row.state),
            "title": queries.title(row),
            "level": row.level,
            "code": row.code,
            "origin": row.origin,
            "findable": row.findable,
            "due": row.due,
            "overdue": row.overdue,
            "created": row.created,
            "version": Version.of(version) if version else None,
        }


class AssetInFull(Asset):
    """A catalogue entry with its columns, core fields and, of a result, the terms and the run it came with."""

    columns: list[Column]
    core: dict[str, Any]
    terms: dict[str, Any]
    run: str | None
    suggested_level: dict[str, Any] | None

    @classmethod
    def of(cls, row: AssetRow) -> AssetInFull:
        version = queries.latest(row.id)
        return cls(
            **cls.fields_of(row, version),
            columns=[Column(**column) for column in version.columns] if version else [],
            core=row.core,
            terms=row.terms,
            run=row.run or None,
            suggested_level=version.observations.get("level") if version else None,
        )


class ReadingReport(BaseModel):
    """How the file of a version was read; `rejected` when rows were put aside."""

    version: str
    recipe: dict[str, Any]
    report: dict[str, Any]
    rejected: bool


class Correction(BaseModel):
    """The rows of a version that were put aside: how many were, how many still are, what became of the others.

    `into` are the versions that corrected rows were added as. `replaced`: the newest version does not go on from this
    one, so its rows are no longer added, only left out with a reason.
    """

    version: str
    asset: str
    title: LanguageMap
    state: Literal["open", "closed", "erased"]
    rows: int
    open: int
    added: int
    left_out: int
    into: list[str]
    replaced: bool
    created: Moment

    @classmethod
    def of(cls, row: queries.Correction) -> Correction:
        return cls(
            version=row.version_id,
            asset=row.asset_id,
            title=queries.title(row.asset),
            state=cast(Any, queries.correction_state(row)),
            rows=row.rows,
            open=row.open,
            replaced=row.replaced,
            created=row.created,
            **queries.settled(row),
        )


class Review(BaseModel):
    """The review important data needs; only the opinion's digest is recorded."""

    model_config = ConfigDict(extra="forbid")

    opinion: Opinion


class AssetQuery(Paging):
    """Which part of the catalogue; with `overdue`, only what was promised an update that has not come."""

    overdue: bool = False


@assets.get("", response=Page[Asset], **named("数据资源目录", "The catalogue"))
def list_assets(request: Call, response: HttpResponse, query: Query[AssetQuery]) -> Page[Asset]:
    """The entries your party may see."""
    found = queries.newest(request.auth, query.limit + 1, before=query.after, overdue=query.overdue)
    rows = link(request, response, query.limit, found, lambda row: row.id)
    latest = queries.latest_of(row.id for row in rows)
    return Page(items=[Asset(**Asset.fields_of(row, latest.get(row.id))) for row in rows])


_TABLE = {"title": "客户", "title_en": "Customers", "key": "customer_no", "level": "L2", "origin": "unstated"}
_MODEL = {"title": "评分卡", "inputs": ["tenure", "contract"]}


@assets.post("", response={201: AssetInFull}, **named("发布数据表", "Publish a table", example=_TABLE))
def publish_table(request: Call, response: HttpResponse, fields: TableFields, file: File[UploadedFile]) -> AssetInFull:
    """A file that holds a table, as one multipart form: part `fields` is JSON, part `file` the file.

    Its format is told by its content: CSV of any dialect, XLSX, XLS, ODS, JSON, Parquet and others (docs/formats.md).
    """
    upload = cast(Upload, file)
    order = PublishTable(source=upload.path, sha256=upload.sha256, **dict(fields))
    row = actions.publish(request.auth, order, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path}/{row.id}"
    return AssetInFull.of(row)


@assets.post("/preview", response=Understood, **named("预览读取结果", "What would be understood of a file", example={}))
def preview_table(request: Call, fields: Reading, file: File[UploadedFile]) -> Understood:
    """A file as `POST /assets` takes it, with the part `fields` as its `reading`; nothing is stored."""
    return queries.understood(request.auth, cast(Upload, file).path, fields)


@assets.get("/{asset}", response=AssetInFull, **named("查看数据资源", "An asset"))
def get_asset(request: Call, asset: str) -> AssetInFull:
    return AssetInFull.of(queries.asset(request.auth, asset))


class Moments(Parameters):
    """As of when."""

    at: Annotated[AwareDatetime, AfterValidator(clock.asked)] | None = None


@assets.get("/{asset}/versions", response=Page[Version], **named("版本列表", "The versions of an asset"))
def list_versions(request: Call, asset: str, query: Query[Moments]) -> Page[Version]:
    """Every version, newest first, whatever became of it; with `at`, the one that was the newest then."""
    row = queries.asset(request.auth, asset)
    if query.at is not None:
        then = queries.version_at(row.id, query.at)
        return Page(items=[Version.of(then)] if then else [])
    return Page(items=[Version.of(one) for one in queries.versions_of(row.id)])


_UPDATE = named("发布新版本", "Publish a version", example={"mode": "append"})


@assets.post("/{asset}/versions", response={201: Version}, **_UPDATE)
def publish_version(
    request: Call, response: HttpResponse, asset: str, fields: VersionFields, file: File[UploadedFile]
) -> Version:
    """A file as the next version of a table, as one multipart form: part `fields` is JSON, part `file` the file.

    It is read as the version before was. Of two at once one answers 409 and changes nothing.
    """
    upload = cast(Upload, file)
    row = queries.asset(request.auth, asset)
    order = PublishVersion(asset=row.id, source=upload.path, sha256=upload.sha256, **dict(fields))
    made = actions.publish_version(request.auth, order, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path.partition('/assets/')[0]}/versions/{made.id}"
    return Version.of(made)


_CYCLE = named("改更新周期", "Promise another update cycle", example={"update_cycle": "4"})


@assets.put("/{asset}/update-cycle", response=AssetInFull, **_CYCLE)
def promise_update(request: Call, asset: str, body: UpdateCycle) -> AssetInFull:
    """In place of the one there was; `due` and `overdue` count anew from the newest version on."""
    row = queries.asset(request.auth, asset)
    return AssetInFull.of(actions.promise(request.auth, row.id, body, idempotency_key=request.idempotency_key))


_REVIEW = named("记录级别审核", "Record the review of a level", example={"opinion": "同意使用。"})


@assets.post("/{asset}/review", response=AssetInFull, **_REVIEW)
def review_asset(request: Call, asset: str, body: Review) -> AssetInFull:
    """The authority or the operating company does this."""
    row = queries.asset(request.auth, asset)
    key = request.idempotency_key
    return AssetInFull.of(actions.review_level(request.auth, row.id, body.opinion, idempotency_key=key))


@models.post("", response={201: AssetInFull}, **named("发布模型", "Publish a model", example=_MODEL))
def publish_model(request: Call, response: HttpResponse, fields: ModelFields, file: File[UploadedFile]) -> AssetInFull:
    """A model as one multipart form: part `fields` is JSON, with the model card in it, part `file` the model.

    Scorecard, ONNX, LightGBM text, XGBoost JSON or UBJ, or one SELECT. It is stored encrypted and never given out.
    """
    upload = cast(Upload, file)
    order = PublishModel(source=upload.path, sha256=upload.sha256, **dict(fields))
    row = actions.publish_model(request.auth, order, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path.removesuffix('/models')}/assets/{row.id}"
    return AssetInFull.of(row)


@versions.get("/{version}", response=Version, **named("查看版本", "A version"))
def get_version(request: Call, version: str) -> Version:
    return Version.of(queries.version(request.auth, version))


@versions.get("/{version}/report", response=ReadingReport, **named("读取报告", "How a version's file was read"))
def get_report(request: Call, version: str) -> ReadingReport:
    """For its owner: the recipe to replay on the next delivery, and what became of the rows."""
    row = queries.inspected(request.auth, version)
    return ReadingReport(version=row.id, recipe=row.recipe, report=row.report, rejected=bool(row.side_files))


class SchemaDifference(BaseModel):
    """How the columns differ: `renamed` as [before, after], `retyped` as [name, type before, type after]."""

    added: list[str]
    dropped: list[str]
    renamed: list[tuple[str, str]]
    retyped: list[tuple[str, str, str]]


class ChangedRow(BaseModel):
    """A row that was added, changed or removed: as it was, and as it is."""

    what: Literal["added", "changed", "removed"]
    before: dict[str, str | None]
    after: dict[str, str | None]


class RowDifference(BaseModel):
    """By key: how many rows, and in how many each column changed. Without a key a changed row is one of each kind."""

    added: int
    removed: int
    changed: int
    unchanged: int
    columns: dict[str, int]
    rows: list[ChangedRow]


class VersionDifference(BaseModel):
    """What a version changed of another; `rows` is null for who may not read the table."""

    before: str
    after: str
    columns: SchemaDifference
    rows: RowDifference | None

    @classmethod
    def of(cls, found: queries.VersionDifference) -> VersionDifference:
        rows = found.rows
        return cls(
            before=found.old,
            after=found.new,
            columns=SchemaDifference(
                added=list(found.schema.added),
                dropped=list(found.schema.dropped),
                renamed=list(found.schema.renamed),
                retyped=list(found.schema.retyped),
            ),
            rows=RowDifference(
                added=rows.added,
                removed=rows.removed,
                changed=rows.changed,
                unchanged=rows.unchanged,
                columns=dict(rows.columns),
                rows=[ChangedRow(what=cast(Any, what), before=was, after=now) for what, was, now in rows.rows],
            )
            if rows
            else None,
        )


class Comparing(Parameters):
    """With which version (the one before, unless told), and how many of the rows to show."""

    against: Annotated[str, Field(pattern=r"^ver_[0-9a-hjkmnp-tv-z]{26}$")] | None = None
    rows: Annotated[int, Field(ge=0, le=200)] = 0


@versions.get("/{version}/diff", response=VersionDifference, **named("版本差异", "What a version changed"))
def diff_version(request: Call, version: str, query: Query[Comparing]) -> VersionDifference:
    """Columns for who sees the entry; rows, by key where there is one, for who may read the table."""
    return VersionDifference.of(queries.difference(request.auth, version, query.against, query.rows))


@versions.post("/{version}/restore", response={201: Version}, **named("恢复版本", "Restore a version"))
def restore_version(request: Call, response: HttpResponse, version: str) -> Version:
    """Published once more, as the newest; what came between stays."""
    row = queries.version(request.auth, version)
    made = actions.restore(request.auth, row.id, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path.partition('/versions/')[0]}/versions/{made.id}"
    return Version.of(made)


_REJECTED: dict[str, Any] = {
    "responses": {
        200: {
            "description": "OK",
            "content": {"application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}}},
        }
    }
}


@versions.get("/{version}/rejected", **named("被搁置的行", "The rejected rows of a version", **_REJECTED))
def get_rejected(request: Call, version: str) -> HttpResponse:
    """For its owner: every row that was put aside, where it stood, why, and what would mend it (Parquet)."""
    stored, place = queries.rejected(request.auth, version)
    content = lake.store().table_bytes(stored, place)
    name = f'attachment; filename="{version}.rejected.parquet"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return HttpResponse(content, content_type="application/vnd.apache.parquet", headers=headers)


@corrections.get("", response=Page[Correction], **named("待更正的行", "Rows to be corrected"))
def list_corrections(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Correction]:
    """Your versions that have rows to be corrected, newest first."""
    rows = page(request, response, query, queries.corrections(request.auth))
    return Page(items=[Correction.of(row) for row in rows])


@corrections.get("/{version}", response=Correction, **named("更正情况", "What is to be corrected"))
def get_corrections(request: Call, version: str) -> Correction:
    """For its owner: 404 where no row of the version was put aside."""
    return Correction.of(queries.correction(request.auth, version))


_LIST: dict[str, Any] = {
    "responses": {
        200: {
            "description": "OK",
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in queries.FORMS.values()},
        }
    }
}


@corrections.get("/{version}/{file}", **named("更正清单", "The list of rows to correct", **_LIST))
def get_correction_list(request: Call, version: str, file: str) -> HttpResponse:
    """For its owner, as `list.xlsx` or `list.csv`: every row that is open, what is wrong with it, and what would fix
    it; cells are text."""
    form: Any = file.removeprefix("list.")
    if file not in [f"list.{known}" for known in queries.FORMS]:
        raise not_found("更正清单", "correction list", file)
    _, content = queries.correction_list(request.auth, version, form)
    name = f'attachment; filename="{version}.{file}"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return HttpResponse(content, content_type=queries.FORMS[form], headers=headers)


@corrections.post("/{version}", response=Correction, **named("交回更正清单", "Send a corrected list", example={}))
def submit_corrections(request: Call, version: str, file: File[UploadedFile]) -> Correction:
    """The list, corrected, as part `file` of a multipart form. Each row is checked again: what fits is added as a new
    version, what is marked to be left out with a reason is, and the rest stays open with its new reason."""
    upload = cast(Upload, file)
    sent = Corrected(source=upload.path, sha256=upload.sha256)
    return Correction.of(actions.correct(request.auth, version, sent, idempotency_key=request.idempotency_key))


@versions.delete("/{version}", response=Version, **named("删除版本内容", "Erase a version's files"))
def erase_version(request: Call, version: str) -> Version:
    """Digests and a tombstone stay. What buyers got under agreements stands until these are revoked, as their terms
    say; later versions keep their rows."""
    row = queries.version(request.auth, version)
    return Version.of(actions.erase(request.auth, row.id, idempotency_key=request.idempotency_key))
