"""The promised update cycle of a table: changed by its owner, and until when it asks for a version, kept in the row."""

from __future__ import annotations

from shudu.policy import locks
from shudu.policy.actions import action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor

from . import promises, updating
from .models import Asset, Binding
from .queries import asset as visible_asset
from .queries import latest
from .types import UpdateCycle


@action(Permission.ASSET_UPDATE, Event.ASSET_PROMISED)
def promise(actor: Actor, asset_id: str, said: UpdateCycle) -> Asset:
    """Promise another update cycle for a table of one's own; it counts from the newest version on. Raises as
    `publish_version` for what never gets one."""
    asset = visible_asset(actor, asset_id)
    require(actor, Permission.ASSET_UPDATE, asset)
    binding = updating.writable(actor, asset)
    locks.alone(f"versions of {binding.id}")  # of two at once, the second finds what the first promised
    asset.refresh_from_db()
    before = asset.core.get("update_cycle", "9")
    if before == said.update_cycle:
        record_nothing()
        return asset
    asset.core = {**asset.core, "update_cycle": said.update_cycle}
    asset.save(update_fields=["core"])
    keep_promise(binding)
    record(asset.id, {"asset": asset.id, "update_cycle": said.update_cycle, "before": before})
    return asset


def keep_promise(binding: Binding) -> None:
    """Keep anew until when the next version is due, after whatever changed which version is the newest live one."""
    locks.alone(f"versions of {binding.id}")
    asset, newest = binding.asset, latest(binding.asset_id)
    asset.due = promises.due(asset.core.get("update_cycle", "9"), newest.created) if newest else None
    asset.save(update_fields=["due"])
