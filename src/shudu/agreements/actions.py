"""Every write of offers and agreements: draft, accept, withdraw, conclude, revoke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from shudu.accounts import actions as accounts
from shudu.cases import actions as cases
from shudu.catalog import actions as catalogue
from shudu.catalog import queries as catalog
from shudu.catalog.types import LanguageMap, Offered
from shudu.policy import clock
from shudu.policy.actions import action, part_of_action, record, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.rules import refuse_unless
from shudu.policy.types import Actor, Conflict, Decision, Invalid, Text

from . import queries
from .codes import REVOCATION_REASONS
from .evaluation import ProposedUse, evaluate
from .licences import licensed
from .lines import Line, compose, compose_table
from .models import Agreement, Offer, OfferLine
from .openings import Exposure, exposure, opened
from .operands import day_and_time
from .reading import from_json
from .terms import for_assignee, terms_sha256, to_json
from .types import DraftOffer, DraftTable

RUNS = "run"
NOT_MEASURED: Mapping[str, Any] = MappingProxyType({})


@action(Permission.OFFER_DRAFT, Event.OFFER_DRAFTED)
def draft(actor: Actor, request: DraftOffer) -> Offer:
    """Draft an offer of two lines; nobody has accepted anything yet, the drafter neither.

    Raises `Refused` unless the actor owns one of the assets and each owner may offer its own; `Invalid` for terms that
    cannot be (`lines.compose`), or an end that has passed.
    """
    require(actor, Permission.OFFER_DRAFT)
    # What the drafter may not see is not there for it: naming an id must not tell whether it names anything.
    data, model = (catalog.offered(actor, asset) for asset in (request.data, request.model))
    refuse_unless(_drafts(actor, data, model))
    for offered in (data, model):
        refuse_unless(catalog.may_offer(offered.owner, offered.asset))
    refuse_unless(licensed(data.version, rows_leave=False, until=request.until, to_owner=actor.party == data.owner))
    until = _ends(request.until)
    title = _title(data.title, model.title)
    return _drafted(actor, compose(request, data, model, until), title, request.price_fen, dict(request.split), until)


def _exposed(actor: Actor, request: DraftTable) -> Exposure | None:
    """Measure before the transaction opens: nobody waits for a scan of a large table."""
    data = _own_table(actor, request)
    return exposure(data, queries.table_view(data, request), request.quasi, request.not_quasi)


@action(Permission.OFFER_DRAFT, Event.OFFER_DRAFTED, prepare=_exposed)
def draft_table(actor: Actor, request: DraftTable, *, prepared: Exposure | None) -> Offer:
    """Draft an offer that hands rows of one's own table over, as its terms show them. Raises as `draft` does.

    Raises `Refused` (`offer.anonymity`) where the rows would set people apart and nobody has acknowledged it.
    """
    data = _own_table(actor, request)
    refuse_unless(licensed(data.version, rows_leave=True, until=request.until, to_owner=True))
    refuse_unless(opened(prepared, request.acknowledged_k))
    until = _ends(request.until)
    split = {"provider": request.provider, "modeller": 0, "platform": 100 - request.provider}
    line = compose_table(request, data, until)
    anonymity = prepared.kept() if prepared else {}
    return _drafted(actor, (line,), data.title, request.price_fen, split, until, anonymity)


def _own_table(actor: Actor, request: DraftTable) -> Offered:
    require(actor, Permission.OFFER_DRAFT)
    data = catalog.offered(actor, request.data)
    refuse_unless(_drafts(actor, data, data))
    refuse_unless(catalog.may_offer(data.owner, data.asset))
    return data


def _ends(last: date) -> datetime:
    until = clock.end_of_day(last)
    if until <= clock.now():
        raise Invalid(
            "offer.until",
            Text("截止日期已过。", "The offer would end in the past."),
            Text("请填写今天或以后的日期。", "Give today or a later day."),
            {"field": "until"},
        )
    return until


@part_of_action
def _drafted(
    actor: Actor,
    composed: Sequence[Line],
    title: LanguageMap,
    price_fen: int,
    split: dict[str, int],
    until: datetime,
    anonymity: Mapping[str, Any] = NOT_MEASURED,
) -> Offer:
    offer = Offer.objects.create(
        drafted_by=actor.party, title=title, price_fen=price_fen, split=split, until=until, anonymity=dict(anonymity)
    )
    cases.open_case("offer", offer.id, actor.party)
    rows = [
        OfferLine.objects.create(
            offer=offer,
            number=number,
            role=line.role,
            asset=line.asset,
            version=line.version,
            assigner=line.assigner,
            terms=to_json(line.terms),
            terms_sha256=terms_sha256(line.terms),
        )
        for number, line in enumerate(composed, start=1)
    ]
    catalogue.disclose(row.asset for row in rows)
    record(
        offer.id,
        {
            "offer": offer.id,
            "lines": [row.id for row in rows],
            "terms_sha256": [row.terms_sha256 for row in rows],
            "price_fen": offer.price_fen,
            "split": offer.split,
            "anonymity": offer.anonymity,
        },
    )
    return offer


@action(Permission.OFFER_ACCEPT, Event.OFFER_ACCEPTED)
def accept(actor: Actor, offer_id: str) -> Offer:
    """Accept the lines the actor's party assigns, and no other; with the last of all lines the offer goes live."""
    # Locked: of two parties accepting at once, the second must see the first, or the offer would never go live.
    Offer.objects.select_for_update().filter(pk=offer_id).first()
    offer = queries.offer(actor, offer_id)
    require(actor, Permission.OFFER_ACCEPT, offer)
    lines = queries.lines(offer.id)
    own = [line for line in lines if line.assigner == actor.party]
    waiting = [line for line in own if line.accepted_at is None]
    if not waiting and offer.state != Offer.State.WITHDRAWN:
        raise Conflict(
            "offer.accepted",
            Text("贵方已接受过该上架。", "Your organisation has accepted this offer already."),
            Text("请等待其他各方接受，或直接订购。", "Wait for the others to accept, or place an order."),
            {"offer": offer.id, "state": offer.state},
        )
    _not_over(offer)
    cases.advance(offer.id, "accept", actor)
    for line in waiting:
        refuse_unless(catalog.may_offer(line.assigner, line.asset))
        line.accepted_at, line.accepted_by = clock.now(), actor.person or actor.party
        line.save(update_fields=["accepted_at", "accepted_by"])
    live = all(line.accepted_at or line in waiting for line in lines)
    if live:
        _move(offer, "go_live", actor)
    catalogue.disclose(line.asset for line in lines)
    fields = {"offer": offer.id, "party": actor.party, "lines": [line.id for line in waiting], "live": live}
    record(offer.id, fields)
    return offer


@action(Permission.OFFER_WITHDRAW, Event.OFFER_WITHDRAWN)
def withdraw(actor: Actor, offer_id: str) -> Offer:
    """Take an offer off; any of its assigners may. Agreements concluded on it stand."""
    offer = queries.offer(actor, offer_id)
    require(actor, Permission.OFFER_WITHDRAW, offer)
    _move(offer, "withdraw", actor)
    catalogue.disclose(line.asset for line in queries.lines(offer.id))
    record(offer.id, {"offer": offer.id, "party": actor.party})
    return offer


@part_of_action
@action(Permission.ORDER_PLACE, Event.AGREEMENT_CONCLUDED)
def conclude(actor: Actor, line_id: str, *, assignee: str, purpose: str) -> Agreement:
    """Conclude one line of a live offer for `assignee`, the actor's own party; its runs are opened as a quota.

    Part of the action that places the order, with an entry of its own. Raises `Conflict` when the offer is not live or
    has ended, `Refused` when the terms do not permit this purpose or the assigner may no longer offer the asset.
    """
    line = queries.line_row(line_id)
    offer = queries.offer(actor, line.offer_id)
    require(actor, Permission.ORDER_PLACE, offer)
    refuse_unless(_concludes(actor, assignee))
    if offer.state != Offer.State.LIVE:
        raise Conflict(
            "offer.not_live",
            Text("该上架尚未经各方接受，或已下架。", "This offer is not live: not accepted by all, or withdrawn."),
            Text("请待各方接受后再订购。", "Order once every party has accepted it."),
            {"offer": offer.id, "state": offer.state},
        )
    _not_over(offer)
    refuse_unless(catalog.may_offer(line.assigner, line.asset))
    catalog.shape(line.asset, line.version)
    terms = for_assignee(from_json(line.terms), assignee)
    refuse_unless(evaluate(terms, ProposedUse.whole(terms, party=assignee, purpose=purpose), clock.now()))
    agreement = Agreement.objects.create(
        offer=offer,
        line=line,
        assigner=line.assigner,
        assignee=assignee,
        asset=line.asset,
        version=line.version,
        terms=to_json(terms),
        terms_sha256=terms_sha256(terms),
        until=offer.until,
        runs=terms.use.runs or 0,
    )
    catalogue.disclose([agreement.asset])
    accounts.open_quota(agreement.id, RUNS, agreement.runs)
    record(
        agreement.id,
        {
            "agreement": agreement.id,
            "offer": offer.id,
            "line": line.id,
            "assigner": agreement.assigner,
            "assignee": agreement.assignee,
            "asset": agreement.asset,
            "version": agreement.version,
            "terms_sha256": agreement.terms_sha256,
            "until": clock.stamp(agreement.until),
            "runs": agreement.runs,
        },
    )
    return agreement


@action(Permission.AGREEMENT_REVOKE, Event.AGREEMENT_REVOKED)
def revoke(actor: Actor, agreement_id: str, reason: str) -> Agreement:
    """End an agreement now; `reason` is a code of `REVOCATION_REASONS`. What becomes of results its terms say."""
    agreement = queries.agreement(actor, agreement_id)
    require(actor, Permission.AGREEMENT_REVOKE, agreement)
    if reason not in REVOCATION_REASONS.labels:
        raise Invalid(
            "agreement.reason",
            Text("撤销原因须为规定的代码。", "The reason for a revocation is one of the codes."),
            Text(
                f"可用代码：{'、'.join(REVOCATION_REASONS.labels)}。", f"Codes: {', '.join(REVOCATION_REASONS.labels)}."
            ),
            {"field": "reason"},
        )
    now = clock.now()
    active = Agreement.objects.filter(pk=agreement.pk, state=Agreement.State.ACTIVE)
    if not active.update(state=Agreement.State.REVOKED, revoked_at=now, revocation_reason=reason):
        raise Conflict(
            "agreement.revoked",
            Text("该协议已撤销。", "This agreement has been revoked already."),
            None,
            {"agreement": agreement.id},
        )
    agreement.refresh_from_db()
    record(agreement.id, {"agreement": agreement.id, "reason": reason})
    return agreement


def _drafts(actor: Actor, data: Offered, model: Offered) -> Decision:
    if actor.party in (data.owner, model.owner):
        return Decision.allow("offer.draft.assigner", Text("为其中一方。", "It is one of the assigners."))
    return Decision.deny(
        "offer.draft.assigner",
        Text("只有数据或模型的提供方才能起草上架。", "Only the owner of the data or of the model drafts an offer."),
        Text("请以其中一方的身份起草。", "Draft it as one of the two."),
    )


def _concludes(actor: Actor, assignee: str) -> Decision:
    if assignee and assignee == actor.party:
        return Decision.allow("agreement.assignee", Text("为使用方本人。", "It is the assignee itself."))
    return Decision.deny(
        "agreement.assignee",
        Text("协议只能由使用方自己订立。", "Only the assignee itself concludes its agreement."),
        Text("请以使用方的身份订购。", "Order as the party that will use it."),
    )


def _not_over(offer: Offer) -> None:
    if clock.now() > offer.until:
        when = day_and_time(offer.until)
        raise Conflict(
            "offer.expired",
            Text(f"该上架已于 {when}（北京时间）到期。", f"This offer ended at {when} (Beijing time)."),
            Text("请提供方重新上架。", "Ask its assigners for a new offer."),
            {"offer": offer.id, "until": clock.stamp(offer.until)},
        )


@part_of_action
def _move(offer: Offer, transition: str, actor: Actor) -> None:
    offer.state = cases.advance(offer.id, transition, actor).state
    offer.save(update_fields=["state"])


def _title(data: LanguageMap, model: LanguageMap) -> LanguageMap:
    """Both titles in every language either has; where one lacks it, its first."""
    languages = dict.fromkeys((*data, *model))
    first_data, first_model = next(iter(data.values()), ""), next(iter(model.values()), "")
    return {
        language: f"{data.get(language, first_data)} × {model.get(language, first_model)}" for language in languages
    }
