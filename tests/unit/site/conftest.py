"""A log with entries, and somebody who signs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from pydantic import SecretStr

from shudu.identity import actions as identity
from shudu.identity import queries as parties
from shudu.identity.types import CreateParty, MemberRole, founder
from shudu.ledger import actions as ledger
from shudu.ledger.sequencer import sequence
from shudu.policy.types import Actor

PASSWORD = "芙蓉花开早晚三醉-2026"


@pytest.fixture(autouse=True)
def no_rate_limits_left() -> None:
    """Sign-in attempts are counted in the process's cache; each test begins with none."""
    cache.clear()


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """Half a dozen people sign in for every test here; the slow hash that guards them in earnest is Django's own."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def operator(db: None) -> Actor:
    company = identity.create_operator(founder(), CreateParty(name="蓉州数据运营有限公司", code="91510100MA00000152"))
    return parties.actor_for(company.id)


@pytest.fixture
def log(operator: Actor) -> None:
    ledger.open_log(operator, base_iri="https://data.example.org", software="shudu test")
    sequence()


@pytest.fixture
def grow(log: None, operator: Actor) -> Callable[[int], None]:
    """Add that many entries to the log."""

    def add(entries: int) -> None:
        for number in range(entries):
            identity.create_party(operator, CreateParty(name=f"甲方{number}"))
        sequence()

    return add


@pytest.fixture
def member(operator: Actor) -> str:
    """The username of a member of 锦江数据 who signs in with `PASSWORD`."""
    party = identity.create_party(operator, CreateParty(name="锦江数据有限公司"))
    identity.add_member(operator, party.id, "lin", MemberRole.ADMIN, password=SecretStr(PASSWORD))
    return "lin"
