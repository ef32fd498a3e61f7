"""An operating company, and passwords that are cheap to hash."""

from __future__ import annotations

from typing import Any

import pytest

from shudu.identity import actions, queries
from shudu.identity.types import CreateParty, founder
from shudu.policy.types import Actor


@pytest.fixture
def operator(db: None) -> Actor:
    party = actions.create_operator(founder(), CreateParty(name="锦水数据运营有限公司"))
    return queries.actor_for(party.id)


@pytest.fixture
def quick_hashing(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
