"""Who may see, start and carry runs: the party of a run, those whose agreements it uses, and the overseers."""

from shudu.policy.permissions import Permission
from shudu.policy.rules import Owner, Related, grant, holders
from shudu.policy.types import Role, Text

from . import queries


def register() -> None:
    party = Owner("party", "party", Text("仅限任务的发起主体。", "Only the party that started it."))
    assigner = Related(
        queries.ids_for_assigner,
        queries.assigners_of,
        "assigner",
        Text("仅限所用协议的提供方。", "Only a party whose agreement it uses."),
    )
    grant(Permission.RUN_READ, party, assigner, holders(Role.OPERATOR, Role.AUDITOR, Role.SYSTEM))
    # The operating company starts a failed run again, for its party: `exchange.restart`. It can start no other.
    grant(Permission.RUN_START, party, holders(Role.OPERATOR))
    grant(Permission.RUN_CARRY, holders(Role.SYSTEM))
    grant(Permission.RESULT_DOWNLOAD, Owner("owner", "owner", Text("仅限交付结果的持有方。", "Only its owner.")))
