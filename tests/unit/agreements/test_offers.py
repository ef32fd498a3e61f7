"""An offer's life: drafted by one, accepted by each for itself, concluded by a buyer, withdrawn."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from shudu.accounts import queries as accounts
from shudu.agreements import actions, queries
from shudu.agreements.codes import Purpose
from shudu.agreements.models import Agreement, Offer
from shudu.agreements.terms import for_assignee, terms_sha256, to_json
from shudu.cases import queries as cases
from shudu.catalog import actions as catalog
from shudu.catalog import queries as shelf
from shudu.policy.actions import action, record, require
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Conflict, Invalid, NotFound, Refused, Via


def last_entry(event: Event) -> dict[str, Any]:
    row = Outbox.objects.filter(event=event.value).order_by("-id").first()
    assert row is not None
    fields: dict[str, Any] = row.fields
    return fields


@action(Permission.ORDER_PLACE, Event.ORDER_PLACED)
def buy(actor: Actor, offer: Offer, *, assignee: str = "", purpose: str = "statistics") -> Offer:
    """As an order does it: every line, all or none."""
    require(actor, Permission.ORDER_PLACE, offer)
    lines = queries.lines(offer.id)
    made = [actions.conclude(actor, line.id, assignee=assignee or actor.party, purpose=purpose) for line in lines]
    record(
        offer.id,
        {
            "order": "ord_test",
            "offer": offer.id,
            "buyer": actor.party,
            "purpose": purpose,
            "agreements": [agreement.id for agreement in made],
            "price_fen": offer.price_fen,
        },
    )
    return offer


def test_drafting_accepts_nothing(market: Any) -> None:
    offer = actions.draft(market.modeller, market.draft())
    data, model = queries.lines(offer.id)
    assert (offer.state, cases.state(offer.id)) == ("drafted", "drafted")
    assert offer.drafted_by == market.modeller.party
    assert offer.title == {"zh": "客户流失 × 评分卡"}
    assert [line.accepted_at for line in (data, model)] == [None, None]
    assert (data.asset, data.assigner, data.role) == (market.data, market.provider.party, "data")
    assert (model.asset, model.assigner, model.role) == (market.model, market.modeller.party, "model")
    assert queries.terms_of(data).use.columns == {"customer_no", "tenure", "region"}
    assert data.terms_sha256 == terms_sha256(queries.terms_of(data))
    assert last_entry(Event.OFFER_DRAFTED) == {
        "offer": offer.id,
        "lines": [data.id, model.id],
        "terms_sha256": [data.terms_sha256, model.terms_sha256],
        "price_fen": 50_000,
        "split": {"provider": 60, "modeller": 30, "platform": 10},
        "anonymity": {},
        "by": market.modeller.party,
        "via": "console",
    }


def test_until_is_the_end_of_that_day_in_chengdu(market: Any, clock: Any) -> None:
    offer = actions.draft(market.provider, market.draft(until=date(2026, 3, 2)))
    assert offer.until.isoformat() == "2026-03-02T15:59:59.999999+00:00"
    with pytest.raises(Invalid) as caught:
        actions.draft(market.provider, market.draft(until=date(2026, 3, 1)))
    assert caught.value.code == "offer.until"


def test_only_an_assigner_drafts(market: Any) -> None:
    for actor in (market.buyer, market.operator):
        with pytest.raises(Refused):
            actions.draft(actor, market.draft())
    with pytest.raises(NotFound):
        actions.draft(market.provider, market.draft(data="ast_none"))
    assert not Offer.objects.exists()
    assert not Outbox.objects.filter(event=Event.OFFER_DRAFTED.value).exists()


def test_offering_takes_the_right_to_operate(market: Any) -> None:
    offer = actions.draft(market.provider, market.draft())
    _end_right_to_operate(market.data)
    with pytest.raises(Refused) as caught:
        actions.draft(market.modeller, market.draft())
    assert caught.value.code == "right.operate"
    with pytest.raises(Refused):
        actions.accept(market.provider, offer.id)
    assert queries.lines(offer.id)[0].accepted_at is None


def _end_right_to_operate(asset: str) -> None:
    shelf.rights(asset).filter(kind="operate").update(ended="2026-03-01T00:00:00Z")


def test_each_accepts_for_itself_and_the_last_brings_it_live(market: Any) -> None:
    offer = actions.draft(market.provider, market.draft())
    data, model = queries.lines(offer.id)
    assert actions.accept(market.provider, offer.id).state == "drafted"
    assert [line.accepted_by for line in queries.lines(offer.id)] == [market.provider.party, ""]
    expected = {"offer": offer.id, "party": market.provider.party, "lines": [data.id], "live": False}
    assert last_entry(Event.OFFER_ACCEPTED).items() >= expected.items()
    with pytest.raises(Conflict) as caught:
        actions.accept(market.provider, offer.id)
    assert caught.value.code == "offer.accepted"
    assert actions.accept(market.modeller, offer.id).state == "live"
    assert last_entry(Event.OFFER_ACCEPTED).items() >= {"lines": [model.id], "live": True}.items()
    assert (Offer.objects.get().state, cases.state(offer.id)) == ("live", "live")
    assert [step.transition for step in cases.history(offer.id)] == ["accept", "accept", "go_live"]


def test_who_has_no_line_accepts_nothing(market: Any) -> None:
    offer = actions.draft(market.provider, market.draft())
    with pytest.raises(Refused):
        actions.accept(market.operator, offer.id)
    with pytest.raises(NotFound):
        actions.accept(market.buyer, offer.id)
    with pytest.raises(NotFound):
        actions.accept(market.provider, "ofr_none")


def test_one_owner_of_both_accepts_both(market: Any, tmp_path: Any) -> None:
    offer = Offer.objects.get(pk=actions.draft(market.provider, market.draft()).id)
    offer.lines.update(assigner=market.provider.party, asset=market.data)
    assert actions.accept(market.provider, offer.id).state == "live"


def test_an_offer_that_is_over_is_not_accepted(market: Any, clock: Any) -> None:
    offer = actions.draft(market.provider, market.draft())
    clock.set(offer.until + timedelta(microseconds=1))
    with pytest.raises(Conflict) as caught:
        actions.accept(market.provider, offer.id)
    assert caught.value.code == "offer.expired"


def test_any_assigner_withdraws_and_that_is_final(market: Any) -> None:
    offer = market.live()
    with pytest.raises(Refused):
        actions.withdraw(market.buyer, offer.id)
    assert actions.withdraw(market.modeller, offer.id).state == "withdrawn"
    entry = last_entry(Event.OFFER_WITHDRAWN)
    assert (entry["offer"], entry["party"]) == (offer.id, market.modeller.party)
    for again in (actions.withdraw, actions.accept):
        with pytest.raises(Conflict) as caught:
            again(market.provider, offer.id)
        assert caught.value.code == "cases.transition"
    with pytest.raises(NotFound):
        buy(market.buyer, offer)


def test_a_draft_taken_back_never_goes_live(market: Any) -> None:
    offer = actions.draft(market.provider, market.draft())
    actions.accept(market.modeller, offer.id)
    actions.withdraw(market.provider, offer.id)
    with pytest.raises(Conflict):
        actions.accept(market.provider, offer.id)
    assert Offer.objects.get().state == "withdrawn"


def test_an_order_concludes_one_agreement_per_line(market: Any, clock: Any) -> None:
    offer = market.live()
    buy(market.buyer, offer)
    lines = queries.lines(offer.id)
    agreements = list(Agreement.objects.order_by("id"))
    assert [row.line_id for row in agreements] == [line.id for line in lines]
    for line, row in zip(lines, agreements, strict=True):
        assert (row.assigner, row.assignee, row.asset) == (line.assigner, market.buyer.party, line.asset)
        assert (row.version, row.kind, row.state) == (line.version, "trade", "active")
        assert (row.until, row.runs) == (offer.until, 3)
        assert row.terms == to_json(for_assignee(queries.terms_of(line), market.buyer.party))
        assert row.terms_sha256 == terms_sha256(queries.terms_of(row)) != line.terms_sha256
        assert accounts.balance(row.id, "run").available == 3
    entry = last_entry(Event.AGREEMENT_CONCLUDED)
    assert entry["agreement"] == agreements[-1].id
    assert entry["terms_sha256"] == agreements[-1].terms_sha256
    assert entry["until"] == "2026-06-30T15:59:59.999999Z"


def test_all_or_none(market: Any) -> None:
    offer = market.live()
    model = offer.lines.get(role="model")
    terms = queries.terms_of(model)
    narrower = terms.model_copy(
        update={"use": terms.use.model_copy(update={"purposes": frozenset({Purpose.STATISTICS})})}
    )
    offer.lines.filter(pk=model.pk).update(terms=to_json(narrower))
    with pytest.raises(Refused) as caught:
        buy(market.buyer, offer, purpose="research")
    assert caught.value.code == "terms.purposes"
    assert not Agreement.objects.exists()
    assert accounts.books().get("run", 0) == 0
    assert not Outbox.objects.filter(event=Event.AGREEMENT_CONCLUDED.value).exists()


def test_a_purpose_the_terms_do_not_name_is_refused(market: Any) -> None:
    offer = market.live()
    for purpose in ("marketing", "gossip", ""):
        with pytest.raises(Refused) as caught:
            buy(market.buyer, offer, purpose=purpose)
        assert caught.value.code == "terms.purposes"
        assert "research, statistics" in caught.value.message.en


def test_what_is_not_live_is_not_concluded(market: Any, clock: Any) -> None:
    offer = actions.draft(market.provider, market.draft())
    actions.accept(market.modeller, offer.id)
    with pytest.raises(NotFound):
        buy(market.buyer, offer)
    with pytest.raises(Conflict) as caught:
        buy(market.modeller, offer)
    assert caught.value.code == "offer.not_live"
    actions.accept(market.provider, offer.id)
    clock.set(offer.until + timedelta(microseconds=1))
    with pytest.raises(Conflict) as caught:
        buy(market.buyer, offer)
    assert caught.value.code == "offer.expired"
    clock.set(offer.until)
    assert buy(market.buyer, offer)


def test_an_erased_version_is_not_concluded(market: Any) -> None:
    offer = market.live()
    catalog.erase(market.provider, queries.lines(offer.id)[0].version)
    with pytest.raises(Conflict) as caught:
        buy(market.buyer, offer)
    assert caught.value.code == "asset.no_version"


def test_a_lost_right_ends_the_sale(market: Any) -> None:
    offer = market.live()
    _end_right_to_operate(market.data)
    with pytest.raises(Refused) as caught:
        buy(market.buyer, offer)
    assert caught.value.code == "right.operate"


def test_nobody_concludes_for_another_or_alone(market: Any) -> None:
    offer = market.live()
    with pytest.raises(Refused) as caught:
        buy(market.buyer, offer, assignee=market.modeller.party)
    assert caught.value.code == "agreement.assignee"
    with pytest.raises(Refused):
        buy(market.operator, offer)
    line = queries.lines(offer.id)[0]
    with pytest.raises(RuntimeError, match="part of an action"):
        actions.conclude(market.buyer, line.id, assignee=market.buyer.party, purpose="statistics")


def test_the_same_key_drafts_once(market: Any) -> None:
    first = actions.draft(market.provider, market.draft(), idempotency_key="k")
    assert actions.draft(market.provider, market.draft(), idempotency_key="k") == first
    with pytest.raises(Conflict):
        actions.draft(market.provider, market.draft(runs=4), idempotency_key="k")
    assert Offer.objects.count() == 1
    assert first.drafted_by == market.provider.party
    assert market.provider.via == Via.CONSOLE
