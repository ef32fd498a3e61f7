"""Who may put funds into the book."""

from shudu.policy.permissions import Permission
from shudu.policy.rules import grant, holders
from shudu.policy.types import Role


def register() -> None:
    grant(Permission.FUNDS_DEPOSIT, holders(Role.OPERATOR))
