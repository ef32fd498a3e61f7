"""The main job: `shudu offers`, `shudu orders`, `shudu agreements`, `shudu runs`, `shudu results`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy.types import Invalid, Text

from .parties import fen, yuan
from .session import As, Home, Json, Key, Session, session, typed

if TYPE_CHECKING:
    from shudu.agreements.queries import Agreement, OfferLine
    from shudu.runs.queries import Run

offers = typer.Typer(no_args_is_help=True, help="Offers (上架).")
orders = typer.Typer(no_args_is_help=True, help="Orders (订单).")
agreements = typer.Typer(no_args_is_help=True, help="Agreements (交易合同).")
runs = typer.Typer(no_args_is_help=True, help="Runs (计算任务).")
results = typer.Typer(no_args_is_help=True, help="Results (交付结果).")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _split(text: str) -> dict[str, int]:
    shares: dict[str, int] = {}
    for part in _names(text):
        role, _, share = part.partition("=")
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
    group_by: Annotated[str, typer.Option(metavar="X,Y", help="Columns the result is grouped by.")],
    purpose: Annotated[str, typer.Option(metavar="P", help="Purposes it may be used for, comma separated.")],
    basis: Annotated[str, typer.Option(metavar="B", help="Legal basis (个人信息保护法 第十三条).")],
    count: Annotated[int, typer.Option("--runs", metavar="N", help="Runs per agreement.")],
    until: Annotated[str, typer.Option(metavar="DATE", help="Last day, such as 2027-06-30 (Asia/Shanghai).")],
    price: Annotated[str, typer.Option(metavar="YUAN", help="Price per run.")],
    split: Annotated[str, typer.Option(help="provider=60,modeller=30,platform=10")],
    min_group: Annotated[int, typer.Option(metavar="N", help="Fewest entities in a released group.")] = 10,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Draft an offer of a table and a model together. Drafting accepts nothing: each party accepts its own line."""
    with session(home, as_, json) as current:
        from shudu.agreements import actions, queries
        from shudu.agreements.types import DraftOffer

        try:
            last = date.fromisoformat(until)
        except ValueError:
            raise Invalid(
                "offer.until",
                Text(f"日期写法不正确：{until}。", f"Not a date: {until}."),
                Text("请写成 2027-06-30。", "Write it like 2027-06-30."),
            ) from None
        request = typed(
            DraftOffer,
            data=data,
            model=model,
            group_by=_names(group_by),
            purposes=_names(purpose),
            bases=_names(basis),
            runs=count,
            until=last,
            price_fen=fen(price, "--price"),
            split=_split(split),
            min_group=min_group,
        )
        actor = current.actor(_drafter(current, data))
        offer = actions.draft(actor, request, idempotency_key=key)
        current.show(
            {"id": offer.id, "state": str(offer.state), "lines": [_line(line) for line in queries.lines(offer.id)]},
            Text("上架草案已拟定，待各方接受。", "The offer is drafted; each party now accepts its own line."),
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
    offer: Annotated[str, typer.Argument(help="Offer id.")], home: Home = None, as_: As = None, json: Json = False
) -> None:
    """Withdraw an offer: no new orders; agreements already concluded stand."""
    with session(home, as_, json) as current:
        from shudu.agreements import actions

        row = actions.withdraw(current.actor(), offer)
        current.show({"id": row.id, "state": str(row.state)}, Text("已下架。", "Withdrawn."))


@offers.command("show")
def show_offer(
    offer: Annotated[str, typer.Argument(help="Offer id.")], home: Home = None, as_: As = None, json: Json = False
) -> None:
    """An offer with its terms in plain words, the machine-enforced ones marked."""
    with session(home, as_, json) as current:
        from shudu.agreements import queries

        row = queries.offer(current.actor(), offer)
        words = {line.role: _words(current, line) for line in queries.lines(row.id)}
        current.show(
            {
                "id": row.id,
                "state": str(row.state),
                "price_fen": row.price_fen,
                "split": row.split,
                "lines": [_line(line) for line in queries.lines(row.id)],
                "terms": words,
            },
            Text(f"每次运行 ¥{yuan(row.price_fen)}。", f"¥{yuan(row.price_fen)} per run."),
        )


@orders.command("place")
def place(
    offer: Annotated[str, typer.Argument(help="Offer id.")],
    buyer: Annotated[str, typer.Option("--buyer", metavar="ORG", help="Who buys: id, code or name.")],
    purpose: Annotated[str, typer.Option("--purpose", metavar="P", help="What for.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Order an offer: one agreement per line, all or none; one run and its price are reserved."""
    with session(home, as_, json) as current:
        from shudu.exchange import actions, queries
        from shudu.exchange.types import PlaceOrder

        request = typed(PlaceOrder, offer=offer, purpose=purpose)
        order = actions.place(current.actor(buyer), request, idempotency_key=key)
        current.show(
            {
                "id": order.id,
                "offer": order.offer,
                "agreements": queries.agreements_of(order.id),
                "price_fen": order.price_fen,
            },
            Text(f"订单已生效，已预留 ¥{yuan(order.price_fen)}。", f"Ordered; ¥{yuan(order.price_fen)} is reserved."),
        )


@orders.command("show")
def show_order(
    order: Annotated[str, typer.Argument(help="Order id.")], home: Home = None, as_: As = None, json: Json = False
) -> None:
    """An order: where it stands, its agreements, its runs."""
    with session(home, as_, json) as current:
        from shudu.exchange import queries

        row = queries.order(current.actor(), order)
        current.show(
            {
                "id": row.id,
                "state": queries.state(row.id),
                "offer": row.offer,
                "buyer": row.buyer,
                "purpose": row.purpose,
                "price_fen": row.price_fen,
                "agreements": queries.agreements_of(row.id),
                "runs": [{"run": one.run, "state": str(one.state)} for one in queries.runs_of(row.id)],
            },
            Text("订单。", "The order."),
        )


@orders.command("cancel")
def cancel(
    order: Annotated[str, typer.Argument(help="Order id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """End an order while no run of it is going on: what it has locked comes back."""
    with session(home, as_, json) as current:
        from shudu.exchange import actions, queries

        buyer = queries.order_row(order).buyer
        actor = current.actor(None if current.as_party else buyer)
        row = actions.cancel(actor, order, idempotency_key=key)
        current.show({"id": row.id, "state": queries.state(row.id)}, Text("订单已取消。", "The order is cancelled."))


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
) -> None:
    """Revoke an agreement of yours: no run may use it any more."""
    with session(home, as_, json) as current:
        from shudu.agreements import actions

        row = actions.revoke(current.actor(), agreement, reason)
        current.show({"id": row.id, "state": str(row.state)}, Text("协议已撤销。", "The agreement is revoked."))


@runs.command("start")
def start(
    order: Annotated[str, typer.Argument(help="Order id.")],
    wait: Annotated[bool, typer.Option("--wait", help="Return when it is settled and in the ledger.")] = False,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Start a run of an order. With --wait this process drives it itself if no worker does."""
    with session(home, as_, json) as current:
        from shudu.exchange import actions, queries
        from shudu.runs import queries as run_queries
        from shudu.runs import worker

        buyer = queries.order_row(order).buyer
        actor = current.actor(None if current.as_party else buyer)
        run = actions.start_run(actor, order, idempotency_key=key)
        if wait:
            with current.console.status(current.say(Text("正在运行……", "Running…"))):
                worker.settle(run.id)
            run = run_queries.run(actor, run.id)
        _show_run(current, run)
    if wait and run.state == "failed":
        raise typer.Exit(1)


@runs.command("show")
def show_run(
    run: Annotated[str, typer.Argument(help="Run id.")], home: Home = None, as_: As = None, json: Json = False
) -> None:
    """Where a run stands: step, checks, meters, result, settlement."""
    with session(home, as_, json) as current:
        from shudu.runs import queries

        _show_run(current, queries.run(current.actor(), run))


def _show_run(current: Session, run: Run) -> None:
    from shudu.exchange import queries as exchange
    from shudu.runs import queries

    output, paid = queries.output_of(run.id), exchange.run_of(run.id)
    shown: dict[str, Any] = {
        "id": run.id,
        "state": str(run.state),
        "step": run.step,
        "result": output.asset if output else None,
        "version": output.version if output else None,
        "meters": run.meters,
        "checks": run.checks,
        "settlement": {"state": str(paid.state), "split_fen": paid.split_fen} if paid else None,
    }
    sentences = {
        "closed": Text("任务完成，已放行经检查的结果。", "The run is closed; only the checked result left."),
        "failed": Text("任务未完成，未扣款。", "The run failed; nothing was charged."),
        "queued": Text("任务在排队或运行中。", "The run is queued or going on."),
    }
    if run.error:
        shown["error"] = run.error
    current.show(shown, sentences[str(run.state)])


@results.command("download")
def download(
    result: Annotated[str, typer.Argument(help="Result (asset) id.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to: .csv or .parquet.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Copy a result's bytes; the delivery itself is recorded, before the first byte."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries as catalog
        from shudu.lake import queries as lake
        from shudu.runs import actions, queries

        if output.suffix not in (".csv", ".parquet"):
            raise Invalid(
                "result.format",
                Text("文件名须以 .csv 或 .parquet 结尾。", "The file's name must end in .csv or .parquet."),
                None,
                {"file": output.name},
            )
        if not output.absolute().parent.is_dir():
            raise Invalid(
                "result.folder",
                Text("目标文件夹不存在。", "The folder to write to is not there."),
                Text("请先建立该文件夹。", "Make it first."),
                {"file": str(output)},
            )
        owner = catalog.asset_row(result).owner
        actor = current.actor(None if current.as_party else owner)
        run = actions.deliver(actor, result, f"product{output.suffix}")
        file, place = queries.delivered(run)
        lake.store().copy_file(file, place, output)
        current.show(
            {"id": run.id, "result": result, "file": str(output), "sha256": file.sha256},
            Text("已下载，交付已存证。", "Downloaded; the delivery is recorded."),
        )
