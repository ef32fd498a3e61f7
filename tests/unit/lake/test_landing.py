"""A file as people have it lands as a typed table; every row is in it or among the rejected, with its reason."""

from __future__ import annotations

import re
import resource
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.lake.coltypes import GENEROUS, Candidates, typed
from shudu.lake.deciding import narrowed, settled
from shudu.lake.engine import connect, one
from shudu.lake.spellings import NULLS
from shudu.lake.store import DuckDBStore
from shudu.lake.types import ColumnRecipe, Place, Reading, Recipe, Report, Stored
from shudu.policy.types import Invalid

PLACE = Place("pty_one", "ast_one", "ver_one")
Write = Callable[..., Path]


def land(store: DuckDBStore, path: Path, key: str | None = None, **reading: Any) -> Stored:
    stored = store.land(path, PLACE, Reading(**reading), key=key)
    report = Report(**stored.report)
    # The law of every landing.
    assert report.rows_in == report.rows_out + report.rejected
    assert report.rows_out == stored.rows == pq.read_metadata(store.home / stored.files[0].path).num_rows
    assert (report.rejected > 0) == bool(stored.side_files)
    return stored


def rows(store: DuckDBStore, stored: Stored) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(store.home / stored.files[0].path).to_pylist()
    return found


def rejected(store: DuckDBStore, stored: Stored) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(store.home / stored.side_files[0].path).to_pylist()
    return found


SIMPLE = [("no", "name"), ("1", "成都"), ("2", "𠮷")]
DIALECTS = {
    "commas": (",", "utf-8"), "with a mark": (",", "utf-8-sig"), "tabs": ("\t", "utf-8"), "semicolons": (";", "utf-8"),
    "bars": ("|", "utf-8"), "GB 18030": (",", "gb18030"), "GB 18030 and tabs": ("\t", "gb18030"),
    "UTF-16": ("\t", "utf-16"), "UTF-16 little": (",", "utf-16-le"), "UTF-16 big": (";", "utf-16-be"),
    "full-width commas": ("，", "utf-8"),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_any_dialect_and_encoding(name: str, store: DuckDBStore, write: Write) -> None:
    delimiter, encoding = DIALECTS[name]
    text = "".join(delimiter.join(row) + "\r\n" for row in SIMPLE)
    stored = land(store, write(text.encode(encoding)), key="no")
    assert rows(store, stored) == [{"no": 1, "name": "成都"}, {"no": 2, "name": "𠮷"}]
    assert stored.recipe["delimiter"] == delimiter
    # What was understood, replayed on the next delivery, gives the same table.
    again = store.land(
        write(text.encode(encoding)), Place("pty_one", "ast_one", "ver_two"), Reading(recipe=Recipe(**stored.recipe)),
        key="no",
    )  # fmt: skip
    assert again.recipe == stored.recipe
    assert again.files[0].sha256 == stored.files[0].sha256


COLUMNS: dict[str, tuple[list[str], str, str, list[Any], str]] = {
    # header: (cells, type, spelling, values, unit)
    "金额（万元）": (["1,234.50", "NULL", "-7"], "DOUBLE", "grouped", [1234.5, None, -7.0], "万元"),
    "人数（人）": (["1,234", "-", "12"], "BIGINT", "grouped-integer", [1234, None, 12], "人"),
    "占比": (["12.5%", "3%", "无"], "DOUBLE", "percent", [12.5, 3.0, None], "%"),
    "日期": (["2024年3月5日", "2024/12/31", "2024.1.2"], "DATE", "date",
             [date(2024, 3, 5), date(2024, 12, 31), date(2024, 1, 2)], ""),
    "时间": (["2024/3/5 9:05", "2024年3月5日 10:00:01", "暂无"], "TIMESTAMP", "moment",
             [datetime(2024, 3, 5, 9, 5), datetime(2024, 3, 5, 10, 0, 1), None], ""),
    "是否": (["是", "否", "--"], "BOOLEAN", "yes-no", [True, False, None], ""),
    "规模": (["3.5万", "2亿", "7"], "DOUBLE", "scaled", [35_000.0, 200_000_000.0, 7.0], ""),
    "全角": (["１２", "３", "４５６"], "BIGINT", "grouped-integer", [12, 3, 456], ""),
    "价格": (["¥1,200.00", "¥3", "￥0.5"], "DOUBLE", "yuan", [1200.0, 3.0, 0.5], "元"),
    "证件号": (["510104199003071237"] * 3, "VARCHAR", "", ["510104199003071237"] * 3, ""),
    "代码": (["0028", "0001", "12"], "VARCHAR", "", ["0028", "0001", "12"], ""),
    "备注": (["无", "NA", "有"], "VARCHAR", "", ["无", "NA", "有"], ""),
    "只有空": (["NULL", "-", "NULL"], "VARCHAR", "", ["NULL", "-", "NULL"], ""),
    "民国": (["民国113年3月5日", "民国113年3月6日", "民国1年1月1日"], "VARCHAR", "",
             ["民国113年3月5日", "民国113年3月6日", "民国1年1月1日"], ""),
    "农历": (["正月初一", "腊月廿三", "八月十五"], "VARCHAR", "", ["正月初一", "腊月廿三", "八月十五"], ""),
}  # fmt: skip


@pytest.mark.parametrize("way", ["swift", "careful"])
def test_columns_as_people_write_them(way: str, store: DuckDBStore, write: Write) -> None:
    delimiter, encoding = ("\t", "utf-8") if way == "swift" else ("\t", "gb18030")
    lines = [list(COLUMNS), *([COLUMNS[name][0][n] for name in COLUMNS] for n in range(3))]
    stored = land(store, write("".join(delimiter.join(line) + "\n" for line in lines).encode(encoding)))
    table = pq.read_table(store.home / stored.files[0].path)
    for column, recipe in zip(stored.columns, stored.recipe["columns"], strict=True):
        cells, type_, spelling, values, unit = COLUMNS[column.name]
        assert (column.type, recipe["spelling"], recipe["unit"]) == (type_, spelling, unit), column.name
        assert table[column.name].to_pylist() == values, column.name
        assert set(recipe["nulls"]) == {cell for cell, value in zip(cells, values, strict=True) if value is None}
    codes = {(note["code"], note["where"].get("column")) for note in stored.report["notes"]}
    assert ("value.nulls", "占比") in codes
    assert ("value.spelling", "规模") in codes
    assert {("value.calendar", "民国"), ("value.calendar", "农历")} <= codes


def test_a_late_value_decides_the_swift_way_too(store: DuckDBStore, write: Write) -> None:
    # More than the sample holds: the guess made from it is wrong for every column.
    early = "1,12.5%,是\n" * 100_000
    stored = land(store, write(f"a,b,c\n{early}NULL,x,—\n"))
    assert [column.type for column in stored.columns] == ["BIGINT", "VARCHAR", "BOOLEAN"]
    assert rows(store, stored)[-1] == {"a": None, "b": "x", "c": None}


MESSY = 'no,name,age\n1,甲,30\n2,乙\n3,丙,x,y\n4,"丁\n5,戊,31\n6,己,\n\n7,"庚,""辛""",33\n合计,,94\n注：来自调查\n'


def test_tolerant_puts_wrong_rows_aside(store: DuckDBStore, write: Write) -> None:
    stored = land(store, write(MESSY), tolerant=True)
    assert [(row["no"], row["name"], row["age"]) for row in rows(store, stored)] == [
        (1, "甲", 30), (5, "戊", 31), (6, "己", None), (7, '庚,"辛"', 33),
    ]  # fmt: skip
    found = rejected(store, stored)
    assert [(row["row"], row["code"]) for row in found] == [
        (3, "row.width"), (4, "row.width"), (5, "row.quotes"), (10, "row.aside.total"), (11, "row.aside.note"),
    ]  # fmt: skip
    assert found[1]["cells"] == '["3", "丙", "x", "y"]'
    assert all(row["zh"] and row["en"] and row["remedy_zh"] and row["remedy_en"] for row in found)


def test_strict_stops_at_the_first_wrong_row(store: DuckDBStore, write: Write) -> None:
    with pytest.raises(Invalid) as caught:
        land(store, write(MESSY))
    assert (caught.value.code, caught.value.where) == ("row.width", {"row": 3, "column": 3})
    assert not (store.home / PLACE.folder).exists()


def test_a_key_that_is_none(store: DuckDBStore, write: Write) -> None:
    path = write("no,name\n1,a\n1,b\n,c\n2,d\n")
    with pytest.raises(Invalid) as caught:
        land(store, path, key="no")
    assert (caught.value.code, caught.value.where["row"]) == ("publish.key", 4)
    stored = land(store, path, key="no", tolerant=True)
    assert [row["no"] for row in rows(store, stored)] == [1, 2]
    assert [(row["row"], row["code"]) for row in rejected(store, stored)] == [
        (3, "row.key.repeated"), (4, "row.key.empty"),
    ]  # fmt: skip


def test_mixed_encodings_are_explained(store: DuckDBStore, write: Write) -> None:
    path = write("no,name\n1,成都\n2,武侯\n".encode() + "3,锦江\n".encode("gb18030"))
    with pytest.raises(Invalid) as caught:
        land(store, path)
    assert (caught.value.code, caught.value.where["row"]) == ("row.encoding", 4)
    assert "GB 18030" in caught.value.message.en
    assert land(store, path, tolerant=True).rows == 2


def test_a_recipe_corrects_what_was_understood(store: DuckDBStore, write: Write) -> None:
    columns = (
        ColumnRecipe(source="no", name="编号", type="VARCHAR"),
        ColumnRecipe(source="v", name="value", type="BIGINT", nulls=("?",)),
    )
    recipe = Recipe(columns=columns)
    stored = land(store, write("v,no\n1,1\n?,2\n"), recipe=recipe)
    assert rows(store, stored) == [{"编号": "1", "value": 1}, {"编号": "2", "value": None}]
    for content, where in (
        ("v,no\n1,1\nx,2\n", {"row": 3, "column": "value"}),
        ("v\n1\n", {}),
        ("v,no,more\n1,1,1\n", {}),
    ):
        with pytest.raises(Invalid) as caught:
            store.land(write(content), Place("o", "a", "w"), Reading(recipe=recipe), key=None)
        assert caught.value.code == ("row.value" if where else "publish.recipe")
        assert dict(caught.value.where) == where


def test_a_recipe_cannot_smuggle_sql(store: DuckDBStore, write: Write) -> None:
    recipe = Recipe(columns=(ColumnRecipe(source="no", name="no", type="BIGINT); DROP TABLE source; --"),))
    with pytest.raises(Invalid) as caught:
        land(store, write("no\n1\n"), recipe=recipe)
    assert caught.value.code == "publish.recipe"


@pytest.mark.django_db
def test_what_is_encrypted_has_encrypted_rejects(store: DuckDBStore, write: Write) -> None:
    secret = "张三的电话"
    stored = store.land(
        write(f"no,name\n1,{secret}\n2\n3,{secret},x\n"), PLACE, Reading(tolerant=True), key=None, encrypted=True
    )
    for file in (*stored.files, *stored.side_files):
        assert secret.encode() not in (store.home / file.path).read_bytes()
        assert (store.home / file.path).read_bytes()[:4] == b"PARE"
    sink = store.table_bytes(stored.side_files[0], PLACE)
    assert sink[:4] == b"PAR1"


def test_a_preview_stores_nothing(store: DuckDBStore, write: Write) -> None:
    seen = store.preview(write("title\n\nno;name\n1;a\n2;b\n"), Reading())
    assert [column.name for column in seen.recipe.columns] == ["no", "name"]
    assert seen.recipe.header_rows == (3,)
    assert seen.sample == (("1", "a"), ("2", "b"))
    assert not list((store.home / "lake").glob("[!.]*"))


def test_a_preview_counts_what_would_be_put_aside_and_why(store: DuckDBStore, write: Write) -> None:
    """The counts are those of the report that a tolerant reading then gives; a strict one is told of them as well."""
    file = write("no,n\n1,2\n2\n3,4,5\n1,6\n4,x\n合计,9\n")
    columns = (ColumnRecipe(source="no", name="no"), ColumnRecipe(source="n", name="n", type="BIGINT"))
    reading = Reading(tolerant=True, recipe=Recipe(columns=columns))
    seen = store.preview(file, reading, "no")
    report = store.land(file, PLACE, reading, key="no").report
    counted: dict[str, int] = {}
    for each in seen.aside:
        counted[each.code] = counted.get(each.code, 0) + each.rows
    assert counted == report["reasons"]
    assert (seen.rows, seen.whole) == (report["rows_in"], True)
    assert {(each.code, each.column, each.rows, each.first) for each in seen.aside} == {
        ("row.width", "", 2, 3),
        ("row.key.repeated", "no", 1, 5),
        ("row.value", "n", 1, 6),
        ("row.aside.total", "", 1, 7),
    }
    strict = store.preview(write("no,n\n1,2\n4,x\n", "s.csv"), reading.model_copy(update={"tolerant": False}))
    assert [each.code for each in strict.aside] == ["row.value"]
    # A key the file has no column for is not asked about here: its form shows what columns there are.
    assert store.preview(file, reading, "no such").recipe.columns == seen.recipe.columns


def test_identifiers_a_spreadsheet_rounded_are_said_wherever_they_stand(store: DuckDBStore, write: Write) -> None:
    """Far behind what the swift way looks at first, and counted; a preview says what a strict reading would stop at."""
    plain = "".join(f"{number},{number}.5\n" for number in range(20_000))
    [note] = Report(**land(store, write(f"no,v\n{plain}1,5.10104E+17\n2,5E+14\n")).report).notes
    assert (note.code, note.where) == ("value.rounded", {"column": "v", "cells": 2})
    seen = store.preview(write("no,v\n1,5.10104E+17\n2,5.10104E+17\n", "s.csv"), Reading())
    assert [(each.code, each.rows, each.first) for each in seen.aside] == [("row.digits", 2, 2)]
    assert "value.rounded" in {note.code for note in seen.notes}


def test_the_recipe_of_columns_called_the_same_is_replayed(store: DuckDBStore, write: Write) -> None:
    rows = "no,n,n\n1,2,x\n3,4,y\n"
    first = store.land(write(rows), PLACE, Reading(tolerant=True), key=None)
    kept = Recipe.model_validate(first.recipe)
    again = store.preview(write(rows), Reading(tolerant=True, recipe=kept))
    assert [(each.name, each.type) for each in again.recipe.columns] == [
        ("no", "BIGINT"), ("n", "BIGINT"), ("n_2", "VARCHAR"),
    ]  # fmt: skip
    assert again.sample == (("1", "2", "x"), ("3", "4", "y"))


SIGNS = st.sampled_from("0123456789.,-+%万亿¥/年月日 １２３eE是否")


@settings(derandomize=True, max_examples=60, deadline=None, database=None)
@given(st.lists(st.text(SIGNS, min_size=1, max_size=18), min_size=1, max_size=3))
def test_no_digit_is_lost_whatever_is_written(cells: list[str]) -> None:
    """A number that was read has exactly the digits that were written; whatever is not read stays as it was."""
    with connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT unnest($1) AS c0", [cells])

        def ask(asked: Sequence[str]) -> Sequence[Any]:
            return one(connection, f"SELECT {', '.join(asked)} FROM t")

        column = settled(ask, narrowed(ask, {0: Candidates(GENEROUS)}, NULLS), NULLS)[0]
        found = [row[0] for row in connection.execute(f"SELECT {typed('c0', column)} FROM t").fetchall()]
    for cell, value in zip(cells, found, strict=True):
        text = unicodedata.normalize("NFKC", cell).replace(",", "").replace("%", "").replace("¥", "").strip()
        if isinstance(value, str) or value is None:
            assert value == cell or cell in NULLS
        elif isinstance(value, bool):
            assert cell in ("是", "否", "true", "false", "TRUE", "FALSE")
        elif isinstance(value, int | float):
            scale = {"万": 4, "亿": 8}.get(text[-1], 0)
            assert Decimal(repr(value)) == Decimal(text.rstrip("万亿")).scaleb(scale)
        else:
            written = [int(part) for part in re.findall("[0-9]+", text)]
            assert written[:3] == [value.year, value.month, value.day]


@pytest.mark.soak
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_five_gigabytes(encoding: str, store: DuckDBStore, tmp_path: Path) -> None:
    """Memory of the process stays flat: what is read goes to disk as it comes."""
    path, line = tmp_path / "large.csv", "1234567,成都市武侯区,29.85,2024-03-05,x\n".encode(encoding)
    count = (5 << 30) // len(line) if encoding == "utf-8" else (1 << 30) // len(line)
    with path.open("wb") as file:
        file.write(b"no,place,fee,day,note\n")
        for _ in range(count // 100_000):
            file.write(line * 100_000)
    large = DuckDBStore(store.home, store.keys, max_bytes=8 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert land(large, path).rows == count // 100_000 * 100_000
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10 < 1_500
