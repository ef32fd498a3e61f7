"""Every write of the exchange: place an order, start a run of it, settle or release what a run reserved."""

from __future__ import annotations

from shudu.accounts import actions as accounts
from shudu.accounts.types import largest_remainder
from shudu.agreements import actions as agreement_actions
from shudu.agreements import queries as agreements
from shudu.agreements.types import ProposedUse
from shudu.cases import actions as cases
from shudu.identity import queries as identity
from shudu.policy.actions import action, part_of_action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.rules import refuse_unless
from shudu.policy.types import Actor, Conflict, Text, not_found
from shudu.runs import actions as runs
from shudu.runs import queries as runs_queries
from shudu.runs.queries import Run
from shudu.runs.types import HANDING_OVER, Input, StartRun

from .models import Order, OrderLine, OrderRun
from .queries import order as visible_order
from .types import PlaceOrder, repeatable

MONEY = "CNY.fen"
COUNT = "run"
EXPIRY = "order.expiry"  # the deadline after which no run of an order can start any more


@action(Permission.ORDER_PLACE, Event.ORDER_PLACED)
def place(actor: Actor, request: PlaceOrder) -> Order:
    """Order an offer: one agreement per line, all or none; the price and one run of each line are reserved."""
    offer = agreements.offer(actor, request.offer)
    order = Order(offer=offer.id, buyer=actor.party, purpose=request.purpose, price_fen=offer.price_fen)
    require(actor, Permission.ORDER_PLACE, order)
    order.save(force_insert=True)
    case = cases.open_case("order", order.id, order.buyer)
    concluded, ends = [], []
    for line in agreements.lines(offer.id):
        agreement = agreement_actions.conclude(actor, line.id, assignee=actor.party, purpose=request.purpose)
        OrderLine.objects.create(order=order, role=line.role, agreement=agreement.id)
        concluded.append(agreement.id)
        ends.append(agreement.until)
    cases.set_deadline(case, EXPIRY, min(ends))
    _reserve(order)
    record(
        order.id,
        {
            "order": order.id,
            "offer": offer.id,
            "buyer": order.buyer,
            "purpose": order.purpose,
            "agreements": concluded,
            "price_fen": order.price_fen,
        },
    )
    return order


@action(Permission.ORDER_RUN, Event.RUN_STARTED)
def start_run(actor: Actor, order_id: str) -> Run:
    """Start a run of an order on exactly the versions its agreements name; the first is paid for already."""
    order = visible_order(actor, order_id)
    require(actor, Permission.ORDER_RUN, order)
    run = _start(actor, order, order.runs.filter(state=OrderRun.State.RESERVED).order_by("id").first())
    record_nothing()
    return run


@action(Permission.ORDER_RESTART, Event.RUN_RESTARTED)
def restart(actor: Actor, run_id: str) -> Run:
    """Start a failed run of an order again, for its buyer and under the same agreements; its price is reserved anew.

    Asked again, the answer is the run that followed. Raises `Conflict` (`run.restart`) for a run that did not fail, and
    for one the release rules stopped: on the same versions they would stop it again.
    """
    row = runs_queries.run(actor, run_id)
    failed = OrderRun.objects.select_related("order").filter(run=row.id).first()
    if failed is None:
        raise not_found("任务", "run", run_id)
    order = failed.order
    require(actor, Permission.ORDER_RESTART, order)
    following = order.runs.filter(restarts=run_id).first()
    if following is not None and following.run:
        record_nothing()
        return runs_queries.run_row(following.run)
    code = _restartable(runs_queries.run_row(run_id))
    run = _start(actor, order, None, restarts=run_id)
    record(run.id, {"run": run.id, "failed": run_id, "order": order.id, "party": order.buyer, "code": code})
    return run


def _restartable(run: Run) -> str:
    """The code a run failed with, if starting it again can help."""
    code = str(run.error.get("code", ""))
    if run.state != Run.State.FAILED:
        raise Conflict(
            "run.restart",
            Text("这项任务没有失败，不必重新开始。", "This run did not fail; there is nothing to start again."),
            Text("请查看它现在的状态。", "See how it stands now."),
            {"run": run.id},
        )
    if not repeatable(code):
        raise Conflict(
            "run.restart",
            Text(
                "这项任务被放行规则拦下，用同样的数据重来也会被拦下。",
                "The release rules stopped this run; on the same data they would stop it again.",
            ),
            Text("请需方与提供方换一种分组，另订条件。", "Its parties should agree on coarser groups first."),
            {"run": run.id, "code": code},
        )
    return code


@part_of_action
def _start(actor: Actor, order: Order, waiting: OrderRun | None, restarts: str | None = None) -> Run:
    inputs, lines = [], list(order.lines.order_by("role"))
    # Without a model there is nothing to compute: the rows themselves are handed over.
    computes = any(line.role == "model" for line in lines)
    use = ProposedUse.computing if computes else ProposedUse.handing_over
    for line in lines:
        agreement = agreements.agreement_row(line.agreement)
        refuse_unless(agreements.permits(agreement.id, use(agreement, order.purpose)))
        inputs.append(Input(line.role, agreement.version, agreement.id))
    waiting = waiting or _reserve(order)
    cases.advance(order.id, "start", actor)
    run = runs.start(
        actor, StartRun("compute" if computes else HANDING_OVER, order.buyer, order.purpose, tuple(inputs), order.id)
    )
    waiting.run, waiting.state, waiting.restarts = run.id, OrderRun.State.STARTED, restarts
    waiting.save(update_fields=["run", "state", "restarts"])
    return run


@action(Permission.ORDER_SETTLE, Event.ORDER_SETTLED)
def settle(actor: Actor, run_id: str) -> OrderRun:
    """Capture what a closed run reserved and split the money between provider, modeller and platform."""
    row = OrderRun.objects.select_related("order").get(run=run_id)
    require(actor, Permission.ORDER_SETTLE, row.order)
    if row.state != OrderRun.State.STARTED:
        record_nothing()
        return row
    order = row.order
    weights = agreements.split(order.offer)
    by_role = largest_remainder(order.price_fen, weights)
    payees = {line.role: agreements.agreement_row(line.agreement).assigner for line in order.lines.all()}
    parties = {"provider": payees["data"], "platform": identity.operator().id}
    if "model" in payees:
        parties["modeller"] = payees["model"]
    shares: dict[str, int] = {}
    for role, amount in by_role.items():
        if role not in parties and not amount:
            continue  # an offer of rows alone has no modeller
        shares[parties[role]] = shares.get(parties[role], 0) + amount
    if row.money:
        accounts.commit(row.money, shares)
    for reservation in row.counts:
        accounts.commit(reservation, None)
    row.state, row.split_fen = OrderRun.State.SETTLED, by_role
    row.save(update_fields=["state", "split_fen"])
    cases.advance(order.id, "settle", actor)
    record(order.id, {"order": order.id, "run": run_id, "amount_fen": order.price_fen, "split_fen": by_role})
    return row


@part_of_action
def _reserve(order: Order) -> OrderRun:
    """Lock one run's price and one count of every agreement of the order."""
    money = ""
    if order.price_fen:
        money = accounts.reserve(order.buyer, MONEY, order.price_fen, purpose=f"order {order.id}").id
    counts = [
        accounts.reserve(line.agreement, COUNT, 1, purpose=f"order {order.id}").id
        for line in order.lines.order_by("role")
    ]
    return OrderRun.objects.create(order=order, money=money, counts=counts)


@action(Permission.ORDER_SETTLE, Event.ORDER_RELEASED)
def release(actor: Actor, run_id: str) -> OrderRun:
    """Give back what a failed run reserved: nothing is charged for a run without a result."""
    row = OrderRun.objects.select_related("order").get(run=run_id)
    require(actor, Permission.ORDER_SETTLE, row.order)
    if row.state != OrderRun.State.STARTED:
        record_nothing()
        return row
    _give_back(row)
    cases.advance(row.order.id, "fail", actor)
    record(row.order.id, {"order": row.order.id, "run": run_id, "amount_fen": row.order.price_fen})
    return row


@action(Permission.ORDER_CANCEL, Event.ORDER_RELEASED)
def cancel(actor: Actor, order_id: str) -> Order:
    """End an order while no run of it is going on: what it has locked comes back, and no run of it starts any more.

    The buyer may; and it happens by itself when an agreement of the order is revoked, or ends before the run the order
    has paid for was started: either would leave the money locked.
    """
    order = visible_order(actor, order_id)
    require(actor, Permission.ORDER_CANCEL, order)
    cases.advance(order.id, "cancel", actor)
    waiting = list(order.runs.filter(state=OrderRun.State.RESERVED))
    for row in waiting:
        _give_back(row)
    record(order.id, {"order": order.id, "run": "", "amount_fen": order.price_fen * len(waiting)})
    return order


@part_of_action
def _give_back(row: OrderRun) -> None:
    for reservation in (row.money, *row.counts):
        if reservation:
            accounts.release(reservation)
    row.state = OrderRun.State.RELEASED
    row.save(update_fields=["state"])
