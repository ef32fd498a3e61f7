"""Rules of the house and of owners: only stricter, the strictest wins, and a typing error stops rather than loosens."""

from __future__ import annotations

import csv
import io
from dataclasses import fields
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.accounts import actions as accounts
from shudu.catalog import actions as catalog
from shudu.catalog import queries as assets
from shudu.catalog.types import PublishTable
from shudu.cleanroom import queries
from shudu.cleanroom.house_policy import parse, policy_of
from shudu.cleanroom.release_policy import DEFAULTS, ReleasePolicy, strictest
from shudu.exchange import actions as exchange
from shudu.exchange.types import PlaceOrder
from shudu.lake import queries as lake
from shudu.policy.types import Unavailable
from shudu.runs import queries as runs
from shudu.runs.models import Run
from shudu.runs.worker import Worker
from unit.agreements.conftest import Market, market
from unit.cleanroom.conftest import HouseRules

__all__ = ["market"]

# For each rule values no laxer than the default, as somebody would write them.
STRICTER: dict[str, st.SearchStrategy[Any]] = {
    "min_group": st.integers(10, 200),
    "min_group_sensitive": st.integers(50, 500),
    "dominant_entities": st.integers(2, 9),
    "dominant_share": st.floats(0.1, 0.9),
    "carrier_fraction": st.floats(0.125, 1.0),
    "significant_digits": st.integers(1, 3),
    "resolution": st.integers(1, 1000),
    "group_by": st.lists(st.sampled_from(["region", "plan", "year"]), unique=True, max_size=3),
    "max_rows": st.integers(1, 1000),
    "max_columns": st.integers(1, 20),
    "max_bytes": st.integers(1, 65536),
    "max_text": st.integers(1, 64),
    "releases_per_day": st.integers(1, 20),
    "decide_days": st.integers(1, 30),
}
TABLE = st.fixed_dictionaries({}, optional=STRICTER)
LAXER: dict[str, Any] = {
    "min_group": 9, "min_group_sensitive": 49, "dominant_entities": 1, "dominant_share": 0.91,
    "carrier_fraction": 0.12, "significant_digits": 4, "resolution": 1001, "max_rows": 1001, "max_columns": 21,
    "max_bytes": 65537, "max_text": 65, "releases_per_day": 21, "decide_days": 31,
}  # fmt: skip


def written(house: dict[str, Any], owners: dict[str, dict[str, Any]]) -> str:
    tables = {"house": house, **{f"owner.{name}": rules for name, rules in owners.items()}}
    return "\n".join(
        f"[{name}]\n" + "".join(f"{rule} = {value!r}\n" for rule, value in rules.items())
        for name, rules in tables.items()
    )


def laxer_in(one: ReleasePolicy, than: ReleasePolicy) -> list[str]:
    """The rules in which one policy is laxer than another, said from the file's words and not from `strictest`."""
    larger = {"min_group", "min_group_sensitive", "dominant_entities", "carrier_fraction"}
    found = []
    for name in (field.name for field in fields(ReleasePolicy)):
        mine, other = getattr(one, name), getattr(than, name)
        if name == "group_by":
            laxer = other is not None and (mine is None or not mine <= other)
        else:
            laxer = mine < other if name in larger else mine > other
        found += [name] * laxer
    return found


def test_every_rule_is_tried_here() -> None:
    assert set(STRICTER) == {one.name for one in fields(ReleasePolicy)} == set(LAXER) | {"group_by"}


@given(house=TABLE, owners=st.dictionaries(st.sampled_from(["pty_a", "pty_b", "pty_c"]), TABLE))
def test_the_strictest_of_all_wins_in_every_rule(house: dict[str, Any], owners: dict[str, dict[str, Any]]) -> None:
    text = written(house, owners)
    policy = reduce(strictest, parse(text, ["pty_a", "pty_b"]), DEFAULTS)
    alone = [DEFAULTS, *parse(written(house, {}), [])]
    alone += [parse(written({}, {name: rules}), [name])[-1] for name, rules in owners.items() if name != "pty_c"]
    assert [laxer_in(policy, one) for one in alone] == [[]] * len(alone)
    # And no stricter than the strictest of them; an owner who is not part of the run has no say.
    assert policy == reduce(strictest, alone)


@pytest.mark.parametrize("name", LAXER)
def test_a_laxer_value_is_refused_and_named(name: str) -> None:
    for text in (written({name: LAXER[name]}, {}), written({}, {"pty_of_others": {name: LAXER[name]}})):
        with pytest.raises(Unavailable) as caught:
            parse(text, ["pty_a"])
        assert caught.value.code == "release.policy"
        assert name in caught.value.message.en
        assert "宽松" in caught.value.message.zh


@pytest.mark.parametrize(
    "text",
    [
        "[house", "[houses]\nmax_rows = 3", "house = 3", "[house]\nmax_row = 3", "[house]\nmax_rows = '3'",
        "[house]\nmax_rows = 3.0", "[house]\nmax_rows = true", "[house]\nmax_rows = 0", "[house]\ngroup_by = 'region'",
        "[house]\ngroup_by = [1]", "[owner]\npty_a = 3", "owner = 3",
    ],
)  # fmt: skip
def test_what_is_no_rule_stops_every_run(text: str) -> None:
    with pytest.raises(Unavailable) as caught:
        parse(text, [])
    assert caught.value.code == "release.policy"


def test_without_a_file_the_defaults_hold_and_an_unreadable_one_stops(tmp_path: Path) -> None:
    assert policy_of(["pty_a"], tmp_path) == DEFAULTS
    (tmp_path / "release_policy.toml").write_bytes(b"\xff")
    with pytest.raises(Unavailable):
        policy_of([], tmp_path)


def work() -> None:
    worker = Worker()
    while worker.tick():
        pass


def ordered(market: Market, **changes: Any) -> Run:
    order = exchange.place(market.buyer, PlaceOrder(offer=market.live(**changes).id, purpose="research")).id
    run = exchange.start_run(market.buyer, order).id
    work()
    return runs.run_row(run)


@pytest.mark.django_db(transaction=True)
def test_a_real_run_keeps_to_the_owner_s_rules(market: Market, tmp_path: Path, house_rules: HouseRules) -> None:
    plans = [("东", 40), ("西", 30), ("北", 15)]
    each = [region for region, count in plans for _ in range(count)]
    lines = [f"C{at:04d},{at * 7 % 60},{region}" for at, region in enumerate(each)]
    table = tmp_path / "people.csv"
    table.write_text("\n".join(["customer_no,tenure,region", *lines]) + "\n", encoding="utf-8")
    market.data = catalog.publish(market.provider, PublishTable(source=table, title="居民", key="customer_no")).id
    accounts.deposit(market.operator, market.buyer.party, 1_000_000)
    house_rules(
        f"[house]\nsignificant_digits = 2\n[owner.{market.provider.party}]\nmin_group = 20\n"
        f"[owner.{market.modeller.party}]\nmin_group = 15\n[owner.{market.buyer.party}]\nmin_group = 1_000\n"
    )
    run = ordered(market, group_by=("region",))
    output = runs.output_of(run.id)
    assert output is not None, run.error
    version = assets.version_row(output.version)
    file = next(file for file in assets.files(version) if file.name == "product.csv")
    rows = list(csv.DictReader(io.StringIO(lake.store().read_file(file, assets.place(version)).decode())))
    assert [row["entities"] for row in rows if row["is_remainder"] == "false"] == ["40"], "15 are too few, 30 fill up"
    assert all(float(f"{float(row['mean_score']):.2g}") == float(row["mean_score"]) for row in rows)
    evidence = queries.evidence(queries.release_row(run.id))
    assert evidence is not None
    assert b'"min_group": 20' in evidence

    house_rules(f"[owner.{market.provider.party}]\ngroup_by = ['plan']\n")
    refused = ordered(market, group_by=("region",))
    assert refused.error["code"] == "release.withheld"
    assert queries.checks(queries.release_row(refused.id))[-1]["name"] == "group_by"

    house_rules("[house]\nmin_group = 5\n")
    stopped = ordered(market, group_by=("region",))
    assert stopped.error["code"] == "release.policy"
