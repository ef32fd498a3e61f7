"""Who may read, accept, withdraw and revoke; and who is shown an asset through an offer or an agreement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from shudu.policy import clock
from shudu.policy.permissions import Permission
from shudu.policy.rules import NOBODY, SIGNED_IN, Owner, Related, grant, holders
from shudu.policy.types import Actor, Role, Text

from . import queries
from .models import Offer


@dataclass(frozen=True)
class LiveToAll:
    """Live offers, for everybody who has signed in: every party holds some role (as in `identity`)."""

    name: str = "live"
    message: Text = Text("已上架的可供已登录的主体查看。", "A live offer is open to whoever has signed in.")

    def allows(self, actor: Actor, row: Any) -> bool:
        return bool(actor.roles) and row.state == Offer.State.LIVE

    def where(self, actor: Actor) -> Q:
        return Q(state=Offer.State.LIVE) if actor.roles else NOBODY

    def audience(self, row: Any) -> frozenset[str]:
        return frozenset(f"role:{role}" for role in Role) if row.state == Offer.State.LIVE else frozenset()


@dataclass(frozen=True)
class OfferedToAll:
    """The catalogue entry of what a live offer offers, until the offer ends, for whoever has signed in: who buys must
    see what."""

    name: str = "offered"
    message: Text = Text(
        "在架且未到期的资源，其目录可供已登录的主体查看。",
        "Whoever has signed in may see the entry of what is on offer.",
    )

    def allows(self, actor: Actor, row: Any) -> bool:
        return bool(actor.roles) and queries.offered_until(row.pk) is not None

    def where(self, actor: Actor) -> Q:
        return Q(pk__in=queries.offered_asset_ids()) if actor.roles else NOBODY

    def audience(self, row: Any) -> frozenset[str]:
        return frozenset({SIGNED_IN}) if queries.offered_until(row.pk) else frozenset()

    def until(self, row: Any) -> datetime:
        return queries.offered_until(row.pk) or clock.now()


def _asset_parties(row: Any) -> set[str]:
    return queries.asset_parties(row.pk)


def register() -> None:
    assigners = Related(
        queries.offer_ids,
        queries.offer_parties,
        "assigner",
        Text("仅限该上架中的提供方。", "Only a party that assigns a line of this offer."),
    )
    drafter = Owner("drafted_by", "drafter", Text("仅限起草方。", "Only the party that drafted it."))
    assigner = Owner("assigner", "assigner", Text("仅限协议的提供方。", "Only the agreement's assigner."))
    assignee = Owner("assignee", "assignee", Text("仅限协议的使用方。", "Only the agreement's assignee."))
    involved = Related(
        queries.asset_ids,
        _asset_parties,
        "involved",
        Text("或该资源所涉上架、协议的当事方。", "Or a party to an offer or agreement about it."),
    )
    grant(Permission.OFFER_READ, LiveToAll(), assigners, drafter, holders(Role.OPERATOR))
    # What was measured of people in its rows is no business of whoever may buy them.
    grant(Permission.OFFER_INSPECT, assigners, drafter, holders(Role.OPERATOR, Role.AUDITOR))
    grant(Permission.OFFER_DRAFT, holders(Role.PROVIDER, Role.MODELLER))
    grant(Permission.OFFER_ACCEPT, assigners)
    grant(Permission.OFFER_WITHDRAW, assigners)
    grant(Permission.AGREEMENT_READ, assigner, assignee, holders(Role.OPERATOR, Role.AUDITOR))
    grant(Permission.AGREEMENT_REVOKE, assigner)
    grant(Permission.ASSET_READ, OfferedToAll(), involved)
