"""What the book says, and whether it is sound."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F, Min, QuerySet, Sum
from django.db.models.functions import Coalesce

from shudu.identity import queries as identity
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, refuse_unless
from shudu.policy.types import Actor

from .models import Account, Posting, Reservation
from .types import Balance, Kind, Line


def require_readable(actor: Actor, party_id: str) -> None:
    """Raise `Refused` unless the actor manages the party: its funds are its own and the operator's to see."""
    refuse_unless(decide(actor, Permission.PARTY_MANAGE, identity.party(party_id)))


def balance(holder: str, unit: str) -> Balance:
    """What a holder has of a unit; zeros for one the book does not know."""
    rows = dict(Account.objects.filter(holder=holder, unit=unit).values_list("kind", "balance"))
    return Balance(rows.get(Kind.AVAILABLE, 0), rows.get(Kind.RESERVED, 0), rows.get(Kind.CONSUMED, 0))


def statement(holder: str, unit: str) -> list[Line]:
    """Every transfer that touched the holder's account of a unit, in the order made."""
    return _lines(_postings(holder, unit).order_by("id"), 0)


def newest(holder: str, unit: str, limit: int, *, before: str | None = None) -> list[Line]:
    """The same, newest first and at most `limit`: from the one before the transfer `before` on (none, if unknown)."""
    rows = _postings(holder, unit)
    if before is not None:
        rows = rows.filter(id__lt=rows.filter(transfer=before).aggregate(first=Coalesce(Min("id"), 0))["first"])
    # A transfer has a posting for each kind of account at most; so many are enough, and the last may be cut short.
    found = list(rows.order_by("-id")[: limit * len(Kind)])[::-1]
    earlier = rows.filter(account__kind=Kind.AVAILABLE, id__lt=found[0].pk) if found else rows.none()
    available: int = earlier.aggregate(sum=Coalesce(Sum("amount"), 0))["sum"]
    return _lines(found, available)[::-1][:limit]


def _postings(holder: str, unit: str) -> QuerySet[Posting]:
    rows = Posting.objects.filter(account__holder=holder, account__unit=unit)
    return rows.select_related("transfer", "account")


def _lines(postings: Iterable[Posting], available: int) -> list[Line]:
    """The transfers of these postings, oldest first, beginning with so much available."""
    changes: dict[str, dict[str, int]] = {}
    transfers = {}
    for posting in postings:
        transfers[posting.transfer_id] = posting.transfer
        changes.setdefault(posting.transfer_id, {})[posting.account.kind] = posting.amount
    lines: list[Line] = []
    for id_, change in changes.items():
        transfer = transfers[id_]
        available += change.get(Kind.AVAILABLE, 0)
        lines.append(
            Line(
                transfer.time,
                id_,
                transfer.reason,
                transfer.reference,
                change.get(Kind.AVAILABLE, 0),
                change.get(Kind.RESERVED, 0),
                available,
            )
        )
    return lines


def purposes(references: Iterable[str]) -> dict[str, str]:
    """What the reservations among these references of transfers were for."""
    return dict(Reservation.objects.filter(pk__in=list(references)).values_list("id", "purpose"))


def books() -> dict[str, int]:
    """The sum of all balances per unit: zero each, or the book is broken."""
    return dict(Account.objects.values_list("unit").annotate(total=Sum("balance")).order_by("unit"))


def drift() -> dict[str, int]:
    """Accounts (by id) whose balance is not the sum of their postings, and by how much: none, or the book is broken."""
    posted = Coalesce(Sum("postings__amount"), 0)
    rows = Account.objects.annotate(drift=F("balance") - posted).exclude(drift=0)
    return dict(rows.values_list("id", "drift"))
