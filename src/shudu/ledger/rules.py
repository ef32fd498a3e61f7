"""Who may open a log and forget in it: the operating company. What the log publishes, anyone may read."""

from shudu.policy.permissions import Permission
from shudu.policy.rules import grant, holders
from shudu.policy.types import Role


def register() -> None:
    """Tell policy."""
    grant(Permission.LEDGER_FORGET, holders(Role.OPERATOR))
    grant(Permission.LEDGER_INITIALISE, holders(Role.OPERATOR))
    grant(Permission.LEDGER_ROTATE, holders(Role.OPERATOR))
