"""What an agreement permits while it lives, and what is left when it is expired or revoked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shudu.accounts import actions as accounts
from shudu.agreements import actions, queries
from shudu.agreements.codes import OnRevocation
from shudu.agreements.evaluation import ProposedUse
from shudu.agreements.models import Agreement
from shudu.agreements.terms import NOTHING, Onward, onward_to_json, to_json
from shudu.exchange import actions as exchange
from shudu.exchange.types import PlaceOrder
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, Decision, Invalid, NotFound, Refused


@pytest.fixture
def concluded(market: Any) -> list[Agreement]:
    """The data and the model agreement of an order."""
    accounts.deposit(market.operator, market.buyer.party, 1_000_000)
    exchange.place(market.buyer, PlaceOrder(offer=market.live().id, purpose="statistics"))
    return list(Agreement.objects.order_by("line__number"))


def use_of(agreement: Agreement) -> ProposedUse:
    return ProposedUse.computing(agreement, "statistics")


def refusal(decision: Decision) -> str:
    assert not decision
    assert decision.refusal is not None
    assert decision.refusal.remedy is not None
    return decision.refusal.rule


def test_each_agreement_permits_its_part_of_the_run(concluded: list[Agreement]) -> None:
    data, model = concluded
    assert queries.permits(data.id, use_of(data), version=data.version)
    assert queries.permits(model.id, use_of(model), version=model.version)
    assert use_of(data).actions == {"compute", "deliver_derived"}
    assert use_of(model).actions == {"compute"}
    assert not queries.permits(model.id, use_of(data)), "the model's owner releases nothing of the data"


def test_what_strays_is_refused_with_its_rule(concluded: list[Agreement], market: Any) -> None:
    data, _ = concluded
    good = use_of(data)
    for change, rule in (
        ({"purpose": "marketing"}, "terms.purposes"),
        ({"party": market.modeller.party}, "terms.assignee"),
        ({"columns": good.columns | {"income"}}, "terms.columns"),
        ({"model": "0" * 64}, "terms.models"),
    ):
        assert refusal(queries.permits(data.id, replace(good, **change))) == rule
    assert refusal(queries.permits(data.id, good, version="ver_other")) == "agreement.version"
    with pytest.raises(NotFound):
        queries.permits("agr_none", good)


def test_it_ends_with_its_last_day(concluded: list[Agreement], clock: Any) -> None:
    data, _ = concluded
    clock.set(data.until)
    assert queries.permits(data.id, use_of(data))
    clock.advance(microseconds=1)
    decision = queries.permits(data.id, use_of(data))
    assert refusal(decision) == "agreement.expired"
    assert "2026-06-30 23:59" in decision.reasons[0].message.zh


def test_only_the_assigner_revokes_and_only_once(concluded: list[Agreement], market: Any) -> None:
    data, model = concluded
    for actor in (market.buyer, market.operator):
        with pytest.raises(Refused):
            actions.revoke(actor, data.id, "breach")
    with pytest.raises(NotFound):
        actions.revoke(market.modeller, data.id, "breach")
    with pytest.raises(Invalid):
        actions.revoke(market.provider, data.id, "whim")
    revoked = actions.revoke(market.provider, data.id, "breach")
    assert (revoked.state, revoked.revocation_reason) == ("revoked", "breach")
    assert revoked.revoked_at is not None
    entry = Outbox.objects.get(event=Event.AGREEMENT_REVOKED.value)
    assert (entry.subject, entry.fields["reason"]) == (data.id, "breach")
    with pytest.raises(Conflict):
        actions.revoke(market.provider, data.id, "breach")
    assert Outbox.objects.filter(event=Event.AGREEMENT_REVOKED.value).count() == 1
    decision = queries.permits(data.id, use_of(data))
    assert refusal(decision) == "agreement.revoked"
    assert "对方违反使用条件" in decision.reasons[0].message.zh
    assert queries.permits(model.id, use_of(model)), "the other agreement stands by itself"


def test_a_result_carries_the_meet_of_both(concluded: list[Agreement]) -> None:
    data, model = concluded
    onward = queries.terms_of(model).onward
    assert isinstance(onward, Onward)
    stricter = onward.model_copy(update={"on_revocation": OnRevocation.ERASED, "min_group": 20})
    terms = queries.terms_of(model).model_copy(update={"onward": stricter})
    Agreement.objects.filter(pk=model.pk).update(terms=to_json(terms))
    derived = queries.derived_onward([data.id, model.id])
    assert isinstance(derived, Onward)
    assert (derived.min_group, derived.on_revocation) == (20, "erased")
    assert derived.actions == {"read", "download"}
    assert queries.derived_onward([]) == NOTHING
    assert (queries.on_revocation(data.id), queries.on_revocation(model.id)) == ("stand", "erased")


def test_a_result_is_used_as_it_carries(concluded: list[Agreement], clock: Any) -> None:
    carried = onward_to_json(queries.derived_onward([row.id for row in concluded]))
    assert queries.onward_permits(carried, action="download")
    clock.set(concluded[0].until + timedelta(days=3650))
    assert queries.onward_permits(carried, action="download", purpose="statistics"), "results outlive the offer"
    assert refusal(queries.onward_permits(carried, action="query")) == "onward.actions"
    assert refusal(queries.onward_permits(carried, action="read", purpose="marketing")) == "onward.purposes"
    assert refusal(queries.onward_permits(onward_to_json(NOTHING), action="read")) == "terms.nothing"
    assert refusal(queries.onward_permits({}, action="read")) == "terms.missing"
    with pytest.raises(Invalid):
        queries.onward_permits({"v": 1, "onward": "all"}, action="read")


def test_reads_for_upper_rooms(concluded: list[Agreement], market: Any) -> None:
    data, model = concluded
    assert queries.split(data.offer_id) == {"provider": 60, "modeller": 30, "platform": 10}
    assert [line.role for line in queries.lines(data.offer_id)] == ["data", "model"]
    assert queries.assigners([data.id, model.id]) == sorted([market.provider.party, market.modeller.party])
    assert [row["id"] for row in queries.assigned_by(market.provider.party)] == [data.id]
    assert queries.agreement(market.buyer, data.id) == data
    with pytest.raises(NotFound):
        queries.agreement(market.modeller, data.id)
    assert set(queries.agreements(market.buyer)) == {data, model}
    assert set(queries.agreements(market.provider)) == {data}
