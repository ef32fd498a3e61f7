"""0202 from the rows put aside, and a table's own weights, each worked out a second time from what was published."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from shudu.catalog import actions as catalog
from shudu.catalog import queries as versions
from shudu.catalog.types import PublishTable, PublishVersion, Reading
from shudu.govern import actions, queries
from shudu.govern.types import Rules
from unit.agreements.conftest import Market, market

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)
# Five records; two of them torn. The last line is a total, no record.
TORN = "no,name,age\n1,甲,30\n2,乙\n3,丙,31\n4,丁,x,y\n5,戊,32\n合计,,93\n"


@pytest.fixture
def asset(market: Market, tmp_path: Path) -> str:
    file = tmp_path / "torn.csv"
    file.write_text(TORN, "utf-8")
    reading = Reading(tolerant=True)
    return catalog.publish(market.provider, PublishTable(source=file, title="残缺", level="L2", reading=reading)).id


def records(market: Market, asset: str) -> tuple[int, int]:
    found = queries.quality(market.provider, asset)
    assert found is not None
    return next((each.a, each.b) for each in found.score.measured if each.indicator.code == "0202")


def test_records_put_aside_are_missing(market: Market, asset: str, tmp_path: Path) -> None:
    lines = [line.split(",") for line in TORN.splitlines()[1:] if not line.startswith("合计")]
    assert records(market, asset) == (sum(len(line) == 3 for line in lines), len(lines)) == (3, 5)
    first = versions.latest(asset)
    assert first is not None
    whole = tmp_path / "whole.csv"
    whole.write_text("no,name,age\n1,甲,30\n2,乙,31\n", "utf-8")
    catalog.publish_version(market.provider, PublishVersion(asset=asset, source=whole))
    assert records(market, asset) == (2, 2)
    catalog.restore(market.provider, first.id)  # came from no file: as complete as the one it repeats
    catalog.restore(market.provider, versions.versions_of(asset)[0].id)
    assert records(market, asset) == (3, 5)


def test_what_the_owner_expects_takes_its_place(market: Market, asset: str) -> None:
    rules = Rules.model_validate({"rules": [{"rule": "expected_rows", "rows": 6}]})
    actions.declare_rules(market.provider, asset, rules)
    assert records(market, asset) == (3, 6)


def test_a_table_may_weigh_for_itself(market: Market, asset: str) -> None:
    before = queries.quality(market.provider, asset)
    actions.declare_rules(market.provider, asset, Rules.model_validate({"weights": [0, 70, 30, 0, 0, 0]}))
    found = queries.quality(market.provider, asset)
    assert before is not None
    assert found is not None
    assert (before.score.weights["02"], found.score.weights["02"]) == (20, 70)
    x = {each.indicator.code: Fraction(each.a, each.b) for each in found.score.measured}
    complete = (x["0201"] + x["0202"]) / 2
    accurate = (x["0302"] + 1 - x["0305"]) / 2
    assert x["0202"] == Fraction(3, 5)
    assert found.score.total == Fraction(70, 100) * complete + Fraction(30, 100) * accurate


@pytest.mark.parametrize(
    "weights", [[50, 50], [20, 20, 15, 15, 15, 14], [-20, 60, 15, 15, 15, 15], [100.5, 0, 0, 0, 0, 0]]
)
def test_weights_that_are_none(weights: list[float]) -> None:
    with pytest.raises(ValidationError):
        Rules.model_validate({"weights": weights})
