"""Every read of what came in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet, Sum

from shudu.catalog import queries as catalog
from shudu.catalog.queries import Asset
from shudu.config.options import Options
from shudu.ledger.types import VerifierKey
from shudu.policy import clock
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, visible
from shudu.policy.types import Actor, Conflict, Text, not_found

from . import received
from .models import Batch as Batch
from .models import SenderKey
from .models import Upload as Upload
from .refusals import Refusal, refused


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


def table_of(actor: Actor, code: str) -> Asset:
    """The actor's own table of this catalogue code; a refusal for any other."""
    row = Asset.objects.filter(code=code, owner=actor.party, kind=Asset.Kind.TABLE).first()
    if row is None:
        raise refused(Refusal.ASSET, catalog_code=code)
    return row


def schema_of(asset_id: str) -> list[tuple[str, str]]:
    """Names and types of the columns of a table's newest live version."""
    version = catalog.latest(asset_id)
    return _schema(version.columns) if version else []


def schema_version(asset_id: str) -> int:
    """Which schema a table has now: 1, and one more each time a version's columns differ from the one before."""
    number, last = 0, None
    for version in reversed(catalog.versions_of(asset_id)):
        if (found := _schema(version.columns)) != last:
            number, last = number + 1, found
    return max(number, 1)


def _schema(columns: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(column["name"], column["type"]) for column in columns]


def accepted(party: str, batch_id: str) -> Batch | None:
    """The batch a party has under this number of its own."""
    return Batch.objects.filter(owner=party, batch_id=batch_id, state=Batch.State.ACCEPTED).first()


def refused_before(row: Batch) -> Batch | None:
    """The same refusal of the same batch, kept before."""
    same = {name: getattr(row, name) for name in ("owner", "header_sha256", "source_sha256", "code", "state")}
    return Batch.objects.filter(**same).first()


def batch(actor: Actor, batch_id: str) -> Batch:
    """A batch by our id, for who may see it; anything else is not found."""
    row = Batch.objects.filter(pk=batch_id).first()
    if row is None or not decide(actor, Permission.BATCH_READ, row):
        raise not_found("批次", "batch", batch_id)
    return row


def batches(actor: Actor) -> QuerySet[Batch]:
    """Every batch the actor may see, newest first."""
    return visible(actor, Permission.BATCH_READ, Batch.objects.all()).order_by("-id")


def origins(version_ids: Iterable[str]) -> dict[str, Batch]:
    """The batch each of these versions came as, if it did; for doors that have decided who may see the versions."""
    return {row.version: row for row in Batch.objects.filter(version__in=list(version_ids))}


def sender_keys(actor: Actor) -> QuerySet[SenderKey]:
    """The keys of the actor's party, newest first."""
    return SenderKey.objects.filter(owner=actor.party).order_by("-id")


def sender_key(actor: Actor, key_id: str) -> SenderKey:
    row = sender_keys(actor).filter(pk=key_id).first()
    if row is None:
        raise not_found("密钥", "key", key_id)
    return row


def valid_keys(party: str) -> list[VerifierKey]:
    """The keys a party may sign with now."""
    rows = SenderKey.objects.filter(owner=party, revoked=None, until__gt=clock.now())
    return [VerifierKey.parse(row.verifier) for row in rows]
