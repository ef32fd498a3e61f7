"""Organisations, their money and their tokens: `shudu orgs`, `shudu accounts`, `shudu tokens`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy.types import Invalid, Text

from .listing import After, Limit, part, stamp
from .listing import show as show_part
from .session import As, Home, Json, Key, session, typed

if TYPE_CHECKING:
    from shudu.identity.queries import Token

orgs = typer.Typer(no_args_is_help=True, help="Organisations (主体).")
accounts = typer.Typer(no_args_is_help=True, help="Money, simulated (模拟资金).")
tokens = typer.Typer(no_args_is_help=True, help="API tokens of an organisation.")


def fen(yuan: str, name: str) -> int:
    """Yuan as written, such as 12.50, in integer 分; more than two decimals are refused, never rounded."""
    try:
        amount = Decimal(yuan) * 100
        if amount.is_finite() and amount == amount.to_integral_value() and 0 <= amount <= 10**15:
            return int(amount)
    except (ArithmeticError, ValueError):  # no number, or one that overflows
        pass
    raise Invalid(
        "money.amount",
        Text(f"{name} 不是有效金额：{yuan}。", f"{name} is not an amount of money: {yuan}."),
        Text(
            "请以元为单位，最多两位小数，例如 1200 或 12.50。",
            "Give yuan with at most two decimals, such as 1200 or 12.50.",
        ),
    )


def yuan(amount: int) -> str:
    return f"{amount / 100:,.2f}" if amount < 10**12 else f"{Decimal(amount) / 100:,.2f}"


@orgs.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Registered name.")],
    code: Annotated[str, typer.Option("--code", metavar="USCC", help="Unified social credit code (GB 32100).")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Register an organisation; it may provide, model and buy."""
    with session(home, as_, json) as current:
        from shudu.identity import actions
        from shudu.identity.types import CreateParty

        request = typed(CreateParty, name=name, code=code)
        party = actions.create_party(current.actor(), request, idempotency_key=key)
        current.show(
            {"id": party.id, "name": party.name, "code": party.code, "roles": sorted(party.roles)},
            Text("主体已登记。", "The organisation is registered."),
        )


@orgs.command("list")
def list_orgs(home: Home = None, as_: As = None, json: Json = False) -> None:
    """Who is registered here."""
    with session(home, as_, json) as current:
        from shudu.identity import queries

        rows = [
            {"id": row.id, "name": row.name, "code": row.code, "roles": sorted(row.roles)}
            for row in queries.parties(current.actor())
        ]
        current.show(
            {"id": None, "organisations": rows}, Text(f"共 {len(rows)} 个主体。", f"{len(rows)} organisations.")
        )


@orgs.command("show")
def show_org(
    org: Annotated[
        str | None, typer.Argument(help="Organisation: id, code or name (default: the one you act for).")
    ] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """An entry of the register of parties."""
    with session(home, as_, json) as current:
        from shudu.identity import queries

        actor = current.actor()
        row = queries.registered(actor, queries.resolve(org).id if org else actor.party)
        current.show(
            {"id": row.id, "name": row.name, "code": row.code, "roles": sorted(row.roles), "state": row.state},
            Text("主体。", "The organisation."),
        )


@accounts.command("deposit")
def deposit(
    org: Annotated[str, typer.Argument(help="Organisation: id, code or name.")],
    amount: Annotated[str, typer.Option("--yuan", metavar="N", help="Amount in yuan.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Credit an organisation with simulated funds (the operating company does this)."""
    with session(home, as_, json) as current:
        from shudu.accounts import actions, queries
        from shudu.identity import queries as identity

        party = identity.resolve(org)
        transfer = actions.deposit(current.actor(), party.id, fen(amount, "--yuan"), idempotency_key=key)
        balance = queries.balance(party.id, "CNY.fen")
        current.show(
            {
                "id": transfer.id,
                "party": party.id,
                "available_fen": balance.available,
                "reserved_fen": balance.reserved,
            },
            Text(
                f"已入账（模拟资金），可用 ¥{yuan(balance.available)}。",
                f"Credited (simulated): ¥{yuan(balance.available)} available.",
            ),
        )


@accounts.command("show")
def show(
    org: Annotated[str, typer.Argument(help="Organisation: id, code or name.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """An organisation's balance and statement: its own, or any for the operating company."""
    with session(home, as_, json) as current:
        from shudu.accounts import queries
        from shudu.identity import queries as identity

        party = identity.resolve(org)
        queries.require_readable(current.actor(), party.id)
        balance = queries.balance(party.id, "CNY.fen")
        lines = [line.to_json() for line in queries.statement(party.id, "CNY.fen")]
        current.show(
            {"id": party.id, "available_fen": balance.available, "reserved_fen": balance.reserved, "lines": lines},
            Text(
                f"{party.name}：可用 ¥{yuan(balance.available)}，预留 ¥{yuan(balance.reserved)}。",
                f"{party.name}: ¥{yuan(balance.available)} available, ¥{yuan(balance.reserved)} reserved.",
            ),
        )


@tokens.command("create")
def issue(
    org: Annotated[str, typer.Argument(help="Organisation: id, code or name.")],
    write: Annotated[bool, typer.Option("--write", help="Also good for writing.")] = False,
    days: Annotated[int, typer.Option(help="Days it is good for (1–366).")] = 90,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Issue an API token; its secret is told this once."""
    with session(home, as_, json) as current:
        from shudu.identity import actions
        from shudu.identity import queries as identity
        from shudu.identity.types import IssueToken, Scope

        party = identity.resolve(org)
        scopes = frozenset({Scope.READ, Scope.WRITE} if write else {Scope.READ})
        request = typed(IssueToken, party=party.id, scopes=scopes, days=days)
        token = actions.issue_token(current.actor(org), request, idempotency_key=key)
        current.show(
            {
                "id": token.id,
                "party": party.id,
                "scopes": token.scopes,
                "expires": token.expires,
                "secret": token.secret,
            },
            Text("令牌只显示这一次，请妥善保存。", "The secret is shown this once; keep it safe."),
        )


@tokens.command("list")
def list_tokens(
    org: Annotated[
        str | None, typer.Argument(help="Organisation: id, code or name (default: the one you act for).")
    ] = None,
    after: After = None,
    limit: Limit = 50,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """An organisation's tokens, newest first; their secrets are gone."""
    with session(home, as_, json) as current:
        from shudu.identity import queries

        actor = current.actor(org)
        rows = part(queries.token_rows(actor, actor.party), after, limit)

        def brief(row: Token) -> dict[str, Any]:
            moments = {"expires": stamp(row.expires), "revoked": stamp(row.revoked), "last_used": stamp(row.last_used)}
            return {"id": row.id, "party": row.party_id, "scopes": row.scopes, **moments}

        show_part(current, "tokens", rows, limit, brief, Text("令牌", "tokens"))


@tokens.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(help="Token id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """End a token now."""
    with session(home, as_, json) as current:
        from shudu.identity import actions

        row = actions.revoke_token(current.actor(), token, idempotency_key=key)
        current.show({"id": row.id, "party": row.party_id}, Text("令牌已撤销。", "The token is revoked."))
