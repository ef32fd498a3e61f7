"""Who may see, publish, review and erase. `agreements` adds those whom an offer or an agreement names."""

from shudu.policy.permissions import Permission
from shudu.policy.rules import Owner, grant, holders, keep
from shudu.policy.types import Role, Text

from .models import AssetAudience


def register() -> None:
    owner = Owner("owner", "owner", Text("仅限其持有方。", "Only its owner."))
    overseers = holders(Role.OPERATOR, Role.AUDITOR, Role.AUTHORITY, Role.SYSTEM)
    grant(Permission.ASSET_READ, owner, overseers)
    keep(Permission.ASSET_READ, AssetAudience)
    grant(Permission.ASSET_PUBLISH, holders(Role.PROVIDER))
    grant(Permission.MODEL_PUBLISH, holders(Role.MODELLER))
    grant(Permission.ASSET_REVIEW, holders(Role.AUTHORITY, Role.OPERATOR))
    # The worker erases or withdraws a result when the agreement it came from is revoked and says so.
    grant(Permission.ASSET_ERASE, owner, holders(Role.SYSTEM))
