"""The book: accounts, the transfers between them, and reservations that wait for an outcome."""

from __future__ import annotations

from functools import partial

from django.db import models
from django.db.models import Q

from shudu.policy import ids

from .types import Kind, State


class Account(models.Model):
    """What one holder (a party, an agreement …) has of one unit in one place."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "account"))
    holder = models.CharField(max_length=64)
    unit = models.CharField(max_length=16)
    kind = models.CharField(max_length=16)
    balance = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["holder", "unit", "kind"], name="account_once"),
            models.CheckConstraint(condition=Q(balance__gte=0) | Q(kind=Kind.ISSUED.value), name="balance_covered"),
        ]


class Transfer(models.Model):
    """Amounts of one unit moved at one moment. The same thing is never done twice: (reason, reference) is unique."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "transfer"))
    unit = models.CharField(max_length=16)
    reason = models.CharField(max_length=16)
    reference = models.CharField(max_length=64)
    time = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reason", "reference", "unit"], name="transfer_once")]


class Posting(models.Model):
    """What one transfer adds to one account. The postings of a transfer sum to zero."""

    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="postings")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="postings")
    amount = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["transfer", "account"], name="posting_once")]


class Reservation(models.Model):
    """An amount locked until it is committed or released. `shares` says who got it, once committed."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "reservation"))
    holder = models.CharField(max_length=64)
    unit = models.CharField(max_length=16)
    amount = models.BigIntegerField()
    state = models.CharField(max_length=16, default=State.RESERVED.value)
    purpose = models.CharField(max_length=200)
    reference = models.CharField(max_length=64, blank=True)
    shares = models.JSONField(default=dict)
    opened = models.DateTimeField()
    closed = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["holder", "unit"], name="reservation_holder")]
