"""Offers with their lines, and the agreements concluded on them. Terms are JSON, read through `reading`."""

from __future__ import annotations

from functools import partial

from django.db import models

from shudu.policy import clock, ids


class Offer(models.Model):
    """Assets offered together at a price. `state` mirrors the case; it is live once every line is accepted."""

    class State(models.TextChoices):
        DRAFTED = "drafted"
        LIVE = "live"
        WITHDRAWN = "withdrawn"

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "offer"))
    drafted_by = models.CharField(max_length=64, db_index=True)
    title = models.JSONField()
    price_fen = models.BigIntegerField()
    # Weights of the roles provider, modeller and platform, summing to 100.
    split = models.JSONField()
    # Of rows to be handed over: `openings.Exposure.kept`; empty for any other, and from before it was kept.
    anonymity = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFTED, db_index=True)
    created = models.DateTimeField(default=clock.now)
    until = models.DateTimeField()


class OfferLine(models.Model):
    """One asset of an offer: who assigns it, on which terms, pinned to which version."""

    class Part(models.TextChoices):
        DATA = "data"
        MODEL = "model"

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "line"))
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="lines")
    number = models.PositiveSmallIntegerField()
    role = models.CharField(max_length=10, choices=Part.choices)
    asset = models.CharField(max_length=64, db_index=True)
    version = models.CharField(max_length=64)
    assigner = models.CharField(max_length=64, db_index=True)
    terms = models.JSONField()
    terms_sha256 = models.CharField(max_length=64)
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["offer", "number"], name="offer_line_number_once")]


class Agreement(models.Model):
    """Concluded terms: one assigner, one assignee, one asset. `runs` is its quota in `accounts`, under its own id."""

    class Kind(models.TextChoices):
        TRADE = "trade", "交易合同（数字合约）"

    class State(models.TextChoices):
        ACTIVE = "active"
        REVOKED = "revoked"

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "agreement"))
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.TRADE)
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="agreements")
    line = models.ForeignKey(OfferLine, on_delete=models.PROTECT, related_name="agreements")
    assigner = models.CharField(max_length=64, db_index=True)
    assignee = models.CharField(max_length=64, db_index=True)
    asset = models.CharField(max_length=64, db_index=True)
    version = models.CharField(max_length=64)
    terms = models.JSONField()
    terms_sha256 = models.CharField(max_length=64)
    concluded_at = models.DateTimeField(default=clock.now)
    until = models.DateTimeField()
    runs = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    revoked_at = models.DateTimeField(null=True)
    revocation_reason = models.CharField(max_length=30, blank=True, default="")
