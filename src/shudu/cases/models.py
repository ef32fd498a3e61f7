"""Running cases and every step they took."""

from __future__ import annotations

from functools import partial

from django.db import models

from shudu.policy import ids


class Case(models.Model):
    """One piece of work about `subject` (an order, an offer …), under the version of its procedure it began with."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "case"))
    procedure = models.CharField(max_length=40)
    version = models.PositiveSmallIntegerField()
    subject = models.CharField(max_length=64, db_index=True)
    owner = models.CharField(max_length=64)
    state = models.CharField(max_length=40)
    opened = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["procedure", "subject"], name="case_once")]


class Deadline(models.Model):
    """A moment after which something happens to a case by itself, once. `tries` counts the times it failed."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="deadlines")
    name = models.CharField(max_length=40)
    due = models.DateTimeField()
    passed = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "name"], name="deadline_once")]
        indexes = [models.Index(fields=["due"], condition=models.Q(passed=None), name="deadline_waiting")]


class CaseStep(models.Model):
    """A transition taken: by which party, through which door, when. Of an opinion only the digest is here."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="steps")
    transition = models.CharField(max_length=40)
    from_state = models.CharField(max_length=40)
    to_state = models.CharField(max_length=40)
    party = models.CharField(max_length=64)
    via = models.CharField(max_length=16)
    time = models.DateTimeField()
    opinion_sha256 = models.CharField(max_length=64, blank=True)
