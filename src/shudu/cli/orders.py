"""Ordering, running, receiving: `shudu orders`, `shudu runs`, `shudu results`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy.types import Actor, Invalid, Text

from .listing import After, Limit, part, show, stamp
from .parties import yuan
from .session import As, Home, Json, Key, Session, session, typed

if TYPE_CHECKING:
    from shudu.catalog.queries import Asset
    from shudu.exchange.queries import Order
    from shudu.runs.queries import Run

orders = typer.Typer(no_args_is_help=True, help="Orders (订单).")
runs = typer.Typer(no_args_is_help=True, help="Runs (计算任务).")
results = typer.Typer(no_args_is_help=True, help="Results (交付结果).")

Wait = Annotated[bool, typer.Option("--wait", help="Return when it is settled and in the ledger.")]


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


@orders.command("list")
def list_orders(after: After = None, limit: Limit = 50, home: Home = None, as_: As = None, json: Json = False) -> None:
    """Orders an organisation placed, or that concluded an agreement of its, newest first."""
    with session(home, as_, json) as current:
        from shudu.exchange import queries

        rows = part(queries.orders(current.actor()), after, limit)
        states = queries.states(row.id for row in rows)

        def brief(row: Order) -> dict[str, Any]:
            named = {"offer": row.offer, "buyer": row.buyer, "purpose": row.purpose, "price_fen": row.price_fen}
            return {"id": row.id, "state": states[row.id], **named}

        show(current, "orders", rows, limit, brief, Text("订单", "orders"))


@orders.command("show")
def show_order(
    order: Annotated[str, typer.Argument(help="Order id.")],
    at: Annotated[
        datetime | None,
        typer.Option(help="Its state at this moment (UTC) instead of now.", formats=["%Y-%m-%dT%H:%M:%SZ"]),
    ] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """An order: where it stands or stood, its agreements, its runs."""
    with session(home, as_, json) as current:
        from shudu.exchange import queries

        row = queries.order(current.actor(), order)
        current.show(
            {
                "id": row.id,
                "state": queries.state_at(row.id, at.replace(tzinfo=UTC)) if at else queries.state(row.id),
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


@runs.command("start")
def start(
    order: Annotated[str, typer.Argument(help="Order id.")],
    wait: Wait = False,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Start a run of an order. With --wait this process drives it itself if no worker does."""
    with session(home, as_, json) as current:
        from shudu.exchange import actions, queries

        buyer = queries.order_row(order).buyer
        actor = current.actor(None if current.as_party else buyer)
        run = actions.start_run(actor, order, idempotency_key=key)
        run = _waited(current, run, actor, wait)
    if wait and run.state == "failed":
        raise typer.Exit(1)


@runs.command("restart")
def restart(
    run: Annotated[str, typer.Argument(help="Id of the failed run.")],
    wait: Wait = False,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Start a failed run again, once, for its buyer and under the same agreements; its price is reserved anew.

    For the operating company. Asked again, the answer is the run that followed.
    """
    with session(home, as_, json) as current:
        from shudu.exchange import actions

        actor = current.actor()
        following = actions.restart(actor, run, idempotency_key=key)
        following = _waited(current, following, actor, wait)
    if wait and following.state == "failed":
        raise typer.Exit(1)


def _waited(current: Session, run: Run, actor: Actor, wait: bool) -> Run:
    """Show a run in the queue; with `wait`, once it is settled."""
    if wait:
        from shudu.runs import queries, worker

        with current.console.status(current.say(Text("正在运行……", "Running…"))):
            worker.settle(run.id)
        run = queries.run(actor, run.id)
    _show_run(current, run, actor)
    return run


@runs.command("list")
def list_runs(after: After = None, limit: Limit = 50, home: Home = None, as_: As = None, json: Json = False) -> None:
    """An organisation's runs, and those that used something of its, newest first."""
    with session(home, as_, json) as current:
        from shudu.runs import queries

        rows = part(queries.runs(current.actor()), after, limit)

        def brief(row: Run) -> dict[str, Any]:
            named = {"kind": row.kind, "state": str(row.state), "party": row.party, "order": row.order or None}
            return {"id": row.id, **named, "created": stamp(row.created)}

        show(current, "runs", rows, limit, brief, Text("任务", "runs"))


@runs.command("show")
def show_run(
    run: Annotated[str, typer.Argument(help="Run id.")], home: Home = None, as_: As = None, json: Json = False
) -> None:
    """Where a run stands: step, checks, meters, result, settlement."""
    with session(home, as_, json) as current:
        from shudu.runs import queries

        actor = current.actor()
        _show_run(current, queries.run(actor, run), actor)


def _show_run(current: Session, run: Run, actor: Actor) -> None:
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
        "checks": queries.checks(actor, run),
        "settlement": {"state": str(paid.state), "split_fen": paid.split_fen} if paid else None,
    }
    sentences = {
        "closed": Text("任务完成，已放行经检查的结果。", "The run is closed; only the checked result left."),
        "failed": Text("任务未完成，未扣款。", "The run failed; nothing was charged."),
        "held": Text("结果待数据提供方审核后放行。", "The result waits for the data's owner to let it go."),
        "queued": Text("任务在排队或运行中。", "The run is queued or going on."),
    }
    if run.error:
        shown["error"] = run.error
    current.show(shown, sentences[str(run.state)])


@results.command("list")
def list_results(after: After = None, limit: Limit = 50, home: Home = None, as_: As = None, json: Json = False) -> None:
    """What an organisation's runs made, newest first."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries

        rows = part(queries.results(current.actor()), after, limit)

        def brief(row: Asset) -> dict[str, Any]:
            version = queries.latest(row.id)
            files = {file.name: file.delivered_sha256 for file in queries.files(version)} if version else {}
            named = {"title": queries.title(row), "run": row.run, "version": version.id if version else None}
            return {"id": row.id, **named, "files": files}

        show(current, "results", rows, limit, brief, Text("交付结果", "results"))


@results.command("download")
def download(
    result: Annotated[str, typer.Argument(help="Result (asset) id.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to: .csv or .parquet.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
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
        run = actions.deliver(actor, result, f"product{output.suffix}", idempotency_key=key)
        file, place = queries.delivered(run)
        lake.store().copy_file(file, place, output)
        current.show(
            {"id": run.id, "result": result, "file": str(output), "sha256": file.sha256},
            Text("已下载，交付已存证。", "Downloaded; the delivery is recorded."),
        )
