"""Laws of versions: an upsert is what a dict does, appending shows as exactly the rows appended."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shudu.lake.actions import StoredDataKeys
from shudu.lake.keys import Keyring
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Base, Change, Mode, Place, Reading, Recipe, Stored, Table, View

pytestmark = pytest.mark.django_db
FIRST, SECOND, THIRD = (Place("pty_one", "ast_one", f"ver_{number}") for number in (1, 2, 3))
COLUMNS = ("k", "a", "b")
Rows = dict[int, tuple[int | None, str | None]]
values = st.tuples(st.none() | st.integers(0, 2), st.none() | st.sampled_from(["x", "y", "数"]))
tables = st.dictionaries(st.integers(0, 9), values, min_size=1, max_size=8)
few = settings(max_examples=12, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
# Types are kept from version to version by the recipe; the law is about rows.
READING = Reading(
    recipe=Recipe.model_validate(
        {
            "columns": [
                {"source": n, "name": n, "type": t}
                for n, t in zip(COLUMNS, ("BIGINT", "BIGINT", "VARCHAR"), strict=True)
            ]
        }
    )
)


class House:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = DuckDBStore(folder / "home", StoredDataKeys(Keyring(folder / "keys")))

    def file(self, rows: Rows) -> Path:
        path = self.folder / "rows.csv"
        lines = [",".join("" if cell is None else str(cell) for cell in (key, *rest)) for key, rest in rows.items()]
        path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")
        return path

    def land(self, rows: Rows, place: Place, base: Base | None = None, key: str | None = "k") -> Stored:
        return self.store.land(self.file(rows), place, READING, key=key, base=base)

    def rows(self, stored: Stored, place: Place) -> list[tuple[int, int | None, str | None]]:
        read = self.store.read_table(stored.files, place, View(COLUMNS)).to_pydict()
        return list(zip(*read.values(), strict=True))


def table(stored: Stored, place: Place) -> Table:
    return Table(place, stored.files, stored.columns)


@few
@given(old=tables, new=tables, remove=st.booleans())
def test_an_upsert_does_what_a_dict_does(old: Rows, new: Rows, remove: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        first = house.land(old, FIRST)
        base = Base(table(first, FIRST), Mode.UPSERT, remove_missing=remove)
        second = house.land(new, SECOND, base)
        expected = new if remove else {**old, **new}
        assert {key: rest for key, *rest in house.rows(second, SECOND)} == {k: list(v) for k, v in expected.items()}
        assert second.rows == len(expected)
        changed = sum(1 for key in new if key in old and old[key] != new[key])
        met = len(old.keys() & new.keys())
        removed = len(old.keys() - new.keys()) if remove else 0
        assert second.change == Change("upsert", FIRST.version, len(new) - met, changed, met - changed, removed)
        found = house.store.compare(table(first, FIRST), table(second, SECOND), key="k")
        assert (found.added, found.changed, found.removed) == (len(new) - met, changed, removed)


@few
@given(old=tables, new=tables)
def test_what_was_appended_is_what_differs(old: Rows, new: Rows) -> None:
    """Without a key: the same row may stand there many times."""
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        first = house.land(old, FIRST, key=None)
        second = house.land(new, SECOND, Base(table(first, FIRST), Mode.APPEND), key=None)
        assert house.rows(second, SECOND) == [(k, *v) for k, v in old.items()] + [(k, *v) for k, v in new.items()]
        found = house.store.compare(table(first, FIRST), table(second, SECOND), key=None, limit=100)
        assert (found.added, found.removed, found.unchanged) == (len(new), 0, len(old))
        shown = Counter(tuple(after.values()) for _, _, after in found.rows)
        text = [tuple(None if cell is None else str(cell) for cell in (k, *v)) for k, v in new.items()]
        assert shown == Counter(text)
        third = house.store.again(table(first, FIRST), THIRD)
        assert [one.sha256 for one in third] == [one.sha256 for one in first.files]
