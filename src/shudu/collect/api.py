"""Uploads in the API. Parts follow “Resumable Uploads for HTTP” (IETF): `PATCH` at `Upload-Offset`, `HEAD` tells it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

from django.http import HttpResponse
from ninja import Header, Query, Router
from pydantic import BaseModel

from shudu.catalog import actions as catalog
from shudu.catalog import queries as assets
from shudu.catalog.types import PublishTable, TableFields
from shudu.policy.api import Call, Moment, Page, Paging, named, page
from shudu.policy.types import Invalid, Text

from . import actions, queries
from .models import Upload as UploadRow
from .types import CreateUpload

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
    """`HEAD` tells where to go on: `Upload-Offset`, `Upload-Length`, `Upload-Complete`."""
    return _answer(response, queries.upload(request.auth, upload))


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


def _media_type() -> Invalid:
    return Invalid(
        "upload.media_type",
        Text(f"上传的一段须为 {MEDIA_TYPE}。", f"A part is of the type {MEDIA_TYPE}."),
        Text("请改正 Content-Type 请求头，只发送文件的字节。", "Correct the header Content-Type; send bytes only."),
    )
