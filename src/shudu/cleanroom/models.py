"""What was released of which data: the sketch behind it, what was checked, and what a person decided; and the stricter
rules a party asked for."""

from __future__ import annotations

from functools import partial

from django.db import models

from shudu.policy import clock, ids


class Watch(models.Model):
    """How many releases of an asset were entered so far. Whoever enters one says how many it was compared with."""

    asset = models.CharField(primary_key=True, max_length=64)
    releases = models.PositiveIntegerField(default=0)


class Cohort(models.Model):
    """The entities of a version: keyed hashes in ascending order, sealed. Releases of the same entities share one."""

    asset = models.CharField(max_length=64)
    version = models.CharField(max_length=64, db_index=True)
    sha256 = models.CharField(max_length=64)
    sealed = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "sha256"], name="cohort_once")]


class Release(models.Model):
    """One run's release, from the moment it is worked out. Until it has ended without leaving, later ones are compared
    with it."""

    run = models.CharField(primary_key=True, max_length=64)
    asset = models.CharField(max_length=64)
    version = models.CharField(max_length=64, db_index=True)
    owner = models.CharField(max_length=64, db_index=True)
    agreement = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    min_group = models.PositiveIntegerField()
    cohort = models.ForeignKey(Cohort, null=True, on_delete=models.SET_NULL)
    # Which row each entity of the cohort is in, sealed. Of two releases with the same rows one is enough to compare.
    labels = models.BinaryField()
    labels_sha256 = models.CharField(max_length=64)
    entered = models.DateTimeField(default=clock.now)
    # When it ended without leaving: its run failed or was refused.
    ended = models.DateTimeField(null=True)
    # Where the evidence lies: {"file": StoredFile, "version": the folder's last part}.
    evidence = models.JSONField(default=dict)
    held_for = models.JSONField(default=list)
    due = models.DateTimeField(null=True)
    decision = models.CharField(max_length=10, blank=True, default="")
    decided = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=64, blank=True, default="")
    opinion_sha256 = models.CharField(max_length=64, blank=True, default="")
    # The digests of the files decided upon; nothing else leaves.
    files = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["asset", "number"], name="release_number_once")]
        indexes = [models.Index(fields=["agreement", "entered"], name="release_by_day")]


class ReleaseRules(models.Model):
    """One declaration of a party, for all releases its data or model is part of; the newest holds, older ones stay."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "release_rules"))
    owner = models.CharField(max_length=64, db_index=True)
    rules = models.JSONField()
    sha256 = models.CharField(max_length=64)
    created = models.DateTimeField(default=clock.now)
