"""Dates in Chinese numerals are read when a whole column holds them; what is not read is said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.lake import calendars
from shudu.lake.coltypes import Candidates, fits, typed
from shudu.lake.engine import connect
from shudu.lake.store import DuckDBStore
from shudu.lake.types import ColumnRecipe, Place, Reading, Recipe, Report

Write = Callable[..., Path]
PLACE = Place("pty_one", "ast_one", "ver_one")
DIGITS = "〇一二三四五六七八九"


def in_words(number: int, zero: str = "") -> str:
    tens, ones = divmod(number, 10)
    if not tens:
        return zero + DIGITS[ones]
    return ("" if tens == 1 else DIGITS[tens]) + "十" + (DIGITS[ones] if ones else "")


def written(day: date, zero: str = "〇", lead: str = "") -> str:
    year = "".join(DIGITS[int(digit)] for digit in f"{day.year:04}").replace("〇", zero)
    return f"{year}年{in_words(day.month, lead)}月{in_words(day.day, lead)}日"


@settings(derandomize=True, max_examples=20, deadline=None, database=None)
@given(
    st.lists(st.dates(date(1800, 1, 1), date(2199, 12, 31)), min_size=40, max_size=120),
    st.sampled_from("〇○◯零0０"),
    st.sampled_from(("", "〇", "零")),
)
def test_a_day_is_the_day_that_was_written(days: list[date], zero: str, lead: str) -> None:
    cells = [written(day, zero, lead) for day in days]
    with connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT unnest($1) AS c0", [cells])
        column = Candidates(("date-numerals",), True)
        assert [row[0] for row in connection.execute(f"SELECT {typed('c0', column)} FROM t").fetchall()] == days
    assert not [cell for cell in cells if calendars.strange(cell) == calendars.OTHER]


NO_DAYS = [
    "二〇二四年二月三十日", "二〇二三年二月二十九日", "二〇二四年十三月一日", "二〇二四年三月三十二日",
    "二〇二四年廿月三日", "二〇二四年三月廿三日", "二〇二四年十月", "二〇二四年三月十五", "一二三四年一月一日",
    "二〇二四年二十月三日", "贰零贰肆年叁月伍日", "二〇二四年三月四十日", "二〇二四年三月",
    "二〇二四年", "十月五日", "二〇二四三五",
]  # fmt: skip


def test_what_is_no_day_fits_nothing() -> None:
    with connect() as connection:
        asked = f"SELECT c, ({fits('date-numerals', 'c')}) IS true FROM (SELECT unnest($1) AS c)"
        assert connection.execute(asked, [NO_DAYS]).fetchall() == [(cell, False) for cell in NO_DAYS]


MARCH = [date(2024, 3, 5), date(2024, 3, 6), date(2024, 3, 7)]
# cells, the days they are (None: texts as written), the code of what is said
COLUMNS: dict[str, tuple[list[str], list[date | None] | None, str]] = {
    "批准": (
        ["二〇二四年三月十五日", "二零二四年十二月三十一日", "暂无"],
        [date(2024, 3, 15), date(2024, 12, 31), None],
        "",
    ),
    "混写": (["二○二四年三月五日", "2024年3月6日", "２０２４年３月７日"], [*MARCH], ""),
    "月份": (["二〇二四年十月", "二〇二四年十一月", "二〇二四年十二月"], None, "value.numerals"),
    "有错": (["二〇二四年二月三十日", "二〇二四年三月一日", "二〇二四年三月二日"], None, "value.numerals"),
    "农历": (["农历三月十五日", "二〇二四年三月十五", "腊月廿三"], None, "value.calendar"),
    "标题": (["二〇二四年十月工作总结", "十月报表", "三月十五日会议"], None, ""),
}


@pytest.mark.parametrize("way", ["swift", "careful"])
def test_columns_are_days_or_it_is_said_why_not(way: str, store: DuckDBStore, write: Write) -> None:
    lines = [list(COLUMNS), *([COLUMNS[name][0][n] for name in COLUMNS] for n in range(3))]
    made = "".join(("," if way == "swift" else "\t").join(line) + "\n" for line in lines)
    stored = store.land(write(made.encode("utf-8" if way == "swift" else "utf-16")), PLACE, Reading(), key=None)
    table = pq.read_table(store.home / stored.files[0].path)
    codes: dict[str, set[str]] = {}
    for note in stored.report["notes"]:
        codes.setdefault(note["where"].get("column", ""), set()).add(note["code"])
    for column, recipe in zip(stored.columns, stored.recipe["columns"], strict=True):
        cells, days, said = COLUMNS[column.name]
        found = (column.type, recipe["spelling"], table[column.name].to_pylist())
        assert found == (("VARCHAR", "", cells) if days is None else ("DATE", "date-numerals", days))
        strange = codes.get(column.name, set()) & {calendars.OTHER, calendars.NUMERALS}
        assert strange == ({said} if said else set()), column.name


def test_an_impossible_day_is_put_aside_where_the_column_is_declared(store: DuckDBStore, write: Write) -> None:
    columns: Any = (ColumnRecipe(source="日", name="日", type="DATE", spelling="date-numerals"),)
    reading = Reading(tolerant=True, recipe=Recipe(columns=columns))
    file = write("日\n二〇二四年二月二十九日\n二〇二三年二月二十九日\n")
    stored = store.land(file, PLACE, reading, key=None)
    assert Report(**stored.report).reasons == {"row.value": 1}
    [aside] = pq.read_table(store.home / stored.side_files[0].path).to_pylist()
    assert (aside["row"], aside["column"]) == (3, "日")
