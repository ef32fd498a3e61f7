"""An owner holds a table to rules: counted at once, recorded, seen by who may see the entry, by nobody else's hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishTable
from shudu.govern import actions, queries
from shudu.govern.types import Rules, percent
from shudu.policy.models import Outbox
from shudu.policy.types import Invalid, NotFound, Refused
from unit.agreements.conftest import Market, market

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)
HELD = Rules.model_validate({"rules": [{"rule": "range", "column": "年龄", "min": 0, "max": 120}]})


@pytest.fixture
def asset(market: Market, tmp_path: Path) -> str:
    file = tmp_path / "people.csv"
    file.write_text("id,年龄,备注\n1,30, 好\n2,130,\n3,,NULL\n4,44,好\n", "utf-8")
    return catalog.publish(market.provider, PublishTable(source=file, title="人员", key="id", level="L3")).id


def test_a_new_table_is_counted_by_its_schema(market: Market, asset: str) -> None:
    found = queries.quality(market.provider, asset)
    assert found is not None
    assert found.declared is None
    seen = {each.indicator.code: (each.a, each.b) for each in found.score.measured}
    # 年龄 holds three numbers; 备注 three texts, of which one begins with a blank and one says NULL.
    assert seen == {"0103": (0, 2), "0201": (10, 12), "0202": (4, 4), "0302": (7, 7), "0304": (4, 4), "0305": (2, 3)}


def test_declared_rules_are_counted_at_once_and_recorded(market: Market, asset: str) -> None:
    row = actions.declare_rules(market.provider, asset, HELD)
    found = queries.quality(market.provider, asset)
    assert found is not None
    assert found.declared == row
    seen = {each.indicator.code: (each.a, each.b) for each in found.score.measured}
    assert seen["0302"] == (7 + 2, 7 + 3)
    assert found.score.total is not None
    assert 0 < float(percent(found.score.total)) < 100
    told = Outbox.objects.get(event="quality.declared").fields
    assert (told["asset"], told["rules"], told["rules_sha256"]) == (asset, row.id, row.sha256)
    assert "年龄" not in str(told)


def test_the_same_key_declares_once(market: Market, asset: str) -> None:
    first = actions.declare_rules(market.provider, asset, HELD, idempotency_key="k")
    assert actions.declare_rules(market.provider, asset, HELD, idempotency_key="k") == first


def test_nobody_else_declares_or_learns(market: Market, asset: str) -> None:
    with pytest.raises(NotFound):
        actions.declare_rules(market.buyer, asset, HELD)
    with pytest.raises(NotFound):
        queries.quality(market.buyer, asset)
    with pytest.raises(Refused):
        actions.declare_rules(market.operator, asset, HELD)  # sees it, but does not own it


def test_a_rule_that_does_not_fit_changes_nothing(market: Market, asset: str) -> None:
    bad = Rules.model_validate({"rules": [{"rule": "range", "column": "备注", "min": 0}]})
    with pytest.raises(Invalid):
        actions.declare_rules(market.provider, asset, bad)
    found = queries.quality(market.provider, asset)
    assert found is not None
    assert found.declared is None


def test_a_model_has_no_quality_of_this_kind(market: Market) -> None:
    assert queries.quality(market.modeller, market.model) is None
    with pytest.raises(Invalid, match=r"quality.no_table"):
        actions.declare_rules(market.modeller, market.model, HELD)
