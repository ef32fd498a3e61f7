"""Who may see, publish, review and erase. `agreements` adds those whom an offer or an agreement names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from shudu.policy.permissions import Permission
from shudu.policy.rules import NOBODY, SIGNED_IN, Owner, grant, holders, keep
from shudu.policy.types import Actor, Role, Text

from .models import AssetAudience, AssetAudienceSize


@dataclass(frozen=True)
class FindableToAll:
    """The entry of what its owner lets be found, for everybody who has signed in: every party holds some role."""

    name: str = "findable"
    message: Text = Text("可供查找的，已登录的主体均可查看。", "Whoever has signed in may see what may be found.")

    def allows(self, actor: Actor, row: Any) -> bool:
        return bool(actor.roles) and bool(row.findable)

    def where(self, actor: Actor) -> Q:
        return Q(findable=True) if actor.roles else NOBODY

    def audience(self, row: Any) -> frozenset[str]:
        return frozenset({SIGNED_IN}) if row.findable else frozenset()


def register() -> None:
    owner = Owner("owner", "owner", Text("仅限其持有方。", "Only its owner."))
    overseers = holders(Role.OPERATOR, Role.AUDITOR, Role.AUTHORITY, Role.SYSTEM)
    grant(Permission.ASSET_READ, owner, overseers, FindableToAll())
    keep(Permission.ASSET_READ, AssetAudience, AssetAudienceSize)
    # How a file was read and what was put aside: rejected rows are rows of a table nobody else may read.
    grant(Permission.ASSET_INSPECT, owner)
    grant(Permission.ROWS_CORRECT, owner)
    grant(Permission.ASSET_PUBLISH, holders(Role.PROVIDER))
    # Together with the permission to publish: an owner that may no longer sell data adds none either.
    grant(Permission.ASSET_UPDATE, owner)
    grant(Permission.MODEL_PUBLISH, holders(Role.MODELLER))
    grant(Permission.ASSET_REVIEW, holders(Role.AUTHORITY, Role.OPERATOR))
    # Files as they lie, past every agreement: for the operating company's own engines.
    grant(Permission.PROJECTION_REBUILD, holders(Role.OPERATOR))
    # The worker erases or withdraws a result when the agreement it came from is revoked and says so.
    grant(Permission.ASSET_ERASE, owner, holders(Role.SYSTEM))
