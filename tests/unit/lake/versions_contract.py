"""What every adapter of `TableStore` must do with versions made from others; subclassed as `contract` is."""

from __future__ import annotations

from pathlib import Path

import pytest

from shudu.lake.store import TableStore
from shudu.lake.types import Base, Change, Mode, Place, Reading, Recipe, Stored, Table, View
from shudu.policy.types import Invalid
from unit.lake.contract import TABLE, Write

ROWS = [("no", "tenure", "fee", "since", "name", "code")]
MORE = [*ROWS, ("K4", 3, "1.5", "2024-01-01", "丁", "0004"), ("K5", "", "2.5", "2024-01-02", "戊", "0005")]
AGAIN = [*ROWS, ("K2", 2, "80", "2021-12-31", "乙", "0001"), ("K3", "", "0.1", "1999-01-01", "", "7"), MORE[1]]
FIRST, SECOND, THIRD = (Place("pty_one", "ast_one", f"ver_{number}") for number in (1, 2, 3))


class VersionsContract:
    """A version made from another: nothing of either is lost, and each stands and falls by itself."""

    @pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
    def encrypted(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    @pytest.fixture
    def first(self, store: TableStore, write: Write, encrypted: bool) -> Stored:
        return store.land(write(TABLE), FIRST, Reading(), key="no", encrypted=encrypted)

    @staticmethod
    def base(stored: Stored, mode: Mode, place: Place = FIRST, **more: bool) -> Base:
        return Base(Table(place, stored.files, stored.columns), mode, **more)

    def test_appending_keeps_every_row_and_rewrites_no_plain_file(
        self, store: TableStore, first: Stored, write: Write, encrypted: bool
    ) -> None:
        base = self.base(first, Mode.APPEND)
        reading = Reading(recipe=Recipe(**first.recipe))
        second = store.land(write(MORE, "more.csv"), SECOND, reading, key="no", encrypted=encrypted, base=base)
        read = store.read_table(
            second.files,
            SECOND,
            View(
                (
                    "no",
                    "tenure",
                )
            ),
        )
        assert read.to_pydict() == {"no": ["K1", "K2", "K3", "K4", "K5"], "tenure": [12, 1, None, 3, None]}
        assert (second.rows, second.change) == (5, Change(Mode.APPEND, FIRST.version, added=2))
        assert sum(file.rows or 0 for file in second.files) == 5
        assert (first.files[0].sha256 in {file.sha256 for file in second.files}) is not encrypted
        assert Stored.from_json(second.to_json()) == second
        store.erase(FIRST)
        assert store.read_table(second.files, SECOND, View(("no",))).num_rows == 5

    def test_a_key_that_is_there_already_is_no_new_row(
        self, store: TableStore, first: Stored, write: Write, encrypted: bool, home: Path
    ) -> None:
        clash = write([*ROWS, MORE[1], ("K2", 9, "1", "2024-01-01", "x", "9")], "more.csv")
        with pytest.raises(Invalid) as caught:
            store.land(clash, SECOND, Reading(), key="no", encrypted=encrypted, base=self.base(first, Mode.APPEND))
        assert (caught.value.code, caught.value.where) == ("publish.key", {"column": "no", "row": 3})
        assert not (home / SECOND.folder).exists()

    @pytest.mark.parametrize("remove", [False, True])
    def test_rows_are_replaced_by_key(
        self, store: TableStore, first: Stored, write: Write, encrypted: bool, remove: bool
    ) -> None:
        base = self.base(first, Mode.UPSERT, remove_missing=remove)
        reading = Reading(recipe=Recipe(**first.recipe))
        second = store.land(write(AGAIN, "again.csv"), SECOND, reading, key="no", encrypted=encrypted, base=base)
        rows = dict(
            zip(
                *store.read_table(
                    second.files,
                    SECOND,
                    View(
                        (
                            "no",
                            "name",
                        )
                    ),
                )
                .to_pydict()
                .values(),
                strict=True,
            )
        )
        assert rows == {**({} if remove else {"K1": "𠮷田"}), "K2": "乙", "K3": None, "K4": "丁"}
        assert second.change == Change(Mode.UPSERT, FIRST.version, 1, 1, 1, 1 if remove else 0)

    def test_other_columns_are_refused_by_name(
        self, store: TableStore, first: Stored, write: Write, encrypted: bool, home: Path
    ) -> None:
        for number, (column, rows) in enumerate(
            {
                "tenure": [tuple(cell for at, cell in enumerate(row) if at != 1) for row in MORE],
                "more": [(*ROWS[0], "more"), *((*row, "x") for row in MORE[1:])],
                "fee": [ROWS[0], ("K4", 3, "一", "2024-01-01", "丁", "0004")],
            }.items()
        ):
            source = write(rows, f"{number}.csv")
            with pytest.raises(Invalid) as caught:
                store.land(source, SECOND, Reading(), key="no", encrypted=encrypted, base=self.base(first, Mode.APPEND))
            assert (caught.value.code, caught.value.where["column"]) == ("version.columns", column)
        assert not (home / SECOND.folder).exists()

    def test_many_appended_files_become_one(
        self, store: TableStore, first: Stored, write: Write, encrypted: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shudu.lake.combining.MANY_FILES", 2)
        stored, place = first, FIRST
        for number in range(4, 8):
            source = write([*ROWS, (f"K{number}", number, "1.5", "2024-01-01", "x", "00")], f"{number}.csv")
            following = Place("pty_one", "ast_one", f"ver_{number}")
            base = self.base(stored, Mode.APPEND, place)
            reading = Reading(recipe=Recipe(**first.recipe))
            stored = store.land(source, following, reading, key="no", encrypted=encrypted, base=base)
            store.erase(place)
            place = following
            assert len(stored.files) <= 2
        assert store.read_table(stored.files, place, View(("no",)))["no"].to_pylist() == [f"K{n}" for n in range(1, 8)]
