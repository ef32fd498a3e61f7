"""Who may order, see and settle."""

from __future__ import annotations

from shudu.policy.permissions import Permission
from shudu.policy.rules import Owner, Related, grant, holders
from shudu.policy.types import Role, Text

from . import queries


def register() -> None:
    buyer = Owner("buyer", "buyer", Text("仅限该订单的需方。", "Only the buyer of this order."))
    assigner = Related(
        queries.ids_for_assigner,
        queries.assigners_of,
        "assigner",
        Text("仅限该订单所涉协议的提供方。", "Only a party whose agreement it concluded."),
    )
    grant(Permission.ORDER_READ, buyer, assigner, holders(Role.OPERATOR, Role.AUDITOR, Role.SYSTEM))
    # The operating company has no other role than its own, so it cannot buy on its own exchange.
    grant(Permission.ORDER_PLACE, holders(Role.BUYER))
    grant(Permission.ORDER_CANCEL, buyer, holders(Role.SYSTEM))
    grant(Permission.ORDER_RUN, buyer)
    grant(Permission.ORDER_RESTART, holders(Role.OPERATOR))
    grant(Permission.ORDER_SETTLE, holders(Role.SYSTEM))
