"""Iceberg tables over stored versions, read back by PyIceberg itself and by DuckDB over what PyIceberg plans."""

from __future__ import annotations

import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table as IcebergTable

from shudu.lake.iceberg import IcebergProjection
from shudu.lake.projection import CATALOG, FOLDER
from shudu.lake.queries import evolved
from shudu.lake.types import Base, Column, Evolution, Mode, Place, Reading, Shown, Stored, Table, View, field_ids
from shudu.policy.types import Unavailable
from unit.lake.forked import killed_at, run
from unit.lake.test_version_laws import READING, House, Rows, few, tables

pytestmark = pytest.mark.django_db
OWNER, ASSET = "pty_one", "ast_one"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Shop(House):
    """A house whose versions are kept, and what other engines see of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.versions: list[Shown] = []
        self.readings: dict[str, Reading] = {}  # of each version, as the next one is read
        self.projection = IcebergProjection(self.store.home)

    def publish(
        self, rows: Rows, mode: Mode = Mode.REPLACE, evolution: Evolution | None = None, after: Shown | None = None
    ) -> Shown:
        """The next version, made from `after` (by default the newest); a column that is added repeats the key."""
        change, after = evolution or Evolution(), after or (self.versions[-1] if self.versions else None)
        place, reading, base = self.next(), READING, None
        if after is not None:
            last = after.table
            used = {id_ for one in self.versions for id_ in field_ids(one.table.columns)}
            base = Base(last, mode, next_field=max(used) + 1, evolution=change)
            reading = self.readings[last.place.version]
            reading = reading.model_copy(update={"recipe": evolved(reading.recipe, change)})
        names = [column.name for column in reading.recipe.columns]
        lines = [
            ",".join("" if cell is None else str(cell) for cell in (key, *rest, key)) for key, rest in rows.items()
        ]
        source = self.folder / "rows.csv"
        wide = [line.split(",")[: len(names)] for line in lines]
        source.write_text("\n".join(",".join(line) for line in (names, *wide)) + "\n", encoding="utf-8")
        self.readings[place.version] = reading
        return self.keep(self.store.land(source, place, reading, key="k", base=base), place)

    def restore(self, version: Shown) -> Shown:
        """An old version once more, as the newest."""
        place, table = self.next(), version.table
        self.readings[place.version] = self.readings[table.place.version]
        files = self.store.again(table, place)
        self.versions.append(
            Shown(
                Table(place, files, table.columns), len(self.versions) + 1, BEGAN + timedelta(days=len(self.versions))
            )
        )
        return self.versions[-1]

    def next(self) -> Place:
        return Place(OWNER, ASSET, f"ver_{len(self.versions) + 1}")

    def keep(self, stored: Stored, place: Place) -> Shown:
        table = Table(place, stored.files, stored.columns)
        self.versions.append(Shown(table, len(self.versions) + 1, BEGAN + timedelta(days=len(self.versions))))
        return self.versions[-1]

    def show(self, *versions: Shown) -> dict[str, str]:
        return self.projection.show(OWNER, ASSET, lambda: versions, {"shudu.code": "510100/D1"})

    def seen(self) -> IcebergTable:
        folder = self.store.home / FOLDER
        catalog = SqlCatalog("shudu", uri=f"sqlite:///{folder / CATALOG}", warehouse=f"file://{folder}")
        try:
            return catalog.load_table((OWNER, ASSET))
        finally:
            catalog.close()

    def agrees(self, *versions: Shown) -> None:
        """Other engines see exactly these versions, each with exactly its rows and columns."""
        if not versions:
            with pytest.raises(NoSuchTableError):
                self.seen()
            assert not (self.store.home / FOLDER / OWNER / ASSET).exists()
            return
        seen = self.seen()
        assert [one.summary["shudu.version"] for one in seen.snapshots()] == [v.table.place.version for v in versions]
        assert seen.current_snapshot() == seen.snapshots()[-1]
        for snapshot, version in zip(seen.snapshots(), versions, strict=True):
            names = [column.name for column in version.table.columns]
            ours = self.store.read_table(version.table.files, version.table.place, View(tuple(names)))
            theirs = seen.scan(snapshot_id=snapshot.snapshot_id).to_arrow()
            assert theirs.column_names == names
            assert ordered(theirs) == ordered(ours)
            assert ordered(by_duckdb(seen, snapshot.snapshot_id)) == ordered(ours)
            assert seen.refs()[f"v{version.number}"].snapshot_id == snapshot.snapshot_id


def ordered(table: pa.Table) -> list[str]:
    return sorted(repr(row) for row in table.to_pylist())


def by_duckdb(table: IcebergTable, snapshot: int) -> pa.Table:
    scan = table.scan(snapshot_id=snapshot)
    paths = [task.file.file_path.removeprefix("file://") for task in scan.plan_files()]
    names = {"long": "BIGINT", "int": "INTEGER", "string": "VARCHAR", "double": "DOUBLE", "timestamp": "TIMESTAMP"}
    each = ", ".join(
        f"{field.field_id}: {{name: '{field.name}', type: '{names.get(str(field.field_type), field.field_type)}',"
        " default_value: NULL}"
        for field in scan.projection().fields
    )
    return duckdb.sql(f"FROM read_parquet({paths}, schema = MAP {{{each}}})").to_arrow_table()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_every_version_is_a_snapshot_with_its_own_rows(shop: Shop) -> None:
    first = shop.publish({1: (1, "数"), 2: (None, None)})
    assert shop.show(first) == {}
    second = shop.publish({3: (3, "𠮷")}, Mode.APPEND)
    third = shop.publish({1: (9, "z")}, Mode.UPSERT)
    assert shop.show(first, second, third) == {}
    shop.agrees(first, second, third)
    shop.show(first, second, third)
    shop.agrees(first, second, third)
    (told,) = shop.projection.tables()
    assert (told.owner, told.asset, len(told.snapshots)) == (OWNER, ASSET, 3)
    assert shop.seen().properties["shudu.code"] == "510100/D1"


def test_what_is_shown_no_more_leaves_no_trace(shop: Shop) -> None:
    versions = [shop.publish({1: (1, "x")}), shop.publish({2: (2, "y")}, Mode.APPEND), shop.publish({3: (1, "x")})]
    shop.show(*versions)
    shop.store.erase(versions[1].table.place)
    shop.show(versions[0], versions[2])
    shop.agrees(versions[0], versions[2])
    folder = shop.store.home / FOLDER
    left = [path for path in folder.rglob("*") if path.is_file() and path.name != CATALOG]
    assert not [path for path in left if b"ver_2" in path.read_bytes() or "ver_2" in path.name]
    shop.show()
    shop.agrees()


def test_no_value_of_a_row_stands_outside_the_lake(shop: Shop) -> None:
    shop.show(shop.publish({7: (4711, "只在湖中")}), shop.publish({8: (None, "Zaunkönig")}, Mode.APPEND))
    for task in shop.seen().scan().plan_files():
        assert (task.file.lower_bounds, task.file.upper_bounds) == (None, None)
    for path in (shop.store.home / FOLDER).rglob("*"):
        if path.is_file():
            assert not [word for word in ("只在湖中", "Zaunkönig", "4711") if word.encode() in path.read_bytes()], path


def test_columns_change_without_a_file_being_written(shop: Shop) -> None:
    first = shop.publish({1: (1, "x")})
    second = shop.publish({2: (5, None)}, Mode.APPEND, Evolution(rename={"a": "aa"}, drop=("b",)))
    assert [column.name for column in second.table.columns] == ["k", "aa"]
    assert shop.show(first, second) == {}
    shop.agrees(first, second)
    assert {file.sha256 for file in first.table.files} < {file.sha256 for file in second.table.files}


def test_what_no_reader_would_read_right_is_left_out_and_named(shop: Shop) -> None:
    """A day that became a moment is no promotion the format knows; a type it lacks is none either."""
    first = shop.publish({1: (1, "x")})
    as_moment = tuple(replace(one, type="TIMESTAMP") if one.name == "a" else one for one in first.table.columns)
    odd = Shown(Table(Place(OWNER, ASSET, "ver_odd"), first.table.files, as_moment), 2, BEGAN)
    strange = (*first.table.columns[:2], Column("b", "HUGEINT", True))
    stranger = Shown(Table(Place(OWNER, ASSET, "ver_strange"), first.table.files, strange), 3, BEGAN)
    assert shop.show(first, odd, stranger) == {"ver_odd": "a", "ver_strange": "b"}
    shop.agrees(first)
    assert shop.seen().properties["shudu.not-shown"] == "ver_odd ver_strange"


def test_an_integer_that_became_a_decimal_is_shown_again_when_its_file_is_written_anew(shop: Shop) -> None:
    first = shop.publish({1: (1, "x")})
    second = shop.publish({2: (2, "y")}, Mode.APPEND, Evolution(retype={"a": "DECIMAL(20,0)"}))
    assert shop.show(first, second) == {"ver_2": "a"}
    shop.agrees(first)
    third = shop.publish({3: (3, "z")}, Mode.REPLACE)
    assert shop.show(first, second, third) == {"ver_2": "a"}
    shop.agrees(first, third)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"PAR1 no more")])
def test_a_bad_file_keeps_no_other_version_from_being_shown_or_taken_back(shop: Shop, spoil: Any) -> None:
    versions = [shop.publish({1: (1, "x")}), shop.publish({2: (2, "y")}), shop.publish({3: (3, "z")})]
    shop.show(versions[0])
    file = versions[1].table.files[0]
    spoil(shop.store.home / file.path)
    assert shop.show(*versions[1:]) == {"ver_2": file.name}
    shop.agrees(versions[2])


def test_a_file_without_field_ids_is_never_shown(shop: Shop) -> None:
    first = shop.publish({1: (1, "x")})
    path = shop.store.home / first.table.files[0].path
    plain = path.with_name("plain.parquet")
    duckdb.sql(f"COPY (FROM '{path}') TO '{plain}' (FORMAT parquet)")
    file = replace(first.table.files[0], path=str(plain.relative_to(shop.store.home)))
    other = Shown(Table(first.table.place, (file,), first.table.columns), 1, BEGAN)
    assert list(shop.show(other)) == ["ver_1"]
    shop.agrees()


def test_killed_between_any_two_steps_the_next_time_makes_it_whole(shop: Shop) -> None:
    first = shop.publish({1: (1, "x")})
    second = shop.publish({2: (2, "y")}, Mode.APPEND)
    for point in count():
        shop.show(first)
        ended, _ = run(lambda: shop.show(second), killed_at(point))
        seen = shop.seen().scan().to_arrow()  # whichever of the two stands, it can be read
        assert seen.num_rows in (1, 2)
        shop.show(first, second)
        assert [one.summary["shudu.version"] for one in shop.seen().snapshots()] == ["ver_1", "ver_2"]
        if ended == 0:
            break
    shop.agrees(first, second)
    assert point > 12, "it was to be killed at every change it makes"


def test_two_at_once_show_one_thing(shop: Shop) -> None:
    versions = [shop.publish({1: (1, "x")}), shop.publish({2: (2, "y")}, Mode.APPEND)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: shop.show(*versions[: 1 + number % 2]), range(8)))
    shop.show(*versions)
    shop.agrees(*versions)


def test_what_was_true_last_is_what_is_shown_last(shop: Shop) -> None:
    """A projector that has asked before a version is withdrawn, and is slow, does not show it again afterwards."""
    live = [shop.publish({1: (1, "x")}), shop.publish({2: (2, "y")})]
    asked, go_on = threading.Event(), threading.Event()

    def slowly() -> list[Shown]:
        told = list(live)
        asked.set()
        go_on.wait(10)
        return told

    slow = threading.Thread(target=shop.projection.show, args=(OWNER, ASSET, slowly, {}))
    slow.start()
    asked.wait(10)
    live.pop(0)
    fast = threading.Thread(target=shop.projection.show, args=(OWNER, ASSET, lambda: list(live), {}))
    fast.start()
    fast.join(0.3)
    go_on.set()
    for thread in (slow, fast):
        thread.join()
    shop.agrees(*live)


def test_many_appends_cost_each_its_own(shop: Shop) -> None:
    first = shop.publish({0: (0, "x")})
    shop.show(first)
    for number in range(1, 15):
        shop.publish({100 + number: (1, "y")}, Mode.APPEND)
    began = time.process_time()
    shop.show(*shop.versions)
    once = time.process_time() - began
    began = time.process_time()
    shop.show(*shop.versions)
    assert time.process_time() - began < once, "what is written already is not written again"
    assert shop.seen().scan().to_arrow().num_rows == 15


def test_a_damaged_catalogue_is_said_and_made_anew(shop: Shop) -> None:
    first = shop.publish({1: (1, "x")})
    shop.show(first)
    (shop.store.home / FOLDER / CATALOG).write_bytes(b"no database at all" * 100)
    with pytest.raises(Unavailable) as caught:
        shop.show(first)
    assert caught.value.code == "projection.damaged"
    shop.projection.clear()
    shop.show(first)
    shop.agrees(first)


def test_a_home_that_was_moved(shop: Shop) -> None:
    first = shop.publish({1: (1, "x")})
    shop.show(first)
    shop.store.home.rename(shop.folder / "moved")
    there = Shop(shop.folder)
    there.store = replace(there.store, home=shop.folder / "moved")
    there.projection = IcebergProjection(there.store.home)
    there.show(first)
    there.agrees(first)


class Steps:
    """What may happen to a table, in any order, with its live versions as other engines should see them."""

    def __init__(self, folder: Path) -> None:
        self.shop, self.fresh = Shop(folder), 0
        self.live: list[Shown] = []

    def do(self, step: str, rows: Rows) -> None:
        self.fresh += 10
        new = {key + self.fresh: value for key, value in rows.items()}  # keys that no row has yet
        last = self.live[-1] if self.live else None
        if last is None:
            self.live.append(self.shop.publish(rows))
            return
        match step:
            case "erase":
                self.shop.store.erase(self.live.pop(0).table.place)
            case "withdraw":
                self.live.pop()
            case "restore":
                self.live.append(self.shop.restore(self.live[0]))
            case "replace" | "append" | "upsert":
                self.live.append(self.shop.publish(new if step == "append" else rows, Mode(step), after=last))
            case change:
                self.live.append(self.shop.publish(new, Mode.APPEND, self.changed(change, last), last))

    def changed(self, change: str, last: Shown) -> Evolution:
        """A change that the columns of the last version allow."""
        names = [column.name for column in last.table.columns]
        if len(names) == 1 or (change == "add" and len(names) < 4):
            return Evolution(add=(f"c{self.fresh}",))
        return Evolution(drop=(names[-1],)) if change == "drop" else Evolution(rename={names[-1]: f"r{self.fresh}"})


happens = st.sampled_from("replace append upsert add drop rename restore erase withdraw".split())


@settings(few, max_examples=6)
@given(steps=st.lists(st.tuples(happens, tables), min_size=3, max_size=5))
def test_whatever_is_published_and_taken_back_is_what_is_seen(steps: list[tuple[str, Rows]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        told = Steps(Path(folder))
        for step, rows in steps:
            told.do(step, rows)
            told.shop.show(*told.live)
        told.shop.agrees(*told.live)
