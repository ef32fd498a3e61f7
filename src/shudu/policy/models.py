"""The outbox every action writes, what its handlers have done, the keys that make retries harmless, kept audiences
and how large they are."""

from django.db import models


class Outbox(models.Model):
    """One row per action, in the action's own transaction. Two readers: the ledger's sequencer and the dispatcher."""

    id = models.BigAutoField(primary_key=True)
    event = models.CharField(max_length=40)
    version = models.PositiveSmallIntegerField()
    subject = models.CharField(max_length=64)
    fields = models.JSONField()
    time = models.DateTimeField()
    sequenced = models.BooleanField(default=False)
    dispatched = models.BooleanField(default=False)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=models.Q(sequenced=False), name="outbox_unsequenced"),
            models.Index(fields=["id"], condition=models.Q(dispatched=False), name="outbox_undispatched"),
        ]


class Handled(models.Model):
    """(event, handler) pairs already done: delivery is at least once, the effect is once."""

    outbox = models.ForeignKey(Outbox, on_delete=models.CASCADE)
    handler = models.CharField(max_length=80)
    time = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["outbox", "handler"], name="handled_once")]


class IdempotencyKey(models.Model):
    """A key with the result it led to, committed together with that result."""

    party = models.CharField(max_length=64)
    action = models.CharField(max_length=80)
    key = models.CharField(max_length=200)
    request_sha256 = models.CharField(max_length=64)
    model = models.CharField(max_length=80)
    result = models.CharField(max_length=64)
    time = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["party", "action", "key"], name="idempotency_once")]


class Audience(models.Model):
    """A token for which a row stands open, and until when. A room adds the key `row` to what it keeps them for."""

    id = models.BigAutoField(primary_key=True)
    token = models.CharField(max_length=80)
    until = models.DateTimeField()

    class Meta:
        abstract = True
        # One index that answers a list by itself: rows of one token, in order, with the time they end.
        constraints = [models.UniqueConstraint(fields=["token", "row", "until"], name="%(class)s_once")]


class AudienceSize(models.Model):
    """How many rows stand open to those who bring a token, after one moment and until another, without being open to
    a wider token meanwhile (`audiences.spans`)."""

    id = models.BigAutoField(primary_key=True)
    token = models.CharField(max_length=80)
    after = models.DateTimeField()
    until = models.DateTimeField()
    rows = models.BigIntegerField()

    class Meta:
        abstract = True
        constraints = [models.UniqueConstraint(fields=["token", "until", "after"], name="%(class)s_once")]
