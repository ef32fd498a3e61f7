"""A row of units below the header is read as that; and no row of data is ever taken for one in silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.lake import layout
from shudu.lake.spellings import NULLS
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place, Reading, Recipe, Stored
from shudu.lake.units import units_of
from shudu.policy.types import Invalid
from unit.lake import odd_files as odd
from unit.lake import odd_workbooks as books

Write = Callable[..., Path]
TABLE: list[tuple[Any, ...]] = [
    ("名称", "面积", "价格（元）", "备注"), (None, "平方米", "（万元）", None), ("甲", 12.5, 3, "无"),
    ("乙", 8, 1200, None), ("合计", 20.5, 1203, None), ("注：来自登记", None, None, None),
]  # fmt: skip
NAMES = ["名称", "面积（平方米）", "价格（元）（万元）", "备注"]


def text(table: Sequence[Sequence[Any]], delimiter: str = ",") -> str:
    return "".join(delimiter.join("" if cell is None else str(cell) for cell in row) + "\n" for row in table)


FORMATS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "CSV": ("a.csv", lambda: text(TABLE).encode()),
    "GB 18030": ("b.csv", lambda: text(TABLE, "\t").encode("gb18030")),
    "XLSX": ("a.xlsx", lambda: odd.book(("甲", TABLE))),
    "XLS": ("a.xls", lambda: books.xls(("甲", TABLE))),
    "ODS": ("a.ods", lambda: books.ods(("甲", TABLE))),
}


def land(store: DuckDBStore, path: Path, version: str = "ver_one", **reading: Any) -> Stored:
    return store.land(path, Place("pty_one", "ast_one", version), Reading(**reading), key=None)


@pytest.mark.parametrize("name", FORMATS)
def test_a_row_of_units_in_every_format_with_cells(name: str, store: DuckDBStore, write: Write) -> None:
    file, made = FORMATS[name]
    path = write(made(), file)
    stored = land(store, path)
    assert [column.name for column in stored.columns] == NAMES
    assert [column["unit"] for column in stored.recipe["columns"]] == ["", "平方米", "万元", ""]
    assert [column.type for column in stored.columns] == ["VARCHAR", "DOUBLE", "BIGINT", "VARCHAR"]
    found = pq.read_table(store.home / stored.files[0].path).to_pylist()
    assert [list(row.values())[:3] for row in found] == [["甲", 12.5, 3], ["乙", 8.0, 1200]]
    [note] = [each for each in stored.report["notes"] if each["code"] == "layout.units"]
    assert note["where"] == {"row": 2}
    # What was understood says where it was found, and is replayed on the next delivery.
    assert tuple(stored.recipe["header_rows"]) == (1, 2)
    again = land(store, path, "ver_two", recipe=Recipe(**stored.recipe))
    assert (again.recipe, again.files[0].sha256) == (stored.recipe, stored.files[0].sha256)


def test_whoever_knows_better_says_where_the_header_is(store: DuckDBStore, write: Write) -> None:
    file = write("名称,面积,价格\n,平方米,万元\n甲,12.5,3\n")
    told = Reading(recipe=Recipe(header_rows=(1,)))
    seen = store.preview(file, told)
    assert [column.name for column in seen.recipe.columns] == ["名称", "面积", "价格"]
    assert seen.sample[0] == (None, "平方米", "万元")
    assert seen.rows == 2
    assert "layout.units" not in {note.code for note in seen.notes}


def test_other_units_in_the_next_delivery_are_refused(store: DuckDBStore, write: Write) -> None:
    """A table in 元 is not appended to one in 万元, and a row of data is not taken for the units that were there."""
    kept = Recipe(**land(store, write("名称,价格\n,万元\n甲,3\n")).recipe)
    for other in ("名称,价格\n,元\n甲,30000\n", "名称,价格\n甲,3\n乙,4\n"):
        with pytest.raises(Invalid) as refused:
            land(store, write(other, "other.csv"), "ver_two", recipe=kept)
        assert refused.value.code == "publish.recipe"


WHOLE = {
    "a text among the numbers": "名称,面积\n,平方米\n甲,12\n乙,大\n",
    "a word that is no unit": "名称,面积\n单位未定,平方米\n甲,12\n",
    "texts all the way": "计量,别名\n米,千米\n吨,公斤\n",
    "no row below": "名称,面积\n,平方米\n",
    "codes, no numbers": "名称,编号\n,个\n甲,0028\n",
    "days, no numbers": "名称,日期\n,日\n甲,2024-03-05\n",
    "nothing but gaps": "名称,面积\n甲,\n乙,12\n",
    "nothing told apart": "名称,量\n,-\n甲,3\n",
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_row_that_may_be_data_stays_data(name: str) -> None:
    rows = [(number, line.split(",")) for number, line in enumerate(WHOLE[name].splitlines(), 1)]
    found = layout.find(rows, (), tolerant=False, ragged=True)
    assert (found.header_rows, found.first) == ((1,), 2)


def test_what_tells_columns_apart_stays_part_of_their_names() -> None:
    """Of 年 and 月 below a merged 时间, or two columns 产量 in 吨 and in 万元, neither is dropped."""
    rows: list[tuple[int, list[str | None]]] = [
        (1, ["区", "时间", None]), (2, [None, "年", "月"]), (3, ["甲", "2024", "3"]),
    ]  # fmt: skip
    merged = layout.find(rows, [(1, 0, 2, 0), (1, 1, 1, 2)], tolerant=False)
    assert merged.names == ("区", "时间_年", "时间_月")
    twice = layout.find([(1, ["产量", "产量"]), (2, ["吨", "万元"]), (3, ["1", "2"])], (), tolerant=False)
    assert twice.names == ("产量_吨", "产量_万元")


def test_behind_what_the_swift_way_looks_at_first(store: DuckDBStore, write: Write) -> None:
    """A row cut off at the end of its look, here within a number, decides nothing."""
    lines = "".join(f"{'甲' * 2_000},{number}.25\n" for number in range(100))
    stored = land(store, write(f"名称,面积\n,平方米\n{lines}"))
    assert [column.type for column in stored.columns] == ["VARCHAR", "DOUBLE"]
    assert stored.rows == 100


CELLS = st.sampled_from(
    [None, "", "-", "米", "万元", "（吨）", "t", "个/户", "甲", "12", "1,234.5", "3.5%", "0028", "无", "单位"]
)
TABLES = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=5))


@settings(derandomize=True, max_examples=400, deadline=None, database=None)
@given(TABLES)
def test_no_row_of_data_is_eaten_in_silence(table: list[list[str | None]]) -> None:
    """Whatever stands below a header: at most one row is taken for units, which holds nothing else, above numbers."""
    width = len(table[0]) if table else 1
    header: list[str | None] = [f"列{'甲乙丙丁'[at]}" for at in range(width)]
    found = layout.find(list(enumerate([header, *table], 1)), (), tolerant=False)
    codes = [note.code for note in found.notes]
    if found.header_rows == (1,):
        assert found.first == 2
        assert "layout.units" not in codes
        return
    assert (found.header_rows, found.first) == ((1, 2), 3)
    assert codes.count("layout.units") == 1
    units, *data = table
    assert not any(re.search(r"[甲0-9]", cell or "") for cell in units)
    told = [at for at, cell in enumerate(units_of(units)) if cell]
    assert told
    assert [found.units[at] for at in told] == [units_of(units)[at] for at in told]
    cells = [row[at] for row in data if row[:1] != ["合计"] for at in told if row[at] and row[at] not in NULLS]
    assert cells
    for cell in cells:
        assert cell is not None
        Decimal(cell.replace(",", "").rstrip("%"))
        assert cell != "0028"
