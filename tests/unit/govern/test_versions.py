"""Every later version is counted by what its owner declared: by itself, once, and the scores of all stay readable."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishTable, PublishVersion
from shudu.govern import actions, handlers, queries
from shudu.govern.models import Assessment
from shudu.govern.types import Rules
from shudu.policy.models import Outbox
from shudu.policy.types import NotFound, Refused
from shudu.runs.types import chores
from unit.agreements.conftest import Market, market

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)
HELD = Rules.model_validate(
    {
        "rules": [
            {"rule": "range", "column": "age", "min": 0, "max": 120},
            {"rule": "codes", "column": "kind", "values": ["a", "b"]},
        ],
        "weights": [50, 10, 10, 10, 10, 10],
    }
)


@pytest.fixture(autouse=True)
def moving(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second passes whenever anybody asks for the time."""
    still = clock.now

    def now() -> datetime:
        clock.advance(timedelta(seconds=1))
        return still()  # type: ignore[no-any-return]

    monkeypatch.setattr(clock, "now", now)


def publish(market: Market, folder: Path, text: str, asset: str = "") -> str:
    """The asset's id for a first version, else the version's."""
    file = folder / "table.csv"
    file.write_text(text, "utf-8")
    if not asset:
        return catalog.publish(market.provider, PublishTable(source=file, title="T", key="no", level="L2")).id
    return catalog.publish_version(market.provider, PublishVersion(asset=asset, source=file)).id


def counts(market: Market, asset: str, version: str | None = None) -> dict[str, tuple[int, int]]:
    found = queries.quality(market.provider, asset, version)
    assert found is not None
    return {each.indicator.code: (each.a, each.b) for each in found.score.measured}


def test_each_new_version_is_counted_by_itself_and_once(market: Market, tmp_path: Path) -> None:
    asset = publish(market, tmp_path, "no,age,kind\n1,30,a\n2,130,c\n")
    rules = actions.declare_rules(market.provider, asset, HELD)
    assert counts(market, asset)["0105"] == (1, 2)
    second = publish(market, tmp_path, "no,age,kind\n1,30,a\n2,131,b\n3,132,b\n", asset)
    third = publish(market, tmp_path, "no,age,kind\n1,30,d\n", asset)
    before = queries.quality(market.provider, asset)
    assert before is not None
    assert (before.version, before.waiting, before.declared) == (third, True, None)
    assert handlers.assess_due in chores()
    handlers.assess_due()
    handlers.assess_due()
    assert Assessment.objects.filter(rules=rules).count() == 3
    told = Outbox.objects.filter(event="quality.assessed").order_by("id")
    assert [(row.subject, row.fields["rules"], row.fields["via"]) for row in told] == [
        (second, rules.id, "worker"),
        (third, rules.id, "worker"),
    ]
    # Overtaken within the same minute, the second is counted all the same.
    assert counts(market, asset, second)["0105"] == (3, 3)
    assert counts(market, asset, second)["0302"] == (6 + 1, 6 + 3)
    assert counts(market, asset)["0105"] == (0, 1)
    assert [(each.number, each.waiting, each.declared) for each in queries.history(market.provider, asset)] == [
        (3, False, rules),
        (2, False, rules),
        (1, False, rules),
    ]
    again = actions.assess(market.provider, third)  # whoever asks once more changes nothing
    assert (again.version_id, Outbox.objects.filter(event="quality.assessed").count()) == (third, 2)


def test_an_old_version_keeps_the_rules_it_was_counted_by(market: Market, tmp_path: Path) -> None:
    asset = publish(market, tmp_path, "no,age,kind\n1,30,a\n2,130,c\n")
    old = actions.declare_rules(market.provider, asset, HELD)
    publish(market, tmp_path, "no,age,kind\n1,30,a\n", asset)
    new = actions.declare_rules(market.provider, asset, Rules())
    handlers.assess_due()
    assert [(each.declared, each.waiting) for each in queries.history(market.provider, asset)] == [
        (new, False),
        (old, False),
    ]


def test_a_rule_whose_column_is_gone_is_said_and_the_others_are_counted(market: Market, tmp_path: Path) -> None:
    asset = publish(market, tmp_path, "no,age,kind\n1,30,a\n2,130,c\n")
    actions.declare_rules(market.provider, asset, HELD)
    file = tmp_path / "less.csv"
    file.write_text("no,age\n1,30\n2,131\n", "utf-8")
    evolved = PublishVersion.model_validate({"asset": asset, "source": file, "evolution": {"drop": ["kind"]}})
    catalog.publish_version(market.provider, evolved)
    handlers.assess_due()
    found = queries.quality(market.provider, asset)
    assert found is not None
    assert [each.en for each in found.unfit] == ["Rule 2 (codes): the table has no column “kind”."]
    seen = counts(market, asset)
    assert seen["0302"] == (4 + 1, 4 + 2)
    assert "0105" not in seen


def test_nobody_else_has_it_counted_or_reads_it(market: Market, tmp_path: Path) -> None:
    asset = publish(market, tmp_path, "no,age,kind\n1,30,a\n")
    actions.declare_rules(market.provider, asset, HELD)
    version = publish(market, tmp_path, "no,age,kind\n1,31,a\n", asset)
    with pytest.raises(Refused):
        actions.assess(market.operator, version)
    with pytest.raises(NotFound):
        actions.assess(market.buyer, version)
    with pytest.raises(NotFound):
        queries.history(market.buyer, asset)
    with pytest.raises(NotFound):
        queries.quality(market.provider, market.data, version)  # of another asset
