"""Every read of what came in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db.models import Count, QuerySet, Sum

from shudu.config.options import Options
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, visible
from shudu.policy.types import Actor, Conflict, Text, not_found

from . import received
from .models import Upload as Upload


def upload(actor: Actor, upload_id: str) -> Upload:
    """An upload of the actor's; anything else is not found."""
    row = Upload.objects.filter(pk=upload_id).first()
    if row is None or not decide(actor, Permission.UPLOAD_REMOVE, row):
        raise not_found("上传", "upload", upload_id)
    return row


def uploads(actor: Actor) -> QuerySet[Upload]:
    """The actor's uploads whose bytes are here, newest first."""
    return visible(actor, Permission.UPLOAD_USE, Upload.objects.filter(state__in=Upload.KEPT)).order_by("-id")


def held_by(party: str) -> tuple[int, int]:
    """How many uploads a party has here, and how many bytes it announced with them."""
    found = Upload.objects.filter(owner=party, state__in=Upload.KEPT).aggregate(n=Count("pk"), b=Sum("size"))
    return found["n"], found["b"] or 0


def options() -> Options:
    return settings.OPTIONS


def root() -> Path:
    """Where the bytes of uploads lie."""
    return Path(settings.HOME) / "received"


def bytes_of(row: Upload) -> Path:
    """The file of an upload: the owner comes first, so a tenant's files share one prefix."""
    return root() / row.owner / row.id


@contextmanager
def source_of(row: Upload) -> Iterator[Path]:
    """The bytes of a complete upload, under its name, while the block lasts. Raises Conflict for any other."""
    if row.state != Upload.State.COMPLETE:
        raise Conflict(
            "upload.state",
            Text("这次上传没有完成，不能使用。", "This upload is not complete and cannot be used."),
            Text("请传完并完成它，或重新上传。", "Send all of it and complete it, or upload it again."),
            {"upload": row.id, "state": str(row.state)},
        )
    with received.named(root(), bytes_of(row), row.name) as path:
        yield path
