"""Offers and what they end in: `shudu offers`, `shudu agreements`."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy.types import Invalid, Text

from .anonymity import NotQuasi, Quasi
from .listing import After, Limit, part, show, stamp
from .parties import fen, yuan
from .session import As, Home, Json, Key, Session, listed, session, typed

if TYPE_CHECKING:
    from shudu.agreements.queries import Agreement, Offer, OfferLine

offers = typer.Typer(no_args_is_help=True, help="Offers (上架).")
agreements = typer.Typer(no_args_is_help=True, help="Agreements (交易合同).")


def mask_pairs(given: list[str] | None) -> dict[str, Any]:
    """`column=preset` for each of them."""
    from shudu.agreements.types import masks_of

    return dict(masks_of(given or []))


def _split(text: str) -> dict[str, int]:
    shares: dict[str, int] = {}
    for each in listed(text):
        role, _, share = each.partition("=")
        if not share.isdecimal() or role in shares:
            raise Invalid(
                "offer.split",
                Text(f"分成写法不正确：{text}。", f"The split is not written right: {text}."),
                Text("例如 provider=60,modeller=30,platform=10。", "For example provider=60,modeller=30,platform=10."),
            )
        shares[role] = int(share)
    return shares


@offers.command("create")
def create_offer(
    data: Annotated[str, typer.Option(metavar="ASSET", help="The table.")],
    model: Annotated[str, typer.Option(metavar="ASSET", help="The model.")],
    purpose: Annotated[str, typer.Option(metavar="P", help="Purposes it may be used for, comma separated.")],
    basis: Annotated[str, typer.Option(metavar="B", help="Legal basis (个人信息保护法 第十三条).")],
    count: Annotated[int, typer.Option("--runs", metavar="N", help="Runs per agreement.")],
    until: Annotated[str, typer.Option(metavar="DATE", help="Last day, such as 2027-06-30 (Asia/Shanghai).")],
    price: Annotated[str, typer.Option(metavar="YUAN", help="Price per run.")],
    split: Annotated[str, typer.Option(help="provider=60,modeller=30,platform=10")],
    group_by: Annotated[str, typer.Option(metavar="X,Y", help="Class A: columns the result is grouped by.")] = "",
    release: Annotated[str, typer.Option(metavar="A|B", help="What leaves: a table of groups, or metrics.")] = "A",
    label: Annotated[str, typer.Option(metavar="X", help="Class B: the column the scores are held against.")] = "",
    metrics: Annotated[
        str, typer.Option(metavar="M,N", help="Class B: auc, ks, log_loss, rmse, calibration, counts.")
    ] = "",
    review: Annotated[bool, typer.Option("--review", help="The data's owner looks at every result first.")] = False,
    min_group: Annotated[int, typer.Option(metavar="N", help="Fewest entities in a released group.")] = 10,
    where: Annotated[
        list[str] | None, typer.Option(metavar="COND", help="Only rows such as “tenure >= 12”; repeat it: all hold.")
    ] = None,
    mask: Annotated[
        list[str] | None, typer.Option(metavar="X=PRESET", help="Show a column masked, such as address=address.")
    ] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Draft an offer of a table and a model together. Drafting accepts nothing: each party accepts its own line."""
    with session(home, as_, json) as current:
        from shudu.agreements import actions, queries
        from shudu.agreements.types import DraftOffer

        request = typed(
            DraftOffer,
            data=data,
            model=model,
            group_by=listed(group_by),
            purposes=listed(purpose),
            bases=listed(basis),
            runs=count,
            until=_day(until),
            price_fen=fen(price, "--price"),
            split=_split(split),
            min_group=min_group,
            release=release,
            label=label or None,
            metrics=listed(metrics),
            review=review,
            where=tuple(where or ()),
            masks=mask_pairs(mask),
        )
        actor = current.actor(_drafter(current, data))
        offer = actions.draft(actor, request, idempotency_key=key)
        current.show(
            {"id": offer.id, "state": str(offer.state), "lines": [_line(line) for line in queries.lines(offer.id)]},
            Text("上架草案已拟定，待各方接受。", "The offer is drafted; each party now accepts its own line."),
        )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(
            "offer.until",
            Text(f"日期写法不正确：{text}。", f"Not a date: {text}."),
            Text("请写成 2027-06-30。", "Write it like 2027-06-30."),
        ) from None


@offers.command("table")
def create_table_offer(
    data: Annotated[str, typer.Argument(metavar="ASSET", help="The table.")],
    purpose: Annotated[str, typer.Option(metavar="P", help="Purposes it may be used for, comma separated.")],
    basis: Annotated[str, typer.Option(metavar="B", help="Legal basis (个人信息保护法 第十三条).")],
    count: Annotated[int, typer.Option("--runs", metavar="N", help="Deliveries per agreement.")],
    until: Annotated[str, typer.Option(metavar="DATE", help="Last day, such as 2027-06-30 (Asia/Shanghai).")],
    price: Annotated[str, typer.Option(metavar="YUAN", help="Price per delivery.")],
    columns: Annotated[str, typer.Option(metavar="X,Y", help="Columns to hand over; all when not given.")] = "",
    where: Annotated[
        list[str] | None, typer.Option(metavar="COND", help="Only rows such as “tenure >= 12”; repeat it: all hold.")
    ] = None,
    mask: Annotated[
        list[str] | None, typer.Option(metavar="X=PRESET", help="Show a column masked, such as phone=mobile.")
    ] = None,
    clear: Annotated[str, typer.Option(metavar="X,Y", help="Personal data to hand over as it is.")] = "",
    quasi: Quasi = "",
    not_quasi: NotQuasi = "",
    acknowledged_k: Annotated[
        int | None, typer.Option(metavar="K", help="Offer it although the smallest class has only so many records.")
    ] = None,
    provider: Annotated[int, typer.Option(metavar="PERCENT", help="The owner's share of the price.")] = 90,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Draft an offer to hand rows of a table over; columns of personal data are masked whole unless said otherwise."""
    with session(home, as_, json) as current:
        from shudu.agreements import actions, queries
        from shudu.agreements.types import DraftTable

        request = typed(
            DraftTable,
            data=data,
            columns=listed(columns),
            masks=mask_pairs(mask),
            clear=listed(clear),
            where=tuple(where or ()),
            purposes=listed(purpose),
            bases=listed(basis),
            runs=count,
            until=_day(until),
            price_fen=fen(price, "--price"),
            provider=provider,
            quasi=listed(quasi) if quasi else None,
            not_quasi=listed(not_quasi),
            acknowledged_k=acknowledged_k,
        )
        offer = actions.draft_table(current.actor(_drafter(current, data)), request, idempotency_key=key)
        line = queries.lines(offer.id)[0]
        current.show(
            {"id": offer.id, "state": str(offer.state), "lines": [_line(line)], "terms": _words(current, line)},
            Text("上架草案已拟定，待本方接受。", "The offer is drafted; accept it to make it live."),
        )


def _drafter(current: Session, data: str) -> str | None:
    """Without `--as`, the data's owner drafts."""
    if current.as_party:
        return None
    from shudu.catalog import queries as catalog

    return catalog.asset_row(data).owner


def _line(line: Any) -> dict[str, Any]:
    return {
        "line": line.id,
        "role": line.role,
        "asset": line.asset,
        "assigner": line.assigner,
        "accepted": line.accepted_at is not None,
    }


def _words(current: Session, row: OfferLine | Agreement) -> list[dict[str, Any]]:
    """Terms in plain words, those a machine enforces marked."""
    from shudu.agreements import queries
    from shudu.agreements.types import plain_words

    terms = plain_words(queries.terms_of(row))
    return [{"enforced": enforced, "text": current.say(text)} for text, enforced in terms]


@offers.command("accept")
def accept(
    offer: Annotated[str, typer.Argument(help="Offer id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Accept your organisation's lines of an offer; it is live when every line is accepted."""
    with session(home, as_, json) as current:
        from shudu.agreements import actions, queries

        row = actions.accept(current.actor(), offer, idempotency_key=key)
        current.show(
            {"id": row.id, "state": str(row.state), "lines": [_line(line) for line in queries.lines(row.id)]},
            Text("已接受。", "Accepted."),
        )


@offers.command("withdraw")
def withdraw(
    offer: Annotated[str, typer.Argument(help="Offer id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Withdraw an offer: no new orders; agreements already concluded stand."""
    with session(home, as_, json) as current:
        from shudu.agreements import actions

        row = actions.withdraw(current.actor(), offer, idempotency_key=key)
        current.show({"id": row.id, "state": str(row.state)}, Text("已下架。", "Withdrawn."))


@offers.command("list")
def list_offers(after: After = None, limit: Limit = 50, home: Home = None, as_: As = None, json: Json = False) -> None:
    """Live offers, and those an organisation has a part in, newest first."""
    with session(home, as_, json) as current:
        from shudu.agreements import queries

        rows = part(queries.offers(current.actor()), after, limit)
        show(current, "offers", rows, limit, _brief, Text("上架", "offers"))


def _brief(row: Offer) -> dict[str, Any]:
    lines = sorted(row.lines.all(), key=lambda line: line.number)
    return {
        "id": row.id,
        "state": str(row.state),
        "title": row.title,
        "price_fen": row.price_fen,
        "until": stamp(row.until),
        "lines": [_line(line) for line in lines],
    }


@offers.command("show")
def show_offer(
    offer: Annotated[str, typer.Argument(help="Offer id.")], home: Home = None, as_: As = None, json: Json = False
) -> None:
    """An offer with its terms in plain words, the machine-enforced ones marked."""
    with session(home, as_, json) as current:
        from shudu.agreements import queries

        actor = current.actor()
        row = queries.offer(actor, offer)
        words = {line.role: _words(current, line) for line in queries.lines(row.id)}
        current.show(
            {
                "id": row.id,
                "state": str(row.state),
                "price_fen": row.price_fen,
                "split": row.split,
                "lines": [_line(line) for line in queries.lines(row.id)],
                "terms": words,
                "anonymity": queries.anonymity_of(actor, row),
            },
            Text(f"每次运行 ¥{yuan(row.price_fen)}。", f"¥{yuan(row.price_fen)} per run."),
        )


@agreements.command("list")
def list_agreements(
    after: After = None, limit: Limit = 50, home: Home = None, as_: As = None, json: Json = False
) -> None:
    """An organisation's agreements, newest first."""
    with session(home, as_, json) as current:
        from shudu.agreements import queries

        rows = part(queries.agreements(current.actor()), after, limit)
        show(current, "agreements", rows, limit, _agreed, Text("协议", "agreements"))


def _agreed(row: Agreement) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": str(row.state),
        "assigner": row.assigner,
        "assignee": row.assignee,
        "asset": row.asset,
        "version": row.version,
        "runs": row.runs,
        "until": stamp(row.until),
        "terms_sha256": row.terms_sha256,
    }


@agreements.command("show")
def show_agreement(
    agreement: Annotated[str, typer.Argument(help="Agreement id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """An agreement of yours: its parties, its terms in plain words, whether it still stands."""
    with session(home, as_, json) as current:
        from shudu.agreements import queries

        row = queries.agreement(current.actor(), agreement)
        words = _words(current, row)
        current.show(
            {
                "id": row.id,
                "state": str(row.state),
                "assigner": row.assigner,
                "assignee": row.assignee,
                "asset": row.asset,
                "version": row.version,
                "terms_sha256": row.terms_sha256,
                "terms": words,
            },
            Text("交易合同。", "The agreement."),
        )


@agreements.command("revoke")
def revoke(
    agreement: Annotated[str, typer.Argument(help="Agreement id.")],
    reason: Annotated[str, typer.Option(help="A code; a wrong one lists them all.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Revoke an agreement of yours: no run may use it any more."""
    with session(home, as_, json) as current:
        from shudu.agreements import actions

        row = actions.revoke(current.actor(), agreement, reason, idempotency_key=key)
        current.show({"id": row.id, "state": str(row.state)}, Text("协议已撤销。", "The agreement is revoked."))
