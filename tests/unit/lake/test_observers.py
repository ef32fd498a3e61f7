"""Observers see every row once, with their aggregates, before anybody else may."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shudu.govern.observers import Quiet
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Cells, Column, Observation, Place, Sensitivity

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
