"""Runs, their receipts and their results in the API."""

from __future__ import annotations

import base64
from typing import Any, Literal

from django.http import HttpResponse
from ninja import Query, Router
from pydantic import BaseModel

from shudu.catalog import queries as catalog
from shudu.catalog.queries import Asset, Version
from shudu.lake import queries as lake
from shudu.ledger.types import receipt
from shudu.policy.api import Call, Moment, Page, Paging, Said, named, page
from shudu.policy.types import Actor

from . import actions, queries
from .models import Run as RunRow

runs = Router(tags=["runs"])
results = Router(tags=["results"])
MEDIA_TYPES = {"product.csv": "text/csv; charset=utf-8", "product.parquet": "application/vnd.apache.parquet"}


class RunInput(BaseModel):
    """What a run used, under which agreement."""

    role: str
    version: str
    agreement: str | None


class RunOutput(BaseModel):
    """What a run made or handed over."""

    asset: str
    version: str


class ResultFile(BaseModel):
    """A file of a result, as it is delivered."""

    name: str
    sha256: str


class Result(BaseModel):
    """What a run made for its party."""

    id: str
    title: dict[str, str]
    run: str
    version: str | None
    files: list[ResultFile]
    created: Moment

    @classmethod
    def of(cls, row: Asset, version: Version | None) -> Result:
        files = catalog.files(version) if version else ()
        return cls(
            id=row.id,
            title=catalog.title(row),
            run=row.run,
            version=version.id if version else None,
            files=[ResultFile(name=one.name, sha256=one.delivered_sha256) for one in files],
            created=row.created,
        )


class Failure(BaseModel):
    """Why a run failed."""

    code: str
    message: Said
    remedy: Said | None = None


class Run(BaseModel):
    """A bounded window of governed use."""

    id: str
    kind: str
    state: Literal["queued", "held", "closed", "failed"]
    step: str | None
    party: str
    order: str | None
    purpose: str
    created: Moment
    closed: Moment | None
    inputs: list[RunInput]
    result: RunOutput | None
    meters: dict[str, int]
    checks: list[dict[str, Any]]
    error: Failure | None

    @classmethod
    def of(cls, row: RunRow, actor: Actor, *, evidence: bool | None = None) -> Run:
        outputs = list(row.outputs.all())
        return cls(
            id=row.id,
            kind=row.kind,
            state=str(row.state),  # type: ignore[arg-type]
            step=row.step or None,
            party=row.party,
            order=row.order or None,
            purpose=row.purpose,
            created=row.created,
            closed=row.closed,
            inputs=[
                RunInput(role=one.role, version=one.version, agreement=one.agreement or None)
                for one in sorted(row.inputs.all(), key=lambda one: one.role)
            ],
            result=RunOutput(asset=outputs[0].asset, version=outputs[0].version) if outputs else None,
            meters=row.meters,
            checks=queries.checks(actor, row, evidence=evidence),
            error=Failure(**row.error) if row.error else None,
        )


@runs.get("", response=Page[Run], **named("任务列表", "Your runs"))
def list_runs(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Run]:
    """Your party's own, and those that used something of yours."""
    rows = queries.runs(request.auth).prefetch_related("inputs", "outputs")
    found = page(request, response, query, rows)
    seen = queries.seeing_evidence(request.auth, found)
    return Page(items=[Run.of(row, request.auth, evidence=row.id in seen) for row in found])


@runs.get("/{run}", response=Run, **named("查看任务", "Where a run stands"))
def get_run(request: Call, run: str) -> Run:
    return Run.of(queries.run(request.auth, run), request.auth)


_RECEIPT: dict[str, Any] = {
    "responses": {200: {"description": "OK", "content": {"application/json": {"schema": {"type": "object"}}}}}
}


@runs.get("/{run}/receipt", **named("存证回执", "The receipt of a closed run", **_RECEIPT))
def get_receipt(request: Call, run: str) -> HttpResponse:
    """The very bytes to keep and to verify: another spelling of the same JSON is no receipt."""
    content = receipt.encode(queries.receipt_of(request.auth, run))
    name = f'attachment; filename="{run}.receipt.json"'
    return HttpResponse(content, content_type="application/json", headers={"Content-Disposition": name})


@results.get("", response=Page[Result], **named("交付结果列表", "Your results"))
def list_results(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Result]:
    """What your party's runs made; `version` is null when it was withdrawn or erased."""
    rows = page(request, response, query, catalog.results(request.auth))
    latest = catalog.latest_of(row.id for row in rows)
    return Page(items=[Result.of(row, latest.get(row.id)) for row in rows])


_FILE: dict[str, Any] = {
    "responses": {
        200: {
            "description": "OK",
            "content": {
                kind.split(";")[0]: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()
            },
        }
    }
}


@results.get("/{result}/{file}", **named("下载交付结果", "Download a result", **_FILE))
def download_result(request: Call, result: str, file: Literal["product.csv", "product.parquet"]) -> HttpResponse:
    """Every call is a delivery, recorded before the first byte leaves; `Link` leads to the delivery's own receipt."""
    if request.head:  # what would come, without its coming: no delivery
        _, known = queries.deliverable(request.auth, result, file)
        headers = {
            "Content-Length": str(known.bytes),
            "ETag": f'"{known.delivered_sha256}"',
            "Cache-Control": "no-store",
        }
        return HttpResponse(content_type=MEDIA_TYPES[file], headers=headers)
    run = actions.deliver(request.auth, result, file)
    stored, place = queries.delivered(run)
    content = lake.store().read_file(stored, place)
    digest = base64.b64encode(bytes.fromhex(stored.delivered_sha256)).decode()
    root = request.path.rsplit("/results/", 1)[0]
    return HttpResponse(
        content,
        content_type=MEDIA_TYPES[file],
        headers={
            "Content-Disposition": f'attachment; filename="{result}.{file}"',
            "Repr-Digest": f"sha-256=:{digest}:",
            "ETag": f'"{stored.delivered_sha256}"',
            "Link": f'<{root}/runs/{run.id}/receipt>; rel="describedby"',
            "Cache-Control": "no-store",
        },
    )
