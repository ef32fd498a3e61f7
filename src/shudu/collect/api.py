"""Uploads and batches in the API. Parts follow “Resumable Uploads for HTTP” (IETF): `PATCH` at `Upload-Offset`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

from django.http import HttpResponse
from ninja import Header, Query, Router
from pydantic import BaseModel, ConfigDict

from shudu.catalog import actions as catalog
from shudu.catalog import queries as assets
from shudu.catalog.types import PublishTable, PublishVersion, TableFields, VersionFields
from shudu.lake.types import Mode
from shudu.policy.api import Call, Moment, Page, Paging, Said, named, page
from shudu.policy.types import Invalid, Text, Via, not_found

from . import actions, queries
from .databases import feeds as feeds
from .databases import sources as sources
from .header import BatchHeader, Channel
from .models import Batch as BatchRow
from .models import SenderKey as KeyRow
from .models import Upload as UploadRow
from .refusals import WORDS, Refusal
from .types import CreateUpload, RegisterKey

uploads = Router(tags=["uploads"])

PART_BYTES = 4 << 20  # made durable and acknowledged together, so this much is lost when a sender's line breaks
MEDIA_TYPE = "application/partial-upload"


class Upload(BaseModel):
    """A file on its way in. Everything before `offset` is durable here."""

    id: str
    name: str
    size: int
    offset: int
    state: Literal["receiving", "complete", "spoiled", "removed", "expired"]
    sha256: str | None
    sm3: str | None
    created: Moment
    expires: Moment

    @classmethod
    def of(cls, row: UploadRow) -> Upload:
        return cls(
            id=row.id,
            name=row.name,
            size=row.size,
            offset=row.offset,
            state=cast(Any, str(row.state)),
            sha256=row.sha256 or None,
            sm3=row.sm3 or None,
            created=row.created,
            expires=row.expires,
        )


class PublishedUpload(BaseModel):
    """What an upload became. The upload stays until it is removed or expires."""

    upload: str
    asset: str
    version: str


def _answer(response: HttpResponse, row: UploadRow) -> Upload:
    """As it stands; of one whose bytes are gone there is no offset to go on from."""
    if row.state not in UploadRow.KEPT:
        return Upload.of(row)
    response["Upload-Offset"] = str(row.offset)
    response["Upload-Length"] = str(row.size)
    response["Upload-Complete"] = "?1" if row.offset == row.size else "?0"
    return Upload.of(row)


@uploads.get("", response=Page[Upload], **named("上传", "Your uploads"))
def list_uploads(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Upload]:
    """Those whose bytes are here."""
    return Page(items=[Upload.of(row) for row in page(request, response, query, queries.uploads(request.auth))])


_NEW = {
    "name": "customers.csv",
    "size": 1048576,
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}


@uploads.post("", response={201: Upload}, **named("新建上传", "Create an upload", example=_NEW))
def create_upload(request: Call, response: HttpResponse, body: CreateUpload) -> Upload:
    """Announce a file with its size and its SHA-256 or SM3; its bytes follow by `PATCH`."""
    row = actions.create_upload(request.auth, body, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path}/{row.id}"
    return _answer(response, row)


@uploads.get("/{upload}", response=Upload, **named("查看上传", "An upload"))
def get_upload(request: Call, response: HttpResponse, upload: str) -> Upload:
    """`HEAD` tells where to go on: `Upload-Offset`, `Upload-Length`, `Upload-Complete`; 404 when its bytes are gone."""
    row = queries.upload(request.auth, upload)
    if request.head and row.state not in UploadRow.KEPT:
        raise not_found("上传", "upload", upload)
    return _answer(response, row)


_BYTES: dict[str, Any] = {
    "requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}


@uploads.patch("/{upload}", response=Upload, **named("续传一段", "Append a part", **_BYTES))
def append_upload(
    request: Call, response: HttpResponse, upload: str, upload_offset: Annotated[int, Header(ge=0, le=2**50)]
) -> Upload:
    """The bytes from `Upload-Offset` on, as many as you like. What has been acknowledged is never asked for again.

    Another offset than the one reached is refused with 409, which names the right one.
    """
    row = queries.upload(request.auth, upload)
    if request.content_type != MEDIA_TYPE:
        raise _media_type()
    offset = upload_offset
    for part in _parts(request):
        row = actions.append_upload(request.auth, upload, offset, part)
        offset += len(part)
    return _answer(response, row)


def _parts(request: Call) -> Iterator[bytes]:
    """The body as it comes, in pieces worth making durable; what came before a line broke is one too."""
    held = bytearray()
    broken = False
    while not broken:
        try:
            came = request.read(PART_BYTES - len(held))
        except OSError:
            came, broken = b"", True
        held += came
        if len(held) == PART_BYTES or not came:
            yield bytes(held)
            held.clear()
        if not came:
            return


@uploads.post("/{upload}/complete", response=Upload, **named("完成上传", "Complete an upload"))
def complete_upload(request: Call, response: HttpResponse, upload: str) -> Upload:
    """Holds all of it against the declared digest; from then on it can be published or accepted as a batch."""
    return _answer(response, actions.complete_upload(request.auth, upload, idempotency_key=request.idempotency_key))


@uploads.delete("/{upload}", response=Upload, **named("删除上传", "Remove an upload"))
def remove_upload(request: Call, upload: str) -> Upload:
    """What was made of it stays."""
    return Upload.of(actions.remove_upload(request.auth, upload, idempotency_key=request.idempotency_key))


_TABLE = {"title": "客户", "title_en": "Customers", "key": "customer_no", "level": "L2"}


@uploads.post(
    "/{upload}/publish", response={201: PublishedUpload}, **named("发布上传的表", "Publish an upload", example=_TABLE)
)
def publish_upload(request: Call, response: HttpResponse, upload: str, body: TableFields) -> PublishedUpload:
    """A complete upload as a new table, as `POST /assets` does it with a file of its own."""
    row = queries.upload(request.auth, upload)
    with queries.source_of(row) as source:
        order = PublishTable(source=source, sha256=row.sha256, **dict(body))
        made = catalog.publish(request.auth, order, idempotency_key=request.idempotency_key)
    response["Location"] = f"/api/v1/assets/{made.id}"
    version = assets.latest(made.id)
    assert version is not None
    return PublishedUpload(upload=row.id, asset=made.id, version=version.id)


@uploads.post(
    "/{upload}/publish/{asset}",
    response={201: PublishedUpload},
    **named("发布上传为新版本", "Publish an upload as a version", example={"mode": "append"}),
)
def publish_upload_version(
    request: Call, response: HttpResponse, upload: str, asset: str, body: VersionFields
) -> PublishedUpload:
    """A complete upload as the next version of a table, as `POST /assets/{asset}/versions` does it with a file."""
    row, table = queries.upload(request.auth, upload), assets.asset(request.auth, asset)
    with queries.source_of(row) as source:
        order = PublishVersion(asset=table.id, source=source, sha256=row.sha256, **dict(body))
        made = catalog.publish_version(request.auth, order, idempotency_key=request.idempotency_key)
    response["Location"] = f"/api/v1/versions/{made.id}"
    return PublishedUpload(upload=row.id, asset=table.id, version=made.id)


def _media_type() -> Invalid:
    return Invalid(
        "upload.media_type",
        Text(f"上传的一段须为 {MEDIA_TYPE}。", f"A part is of the type {MEDIA_TYPE}."),
        Text("请改正 Content-Type 请求头，只发送文件的字节。", "Correct the header Content-Type; send bytes only."),
    )


batches = Router(tags=["batches"])
packages = Router(tags=["batches"])
keys = Router(tags=["batches"])


class Batch(BaseModel):
    """A batch as it was handed in. Of a refused one `code` says why, `where` in which place."""

    id: str
    batch_id: str
    party: str
    state: Literal["accepted", "refused"]
    channel: Channel
    mode: str
    header: dict[str, Any]
    header_sha256: str
    source_sha256: str
    source_sm3: str
    asset: str | None
    version: str | None
    code: str | None
    reason: Said | None
    where: dict[str, Any]
    came_by: Via | None = None
    created: Moment

    @classmethod
    def of(cls, row: BatchRow) -> Batch:
        return cls(
            id=row.id,
            batch_id=row.batch_id,
            party=row.owner,
            state=cast(Any, str(row.state)),
            channel=Channel(row.channel),
            mode=row.mode,
            header=row.header,
            header_sha256=row.header_sha256,
            source_sha256=row.source_sha256,
            source_sm3=row.source_sm3,
            asset=row.asset or None,
            version=row.version or None,
            code=row.code or None,
            reason=Said.of(WORDS[Refusal(row.code)][0]) if row.code else None,
            where=row.where,
            came_by=Via(row.came_by) if row.came_by else None,
            created=row.created,
        )


class NewBatch(BaseModel):
    """A complete upload and the header it is handed in with; `mode` says how its rows join the table."""

    model_config = ConfigDict(extra="forbid")

    upload: str
    header: BatchHeader
    mode: Mode = Mode.APPEND


class NewPackage(BaseModel):
    """A complete upload that is a package."""

    model_config = ConfigDict(extra="forbid")

    upload: str


class SenderKey(BaseModel):
    """A public key your party signs batches and packages with."""

    id: str
    verifier: str
    algorithm: str
    registered: Moment
    until: Moment
    revoked: Moment | None

    @classmethod
    def of(cls, row: KeyRow) -> SenderKey:
        return cls(
            id=row.id,
            verifier=row.verifier,
            algorithm=row.algorithm,
            registered=row.registered,
            until=row.until,
            revoked=row.revoked,
        )


@batches.get("", response=Page[Batch], **named("批次", "Batches"))
def list_batches(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Batch]:
    """Accepted and refused ones."""
    return Page(items=[Batch.of(row) for row in page(request, response, query, queries.batches(request.auth))])


_BATCH = {
    "upload": "UPLOAD",
    "mode": "append",
    "header": {
        "batch_id": "2026-03-02-1",
        "source_id": "counter-7",
        "catalog_code": "CODE",
        "schema_version": 1,
        "record_count": 120,
        "bytes": 4096,
        "sm3": "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
        "period_from": "2026-02-01",
        "period_to": "2026-02-28",
        "collected_at": "2026-03-01T08:00:00Z",
        "submitted_by": "91510100MA0000103G",
        "legal_basis": "《成都市公共数据管理应用规定》第十条",
        "class_level": "L2",
        "collection": {
            "channel": "administrative",
            "duty": "市场主体登记",
            "matter": "企业设立登记",
            "department": "市市场监管局",
            "obtainable_by_sharing": False,
            "form_version": "2026-1",
            "frequency": "4",
        },
    },
}


@batches.post("", response={201: Batch}, **named("提交批次", "Hand in a batch", example=_BATCH))
def accept_batch(request: Call, response: HttpResponse, body: NewBatch) -> Batch:
    """The same batch again gives the first answer and changes nothing; a refused one is kept with its reason."""
    row = queries.upload(request.auth, body.upload)
    key = request.idempotency_key
    with queries.source_of(row) as source:
        made = actions.accept_batch(request.auth, body.header, source, body.mode, idempotency_key=key)
    response["Location"] = f"{request.path}/{made.id}"
    return Batch.of(made)


@batches.get("/{batch}", response=Batch, **named("查看批次", "A batch"))
def get_batch(request: Call, batch: str) -> Batch:
    return Batch.of(queries.batch(request.auth, batch))


@packages.post("", response=list[Batch], **named("提交数据包", "Hand in a package", example={"upload": "UPLOAD"}))
def accept_package(request: Call, body: NewPackage) -> list[Batch]:
    """A package (`shudu package make`) that a registered key of your party has signed; each file becomes a batch."""
    row = queries.upload(request.auth, body.upload)
    with queries.source_of(row) as source:
        return [
            Batch.of(one)
            for one in actions.accept_package(request.auth, source, idempotency_key=request.idempotency_key)
        ]


@keys.get("", response=Page[SenderKey], **named("登记的密钥", "Your keys"))
def list_keys(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[SenderKey]:
    """With which your party signs."""
    rows = page(request, response, query, queries.sender_keys(request.auth))
    return Page(items=[SenderKey.of(row) for row in rows])


_KEY = {"verifier": "91510100MA0000103G+1a2b3c4d+AQ…", "days": 731}


@keys.post("", response={201: SenderKey}, **named("登记密钥", "Register a key", example=_KEY))
def register_key(request: Call, body: RegisterKey) -> SenderKey:
    """Earlier keys stay valid for their time."""
    return SenderKey.of(actions.register_key(request.auth, body, idempotency_key=request.idempotency_key))


@keys.delete("/{sender_key}", response=SenderKey, **named("撤销密钥", "Revoke a key"))
def revoke_key(request: Call, sender_key: str) -> SenderKey:
    """What it signs is refused from now on; what was accepted stays."""
    return SenderKey.of(actions.revoke_key(request.auth, sender_key, idempotency_key=request.idempotency_key))
