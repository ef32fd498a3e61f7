"""Who may take a backup and change the keys of stored data: the operating company, whose machine it is."""

from shudu.policy.permissions import Permission
from shudu.policy.rules import grant, holders
from shudu.policy.types import Role


def register() -> None:
    """Tell policy."""
    grant(Permission.BACKUP_TAKE, holders(Role.OPERATOR))
    grant(Permission.DATA_KEYS_ROTATE, holders(Role.OPERATOR))
