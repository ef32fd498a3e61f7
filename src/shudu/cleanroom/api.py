"""Held releases in the API: what waits for the data's owner, what would leave, and the decision."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpResponse
from ninja import Query, Router
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shudu.policy import plain_text
from shudu.policy.api import Call, Moment, Page, Paging, Said, named, page
from shudu.policy.types import Actor
from shudu.runs import queries as runs

from . import actions, queries
from .models import Release as ReleaseRow
from .types import RULES, OwnRules

releases = Router(tags=["releases"])
MEDIA_TYPES = {"product.csv": "text/csv; charset=utf-8", "product.parquet": "application/vnd.apache.parquet"}


class Release(BaseModel):
    """A release that was held: of which run and data, for which checks, until when, and what was decided."""

    run: str
    party: str
    asset: str
    version: str
    held_for: list[str]
    due: Moment
    decision: str | None
    decided: Moment | None
    files: dict[str, str]
    checks: list[dict[str, Any]]

    @classmethod
    def of(cls, row: ReleaseRow) -> Release:
        run = runs.run_row(row.run)
        return cls(
            run=row.run,
            party=run.party,
            asset=row.asset,
            version=row.version,
            held_for=row.held_for,
            due=row.due,  # type: ignore[arg-type]  # what is held has a due day
            decision=row.decision or None,
            decided=row.decided,
            files=row.files,
            checks=queries.checks(row),
        )


class Opinion(BaseModel):
    """Why somebody decided as they did. Only a digest of it is kept."""

    model_config = ConfigDict(extra="forbid")

    opinion: Annotated[str, Field(min_length=1, max_length=actions.MOST_WORDS), AfterValidator(plain_text.clean_lines)]


@releases.get("", response=Page[Release], **named("待放行列表", "Releases that wait for your decision"))
def list_releases(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Release]:
    """Made of your party's data, held for a person."""
    rows = page(request, response, query, queries.held(request.auth))
    return Page(items=[Release.of(row) for row in rows])


class ReleaseRule(BaseModel):
    """One rule: as the house has it, as your party asked for (null: it did not), and what holds for your part."""

    rule: str
    name: Said
    house: int | float | list[str] | None
    own: int | float | list[str] | None
    holds: int | float | list[str] | None


class ReleaseRulesInFull(BaseModel):
    """Every rule of release. `group_by` null: any columns that were agreed."""

    items: list[ReleaseRule]

    @classmethod
    def of(cls, actor: Actor) -> ReleaseRulesInFull:
        return cls(
            items=[
                ReleaseRule(
                    rule=each.name,
                    name=Said.of(RULES[each.name]),
                    house=_listed(each.house),
                    own=_listed(each.own),
                    holds=_listed(each.holds),
                )
                for each in queries.rules(actor)
            ]
        )


def _listed(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


@releases.get(
    "/rules", response=ReleaseRulesInFull, **named("放行规则", "The rules of release that hold for your part")
)
def get_release_rules(request: Call) -> ReleaseRulesInFull:
    return ReleaseRulesInFull.of(request.auth)


@releases.post(
    "/rules",
    response=ReleaseRulesInFull,
    **named("从严放行规则", "Ask for stricter rules of release", example={"min_group": 20, "dominant_share": 0.8}),
)
def restrict_releases(request: Call, body: OwnRules) -> ReleaseRulesInFull:
    """For every release your data or models are part of, in the place of what you asked for before; never laxer."""
    actions.restrict(request.auth, body, idempotency_key=request.idempotency_key)
    return ReleaseRulesInFull.of(request.auth)


@releases.get("/{run}", response=Release, **named("查看待放行结果", "A held release"))
def get_release(request: Call, run: str) -> Release:
    return Release.of(queries.release(request.auth, run))


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


@releases.get("/{run}/files/{file}", **named("查看待放行文件", "What would leave, byte for byte", **_FILE))
def get_release_file(request: Call, run: str, file: Literal["product.csv", "product.parquet"]) -> HttpResponse:
    """While it is held."""
    content = queries.held_file(queries.release(request.auth, run), file)
    return HttpResponse(content, content_type=MEDIA_TYPES[file], headers={"Cache-Control": "no-store"})


_OPINION = {"opinion": "Groups of branches; the large one is public anyway."}


@releases.post("/{run}/approve", response=Release, **named("准予放行", "Let a held release leave", example=_OPINION))
def approve_release(request: Call, run: str, body: Opinion) -> Release:
    """The run goes on and hands over exactly these bytes, within the days the policy names."""
    row = queries.release(request.auth, run)
    return Release.of(actions.approve(request.auth, row.run, body.opinion, idempotency_key=request.idempotency_key))


@releases.post("/{run}/refuse", response=Release, **named("不予放行", "Keep a held release in", example=_OPINION))
def refuse_release(request: Call, run: str, body: Opinion) -> Release:
    """The run ends without a result; nobody is charged."""
    row = queries.release(request.auth, run)
    return Release.of(actions.refuse(request.auth, row.run, body.opinion, idempotency_key=request.idempotency_key))
