"""What may be wrong with a column's type is said: nearly a type, two codes made one number, a comma of two meanings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.lake.coltypes import GENEROUS
from shudu.lake.doubts import nearly
from shudu.lake.kinds import SPELLED
from shudu.lake.store import DuckDBStore
from shudu.lake.types import NO_HEADER, ColumnRecipe, Place, Reading, Recipe
from unit.lake import odd_files as odd

PLACE = Place("pty_one", "ast_one", "ver_one")
Write = Callable[..., Path]
DAYS = [f"2024-01-{day:02}" for day in range(1, 32)]

# name: (cells, the type they nearly are, how many fit, the rows that do not as the file counts them)
ALMOST: dict[str, tuple[list[str], str, int, list[int]]] = {
    "one word among numbers": (["1", "abc", "3"], "BIGINT", 2, [3]),
    "a day in no calendar": ([*DAYS, "2024-02-30"], "DATE", 31, [33]),
    "days as people write them": (["2024年3月5日", "2024/3/6", "2024-02-30"], "date", 2, [4]),
    "a fraction comes late": ([*(str(n) for n in range(300)), "0.5", "x"], "DOUBLE", 301, [303]),
    "more than are named": ([*(str(n) for n in range(60)), *"abcde"], "BIGINT", 60, [62, 63, 64]),
    "nothing is no misfit": (["1", "暂无", "2", "约三"], "BIGINT", 2, [5]),
    "truths": (["是", "否", "是", "不详"], "yes-no", 3, [5]),
}
SOUND = {
    "words": ["甲", "乙", "丙"],
    "codes with a zero before": ["1001", "1002", "0003"],
    "identifiers": ["510104199003071237", "51010419900307123X", "12"],
    "as many numbers as words": ["1", "2", "a", "b"],
    "streets": ["人民路1号", "人民路2号", "3"],
    "numbers": ["1", "2", "3"],
    "even decimals": ["1.10", "2.25", "3"],
}


def notes(store: DuckDBStore, path: Path, way: str, **reading: Any) -> list[dict[str, Any]]:
    if way == "preview":
        return [note.model_dump() for note in store.preview(path, Reading(**reading)).notes]
    found: list[dict[str, Any]] = store.land(path, PLACE, Reading(**reading), key=None).report["notes"]
    return found


def written(write: Write, columns: Mapping[str, list[str]], way: str, delimiter: str = ",") -> Path:
    """A file with these columns, the shorter ones filled up with nothing."""
    lines = [list(columns), *zip_longest(*columns.values(), fillvalue="")]
    text = "".join(delimiter.join(f'"{cell}"' for cell in line) + "\n" for line in lines)
    return write(text.encode("gb18030" if way == "careful" else "utf-8"))


WAYS = pytest.mark.parametrize("way", ["swift", "careful", "preview"])


@WAYS
def test_columns_that_are_nearly_of_a_type(way: str, store: DuckDBStore, write: Write) -> None:
    path = written(write, {name: cells for name, (cells, *_) in ALMOST.items()}, way)
    found = {one["where"]["column"]: one for one in notes(store, path, way) if one["code"] == "value.almost"}
    assert set(found) == set(ALMOST)
    for name, (cells, kind, fit, rows) in ALMOST.items():
        note, missing = found[name], len(cells) - fit - cells.count("暂无")
        where = {"column": name, "type": kind, "fit": fit, "misfit": missing, "rows": rows}
        assert note["where"] == where | {"nulls": ["暂无"] if "暂无" in cells else []}
        assert all(f"第 {row} 行" in note["zh"] and str(row) in note["en"] for row in rows)
        assert "abc" not in str(note), "never a value"


@pytest.mark.parametrize("way", ["swift", "careful"])
def test_a_value_far_behind_the_first_rows(way: str, store: DuckDBStore, write: Write) -> None:
    path = written(write, {"甲": [*(str(n) for n in range(20_000)), "x"], "乙": ["x"]}, way)
    [note] = [one for one in notes(store, path, way) if one["code"] == "value.almost"]
    assert (note["where"]["fit"], note["where"]["rows"]) == (20_000, [20_002])


@WAYS
def test_nothing_is_said_of_columns_that_are_right(way: str, store: DuckDBStore, write: Write) -> None:
    assert not [one for one in notes(store, written(write, SOUND, way), way) if "value." in one["code"]]


def test_doing_what_the_note_says_puts_those_rows_aside(store: DuckDBStore, write: Write) -> None:
    path = written(write, {"甲": ["1", "abc", "暂无", "4", "5"], "乙": ["x"] * 5}, "swift")
    [note] = notes(store, path, "preview")
    columns = (
        ColumnRecipe(source="甲", name="甲", type=note["where"]["type"], nulls=tuple(note["where"]["nulls"])),
        ColumnRecipe(source="乙", name="乙", type="VARCHAR"),
    )
    stored = store.land(path, PLACE, Reading(tolerant=True, recipe=Recipe(columns=columns)), key=None)
    assert pq.read_table(store.home / stored.files[0].path)["甲"].to_pylist() == [1, None, 4, 5]
    assert pq.read_table(store.home / stored.side_files[0].path)["row"].to_pylist() == note["where"]["rows"]
    assert not stored.report["notes"] or {one["code"] for one in stored.report["notes"]} == {"value.nulls"}


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_most_values_fit_where_a_column_is_nearly_of_a_type(fit: int, misfit: int) -> None:
    if nearly(fit, misfit):
        assert misfit > 0
        assert fit >= 2 * misfit
        assert misfit <= 3 or misfit <= (fit + misfit) / 10


@WAYS
def test_two_spellings_of_one_number(way: str, store: DuckDBStore, write: Write) -> None:
    found = notes(store, written(write, {"节": ["1.1", "1.2", "1.10"], "名": ["x"] * 3}, way), way)
    assert [one["where"] for one in found if one["code"] == "value.merged"] == [{"column": "节"}]


@WAYS
def test_a_comma_of_two_meanings(way: str, store: DuckDBStore, write: Write) -> None:
    columns = {
        "either": ["1,500", "2,250"],
        "a point": ["1,500", "2,250.5"],
        "millions": ["1,500", "1,234,567"],
        "none": ["1"],
    }
    found = notes(store, written(write, columns, way, ";"), way)
    assert [one["where"]["column"] for one in found if one["code"] == "value.comma"] == ["either"]


def test_a_comma_has_one_meaning_where_bars_separate_cells(store: DuckDBStore, write: Write) -> None:
    found = notes(store, written(write, {"甲": ["1,500", "2,250"], "乙": ["x"]}, "swift", "|"), "preview")
    assert "value.comma" not in [one["code"] for one in found]


def test_every_type_and_spelling_has_a_name_in_both_languages(store: DuckDBStore, write: Write) -> None:
    assert set(SPELLED) >= {*GENEROUS, "VARCHAR"}
    found = notes(store, written(write, {"甲": ["2024年3月5日 8:00"], "乙": ["x"]}, "swift"), "preview")
    [note] = [one for one in found if one["code"] == "value.spelling"]
    assert "moment" not in note["zh"]
    assert "TIMESTAMP" not in note["zh"] + note["en"]


HEADERS: dict[str, tuple[str, list[int]]] = {
    "a number, then numbers": ("张三,12,成都\n李四,13,眉山\n王五,14,乐山\n", [2]),
    "an identifier and a day": ("51010419900307123X,2024-03-05,x\n510104199003071245,2024-03-06,y\n", [1, 2]),
    "the same word again": ("甲,成都\n乙,成都\n丙,眉山\n", [2]),
    "years above numbers": ("区,2020,2021,2022\n甲,1,2,3\n乙,2500,2001,7\n", []),
    "months": ("区,1,2,3\n甲,1,2,3\n", []),
    "names": ("编号,数量\n1,2\n", []),
    "the header again": ("编号,数量\n1,2\n编号,数量\n3,4\n", []),
}


@WAYS
@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_looks_like_data(name: str, way: str, store: DuckDBStore, write: Write) -> None:
    text, columns = HEADERS[name]
    if way == "careful" and not columns:
        return  # the careful way is the preview's
    found = notes(store, write(text.encode("gb18030" if way == "careful" else "utf-8")), way)
    said = [one["where"] for one in found if one["code"] == "layout.data"]
    assert said == ([{"row": 1, "columns": columns}] if columns else [])


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_file_without_a_header_keeps_its_first_row(kind: str, store: DuckDBStore, write: Write) -> None:
    rows = [("张三", "12"), ("李四", "13"), ("王五", "14")]
    content = odd.book(("甲", rows)) if kind == "xlsx" else "".join(f"{a},{b}\n" for a, b in rows).encode()
    stored = store.land(write(content), PLACE, Reading(recipe=Recipe(header_rows=NO_HEADER)), key=None)
    found = pq.read_table(store.home / stored.files[0].path).to_pylist()
    assert found == [{"列1": name, "列2": int(age)} for name, age in rows]
    assert stored.recipe["header_rows"] == [0]
    # What was understood reads the next delivery alike.
    again = Place("pty_one", "ast_one", "ver_two")
    assert store.land(write(content), again, Reading(recipe=Recipe(**stored.recipe)), key=None).rows == 3


@pytest.mark.parametrize("text", ["项,数\n合计,10\n甲,4\n", "项,数\n甲,4\n小计,4\n乙,6\n合计,10\n"])
def test_rows_of_totals_are_data_where_a_recipe_says_so(text: str, store: DuckDBStore, write: Write) -> None:
    path, rows = write(text), text.count("\n") - 1
    totals = text.count("计")
    stored = store.land(path, PLACE, Reading(), key=None)
    assert (stored.rows, stored.report["reasons"]) == (rows - totals, {"row.aside.total": totals})
    again = Place("pty_one", "ast_one", "ver_two")
    stored = store.land(path, again, Reading(recipe=Recipe(keep_totals=True)), key=None)
    assert (stored.rows, stored.report["reasons"]) == (rows, {})
    assert stored.recipe["keep_totals"] is True
