"""Who decides about a held release: the party whose data it is made of, and nobody who sells, prices or settles it.
Who may ask for stricter rules: whoever provides data or models, for its own.
"""

from shudu.policy.permissions import Permission
from shudu.policy.rules import Holder, Owner, grant
from shudu.policy.types import Role, Text


def register() -> None:
    owner = Owner("owner", "owner", Text("仅限数据的提供方。", "Only the party whose data it is."))
    grant(Permission.RELEASE_DECIDE, owner)
    providing = Holder(
        frozenset({Role.PROVIDER, Role.MODELLER}),
        message=Text("仅限数据或模型的提供方。", "Only who provides data or models."),
    )
    grant(Permission.RELEASE_RESTRICT, providing)
