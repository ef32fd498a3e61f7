"""A card that is accepted, to be spoiled by the test."""

from __future__ import annotations

import copy

import pytest

from unit.cleanroom.kinds.models import CARD, Card


@pytest.fixture
def card() -> Card:
    return copy.deepcopy(CARD)
