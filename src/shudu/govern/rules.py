"""Who may declare what a table is held to: its owner."""

from shudu.policy.permissions import Permission
from shudu.policy.rules import Owner, grant
from shudu.policy.types import Text


def register() -> None:
    grant(Permission.QUALITY_DECLARE, Owner("owner", "owner", Text("仅限其持有方。", "Only its owner.")))
