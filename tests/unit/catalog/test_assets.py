"""Publishing, rights, levels, erasure."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.apps import apps

from shudu.catalog import actions, codes, queries
from shudu.catalog.models import Version
from shudu.catalog.types import CoreFields, PublishTable
from shudu.lake import queries as lake
from shudu.lake.types import View
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, Invalid, NotFound
from unit.agreements.conftest import Market, market

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "table.csv"
    file.write_text("id,姓名\n1,𠮷野\n2,䶮\n", encoding="utf-8")
    return file


def test_entry_version_rights_and_record(market: Market, table: Path) -> None:
    asset = actions.publish(market.provider, PublishTable(source=table, title="人员", key="id", level="L3"))
    assert codes.is_valid(asset.code)
    version = queries.latest(asset.id)
    assert version is not None
    assert (version.number, version.rows, version.state) == (1, 2, "live")
    assert {right.kind for right in queries.rights(asset.id)} == {"hold", "use", "operate"}
    recorded = Outbox.objects.get(event="asset.published", subject=asset.id).fields
    assert recorded["files"] == {file.name: file.sha256 for file in queries.files(version)}
    assert "𠮷野" not in str(recorded)
    shape = queries.shape(asset.id)
    read = lake.store().read_table(queries.files(version), queries.place(version), View(("姓名",)))
    assert read.column(0).to_pylist() == ["𠮷野", "䶮"]
    assert shape.entity_key == "id"


def test_codes_count_up_per_owner_and_kind(market: Market, table: Path) -> None:
    made = [actions.publish(market.provider, PublishTable(source=table, title=f"{n}")) for n in range(3)]
    assert [asset.code[17:23] for asset in made] == ["000002", "000003", "000004"]  # the market's table is 000001
    assert all(codes.is_valid(asset.code) for asset in made)


def test_strangers_do_not_learn_that_it_exists(market: Market, table: Path) -> None:
    asset = actions.publish(market.provider, PublishTable(source=table, title="人员"))
    with pytest.raises(NotFound) as hidden:
        queries.asset(market.buyer, asset.id)
    with pytest.raises(NotFound) as missing:
        queries.asset(market.buyer, asset.id[:-1] + ("0" if asset.id[-1] != "0" else "1"))
    assert hidden.value.code == missing.value.code
    assert asset.id not in {row.id for row in queries.assets(market.buyer)}


def test_erasing(market: Market, table: Path) -> None:
    asset = actions.publish(market.provider, PublishTable(source=table, title="人员", level="L4"))
    version = queries.latest(asset.id)
    assert version is not None
    folder = lake.store().home / queries.place(version).folder
    with pytest.raises(NotFound):
        actions.erase(market.buyer, version.id)
    assert folder.exists()
    actions.erase(market.provider, version.id)
    assert not folder.exists()
    kept = Version.objects.get(pk=version.id)
    assert (kept.state, kept.files) == ("erased", version.files)  # digests and tombstone stay
    with pytest.raises(Conflict, match="no_version"):
        queries.shape(asset.id)
    actions.erase(market.provider, version.id)
    assert Outbox.objects.filter(event="version.erased").count() == 1


def test_what_was_noted_of_values_goes_with_an_erased_version(market: Market, tmp_path: Path) -> None:
    file = tmp_path / "output.csv"
    file.write_text("id,kind,tonnes\n" + "".join(f"{n},纺织,{98_761_000 + n}\n" for n in range(20)), encoding="utf-8")
    asset = actions.publish(market.provider, PublishTable(source=file, title="产量", key="id"))
    version = queries.latest(asset.id)
    assert version is not None
    assert "纺织" in str(version.observations)
    assert "98761019" in str(version.observations)
    actions.erase(market.provider, version.id)
    kept = Version.objects.filter(pk=version.id).values().get()
    assert "纺织" not in str(kept)
    assert "98761" not in str(kept)
    assert kept["observations"]["quality"]["counts"]  # counts hold nobody's value


def test_the_migration_takes_the_profiles_of_what_was_erased_before(market: Market, tmp_path: Path) -> None:
    made = []
    for name in ("产量", "库存"):
        file = tmp_path / f"{name}.csv"
        file.write_text("id,kind\n" + "".join(f"{n},纺织\n" for n in range(20)), encoding="utf-8")
        version = queries.latest(actions.publish(market.provider, PublishTable(source=file, title=name, key="id")).id)
        assert version is not None
        made.append(version)
    erased, live = made
    Version.objects.filter(pk=erased.id).update(state="erased")
    migration = importlib.import_module("shudu.catalog.migrations.0009_erased_without_profiles")
    for _ in range(2):
        migration.forget(apps, SimpleNamespace())
    kept = {version.id: version.observations for version in Version.objects.filter(pk__in=[erased.id, live.id])}
    assert kept[live.id] == live.observations
    assert kept[erased.id] == {name: found for name, found in erased.observations.items() if name != "profile"}
    assert "profile" in live.observations


def test_core_fields_say_what_is_missing() -> None:
    assert CoreFields().gaps() == ("class_path", "abstract")
    assert CoreFields(class_path="3/01", abstract={"zh": "x"}, share_type="1").gaps() == ("share_method",)
    with pytest.raises(ValueError, match="不予共享"):
        CoreFields(share_type="3")


@pytest.mark.parametrize("title", ["", "  ", "a\nb", "x" * 201])
def test_titles(title: str) -> None:
    with pytest.raises(ValueError, match="title"):
        PublishTable(source=Path("x.csv"), title=title)


def test_a_failed_publish_leaves_nothing(market: Market, table: Path) -> None:
    before = set((lake.store().home / "lake").rglob("*"))
    with pytest.raises(Invalid):
        actions.publish(market.provider, PublishTable(source=table, title="人员", key="没有这一列"))
    after = {path for path in (lake.store().home / "lake").rglob("*") if path.is_file()}
    assert after <= before
