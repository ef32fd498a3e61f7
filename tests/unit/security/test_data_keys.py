"""The key that wraps the keys of stored data: by whom it is changed, and that all stays readable."""

from __future__ import annotations

import pytest

from shudu.catalog import queries as catalog
from shudu.lake import queries as lake
from shudu.policy.events import Event
from shudu.policy.models import Outbox
from shudu.policy.types import Refused
from shudu.security.actions import rotate_data_keys
from unit.agreements.conftest import Market, market

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_stored_stays_readable_under_a_new_key(market: Market) -> None:
    version = catalog.versions_of(market.model)[0]
    before, content = lake.keyring().known(), catalog.model_files(version)
    for actor in (market.provider, market.modeller, market.buyer):
        with pytest.raises(Refused):
            rotate_data_keys(actor)
    assert lake.keyring().known() == before
    key, wrapped = rotate_data_keys(market.operator)
    assert lake.keyring().known() == [key]
    assert key not in before
    assert wrapped >= 1
    assert catalog.model_files(version) == content
    told = Outbox.objects.get(event=Event.DATA_KEYS_ROTATED)
    assert (told.subject, told.fields["wrapped"]) == (key, wrapped)
