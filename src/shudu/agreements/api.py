"""Offers and agreements in the API: their terms in plain words, the machine-enforced ones marked."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from django.http import HttpResponse
from ninja import Query, Router
from pydantic import BaseModel, ConfigDict, Field

from shudu.policy.api import Call, Moment, Page, Paging, Said, named, page
from shudu.policy.types import Actor

from . import actions, queries
from .models import Agreement as AgreementRow
from .models import Offer as OfferRow
from .models import OfferLine as LineRow
from .types import DraftOffer, DraftTable, RevocationReason, plain_words

offers = Router(tags=["offers"])
agreements = Router(tags=["agreements"])


class Term(BaseModel):
    """One of the terms in words; `enforced` when the machine holds it, else it binds in law only."""

    enforced: bool
    text: Said


class OfferLine(BaseModel):
    """One asset of an offer, and on which terms."""

    id: str
    role: Literal["data", "model"]
    asset: str
    version: str
    assigner: str
    accepted: bool
    terms_sha256: str

    @classmethod
    def fields_of(cls, row: LineRow) -> dict[str, Any]:
        return {
            "id": row.id,
            "role": str(row.role),
            "asset": row.asset,
            "version": row.version,
            "assigner": row.assigner,
            "accepted": row.accepted_at is not None,
            "terms_sha256": row.terms_sha256,
        }


class OfferLineInFull(OfferLine):
    terms: list[Term]


class Offer(BaseModel):
    """Assets offered together at a price per run, in 分."""

    id: str
    state: Literal["drafted", "live", "withdrawn"]
    title: dict[str, str]
    drafted_by: str
    price_fen: int
    split: dict[str, int]
    until: Moment
    created: Moment
    lines: list[OfferLine]

    @classmethod
    def fields_of(cls, row: OfferRow) -> dict[str, Any]:
        return {
            "id": row.id,
            "state": str(row.state),
            "title": row.title,
            "drafted_by": row.drafted_by,
            "price_fen": row.price_fen,
            "split": row.split,
            "until": row.until,
            "created": row.created,
        }


class OfferAnonymity(BaseModel):
    """How rows were let through: `k` counted by `quasi`, and by none of the suggested columns `left_out`;
    `acknowledged` when it was below `least` and said back."""

    quasi: list[str]
    left_out: list[str]
    k: int
    least: int
    acknowledged: bool


class OfferInFull(Offer):
    """`anonymity` is of rows to be handed over, and shown to their owner, the operator and the auditor."""

    lines: list[OfferLineInFull]  # type: ignore[assignment]  # each line says more than in a list
    anonymity: OfferAnonymity | None

    @classmethod
    def of(cls, actor: Actor, row: OfferRow) -> OfferInFull:
        lines = [OfferLineInFull(**OfferLine.fields_of(line), terms=_words(line)) for line in queries.lines(row.id)]
        measured = queries.anonymity_of(actor, row)
        anonymity = OfferAnonymity(**measured) if measured else None
        return cls(**Offer.fields_of(row), lines=lines, anonymity=anonymity)


class Agreement(BaseModel):
    """Concluded terms: one assigner, one assignee, one asset."""

    id: str
    kind: str
    state: Literal["active", "revoked"]
    offer: str
    assigner: str
    assignee: str
    asset: str
    version: str
    runs: int
    until: Moment
    concluded_at: Moment
    revoked_at: Moment | None
    revocation_reason: str | None
    terms_sha256: str

    @classmethod
    def fields_of(cls, row: AgreementRow) -> dict[str, Any]:
        return {
            "id": row.id,
            "kind": str(row.kind),
            "state": str(row.state),
            "offer": cast(Any, row).offer_id,
            "assigner": row.assigner,
            "assignee": row.assignee,
            "asset": row.asset,
            "version": row.version,
            "runs": row.runs,
            "until": row.until,
            "concluded_at": row.concluded_at,
            "revoked_at": row.revoked_at,
            "revocation_reason": row.revocation_reason or None,
            "terms_sha256": row.terms_sha256,
        }


class AgreementInFull(Agreement):
    terms: list[Term]

    @classmethod
    def of(cls, row: AgreementRow) -> AgreementInFull:
        return cls(**Agreement.fields_of(row), terms=_words(row))


class Revocation(BaseModel):
    """Why an agreement ends."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[RevocationReason, Field()]


def _words(row: LineRow | AgreementRow) -> list[Term]:
    return [Term(enforced=enforced, text=Said.of(text)) for text, enforced in plain_words(queries.terms_of(row))]


@offers.get("", response=Page[Offer], **named("上架列表", "Offers"))
def list_offers(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Offer]:
    """Live ones, and those your party has a part in."""
    rows = page(request, response, query, queries.offers(request.auth))
    return Page(
        items=[
            Offer(**Offer.fields_of(row), lines=[OfferLine(**OfferLine.fields_of(line)) for line in _in_order(row)])
            for row in rows
        ]
    )


def _in_order(row: OfferRow) -> list[LineRow]:
    return sorted(row.lines.all(), key=lambda line: line.number)


_OFFER = {
    "data": "ASSET",
    "model": "MODEL",
    "group_by": ["contract"],
    "purposes": ["research", "statistics"],
    "bases": ["contract"],
    "runs": 3,
    "until": "2035-12-31",
    "price_fen": 120_000,
    "split": {"provider": 60, "modeller": 30, "platform": 10},
    "min_group": 10,
}


@offers.post("", response={201: OfferInFull}, **named("拟定上架", "Draft an offer", example=_OFFER))
def create_offer(request: Call, response: HttpResponse, body: DraftOffer) -> OfferInFull:
    """A table and a model together. Drafting accepts nothing: each party accepts its own line."""
    row = actions.draft(request.auth, body, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path}/{row.id}"
    return OfferInFull.of(request.auth, row)


_TABLE = {
    "data": "ASSET",
    "masks": {"phone": "mobile"},
    "where": ["tenure >= 12"],
    "purposes": ["research"],
    "bases": ["contract"],
    "runs": 3,
    "until": "2035-12-31",
    "price_fen": 50_000,
}


@offers.post(
    "/tables", response={201: OfferInFull}, **named("拟定数据交付", "Draft an offer to hand rows over", example=_TABLE)
)
def create_table_offer(request: Call, response: HttpResponse, body: DraftTable) -> OfferInFull:
    """Rows of your own table as the terms show them; personal data is masked whole unless said otherwise."""
    row = actions.draft_table(request.auth, body, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path.removesuffix('/tables')}/{row.id}"
    return OfferInFull.of(request.auth, row)


@offers.get("/{offer}", response=OfferInFull, **named("查看上架", "An offer, its terms in plain words"))
def get_offer(request: Call, offer: str) -> OfferInFull:
    return OfferInFull.of(request.auth, queries.offer(request.auth, offer))


# What a caller may not see is not there for it: looked up as the caller first, refused by the action only then.


@offers.post("/{offer}/accept", response=OfferInFull, **named("接受上架", "Accept your lines of an offer"))
def accept_offer(request: Call, offer: str) -> OfferInFull:
    """It is live when every line is accepted."""
    row = queries.offer(request.auth, offer)
    made = actions.accept(request.auth, row.id, idempotency_key=request.idempotency_key)
    return OfferInFull.of(request.auth, made)


@offers.post("/{offer}/withdraw", response=OfferInFull, **named("下架", "Withdraw an offer"))
def withdraw_offer(request: Call, offer: str) -> OfferInFull:
    """No new orders; agreements already concluded stand."""
    row = queries.offer(request.auth, offer)
    made = actions.withdraw(request.auth, row.id, idempotency_key=request.idempotency_key)
    return OfferInFull.of(request.auth, made)


@agreements.get("", response=Page[Agreement], **named("协议列表", "Your agreements"))
def list_agreements(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Agreement]:
    rows = page(request, response, query, queries.agreements(request.auth))
    return Page(items=[Agreement(**Agreement.fields_of(row)) for row in rows])


@agreements.get("/{agreement}", response=AgreementInFull, **named("查看协议", "An agreement"))
def get_agreement(request: Call, agreement: str) -> AgreementInFull:
    return AgreementInFull.of(queries.agreement(request.auth, agreement))


@agreements.post("/{agreement}/revoke", response=AgreementInFull, **named("撤销协议", "Revoke an agreement"))
def revoke_agreement(request: Call, agreement: str, body: Revocation) -> AgreementInFull:
    """No run may use it any more; what becomes of results its terms say."""
    key = request.idempotency_key
    return AgreementInFull.of(actions.revoke(request.auth, agreement, body.reason, idempotency_key=key))
