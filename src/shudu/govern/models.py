"""What owners declare of their tables' quality, and what was counted under it."""

from __future__ import annotations

from functools import partial

from django.db import models

from shudu.policy import clock, ids


class QualityRules(models.Model):
    """One declaration of an asset's owner; the newest holds, older ones stay."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "quality_rules"))
    asset = models.ForeignKey("catalog.Asset", on_delete=models.PROTECT, related_name="+")
    owner = models.CharField(max_length=64, db_index=True)
    rules = models.JSONField()
    sha256 = models.CharField(max_length=64)
    created = models.DateTimeField(default=clock.now)


class Assessment(models.Model):
    """A and B of every indicator, of one version under one declaration. Never changed: the version does not either."""

    version = models.ForeignKey("catalog.Version", on_delete=models.PROTECT, related_name="+")
    rules = models.ForeignKey(QualityRules, on_delete=models.PROTECT, related_name="assessments")
    owner = models.CharField(max_length=64)
    counts = models.JSONField()
    # Rules of the declaration that this version's columns cannot be held to: [{"rule", "zh", "en"}].
    unfit = models.JSONField(default=list)
    created = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "rules"], name="assessed_once")]
