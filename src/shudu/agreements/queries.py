"""Every read of offers and agreements a door or an upper room uses."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import F, Max, Q, QuerySet

from shudu.catalog import queries as catalog
from shudu.catalog.types import Offered
from shudu.lake.types import View
from shudu.policy import clock
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, visible
from shudu.policy.types import Actor, Decision, Text, not_found

from .codes import REVOCATION_REASONS, Basis, OnRevocation, Purpose
from .evaluation import ProposedUse, evaluate, evaluate_onward
from .lines import Line, compose, compose_table, use_of_rows
from .models import Agreement as Agreement
from .models import Offer as Offer
from .models import OfferLine as OfferLine
from .operands import day_and_time
from .order import onward_of
from .reading import from_json, onward_from_json
from .terms import Nothing, Onward, Terms, Window
from .types import DraftOffer, DraftTable, TableRows
from .view import view_of


def offer(actor: Actor, offer_id: str) -> Offer:
    """An offer the actor may see: a live one, or one it has a part in. Anything else is not found."""
    row = Offer.objects.filter(pk=offer_id).first()
    if row is None or not decide(actor, Permission.OFFER_READ, row):
        raise not_found("上架", "offer", offer_id)
    return row


def anonymity_of(actor: Actor, offer: Offer) -> dict[str, Any] | None:
    """What was measured of an offer's rows (`openings.Exposure.kept`), for its owner, the operator and the auditor.

    None for anybody else, and where nothing was.
    """
    found: dict[str, Any] = offer.anonymity if inspects(actor, offer) else {}
    return found or None


def inspects(actor: Actor, offer: Offer) -> bool:
    """May the actor see what was measured of an offer's rows?"""
    return bool(decide(actor, Permission.OFFER_INSPECT, offer))


def offers(actor: Actor) -> QuerySet[Offer]:
    """All offers the actor may see, newest first, with their lines."""
    rows = visible(actor, Permission.OFFER_READ, Offer.objects.all())
    return rows.order_by("-id").prefetch_related("lines")


def offers_of(actor: Actor, asset_id: str) -> QuerySet[Offer]:
    """The offers of an asset that the actor may see, newest first."""
    with_it = OfferLine.objects.filter(asset=asset_id).values("offer")
    return offers(actor).filter(pk__in=with_it)


def offer_titles(offer_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """What these offers are called, read at once; for doors that have already decided who may."""
    return dict(Offer.objects.filter(pk__in=list(offer_ids)).values_list("id", "title"))


def preview(actor: Actor, request: DraftOffer) -> tuple[Line, Line]:
    """The two lines `draft` would make of this, for assets the actor may see; writes nothing. Raises as `draft`."""
    data, model = (catalog.offered(actor, asset) for asset in (request.data, request.model))
    return compose(request, data, model, clock.end_of_day(request.until))


def preview_table(actor: Actor, request: DraftTable) -> Line:
    """The line `draft_table` would make of this, for a table the actor may see; writes nothing. Raises as it does."""
    return compose_table(request, catalog.offered(actor, request.data), clock.end_of_day(request.until))


def table_view(data: Offered, request: TableRows) -> View:
    """What `draft_table` would let leave of this table, whatever for. Raises as it does."""
    window = Window(from_=None, until=None)
    use = use_of_rows(request, data, frozenset(Purpose), frozenset(Basis), 1, window)
    return view_of(use, data.columns, rows_leave=True)


def offer_row(offer_id: str) -> Offer:
    """The row, for actions that decide for themselves who may."""
    row = Offer.objects.filter(pk=offer_id).first()
    if row is None:
        raise not_found("上架", "offer", offer_id)
    return row


def lines(offer_id: str) -> list[OfferLine]:
    """An offer's lines by number: data, then model."""
    return list(OfferLine.objects.filter(offer=offer_id).order_by("number"))


def line_row(line_id: str) -> OfferLine:
    """A line with its offer, for actions that decide for themselves who may."""
    row = OfferLine.objects.select_related("offer").filter(pk=line_id).first()
    if row is None:
        raise not_found("上架条目", "offer line", line_id)
    return row


def split(offer_id: str) -> dict[str, int]:
    """The weights by which a run's price is split: provider, modeller, platform, summing to 100."""
    weights: dict[str, int] = offer_row(offer_id).split
    return dict(weights)


def agreement(actor: Actor, agreement_id: str) -> Agreement:
    """An agreement the actor may see: as its assigner, assignee, or as an overseer."""
    row = Agreement.objects.filter(pk=agreement_id).first()
    if row is None or not decide(actor, Permission.AGREEMENT_READ, row):
        raise not_found("协议", "agreement", agreement_id)
    return row


def agreements(actor: Actor) -> QuerySet[Agreement]:
    """All agreements the actor may see, newest first."""
    return visible(actor, Permission.AGREEMENT_READ, Agreement.objects.all()).order_by("-id")


def agreement_row(agreement_id: str) -> Agreement:
    """The row, for actions that decide for themselves who may."""
    row = Agreement.objects.filter(pk=agreement_id).first()
    if row is None:
        raise not_found("协议", "agreement", agreement_id)
    return row


def terms_of(row: OfferLine | Agreement) -> Terms:
    """The terms of a line or an agreement, brought to the present version."""
    return from_json(row.terms)


def permits(agreement_id: str, proposed: ProposedUse, *, version: str | None = None) -> Decision:
    """Does the agreement permit this use now (of this version, if given)? Explained; pure reading, nothing is counted.

    How many runs are left is not judged here: `accounts.reserve` takes them one by one and refuses the one too many.
    """
    row = agreement_row(agreement_id)
    if row.state == Agreement.State.REVOKED:
        return _revoked(row)
    if clock.now() > row.until:
        return _expired(row)
    if version is not None and version != row.version:
        return Decision.deny(
            "agreement.version",
            Text(
                f"协议约定的版本是 {row.version}，本次为 {version}。",
                f"The agreement is about version {row.version}, not {version}.",
            ),
            Text("请使用约定的版本，或另行订立协议。", "Use the agreed version, or conclude a new agreement."),
        )
    return evaluate(terms_of(row), proposed, clock.now())


def onward_permits(carried: Any, *, action: str, purpose: str | None = None, min_group: int | None = None) -> Decision:
    """May a derived asset be put to this use now? `carried` is what its row holds of its inputs' onward terms."""
    if not carried:
        return Decision.deny(
            "terms.missing",
            Text(
                "该资源不带衍生数据的使用条件，不能作为交付结果使用。",
                "It carries no terms of a derived result: denied.",
            ),
            Text("仅交付结果可以这样使用。", "Only a delivered result can be used this way."),
        )
    now = clock.now()
    return evaluate_onward(onward_from_json(carried), action=action, purpose=purpose, min_group=min_group, now=now)


def derived_onward(agreement_ids: Iterable[str]) -> Onward | Nothing:
    """What a result made under these agreements carries: the meet of their onward terms (of none: NOTHING)."""
    return onward_of([terms_of(agreement_row(agreement_id)).onward for agreement_id in agreement_ids])


def on_revocation(agreement_id: str) -> OnRevocation:
    """What becomes of results when this agreement is revoked. Results that may be put to no use are withdrawn."""
    onward = terms_of(agreement_row(agreement_id)).onward
    return OnRevocation.WITHDRAWN if isinstance(onward, Nothing) else onward.on_revocation


def assigned_by(party: str) -> QuerySet[Any, Any]:
    """Ids of the agreements in which a party is the assigner, for rules of upper rooms."""
    return Agreement.objects.filter(assigner=party).values("id")


def assigners(agreement_ids: Iterable[str]) -> list[str]:
    """The assigners of these agreements, each once."""
    rows = Agreement.objects.filter(pk__in=list(agreement_ids))
    return sorted(set(rows.values_list("assigner", flat=True)))


def of_assigner(party: str, agreement_ids: Iterable[str]) -> set[str]:
    """Of these agreements, those whose assigner is the party."""
    return set(Agreement.objects.filter(pk__in=list(agreement_ids), assigner=party).values_list("id", flat=True))


def offer_ids(party: str) -> QuerySet[Any, Any]:
    """Ids of the offers with a line this party assigns, for rules."""
    return OfferLine.objects.filter(assigner=party).values("offer")


def offer_parties(row: Offer) -> set[str]:
    """The parties that assign a line of an offer, for rules."""
    return set(OfferLine.objects.filter(offer=row.pk).values_list("assigner", flat=True))


def asset_ids(party: str) -> QuerySet[Any, Any]:
    """Ids of the assets this party is shown through an offer or an agreement, for rules.

    An offer shows its drafter's assets to every assigner, another's only once that one has accepted: naming a
    stranger's asset in a draft opens nothing.
    """
    disclosed = Q(assigner=F("offer__drafted_by")) | Q(accepted_at__isnull=False)
    through_offers = disclosed & Q(offer__in=offer_ids(party))
    concluded = Agreement.objects.filter(Q(assigner=party) | Q(assignee=party)).values("line")
    return OfferLine.objects.filter(through_offers | Q(pk__in=concluded)).values("asset")


def asset_parties(asset_id: str) -> set[str]:
    """The parties an asset is shown to through an offer or an agreement: `asset_ids` the other way round."""
    disclosed = Q(assigner=F("offer__drafted_by")) | Q(accepted_at__isnull=False)
    shown = OfferLine.objects.filter(disclosed, asset=asset_id).values("offer")
    parties = set(OfferLine.objects.filter(offer__in=shown).values_list("assigner", flat=True))
    for pair in Agreement.objects.filter(asset=asset_id).values_list("assigner", "assignee"):
        parties.update(pair)
    return parties


def offered_asset_ids() -> QuerySet[OfferLine, Any]:
    """Ids of the assets of live offers that have not ended, for rules."""
    return _on_offer().values("asset")


def offered_until(asset_id: str) -> datetime | None:
    """When the last of an asset's live offers ends; None when there is none now: `offered_asset_ids` turned round."""
    ends: datetime | None = _on_offer().filter(asset=asset_id).aggregate(last=Max("offer__until"))["last"]
    return ends


def _on_offer() -> QuerySet[OfferLine]:
    return OfferLine.objects.filter(offer__state=Offer.State.LIVE, offer__until__gte=clock.now())


def _revoked(row: Agreement) -> Decision:
    reason = REVOCATION_REASONS.label(row.revocation_reason)
    when = day_and_time(row.revoked_at) if row.revoked_at else ""
    return Decision.deny(
        "agreement.revoked",
        Text(
            f"协议 {row.id} 已于 {when}（北京时间）撤销，原因：{reason.zh}。",
            f"Agreement {row.id} was revoked at {when} (Beijing time): {reason.en}.",
        ),
        Text("请与提供方联系，或另行订立协议。", "Contact the assigner, or conclude a new agreement."),
    )


def _expired(row: Agreement) -> Decision:
    when = day_and_time(row.until)
    return Decision.deny(
        "agreement.expired",
        Text(
            f"协议 {row.id} 已于 {when}（北京时间）到期。",
            f"Agreement {row.id} ended at {when} (Beijing time).",
        ),
        Text("请另行订立协议。", "Conclude a new agreement."),
    )
