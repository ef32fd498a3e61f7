"""Sources and feeds in the API. No call connects to a database: what is asked here the worker does."""

from __future__ import annotations

from typing import Any, Literal, cast

from django.http import HttpResponse
from ninja import Query, Router
from pydantic import BaseModel

from shudu.policy.api import Call, Moment, Page, Paging, Parameters, named, page

from . import actions, queries
from .models import Feed as FeedRow
from .models import Source as SourceRow
from .types import AddSource, OpenFeed, Rule, Survey, Word

sources = Router(tags=["sources"])
feeds = Router(tags=["sources"])


class Source(BaseModel):
    """A database that tables are read from. Its password is never told."""

    id: str
    owner: str
    name: str
    kind: str
    host: str
    port: int
    database: str
    user: str
    tls: str
    state: Literal["active", "closed"]
    created: Moment

    @classmethod
    def of(cls, row: SourceRow) -> Source:
        names = ("id", "owner", "name", "kind", "host", "port", "database", "user", "tls", "created")
        return cls(**{name: getattr(row, name) for name in names}, state=cast(Any, str(row.state)))


class Found(BaseModel):
    """A table of a source (`view` when it is one) or a column of one (`declared` as the server says, `watermark` when
    its values have an order to go on from)."""

    name: str
    view: bool | None = None
    declared: str | None = None
    watermark: bool | None = None


class SourceContents(BaseModel):
    """What was last found in a source, at `at`. `found` is null before anything was; `run` is the latest look."""

    source: str
    table: str | None
    run: str | None
    state: Literal["queued", "held", "closed", "failed"] | None
    error: dict[str, Any] | None
    found: list[Found] | None
    more: bool
    at: Moment | None

    @classmethod
    def of(cls, row: SourceRow, table: str | None) -> SourceContents:
        told = queries.surveyed(row, table)
        return cls(
            source=row.id,
            table=table or None,
            run=told.run.id if told.run else None,
            state=cast(Any, str(told.run.state)) if told.run else None,
            error=told.error,
            found=None if told.found is None else [Found(**one) for one in told.found],
            more=told.more,
            at=told.at,
        )


class Standing(BaseModel):
    """How a feed's latest refresh stands. `odd` counts, by column, what had no counterpart and became no value."""

    run: str
    state: Literal["queued", "held", "closed", "failed"]
    error: dict[str, Any] | None
    meters: dict[str, int]
    odd: dict[str, int]
    closed: Moment | None


class Feed(BaseModel):
    """What keeps an asset current from a table of a source. `asset` is null until the first run has published it."""

    id: str
    owner: str
    source: str
    asset: str | None
    table: str
    columns: list[str]
    rule: Rule
    state: Literal["active", "closed"]
    due: Moment | None
    created: Moment
    latest: Standing

    @classmethod
    def of(cls, row: FeedRow, standing: dict[str, Any] | None = None) -> Feed:
        return cls(
            id=row.id,
            owner=row.owner,
            source=row.source_id,
            asset=row.asset or None,
            table=row.table,
            columns=row.columns,
            rule=Rule(**row.rule),
            state=cast(Any, str(row.state)),
            due=row.due,
            created=row.created,
            latest=Standing(**(standing or queries.standing(row))),
        )


_SOURCE = {
    "name": "业务库", "kind": "postgresql", "host": "db.example.cn", "database": "business", "user": "reader",
    "password": "PASSWORD",
}  # fmt: skip
_FEED = {"source": "SOURCE", "table": "public.customers", "title": "客户", "key": "customer_no"}


@sources.get("", response=Page[Source], **named("本主体的来源库", "Your party's sources"))
def list_sources(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Source]:
    return Page(items=[Source.of(row) for row in page(request, response, query, queries.sources(request.auth))])


@sources.post("", response={201: Source}, **named("登记来源库", "Add a source", example=_SOURCE))
def add_source(request: Call, body: AddSource) -> Source:
    """The operating company must have allowed its address (option `source_hosts`)."""
    return Source.of(actions.add_source(request.auth, body, idempotency_key=request.idempotency_key))


@sources.delete("/{source}", response=Source, **named("停用来源库", "Close a source"))
def close_source(request: Call, source: str) -> Source:
    """Its password is destroyed."""
    return Source.of(actions.close_source(request.auth, source, idempotency_key=request.idempotency_key))


_SURVEY = named("查看来源库的表", "Look into a source", example={"table": "public.customers"})


@sources.post("/{source}/contents", response={202: SourceContents}, **_SURVEY)
def survey_source(request: Call, source: str, body: Survey) -> SourceContents:
    """The worker looks which tables there are, or which columns `table` has; `GET` says what it found."""
    row = actions.survey(request.auth, source, body, idempotency_key=request.idempotency_key)
    return SourceContents.of(row, body.table)


class OfTable(Parameters):
    """What was found in a source: its tables, or the columns of one."""

    table: Word | None = None


@sources.get("/{source}/contents", response=SourceContents, **named("来源库里有什么", "What is in a source"))
def get_contents(request: Call, source: str, query: Query[OfTable]) -> SourceContents:
    """The tables of a source, or the columns of `table`, as last found."""
    return SourceContents.of(queries.source(request.auth, source), query.table)


@feeds.get("", response=Page[Feed], **named("供数", "Feeds"))
def list_feeds(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Feed]:
    rows = page(request, response, query, queries.feeds(request.auth))
    standings = queries.standings(rows)
    return Page(items=[Feed.of(row, standings[row.id]) for row in rows])


@feeds.post("", response={201: Feed}, **named("从来源库发布", "Publish from a source", example=_FEED))
def open_feed(request: Call, response: HttpResponse, body: OpenFeed) -> Feed:
    """The worker reads the table and publishes it; `latest` says how far it is, `asset` what came of it."""
    row = actions.open_feed(request.auth, body, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path}/{row.id}"
    return Feed.of(row)


@feeds.get("/{feed}", response=Feed, **named("查看供数", "A feed"))
def get_feed(request: Call, feed: str) -> Feed:
    return Feed.of(queries.feed(request.auth, feed))


@feeds.post("/{feed}/refresh", response={202: Feed}, **named("立即刷新", "Refresh now"))
def refresh_feed(request: Call, feed: str) -> Feed:
    """The worker reads what is new and lands it as the asset's next version; `latest` says how far it is."""
    return Feed.of(actions.refresh(request.auth, feed, idempotency_key=request.idempotency_key))


@feeds.delete("/{feed}", response=Feed, **named("停止供数", "Close a feed"))
def close_feed(request: Call, feed: str) -> Feed:
    """The asset stays, with all its versions."""
    return Feed.of(actions.close_feed(request.auth, feed, idempotency_key=request.idempotency_key))
