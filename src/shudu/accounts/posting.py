"""`post`: the one place where a posting is written and a balance changes."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.db.models import F

from shudu.policy import clock

from .models import Account, Posting, Transfer
from .types import Kind, Why

Place = tuple[str, Kind]  # holder, kind


class Short(Exception):
    """An account does not cover what is taken from it; nothing was posted."""


def post(unit: str, why: Why, reference: str, moves: Mapping[Place, int]) -> Transfer:
    """Move amounts of one unit between places, all or none.

    `moves` must sum to zero (`ValueError`). Raises `Short` when a place would fall below zero, and `IntegrityError`
    when this (reason, reference) was posted before. Accounts are always taken in one order, so that two transfers
    cannot lock each other out; a balance changes by a conditional update, so that nobody acts on one read earlier.
    """
    if sum(moves.values()) != 0:
        raise ValueError(f"a transfer sums to zero, not {sum(moves.values())}")
    with transaction.atomic():
        transfer = Transfer.objects.create(unit=unit, reason=why.value, reference=reference, time=clock.now())
        for (holder, kind), amount in sorted(moves.items()):
            if amount == 0:
                continue
            account, _ = Account.objects.get_or_create(holder=holder, unit=unit, kind=kind.value)
            row = Account.objects.filter(pk=account.pk)
            if amount < 0 and kind is not Kind.ISSUED:
                row = row.filter(balance__gte=-amount)
            if not row.update(balance=F("balance") + amount):
                raise Short
            Posting.objects.create(transfer=transfer, account=account, amount=amount)
    return transfer
