"""What came in: uploads on their way; and what is read by itself: sources, and the feeds from them."""

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
    draft = models.JSONField(default=dict)  # a `types.Draft`: what was said of it so far, by a person who publishes it

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
    came_by = models.CharField(max_length=10, blank=True, default="")  # a `Via`; empty: from before it was kept
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


class Inbox(models.Model):
    """That what lies in a party's drop folder is handed in in its name. `name` is the folder's, and stays."""

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    owner = models.CharField(primary_key=True, max_length=64, editable=False)
    name = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    opened = models.DateTimeField(default=clock.now)


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


class Source(models.Model):
    """A database that tables are read from. `secret` is its password, sealed by a data key of its own."""

    class State(models.TextChoices):
        ACTIVE = "active"
        CLOSED = "closed"

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "source"))
    owner = models.CharField(max_length=64, db_index=True)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20)
    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField()
    database = models.CharField(max_length=128)
    user = models.CharField(max_length=128)
    tls = models.CharField(max_length=10)
    secret = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    created = models.DateTimeField(default=clock.now)


class Feed(models.Model):
    """What an asset's binding is kept current from: a table of a source, and the rule of its refreshes.

    `asset` is empty until the first run has published it. No watermark is kept: the newest live version holds the
    largest value of its column, so what was read and what was published can never disagree.
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        CLOSED = "closed"

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=partial(ids.new, "feed"))
    owner = models.CharField(max_length=64, db_index=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="feeds")
    asset = models.CharField(max_length=64, blank=True, default="", db_index=True)
    table = models.CharField(max_length=300)
    columns = models.JSONField(default=list)
    fields = models.JSONField()
    rule = models.JSONField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    run = models.CharField(max_length=64, blank=True, default="")
    due = models.DateTimeField(null=True)
    created = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["due"], condition=models.Q(state="active"), name="feed_due")]
