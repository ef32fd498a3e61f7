"""What came in: uploads on their way, and the batches they became or did not become."""

from __future__ import annotations

from functools import partial

from django.db import models

from shudu.policy import clock, ids


class Upload(models.Model):
    """A file of `size` bytes on its way in. Bytes before `offset` are acknowledged: durable, and never asked for again.

    The bytes lie in the home under `received/<owner>/<id>` while it is receiving or complete.
    """

    class State(models.TextChoices):
        RECEIVING = "receiving"
        COMPLETE = "complete"  # every byte is here and the digest is what was declared
        SPOILED = "spoiled"  # every byte was here and the digest was not
        REMOVED = "removed"
        EXPIRED = "expired"

    KEPT = (State.RECEIVING, State.COMPLETE)

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "upload"))
    owner = models.CharField(max_length=64, db_index=True)
    name = models.CharField(max_length=200)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, blank=True, default="")
    sm3 = models.CharField(max_length=64, blank=True, default="")
    offset = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVING)
    created = models.DateTimeField(default=clock.now)
    expires = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["expires"],
                condition=models.Q(state__in=("receiving", "complete")),
                name="upload_expiring",
            )
        ]


class Batch(models.Model):
    """A batch that was handed in: accepted as a version of a table, or refused and why. Neither is ever changed.

    An accepted one holds its number (`batch_id`, the sender's own) for ever; a refused one leaves it free.
    """

    class State(models.TextChoices):
        ACCEPTED = "accepted"
        REFUSED = "refused"

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "batch"))
    owner = models.CharField(max_length=64, db_index=True)
    batch_id = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices)
    channel = models.CharField(max_length=20)
    mode = models.CharField(max_length=10)
    header = models.JSONField()
    header_sha256 = models.CharField(max_length=64)
    source_sha256 = models.CharField(max_length=64)
    source_sm3 = models.CharField(max_length=64)
    # Of an accepted one.
    asset = models.CharField(max_length=64, blank=True, default="", db_index=True)
    version = models.CharField(max_length=64, blank=True, default="", db_index=True)
    # Of a refused one: a code of `refusals`, and where.
    code = models.CharField(max_length=40, blank=True, default="")
    where = models.JSONField(default=dict)
    created = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "batch_id"], condition=models.Q(state="accepted"), name="batch_accepted_once"
            ),
            models.UniqueConstraint(
                fields=["owner", "header_sha256", "source_sha256", "code"],
                condition=models.Q(state="refused"),
                name="batch_refused_once",
            ),
        ]


class SenderKey(models.Model):
    """A public key an organisation signs batches and packages with, for its time. Older ones stay valid for theirs."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "sender_key"))
    owner = models.CharField(max_length=64, db_index=True)
    verifier = models.CharField(max_length=400)  # as `ledger.note.VerifierKey` writes it
    algorithm = models.CharField(max_length=20)
    registered = models.DateTimeField(default=clock.now)
    until = models.DateTimeField()
    revoked = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "verifier"], name="sender_key_once")]
