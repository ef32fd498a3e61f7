"""Versions of a table: what a new one keeps, who may publish one, and two at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from frozen import FrozenClock
from shudu.catalog import actions, queries, updating
from shudu.catalog.diffing import SchemaDifference
from shudu.catalog.models import Version
from shudu.catalog.types import PublishTable, PublishVersion, Reading
from shudu.lake import queries as lake
from shudu.lake.types import View
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, Invalid, NotFound, Refused
from unit.agreements.conftest import Market, market

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)


def file(folder: Path, *rows: str, head: str = "id,姓名", name: str = "more.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def asset(market: Market, tmp_path: Path) -> str:
    source = file(tmp_path, "1,𠮷野", "2,䶮", name="first.csv")
    return str(actions.publish(market.provider, PublishTable(source=source, title="人员", key="id", level="L3")).id)


def published(market: Market, asset: str, source: Path, mode: str, **more: Any) -> Version:
    request = PublishVersion.model_validate({"asset": asset, "source": source, "mode": mode, **more})
    made: Version = actions.publish_version(market.provider, request)
    return made


def rows(version: Version) -> dict[Any, Any]:
    read = lake.store().read_table(
        queries.files(version),
        queries.place(version),
        View(
            (
                "id",
                "姓名",
            )
        ),
    )
    return dict(zip(*read.to_pydict().values(), strict=True))


def test_each_way_of_updating(market: Market, asset: str, tmp_path: Path) -> None:
    first = queries.latest(asset)
    assert first is not None
    second = published(market, asset, file(tmp_path, "3,丙"), "append")
    third = published(market, asset, file(tmp_path, "2,乙", "4,丁"), "upsert")
    fourth = published(market, asset, file(tmp_path, "9,壬"), "replace")
    assert [rows(version) for version in (first, second, third, fourth)] == [
        {1: "𠮷野", 2: "䶮"},
        {1: "𠮷野", 2: "䶮", 3: "丙"},
        {1: "𠮷野", 2: "乙", 3: "丙", 4: "丁"},
        {9: "壬"},
    ]
    assert [version.number for version in queries.versions_of(asset)] == [4, 3, 2, 1]
    assert [(one.change["base"], one.change["added"], one.change["changed"]) for one in (second, third)] == [
        (first.id, 1, None),
        (second.id, 1, 1),
    ]
    assert fourth.change["base"] == third.id
    assert fourth.observations.keys() == first.observations.keys()
    recorded = Outbox.objects.get(event="version.published", subject=third.id).fields
    assert (recorded["mode"], recorded["base"], recorded["number"], recorded["rows"]) == ("upsert", second.id, 3, 4)
    assert recorded["files"] == {one.name: one.sha256 for one in queries.files(third)}
    assert "丁" not in str(recorded)


def test_the_recipe_of_the_version_before_is_used_again(market: Market, tmp_path: Path) -> None:
    source = file(tmp_path, "0028,12", "0001,7", head="code,n", name="first.csv")
    told = {"columns": [{"source": "code", "name": "代码"}, {"source": "n", "name": "n"}]}
    reading = Reading.model_validate({"recipe": told})
    made = actions.publish(market.provider, PublishTable(source=source, title="代码", reading=reading))
    second = published(market, made.id, file(tmp_path, "1111,3", head="code,n"), "append")
    # 1111 alone would be a number: it stays what the column is.
    read = lake.store().read_table(queries.files(second), queries.place(second), View(("代码",)))
    assert read["代码"].to_pylist() == ["0028", "0001", "1111"]
    with pytest.raises(Invalid) as caught:
        published(market, made.id, file(tmp_path, "1,x", head="code,n"), "replace")
    assert caught.value.where == {"row": 2, "column": "n"}


def test_agreements_keep_the_version_they_name(market: Market, tmp_path: Path) -> None:
    offer = market.live()
    pinned = {line.version for line in offer.lines.all()}
    source = file(tmp_path, "C9999,3,东区", head="customer_no,tenure,region")
    made = published(market, market.data, source, "append")
    assert made.rows == 61
    assert {line.version for line in offer.lines.all()} == pinned
    assert queries.shape(market.data).version == made.id


def test_only_its_owner_and_only_tables(market: Market, asset: str, tmp_path: Path) -> None:
    source = file(tmp_path, "3,丙")
    request = PublishVersion.model_validate({"asset": asset, "source": source})
    with pytest.raises(NotFound):
        actions.publish_version(market.buyer, request)
    with pytest.raises(Refused):
        actions.publish_version(market.operator, request)
    with pytest.raises(Refused):  # findable: its entry is seen, and that is all
        actions.publish_version(market.buyer, request.model_copy(update={"asset": market.data}))
    with pytest.raises(Conflict, match=r"version\.never"):
        actions.publish_version(market.modeller, request.model_copy(update={"asset": market.model}))
    assert Version.objects.filter(binding__asset=asset).count() == 1


def test_of_two_at_once_one_is_told_and_no_row_is_lost(
    market: Market, asset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = updating.write
    raced: list[Any] = []

    def overtaken(*given: Any) -> updating.Prepared:
        done = write(*given)
        if not raced:
            raced.append("now")
            raced.append(published(market, asset, file(tmp_path, "3,丙", name="other.csv"), "append"))
        return done

    monkeypatch.setattr(updating, "write", overtaken)
    source = file(tmp_path, "4,丁")
    for mode in ("append", "upsert", "replace"):
        raced.clear()
        before = queries.newest_number(queries.versions_of(asset)[0].binding_id)
        with pytest.raises(Conflict, match=r"version\.overtaken"):
            published(market, asset, source, mode)
        assert queries.newest_number(raced[1].binding_id) == before + 1
        actions.erase(market.provider, raced[1].id)
    with pytest.raises(Conflict, match=r"version\.overtaken"):
        published(market, asset, source, "append", expected=raced[1].id)
    made = published(market, asset, source, "append")
    assert rows(made) == {1: "𠮷野", 2: "䶮", 4: "丁"}


def test_nothing_is_added_to_what_was_withdrawn(market: Market, asset: str, tmp_path: Path) -> None:
    version = queries.latest(asset)
    assert version is not None
    actions.withdraw(market.provider, version.id, "owner")
    with pytest.raises(Conflict, match=r"version\.no_base"):
        published(market, asset, file(tmp_path, "3,丙"), "append")
    assert rows(published(market, asset, file(tmp_path, "3,丙"), "replace")) == {3: "丙"}


def test_an_erased_base_leaves_the_versions_made_of_it(market: Market, tmp_path: Path) -> None:
    source = file(tmp_path, "1,甲", name="first.csv")
    plain = actions.publish(market.provider, PublishTable(source=source, title="人员", key="id"))
    first = queries.latest(plain.id)
    assert first is not None
    second = published(market, plain.id, file(tmp_path, "2,乙"), "append")
    actions.erase(market.provider, first.id)
    assert rows(second) == {1: "甲", 2: "乙"}
    assert not {f"lake/{market.provider.party}/{plain.id}/{second.id}"} & set(
        lake.store().sweep(set(queries.stored_digests()), older_than=0)
    )
    assert rows(second) == {1: "甲", 2: "乙"}
    actions.erase(market.provider, second.id)
    lake_files = (lake.store().home / "lake" / market.provider.party / plain.id).rglob("*")
    assert [path for path in lake_files if path.is_file()] == []


def test_a_version_is_restored_as_the_newest(market: Market, asset: str, tmp_path: Path, clock: FrozenClock) -> None:
    first = queries.latest(asset)
    assert first is not None
    before = clock.now()
    clock.advance(hours=1)
    second = published(market, asset, file(tmp_path, "9,壬"), "replace")
    clock.advance(hours=1)
    third = actions.restore(market.provider, first.id)
    assert (third.number, third.change["mode"], third.change["base"]) == (3, "restore", first.id)
    assert rows(third) == rows(first) == {1: "𠮷野", 2: "䶮"}
    assert third.recipe == first.recipe
    recorded = Outbox.objects.get(event="version.published", subject=third.id).fields
    assert (recorded["mode"], recorded["base"]) == ("restore", first.id)
    moments = [before - timedelta(seconds=1), before, before + timedelta(hours=1), clock.now()]
    found = [queries.version_at(asset, moment) for moment in moments]
    assert [one and one.id for one in found] == [None, first.id, second.id, third.id]
    actions.erase(market.provider, first.id)
    assert rows(third) == {1: "𠮷野", 2: "䶮"}
    with pytest.raises(Conflict, match=r"version\.erased"):
        actions.restore(market.provider, first.id)
    with pytest.raises(NotFound):
        actions.restore(market.buyer, third.id)


@pytest.mark.parametrize("level", ["L2", "L3"])
def test_what_is_erased_while_it_is_restored_stays_erased(market: Market, tmp_path: Path, level: str) -> None:
    source = file(tmp_path, "1,甲", name="first.csv")
    made = actions.publish(market.provider, PublishTable(source=source, title="人员", key="id", level=level))
    first = queries.latest(made.id)
    assert first is not None
    second = published(market, made.id, file(tmp_path, "9,壬"), "replace")
    prepared = updating.write_again(made, first.binding, first)
    actions.erase(market.provider, first.id)
    with pytest.raises(Conflict, match=r"version\.erased"):
        actions.restore(market.provider, first.id, prepared=prepared)
    assert queries.latest(made.id) == second
    assert str(prepared.place.folder) in lake.store().sweep(set(queries.stored_digests()), older_than=0)


@pytest.mark.parametrize(("mode", "end"), [("append", "erase"), ("upsert", "withdraw"), ("replace", "erase")])
def test_nothing_is_made_of_a_version_that_went_meanwhile(
    market: Market, asset: str, tmp_path: Path, mode: str, end: str
) -> None:
    first = queries.latest(asset)
    assert first is not None
    request = PublishVersion.model_validate({"asset": asset, "source": file(tmp_path, "3,丙"), "mode": mode})
    prepared = actions.write_version(market.provider, request)
    if end == "erase":
        actions.erase(market.provider, first.id)
    else:
        actions.withdraw(market.provider, first.id, "owner")
    with pytest.raises(Conflict, match=r"version\.overtaken"):
        actions.publish_version(market.provider, request, prepared=prepared)
    assert Version.objects.filter(binding__asset=asset).count() == 1


def test_what_is_not_encrypted_is_restored_byte_by_byte(market: Market, tmp_path: Path) -> None:
    first = queries.latest(market.data)
    assert first is not None
    published(market, market.data, file(tmp_path, "C9,3,东区", head="customer_no,tenure,region"), "append")
    third = actions.restore(market.provider, first.id)
    assert [one.sha256 for one in queries.files(third)] == [one.sha256 for one in queries.files(first)]


def test_what_a_version_changed_and_for_whom(market: Market, tmp_path: Path) -> None:
    head = "customer_no,tenure,region"
    first = queries.latest(market.data)
    assert first is not None
    second = published(market, market.data, file(tmp_path, "C0001,99,东区", "N1,1,南区", head=head), "upsert")
    found = queries.difference(market.provider, second.id, limit=5)
    assert found.schema == SchemaDifference((), (), (), ())
    assert found.rows is not None
    counts = (found.rows.added, found.rows.removed, found.rows.changed, found.rows.unchanged)
    assert counts == (1, 0, 1, 59)
    assert found.rows.columns == {"tenure": 1}
    assert [what for what, _, _ in found.rows.rows] == ["changed", "added"]
    assert found.rows.rows[1][2] == {"customer_no": "N1", "tenure": "1", "region": "南区"}
    back = queries.difference(market.provider, first.id, against=second.id).rows
    assert back is not None
    assert (back.added, back.removed, back.changed) == (0, 1, 1)
    assert queries.difference(market.buyer, second.id).rows is None  # the entry may be found, the table not read
    with pytest.raises(Conflict, match="nothing_to_compare"):
        queries.difference(market.provider, first.id)
    actions.erase(market.provider, first.id)
    with pytest.raises(Conflict, match=r"version\.erased"):
        queries.difference(market.provider, second.id)


@pytest.mark.parametrize("later", ["gb18030", "semicolons", "workbook"])
def test_a_later_file_may_be_laid_out_in_another_way(market: Market, tmp_path: Path, later: str) -> None:
    """What the columns mean is kept: a code that looks like a number stays a text."""
    made = actions.publish(
        market.provider, PublishTable(source=file(tmp_path, "0028,甲", head="编号,名"), title="代码")
    )
    source = tmp_path / "later"
    if later == "workbook":
        book = openpyxl.Workbook()
        for row in (["五月统计表"], [None], ["编号", "名"], ["1111", "乙"]):
            book.active.append(row)
        book.save(source)
    else:
        text = "编号,名\n1111,乙\n"
        source.write_bytes(text.encode("gb18030") if later == "gb18030" else text.replace(",", ";").encode())
    version = published(market, made.id, source, "append")
    read = lake.store().read_table(queries.files(version), queries.place(version), View(("编号", "名")))
    assert read.to_pydict() == {"编号": ["0028", "1111"], "名": ["甲", "乙"]}
