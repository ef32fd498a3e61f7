"""Observers see every row once, with their aggregates, before anybody else may."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shudu.govern.observers import Quiet
from shudu.lake.engine import connect, leanly, one
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Cells, Column, Observation, Place, Sensitivity
from shudu.lake.watch import repeating, watch

PLACE = Place("pty_one", "ast_one", "ver_one")
ROWS = 150_000


class Recorder(Quiet):
    """Keeps what it is shown; `enough` is after how many rows it wants no more."""

    made: list[Recorder] = []

    def __init__(self, columns: tuple[Column, ...], key: str | None, enough: int = ROWS + 1) -> None:
        self.columns, self.key, self.enough = columns, key, enough
        self.rows: list[dict[str, Any]] = []
        Recorder.made.append(self)

    @property
    def aggregates(self) -> Mapping[str, str]:
        return {"largest": 'max("no")', "rows": "count(*)"}

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({"no", "name"}) if len(self.rows) < self.enough else frozenset()

    def observe(self, batch: Any) -> None:
        self.rows += batch.to_pylist()

    def result(self, aggregates: Mapping[str, Any]) -> Observation:
        return Observation({"seen": len(self.rows), **aggregates}, {"name": Sensitivity.PERSONAL})


@pytest.fixture
def source(write: Callable[..., Path]) -> Path:
    return write("no,name,half\n" + "".join(f"{number},n{number % 10},{number / 2}\n" for number in range(ROWS)))


@pytest.mark.django_db
@pytest.mark.parametrize("encrypted", [False, True])
def test_observers_see_every_row_in_order(store: DuckDBStore, source: Path, encrypted: bool) -> None:
    watched = replace(store, observers={"first": Recorder, "second": Recorder})
    stored = watched.write_csv(source, PLACE, key="no", encrypted=encrypted)
    first, second = Recorder.made[-2:]
    expected = [{"no": number, "name": f"n{number % 10}"} for number in range(ROWS)]
    assert first.rows == second.rows == expected
    assert ([each.name for each in first.columns], first.key) == (["no", "name", "half"], "no")
    found = {"seen": ROWS, "largest": ROWS - 1, "rows": ROWS, "distinct": ROWS, "empty": 0}
    assert stored.observations == {"first": found, "second": found}
    assert [each.sensitivity for each in stored.columns] == [None, "personal", None]


def test_reading_ends_when_nobody_wants_more(store: DuckDBStore, source: Path) -> None:
    def soon_content(columns: tuple[Column, ...], key: str | None) -> Recorder:
        return Recorder(columns, key, enough=10)

    stored = replace(store, observers={"soon": soon_content}).write_csv(source, PLACE, key=None)
    assert 10 <= stored.observations["soon"]["seen"] < ROWS


def test_an_observer_that_fails_stops_the_write(store: DuckDBStore, source: Path) -> None:
    class Broken(Recorder):
        def observe(self, batch: Any) -> None:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        replace(store, observers={"broken": Broken}).write_csv(source, PLACE, key=None)
    assert not (store.home / PLACE.folder).exists()


def test_this_installation_watches_keys_and_levels(home: Path) -> None:
    from shudu.lake.queries import store

    configured = store()
    assert isinstance(configured, DuckDBStore)
    assert configured.home == home
    assert {"key", "level"} <= set(configured.observers)


class Counter(Quiet):
    """Asks how many cells begin with an x, and for all different values."""

    def __init__(self, columns: tuple[Column, ...], key: str | None) -> None:
        self.seen: dict[str, int] = {}
        self.names = tuple(column.name for column in columns)

    @property
    def cells(self) -> Mapping[str, Cells]:
        return {"x": Cells(self.names, "starts_with($c, 'x')")}

    @property
    def groups(self) -> frozenset[str]:
        return frozenset(self.names)

    def grouped(self, name: str, rows: Mapping[Any, int]) -> None:
        self.seen[name] = len(rows)

    def result(self, aggregates: Mapping[str, Any]) -> Observation:
        return Observation({"x": aggregates["x"], "grouped": self.seen})


def test_cells_are_counted_alike_over_groups_and_over_rows(store: DuckDBStore, write: Callable[..., Path]) -> None:
    # Few values; as many as there are rows; some too long to hold; and more columns than anybody groups.
    rows = [[f"x{n % 7}", f"xn{n}", "", ("x" if n % 2 else "y") * (1_500 if n < 9 else 1)] for n in range(30_000)]
    narrow = write("few,many,none,long\n" + "".join(",".join(row) + "\n" for row in rows))
    watched = replace(store, observers={"count": Counter})
    found = watched.write_csv(narrow, PLACE, key=None).observations["count"]
    assert found == {"x": 30_000 + 30_000 + 15_000, "grouped": {"few": 7, "none": 0}}
    wide = write("\n".join(",".join(each) for each in ([f"c{n}" for n in range(201)], ["x"] * 201, ["y"] * 201)) + "\n")
    elsewhere = Place("pty_one", "ast_one", "ver_two")
    assert watched.write_csv(wide, elsewhere, key=None).observations["count"] == {"x": 201, "grouped": {}}


class Distinct(Counter):
    """Counts cells, and how many different values each column has."""

    @property
    def cells(self) -> Mapping[str, Cells]:
        return {"x": Cells(("text", "some"), "starts_with($c, 'x')")}

    @property
    def groups(self) -> frozenset[str]:
        return frozenset({"text", "some"})

    @property
    def distinct(self) -> Mapping[str, str]:
        return {f"of {name}": name for name in self.names}

    def result(self, aggregates: Mapping[str, Any]) -> Observation:
        return Observation({"grouped": self.seen, "x": aggregates["x"], **{n: aggregates[n] for n in self.distinct}})


@pytest.mark.parametrize("hinted", [(), ("text", "some", "number", "few", "all")], ids=["plain", "hinted"])
def test_a_wrong_hint_changes_the_cost_and_no_answer(hinted: tuple[str, ...]) -> None:
    types = {"no": "BIGINT", "text": "VARCHAR", "some": "VARCHAR", "number": "BIGINT", "few": "DATE", "true": "BOOLEAN"}
    columns = tuple(Column(name, type_, nullable=True) for name, type_ in types.items())
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT i AS no, 'x' || i AS text, CASE WHEN i % 3 > 0 THEN 'x' || i % 50 END AS some,"
            " i * 7 AS number, DATE '2024-01-01' + (i % 40)::INTEGER AS few, i < 0 AS true FROM range(60_000) AS r(i)"
        )
        found = watch(
            connection, "t", columns, 60_000, columns[0], lambda row: row, {"d": Distinct}, row_bytes=50, hinted=hinted
        )["d"].value
    assert found["grouped"] == {"some": 50}
    assert (found["x"], found["of no"], found["of some"]) == (100_000, 60_000, 50)
    assert found["of true"] == 1
    assert found["of few"] == (40 if hinted else pytest.approx(40, rel=0.2))
    assert (found["of text"], found["of number"]) == (pytest.approx(60_000, rel=0.3), pytest.approx(60_000, rel=0.3))


def test_columns_with_few_values_are_told_by_their_file(tmp_path: Path) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "COPY (SELECT i AS no, i % 90 AS age, 'a' || i % 7 AS plan, (i % 9) / 7 AS share, NULL::VARCHAR AS none,"
            f" 'n' || i AS note FROM range(60_000) AS r(i)) TO '{tmp_path}/a.parquet' (ROW_GROUP_SIZE 20_480)"
        )
        assert repeating(connection, [tmp_path / "a.parquet"]) >= {"age", "plan"}
        assert not repeating(connection, [tmp_path / "a.parquet"]) & {"no", "share", "note"}


def test_what_needs_more_memory_gets_it(tmp_path: Path) -> None:
    tried = []
    with connect() as connection:

        def work() -> int:
            tried.append(one(connection, "SELECT current_setting('memory_limit')")[0])
            rows: int = one(connection, "SELECT length(list(i)::VARCHAR) FROM range(1_500_000) AS r(i)")[0]
            return rows

        assert leanly(connection, "10MB", work) > 1_500_000
        assert len(set(tried)) == 2
        # And the limit is the usual one again.
        assert one(connection, "SELECT current_setting('memory_limit')")[0] == tried[1]
