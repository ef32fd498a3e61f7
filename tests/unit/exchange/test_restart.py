"""A failed run started again: by whom, once, on whose money, and what is written of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shudu.accounts import queries as accounts
from shudu.exchange import actions, queries
from shudu.identity import queries as identity
from shudu.policy import clock
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, NotFound, Refused, ShuduError, Text
from shudu.runs import actions as runs
from shudu.runs.queries import Run, run_row
from shudu.runs.worker import Worker, spread_news
from unit.agreements.conftest import Market, market
from unit.api.conftest import caller
from unit.runs.conftest import order_in

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fails(market: Market) -> Callable[..., Run]:
    """Start a run of a new order and let it fail with this code."""

    def fail(code: str = "run.internal", **changes: object) -> Run:
        run = actions.start_run(market.buyer, order_in(market, **changes))
        worker = Worker()
        Run.objects.filter(pk=run.id).update(lease_holder=worker.name, lease_until=clock.now() + worker.lease)
        runs.fail(identity.system(), run.id, worker.name, ShuduError(code, Text("中断了。", "It broke off.")))
        while spread_news():
            pass
        return run_row(run.id)

    return fail


def test_it_starts_for_the_buyer_and_reserves_anew(market: Market, fails: Callable[..., Run]) -> None:
    failed = fails()
    assert accounts.balance(market.buyer.party, "CNY.fen").reserved == 0
    again = actions.restart(market.operator, failed.id)
    assert (again.party, again.order, again.state) == (market.buyer.party, failed.order, "queued")
    assert again.inputs.count() == failed.inputs.count() == 2
    assert accounts.balance(market.buyer.party, "CNY.fen").reserved == 50_000
    assert queries.followed_by([failed.id]) == {failed.id: again.id}
    written = Outbox.objects.get(event=Event.RUN_RESTARTED, subject=again.id).fields
    assert written["failed"] == failed.id
    assert written["by"] == market.operator.party
    assert run_row(failed.id).state == "failed"  # what happened stays as it was


def test_it_is_done_once(market: Market, fails: Callable[..., Run]) -> None:
    failed = fails()
    first = actions.restart(market.operator, failed.id, idempotency_key="k")
    assert actions.restart(market.operator, failed.id, idempotency_key="k").id == first.id
    assert actions.restart(market.operator, failed.id, idempotency_key="other").id == first.id
    assert Run.objects.count() == 2


def test_by_a_call_as_by_a_command(market: Market, fails: Callable[..., Run]) -> None:
    failed, path = fails(), "/api/v1/runs"
    operator, buyer = caller(market.operator.party), caller(market.buyer.party)
    assert buyer.refused(403, "POST", f"/runs/{failed.id}/restart")["code"] == "order.restart.role"
    answer = operator.call("POST", f"/runs/{failed.id}/restart")
    again = answer.json()  # type: ignore[attr-defined]
    assert (answer.status_code, answer["Location"]) == (202, f"{path}/{again['id']}")
    assert (again["state"], again["order"]) == ("queued", failed.order)
    assert operator.do("POST", f"/runs/{failed.id}/restart") == again
    assert operator.refused(409, "POST", f"/runs/{again['id']}/restart")["code"] == "run.restart"
    assert Run.objects.count() == 2


def test_only_the_operating_company_may(market: Market, fails: Callable[..., Run]) -> None:
    failed = fails()
    for actor in (market.provider, market.modeller, market.buyer):
        with pytest.raises(Refused):
            actions.restart(actor, failed.id)
    assert Run.objects.count() == 1


def test_what_the_rules_stopped_is_not_tried_again(market: Market, fails: Callable[..., Run]) -> None:
    failed = fails("release.too_few")
    with pytest.raises(Conflict, match=r"run\.restart"):
        actions.restart(market.operator, failed.id)
    running = actions.start_run(market.buyer, failed.order)
    with pytest.raises(Conflict, match=r"run\.restart"):
        actions.restart(market.operator, running.id)
    with pytest.raises(NotFound):
        actions.restart(market.operator, "run_01a2041b98157802b54fcf5c75")


def test_a_cancelled_order_stays_ended_and_spent_money_is_missed(market: Market, fails: Callable[..., Run]) -> None:
    failed = fails()
    actions.cancel(market.buyer, failed.order)
    with pytest.raises(Conflict):
        actions.restart(market.operator, failed.id)
    assert accounts.books() == {"CNY.fen": 0, "run": 0}
    assert accounts.balance(market.buyer.party, "CNY.fen").reserved == 0
