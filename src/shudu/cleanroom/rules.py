"""Who decides about a held release: the party whose data it is made of, and nobody who sells, prices or settles it."""

from shudu.policy.permissions import Permission
from shudu.policy.rules import Owner, grant
from shudu.policy.types import Text


def register() -> None:
    owner = Owner("owner", "owner", Text("仅限数据的提供方。", "Only the party whose data it is."))
    grant(Permission.RELEASE_DECIDE, owner)
