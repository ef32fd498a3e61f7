"""Carries out `deals`: offers, orders, runs, deliveries, a revocation. Every step has a key and is done once."""

from __future__ import annotations

from datetime import date

from shudu.agreements import actions as agreements
from shudu.agreements.types import DraftOffer, ReleaseClass
from shudu.exchange import actions as exchange
from shudu.exchange import queries as orders
from shudu.exchange.types import PlaceOrder
from shudu.policy.types import Actor
from shudu.runs import actions as runs
from shudu.runs import queries as run_queries
from shudu.runs import worker

from .catalogue import MODELS, TABLES
from .deals import DELIVERED, OFFERS, ORDERS, REVOKED, REVOKED_FOR, Offering

UNTIL = date(2035, 12, 31)


def offer(actors: dict[str, Actor], assets: dict[str, str]) -> dict[str, str]:
    """Draft every offer and have it accepted; ids by the words of `deals.OFFERS`."""
    return {name: _offer(name, each, actors, assets) for name, each in OFFERS.items()}


def _offer(name: str, each: Offering, actors: dict[str, Actor], assets: dict[str, str]) -> str:
    provider, modeller = actors[TABLES[each.table].owner], actors[MODELS[each.model].owner]
    request = DraftOffer(
        data=assets[f"{each.table}_table"],
        model=assets[f"{each.model}_model"],
        group_by=each.group_by,
        purposes=each.purposes,
        bases=frozenset({each.basis}),
        runs=each.runs,
        until=UNTIL,
        price_fen=each.price_fen,
        split=dict(each.split),
        min_group=each.min_group,
        release=ReleaseClass.B if each.label else ReleaseClass.A,
        label=each.label,
        metrics=each.metrics,
    )
    drafted = agreements.draft(provider, request, idempotency_key=_key(name))
    agreements.accept(provider, drafted.id, idempotency_key=_key(name))
    if each.accepted:
        agreements.accept(modeller, drafted.id, idempotency_key=_key(name))
    return drafted.id


def order(actors: dict[str, Actor], offers: dict[str, str]) -> dict[str, str]:
    """Place every order and run it to its end; ids of orders, and of their last runs and results, by word."""
    ids: dict[str, str] = {}
    for name, each in ORDERS.items():
        buyer = actors[each.buyer]
        request = PlaceOrder(offer=offers[each.offer], purpose=each.purpose)
        placed = exchange.place(buyer, request, idempotency_key=_key(name))
        ids[f"{name}_order"] = placed.id
        for number in range(each.runs):
            run = exchange.start_run(buyer, placed.id, idempotency_key=_key(f"{name}/{number}"))
            worker.settle(run.id)
            ids[f"{name}_run"] = run.id
            if stopped_by_the_machine(run.id):
                break  # and so would the next one be
        output = run_queries.output_of(ids[f"{name}_run"])
        if output:
            ids[f"{name}_result"] = output.asset
    return ids


def stopped_by_the_machine(run_id: str) -> bool:
    """Did this run end because no model can be contained here?"""
    return bool(run_queries.run_row(run_id).error.get("code") == "sandbox.unavailable")


def finish(actors: dict[str, Actor], offers: dict[str, str], ids: dict[str, str]) -> None:
    """What happens afterwards: results are fetched, an offer is taken off, an agreement is revoked."""
    for name in DELIVERED:
        if result := ids.get(f"{name}_result"):
            runs.deliver(actors[ORDERS[name].buyer], result, "product.csv", idempotency_key=_key(name))
    for name, each in OFFERS.items():
        if each.withdrawn:
            agreements.withdraw(actors[TABLES[each.table].owner], offers[name], idempotency_key=_key(name))
    data, _ = orders.agreements_of(ids[f"{REVOKED}_order"])  # by role: data, model
    owner = actors[TABLES[OFFERS[ORDERS[REVOKED].offer].table].owner]
    agreements.revoke(owner, data, REVOKED_FOR, idempotency_key=_key(REVOKED))
    while worker.spread_news():
        pass


def _key(name: str) -> str:
    return f"demonstration/{name}"
