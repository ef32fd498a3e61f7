"""An operating company, two parties to pay, and a way to call what only actions may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shudu.identity import actions, queries
from shudu.identity.types import CreateParty, founder
from shudu.policy.actions import action, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Role

_CALLER = Actor("pty_caller", frozenset({Role.OPERATOR}))


@action(Permission.FUNDS_DEPOSIT, Event.FUNDS_DEPOSITED)
def _act(actor: Actor, work: Callable[[], Any]) -> Any:
    require(actor, Permission.FUNDS_DEPOSIT)
    record_nothing()
    return work()


@pytest.fixture
def within() -> Callable[[Callable[[], Any]], Any]:
    """Run `work` inside an action of its own, in one transaction."""
    return lambda work: _act(_CALLER, work)


@pytest.fixture
def operator(db: None) -> Actor:
    return queries.actor_for(actions.create_operator(founder(), CreateParty(name="锦水数据运营有限公司")).id)


@pytest.fixture
def buyer(operator: Actor) -> str:
    return str(actions.create_party(operator, CreateParty(name="需方甲")).id)


@pytest.fixture
def seller(operator: Actor) -> str:
    return str(actions.create_party(operator, CreateParty(name="提供方乙")).id)
