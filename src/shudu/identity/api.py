"""Parties and tokens in the API."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpResponse
from ninja import Query, Router
from pydantic import BaseModel, ConfigDict, Field

from shudu.policy.api import Call, Moment, Page, Paging, named, page
from shudu.policy.types import Role

from . import actions, queries
from .models import Party as PartyRow
from .models import Token as TokenRow
from .types import CreateParty, IssueToken, PartyKind, PartyState, Scope

me = Router(tags=["parties"])
parties = Router(tags=["parties"])
tokens = Router(tags=["tokens"])


class Party(BaseModel):
    """An entry of the register of parties."""

    id: str
    kind: PartyKind
    name: str
    code: str | None
    roles: list[Role]
    state: PartyState

    @classmethod
    def of(cls, row: PartyRow) -> Party:
        return cls(
            id=row.id,
            kind=PartyKind(row.kind),
            name=row.name,
            code=row.code,
            roles=sorted(row.roles),
            state=PartyState(row.state),
        )


class PartyQuery(Paging):
    """Part of the register; `code` or `name` find the party that has exactly it."""

    code: Annotated[str, Field(max_length=64, pattern=r"^[ -~]*$")] = ""
    name: Annotated[str, Field(max_length=200)] = ""


class Token(BaseModel):
    """A token as its owner sees it. `secret` is told once, in the answer that issued it, never on a replay."""

    id: str
    party: str
    person: str | None
    scopes: list[Scope]
    issued: Moment
    expires: Moment
    revoked: Moment | None
    last_used: Moment | None
    secret: str | None = None

    @classmethod
    def of(cls, row: TokenRow) -> Token:
        return cls(
            id=row.id,
            party=row.party_id,
            person=row.person_id,
            scopes=[Scope(scope) for scope in row.scopes],
            issued=row.issued,
            expires=row.expires,
            revoked=row.revoked,
            last_used=row.last_used,
            secret=row.secret or None,
        )


class NewToken(BaseModel):
    """A token to issue: of the caller's own party unless it says another the caller manages."""

    model_config = ConfigDict(extra="forbid")

    party: str | None = None
    person: str | None = None
    scopes: Annotated[frozenset[Scope], Field(min_length=1)] = frozenset({Scope.READ})
    days: Annotated[int, Field(ge=1, le=366)] = 90


@me.get("", response=Party, **named("当前令牌所代表的主体", "The party this token stands for"))
def who_am_i(request: Call) -> Party:
    return Party.of(queries.party(request.auth.party))


@parties.get("", response=Page[Party], **named("主体名录", "The register of parties"))
def list_parties(request: Call, response: HttpResponse, query: Query[PartyQuery]) -> Page[Party]:
    rows = queries.register(request.auth, code=query.code, name=query.name)
    return Page(items=[Party.of(row) for row in page(request, response, query, rows)])


_PARTY = {"name": "蓉城数据有限公司", "code": "91510100MA0000103G"}


@parties.post("", response={201: Party}, **named("登记主体", "Register a party", example=_PARTY))
def create_party(request: Call, response: HttpResponse, body: CreateParty) -> Party:
    """The operating company does this."""
    row = actions.create_party(request.auth, body, idempotency_key=request.idempotency_key)
    response["Location"] = f"{request.path}/{row.id}"
    return Party.of(row)


@parties.get("/{party}", response=Party, **named("查看主体", "A party"))
def get_party(request: Call, party: str) -> Party:
    return Party.of(queries.registered(request.auth, party))


@tokens.get("", response=Page[Token], **named("本主体的令牌", "Your party's tokens"))
def list_tokens(request: Call, response: HttpResponse, query: Query[Paging]) -> Page[Token]:
    rows = queries.token_rows(request.auth, request.auth.party)
    return Page(items=[Token.of(row) for row in page(request, response, query, rows)])


@tokens.post("", response={201: Token}, **named("签发令牌", "Issue a token", example={"scopes": ["read"], "days": 90}))
def issue_token(request: Call, body: NewToken) -> Token:
    order = IssueToken(party=body.party or request.auth.party, scopes=body.scopes, days=body.days, person=body.person)
    return Token.of(actions.issue_token(request.auth, order, idempotency_key=request.idempotency_key))


@tokens.delete("/{token}", response=Token, **named("撤销令牌", "Revoke a token"))
def revoke_token(request: Call, token: str) -> Token:
    return Token.of(actions.revoke_token(request.auth, token, idempotency_key=request.idempotency_key))
