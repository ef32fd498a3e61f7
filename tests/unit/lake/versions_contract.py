"""What every adapter of `TableStore` must do with versions made from others; subclassed as `contract` is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from shudu.lake.queries import evolved
from shudu.lake.store import TableStore
from shudu.lake.types import Base, Change, Evolution, Mode, Place, Reading, Recipe, Stored, Table, View
from shudu.policy.types import Invalid
from unit.lake.contract import TABLE, Write

ROWS = [("no", "tenure", "fee", "since", "name", "code")]
MORE = [*ROWS, ("K4", 3, "1.5", "2024-01-01", "丁", "0004"), ("K5", "", "2.5", "2024-01-02", "戊", "0005")]
AGAIN = [*ROWS, ("K2", 2, "80", "2021-12-31", "乙", "0001"), ("K3", "", "0.1", "1999-01-01", "", "7"), MORE[1]]
FIRST, SECOND, THIRD, FOURTH = (Place("pty_one", "ast_one", f"ver_{number}") for number in (1, 2, 3, 4))


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


class EvolutionContract:
    """Columns that are added, dropped, renamed and made wider, over files that stay as they are."""

    @pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
    def encrypted(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    @pytest.fixture
    def land(self, store: TableStore, write: Write, encrypted: bool) -> Callable[..., Stored]:
        def landed(
            rows: list[tuple[object, ...]], place: Place, old: Table | None, recipe: Recipe, mode: Mode, **said: object
        ) -> Stored:
            evolution = Evolution.model_validate(said)
            base = Base(old, mode, evolution=evolution, next_field=10) if old else None
            reading = Reading(recipe=evolved(recipe, evolution))
            source = write(rows, f"{place.version}.csv")
            return store.land(source, place, reading, key="no", encrypted=encrypted, base=base)

        return landed

    def test_old_and_new_files_are_read_as_one_table(
        self, store: TableStore, land: Callable[..., Stored], encrypted: bool
    ) -> None:
        first = land([("no", "day", "n", "gone"), ("K1", "2020-02-29", 7, "x")], FIRST, None, Recipe(), Mode.APPEND)
        assert [column.type for column in first.columns] == ["VARCHAR", "DATE", "BIGINT", "VARCHAR"]
        second = land(
            [("no", "since", "n", "more"), ("K2", "2021-01-01 08:30:00", "1.25", "新")],
            SECOND,
            Table(FIRST, first.files, first.columns),
            Recipe(**first.recipe),
            Mode.APPEND,
            add=["more"],
            drop=["gone"],
            rename={"day": "since"},
            retype={"day": "TIMESTAMP", "n": "DECIMAL(21,2)"},
        )
        assert [(column.name, column.type, column.field) for column in second.columns] == [
            ("no", "VARCHAR", 1),
            ("since", "TIMESTAMP", 2),
            ("n", "DECIMAL(21,2)", 3),
            ("more", "VARCHAR", 10),
        ]
        expected = {
            "no": ["K1", "K2"],
            "since": [datetime(2020, 2, 29), datetime(2021, 1, 1, 8, 30)],
            "n": [Decimal("7.00"), Decimal("1.25")],
            "more": [None, "新"],
        }
        view = View(tuple(expected))
        assert store.read_table(second.files, SECOND, view).to_pydict() == expected
        assert (first.files[0].sha256 in {file.sha256 for file in second.files}) is not encrypted
        assert Stored.from_json(json.loads(json.dumps(second.to_json()))) == second
        third = land(
            [("no", "since", "n", "more"), ("K3", "2022-01-01 00:00:00", 2, "再")],
            THIRD,
            Table(SECOND, second.files, second.columns),
            Recipe(**second.recipe),
            Mode.APPEND,
        )
        store.erase(FIRST)
        store.erase(SECOND)
        read = store.read_table(third.files, THIRD, view).to_pydict()
        assert (read["no"], read["n"][2], read["more"]) == (["K1", "K2", "K3"], Decimal("2.00"), [None, "新", "再"])
        by_key = land(
            [("no", "since", "n", "more"), ("K1", "2023-01-01 00:00:00", 9, "改")],
            FOURTH,
            Table(THIRD, third.files, third.columns),
            Recipe(**third.recipe),
            Mode.UPSERT,
        )
        assert by_key.change == Change("upsert", THIRD.version, 0, 1, 0, 0)
        assert sorted(store.read_table(by_key.files, FOURTH, View(("more",)))["more"].to_pylist()) == ["再", "改", "新"]

    def test_a_dropped_columns_values_never_come_back(self, store: TableStore, land: Callable[..., Stored]) -> None:
        first = land([("no", "note"), ("K1", "secret")], FIRST, None, Recipe(), Mode.APPEND)
        old = Table(FIRST, first.files, first.columns)
        second = land([("no",), ("K2",)], SECOND, old, Recipe(**first.recipe), Mode.APPEND, drop=["note"])
        old = Table(SECOND, second.files, second.columns)
        head = [("no", "note"), ("K3", "fresh")]
        third = land(head, THIRD, old, Recipe(**second.recipe), Mode.APPEND, add=["note"])
        assert store.read_table(third.files, THIRD, View(("note",)))["note"].to_pylist() == [None, None, "fresh"]

    @pytest.mark.parametrize(
        ("said", "code"),
        [
            ({"retype": {"n": "INTEGER"}}, "version.narrower"),
            ({"retype": {"n": "DECIMAL(18,2)"}}, "version.narrower"),
            ({"retype": {"n": "BIGINT); DROP TABLE x; --"}}, "version.narrower"),
            ({"retype": {"name": "BIGINT"}}, "version.narrower"),
            ({"drop": ["no"]}, "version.evolution"),
            ({"rename": {"no": "id"}}, "version.evolution"),
            ({"rename": {"nothing": "id"}}, "version.evolution"),
            ({"rename": {"name": "File_Row_Number"}}, "version.evolution"),
        ],
    )
    @pytest.mark.parametrize("mode", list(Mode))
    def test_what_would_lose_something_is_refused(
        self, store: TableStore, write: Write, home: Path, said: dict[str, object], code: str, mode: Mode
    ) -> None:
        rows = [("no", "n", "name"), ("K1", 7, "x")]
        first = store.land(write(rows), FIRST, Reading(), key="no")
        base = Base(Table(FIRST, first.files, first.columns), mode, evolution=Evolution.model_validate(said))
        with pytest.raises(Invalid) as caught:
            store.land(write(rows, "again.csv"), SECOND, Reading(), key="no", base=base)
        assert caught.value.code == code
        assert caught.value.remedy is not None
        assert not (home / SECOND.folder).exists()

    def test_a_number_is_not_rounded_to_fit(self, land: Callable[..., Stored]) -> None:
        first = land([("no", "n"), ("K1", 7)], FIRST, None, Recipe(), Mode.APPEND)
        with pytest.raises(Invalid) as caught:
            land(
                [("no", "n"), ("K2", "1.5"), ("K3", "1.255")],
                SECOND,
                Table(FIRST, first.files, first.columns),
                Recipe(**first.recipe),
                Mode.APPEND,
                retype={"n": "DECIMAL(21,2)"},
            )
        assert (caught.value.code, caught.value.where) == ("row.value", {"row": 3, "column": "n"})
