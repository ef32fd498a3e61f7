"""The guard and the classes of release in real runs, through the sandbox, by several buyers."""

from __future__ import annotations

import csv
import io
import threading
from pathlib import Path
from typing import Any

import pytest

from shudu.accounts import actions as accounts
from shudu.catalog import actions as catalog
from shudu.catalog import queries as assets
from shudu.catalog.types import PublishTable
from shudu.cleanroom import actions, publishing, queries, sketches
from shudu.cleanroom.models import Cohort, Release
from shudu.exchange import actions as exchange
from shudu.exchange.types import PlaceOrder
from shudu.lake import queries as lake
from shudu.policy.types import Actor, Invalid
from shudu.runs import queries as runs
from shudu.runs.models import Run
from shudu.runs.worker import Worker
from unit.agreements.conftest import Market, market
from unit.cleanroom.conftest import HouseRules

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)


def work() -> None:
    worker = Worker()
    while worker.tick():
        pass


@pytest.fixture
def city(market: Market, tmp_path: Path) -> Market:
    """Two districts and three plans; of plan C there are three in the east and eight in the west."""
    people = [("东", "A", 40), ("东", "B", 30), ("东", "C", 3), ("西", "A", 40), ("西", "B", 30), ("西", "C", 8)]
    each = [(district, plan) for district, plan, count in people for _ in range(count)]
    rows = [
        f"C{at:04d},{at * 7 % 60},{district},{plan},{'是' if (at * 11) % 60 < 25 else '否'}"
        for at, (district, plan) in enumerate(each)
    ]
    table = tmp_path / "people.csv"
    table.write_text("\n".join(["customer_no,tenure,region,plan,left", *rows]) + "\n", encoding="utf-8")
    market.data = catalog.publish(market.provider, PublishTable(source=table, title="居民", key="customer_no")).id
    for party in (market.buyer, market.modeller):
        accounts.deposit(market.operator, party.party, 1_000_000)
    return market


def sold(market: Market, buyer: Actor, **changes: Any) -> Run:
    order = exchange.place(buyer, PlaceOrder(offer=market.live(**changes).id, purpose="research")).id
    run = exchange.start_run(buyer, order).id
    work()
    return runs.run_row(run)


def product(run: Run) -> list[dict[str, str]]:
    output = runs.output_of(run.id)
    assert output is not None, run.error
    version = assets.version_row(output.version)
    file = next(file for file in assets.files(version) if file.name == "product.csv")
    return list(csv.DictReader(io.StringIO(lake.store().read_file(file, assets.place(version)).decode())))


def test_a_second_buyer_gets_no_cell_the_first_ones_would_give_away(city: Market) -> None:
    coarse = product(sold(city, city.buyer, group_by=("region",)))
    assert [(row["region"], row["entities"]) for row in coarse] == [("东", "73"), ("西", "78")]
    fine = sold(city, city.modeller, group_by=("region", "plan"))
    told = {(row["region"], row["plan"]): int(row["entities"]) for row in product(fine)}
    # East less A less B would be the three: so not both are there beside the first buyer's total.
    assert not {("东", "A"), ("东", "B")} <= set(told)
    differencing = next(check for check in fine.checks if check["name"] == "differencing")
    assert differencing["evidence"]["releases_compared"] == 1
    assert differencing["evidence"]["groups_told_apart"] > 0
    assert runs.checks(city.modeller, fine)[-1].keys() == {"name", "ok"}


def test_without_the_first_buyer_the_same_release_is_finer(city: Market) -> None:
    told = {(row["region"], row["plan"]) for row in product(sold(city, city.modeller, group_by=("region", "plan")))}
    assert told == {("东", "A"), ("东", "B"), ("西", "A"), ("西", "B"), ("", "")}


def test_of_two_runs_at_once_the_later_compares_again(city: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is overtaken between comparing and entering: it must see the other."""
    real, seen = sketches.history, []

    def history(keys: Any, asset: str, run: str) -> Any:
        found = real(keys, asset, run)
        seen.append((run, found[0]))
        if len(seen) == 1:
            # While this one has compared with nothing, another is entered.
            other = threading.Thread(target=lambda: sold_other.append(sold(city, city.modeller, group_by=("plan",))))
            other.start()
            other.join()
        return found

    sold_other: list[Run] = []
    monkeypatch.setattr(publishing.sketches, "history", history)
    mine = sold(city, city.buyer, group_by=("region",))
    assert [count for run, count in seen if run == mine.id] == [0, 1]
    numbers = dict(Release.objects.values_list("run", "number"))
    assert numbers == {sold_other[0].id: 1, mine.id: 2}


def test_an_entered_release_done_again_is_compared_with_what_it_saw(city: Market) -> None:
    first = sold(city, city.buyer, group_by=("region",))
    sold(city, city.modeller, group_by=("plan",))
    keys = sketches.Keys(city.provider.party, city.data)
    seen, history = sketches.history(keys, city.data, first.id)
    assert (seen, history.earlier) == (0, ())
    assert len(sketches.history(keys, city.data, "run_new")[1].earlier) == 2


def test_sketches_are_sealed_and_go_with_their_version(city: Market) -> None:
    run = sold(city, city.buyer, group_by=("region",))
    row, cohort = Release.objects.get(), Cohort.objects.get()
    keys = sketches.Keys(city.provider.party, city.data)
    assert len(sketches.history(keys, city.data, "run_new")[1].earlier) == 1
    # Altered bytes are not compared with, and that is said: a person decides.
    cohort.sealed = bytes(cohort.sealed)[:-1] + b"\0"
    cohort.save()
    assert sketches.history(keys, city.data, "run_new")[1].unread == 1
    held = sold(city, city.modeller, group_by=("region",))
    assert (held.state, queries.release_row(held.id).held_for) == ("held", ["differencing"])
    version = next(item.version for item in runs.inputs_of(run) if item.role == "data")
    catalog.erase(city.provider, version)
    work()
    row.refresh_from_db()
    assert (bytes(row.labels), row.evidence, Cohort.objects.count()) == (b"", {}, 0)


def test_a_run_that_failed_afterwards_is_compared_with_no_more(city: Market) -> None:
    held = sold(city, city.buyer, group_by=("region",), review=True)
    assert (held.state, queries.release_row(held.id).held_for) == ("held", ["review"])
    actions.refuse(city.provider, held.id, "不可。")
    work()
    assert queries.release_row(held.id).ended is not None
    keys = sketches.Keys(city.provider.party, city.data)
    assert sketches.history(keys, city.data, "run_new")[1].earlier == ()


def test_class_b_leaves_metrics_of_a_label_the_model_never_saw(city: Market) -> None:
    changes = {"group_by": (), "release": "B", "label": "left", "metrics": ["auc", "ks", "counts"]}
    run = sold(city, city.buyer, **changes)
    table = {row["metric"]: float(row["value"]) for row in product(run)}
    assert set(table) == {"auc", "ks", "entities", "positives", "negatives"}
    assert table["entities"] == 151
    assert 0 <= table["auc"] <= 1
    # The same against a label of nine positives is withheld like everything else.
    assert sold(city, city.modeller, **{**changes, "min_group": 90}).error["code"] == "release.withheld"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"release": "B", "group_by": (), "label": "left", "metrics": []}, "offer.release"),
        ({"release": "B", "label": "left", "metrics": ["auc"]}, "offer.release"),
        ({"release": "A", "label": "left"}, "offer.release"),
        ({"release": "B", "group_by": (), "label": "tenure", "metrics": ["auc"]}, "offer.label"),
        ({"release": "B", "group_by": (), "label": "customer_no", "metrics": ["auc"]}, "offer.label"),
        ({"release": "B", "group_by": (), "label": "gone", "metrics": ["auc"]}, "offer.columns"),
        ({"release": "B", "group_by": (), "label": "left", "metrics": ["accuracy"]}, "offer.code"),
    ],
)
def test_offers_that_cannot_be(city: Market, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        city.live(**changes)
    assert caught.value.code == code


def test_only_the_agreed_rows_are_scored_and_counted(city: Market) -> None:
    run = sold(city, city.buyer, group_by=("plan",), where=["region = 西", "plan in A, B"])
    assert [(row["plan"], row["entities"]) for row in product(run)] == [("A", "40"), ("B", "30")]
    assert run.meters["rows_in"] == 70


def test_agreed_rows_and_an_owner_s_stricter_rules_hold_together(city: Market, house_rules: HouseRules) -> None:
    """Without the agreed rows the remainder held eleven more; without the owner's rules thirty stood alone."""
    house_rules(f"[owner.{city.provider.party}]\nmin_group = 35\nsignificant_digits = 2\n")
    run = sold(city, city.buyer, group_by=("region", "plan"), where=["plan in A, B"])
    told = product(run)
    assert {(row["region"], row["plan"], row["entities"]) for row in told} == {
        ("东", "A", "40"), ("西", "A", "40"), ("", "", "60"),
    }  # fmt: skip
    assert all(float(f"{float(row['mean_score']):.2g}") == float(row["mean_score"]) for row in told)
    assert run.meters["rows_in"] == 140
    # Nobody's rule moves the rows: the same rules, other rows, and too few are left for the owner.
    few = sold(city, city.modeller, group_by=("plan",), where=["region = 东", "plan = B"])
    assert (few.state, few.error["code"]) == ("failed", "release.withheld")
    assert queries.checks(queries.release_row(few.id))[-1]["name"] == "too_few"


def test_rows_chosen_so_that_a_few_are_left_out_tell_nobody_apart(city: Market) -> None:
    """Everybody, and everybody but the three of the east's plan C: their difference is the three."""
    assert [row["entities"] for row in product(sold(city, city.buyer, group_by=("region",)))] == ["73", "78"]
    without = sold(city, city.modeller, group_by=("region",), where=["plan in A, B"])
    told = {row["region"]: int(row["entities"]) for row in product(without)} if without.state == "closed" else {}
    assert told.get("东") != 70
    assert told.get("西") != 70
    differencing = next(check for check in without.checks if check["name"] == "differencing")
    assert differencing["evidence"]["releases_compared"] == 1


def test_no_row_left_is_withheld_like_any_other(city: Market) -> None:
    none = sold(city, city.buyer, group_by=("region",), where=["tenure > 1000"])
    assert (none.state, none.error["code"]) == ("failed", "release.withheld")


def test_a_masked_group_is_grouped_as_it_is_shown(city: Market) -> None:
    (row,) = product(sold(city, city.buyer, group_by=("region",), masks={"region": "whole"}))
    assert (row["region"], row["entities"]) == ("***", "151")
