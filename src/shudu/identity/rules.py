"""Who may read the register of parties, and who may manage one."""

from __future__ import annotations

from shudu.policy.permissions import Permission
from shudu.policy.rules import Holder, Owner, grant, holders
from shudu.policy.types import Role, Text

# Every party holds a role, so "any role" is "anybody who acts for a party" in all three forms of the rule.
SIGNED_IN = Holder(frozenset(Role), "signed_in", Text("仅限已登录的主体。", "Only a party that has signed in."))


def register() -> None:
    grant(Permission.PARTY_CREATE, holders(Role.OPERATOR))
    grant(Permission.PARTY_MANAGE, Owner("id"), holders(Role.OPERATOR))
    grant(Permission.PARTY_READ, SIGNED_IN)
