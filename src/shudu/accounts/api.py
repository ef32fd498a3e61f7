"""Balances, statements and deposits in the API. Amounts are whole 分."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpResponse
from ninja import Query, Router
from pydantic import BaseModel, ConfigDict, Field

from shudu.policy.api import Call, Moment, Page, Paging, link, named

from . import actions, queries
from .types import CAP, Line

accounts = Router(tags=["accounts"])
MONEY = actions.MONEY


class Account(BaseModel):
    """What a party has, simulated, in 分."""

    party: str
    available_fen: int
    reserved_fen: int

    @classmethod
    def of(cls, party: str) -> Account:
        balance = queries.balance(party, MONEY)
        return cls(party=party, available_fen=balance.available, reserved_fen=balance.reserved)


class StatementLine(BaseModel):
    """One transfer as its holder sees it: what it changed, and what was available after it."""

    id: str
    time: Moment
    reason: str
    reference: str
    available_fen: int
    reserved_fen: int
    balance_fen: int

    @classmethod
    def of(cls, line: Line) -> StatementLine:
        return cls(
            id=line.transfer,
            time=line.time,
            reason=line.reason,
            reference=line.reference,
            available_fen=line.available,
            reserved_fen=line.reserved,
            balance_fen=line.balance,
        )


class Deposit(BaseModel):
    """Simulated funds to credit."""

    model_config = ConfigDict(extra="forbid")

    amount_fen: Annotated[int, Field(ge=1, le=CAP, strict=True)]


class Deposited(Account):
    """The balance after a deposit, and the deposit's id."""

    transfer: str


@accounts.get("/{party}", response=Account, **named("余额", "A party's balance"))
def get_account(request: Call, party: str) -> Account:
    """The party's own, or any for the operating company."""
    queries.require_readable(request.auth, party)
    return Account.of(party)


@accounts.get("/{party}/statement", response=Page[StatementLine], **named("对账单", "A party's statement"))
def get_statement(request: Call, response: HttpResponse, party: str, query: Query[Paging]) -> Page[StatementLine]:
    """Every transfer that touched the party's money, the newest first."""
    queries.require_readable(request.auth, party)
    lines = queries.newest(party, MONEY, query.limit + 1, before=query.after)
    shown = link(request, response, query.limit, lines, lambda line: line.transfer)
    return Page(items=[StatementLine.of(line) for line in shown])


_DEPOSIT = named("入账（模拟资金）", "Credit simulated funds", example={"amount_fen": 1_000_000})


@accounts.post("/{party}/deposits", response={201: Deposited}, **_DEPOSIT)
def deposit(request: Call, party: str, body: Deposit) -> Deposited:
    """The operating company does this."""
    transfer = actions.deposit(request.auth, party, body.amount_fen, idempotency_key=request.idempotency_key)
    return Deposited(transfer=transfer.id, **Account.of(party).model_dump())
