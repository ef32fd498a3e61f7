"""Who may do what, as one table: role × permission × state, drawn from the registered rules.

A change of any rule changes tests/golden/policy_matrix.txt, which is read in review. `make golden` writes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shudu.policy import rules
from shudu.policy.permissions import Permission
from shudu.policy.rules import Holder, Open, Owner, Related, Rule
from shudu.policy.types import Role

GOLDEN = Path(__file__).parents[2] / "golden" / "policy_matrix.txt"
# How an actor may stand to a row when nothing links them; each rule that looks at the row adds a line of its own.
UNRELATED = "unrelated"
HEADING = """\
# Who may do what: one line for each way an actor may stand to a row, one column for each role an actor's party holds.
# yes: allowed; -: refused. `unrelated` also stands for what has no row yet. Written by `make golden`.
"""


def situation(rule: Rule) -> list[str]:
    """The ways of standing to a row that a rule looks at; none for one that looks at the actor alone."""
    match rule:
        case Holder():
            return []
        case Open(field=field, values=values):
            return [f"row {field}={value}" for value in values]
        case Owner() | Related():
            return [f"is its {rule.name}"]
        case _:
            return [f"rule {rule.name} holds"]


def holds(rule: Rule, role: Role, stands: str) -> bool:
    return role in rule.roles if isinstance(rule, Holder) else stands in situation(rule)


def lines() -> Iterator[str]:
    roles = sorted(Role)
    width, deep = 24, 28  # fixed, so that a longer name changes its own line only
    situations = {
        permission: [
            UNRELATED,
            *dict.fromkeys(
                one
                for rule in [*rules._grants.get(permission, []), *rules._vetoes.get(permission, [])]
                for one in situation(rule)
            ),
        ]
        for permission in Permission
    }
    yield HEADING
    yield f"{'permission':{width}}{'the actor':{deep}}" + "".join(f"{role.value:>11}" for role in roles)
    for permission in Permission:
        granted, vetoed = rules._grants.get(permission, []), rules._vetoes.get(permission, [])
        for stands in situations[permission]:
            answers = [
                any(holds(rule, role, stands) for rule in granted) and all(holds(rule, role, stands) for rule in vetoed)
                for role in roles
            ]
            yield f"{permission:{width}}{stands:{deep}}" + "".join(f"{'yes' if yes else '-':>11}" for yes in answers)


def test_golden_policy_matrix() -> None:
    drawn = "\n".join(lines()) + "\n"
    if os.environ.get("SHUDU_GOLDEN") == "write":
        GOLDEN.write_text(drawn, "utf-8")
    assert GOLDEN.read_text("utf-8") == drawn, "the rules changed: see what, then `make golden`"


def test_every_permission_is_granted_to_somebody() -> None:
    assert [permission.value for permission in Permission if not rules._grants.get(permission)] == []


@pytest.mark.parametrize("permission", [Permission.ASSET_PUBLISH, Permission.MODEL_PUBLISH, Permission.ORDER_PLACE])
def test_who_runs_or_oversees_the_exchange_takes_no_part_in_it(permission: Permission) -> None:
    allowed = {role for rule in rules._grants[permission] if isinstance(rule, Holder) for role in rule.roles}
    assert allowed
    assert not allowed & {Role.OPERATOR, Role.AUTHORITY, Role.AUDITOR}
