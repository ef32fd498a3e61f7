"""Under which licences the rows of a version were bought: those of every batch that came as it, or as a version it was
made of."""

from __future__ import annotations

from collections.abc import Iterator

from shudu.agreements.types import Licence
from shudu.catalog import queries as catalog
from shudu.catalog.types import KEEPS_ROWS

from .header import BatchHeader, Channel, Purchase
from .models import Batch


def of(version_id: str) -> list[Licence]:
    bought = Batch.objects.filter(
        version__in=list(_made_of(version_id)), state=Batch.State.ACCEPTED, channel=Channel.PURCHASE
    )
    said = (BatchHeader.model_validate(row.header).collection for row in bought)
    return [Licence(one.may_share, one.may_derive, one.licensed_until) for one in said if isinstance(one, Purchase)]


def _made_of(version_id: str) -> Iterator[str]:
    """This version, and those whose rows it may still hold."""
    while version_id:
        yield version_id
        change = catalog.version_row(version_id).change
        version_id = change.get("base", "") if change.get("mode") in KEEPS_ROWS else ""
