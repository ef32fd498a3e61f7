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
