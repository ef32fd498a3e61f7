"""Rows that were put aside: listed, corrected, sent back, looked at again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shudu.cases import queries as cases
from shudu.catalog import actions, correcting, queries
from shudu.catalog.corrections import SHEET, Answer, Form, Open, untouched
from shudu.catalog.models import Correction, SettledRow, Version
from shudu.catalog.types import Corrected, Mode, PublishTable, PublishVersion
from shudu.lake import queries as lake
from shudu.lake.types import ColumnRecipe, Evolution, Fault, Reading, Recipe, View
from shudu.policy.models import Outbox
from shudu.policy.types import Conflict, Invalid, NotFound
from unit.agreements.conftest import Market, market

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)

FORMULA = "=cmd|' /C calc'!A0"
LINES = (
    "customer_no,name,tenure,contract",
    "K001,张三,12,按月",
    "K002,李四,x12,按月",  # row 3: no number
    "K003,王五,3",  # row 4: a cell too few
    "K003,𠮷野,4,一年",
    '510107199003071234,"' + FORMULA + '",abc,0028',  # row 6: no number
    "K006,钱七,7,按月,多",  # row 7: a cell too many
    "K001,重复,9,按月",  # row 8: the key again
    "合计,,35,",
)
COLUMNS = tuple(
    ColumnRecipe(source=name, name=name, type="BIGINT" if name == "tenure" else "VARCHAR")
    for name in ("customer_no", "name", "tenure", "contract")
)
READING = Reading(tolerant=True, recipe=Recipe(columns=COLUMNS))


def published(market: Market, folder: Path, level: str = "L2") -> Version:
    file = folder / "source.csv"
    file.write_text("\n".join(LINES) + "\n", "utf-8")
    order = PublishTable(source=file, title="客户", key="customer_no", level=level, reading=READING)
    version = queries.latest(actions.publish(market.provider, order).id)
    assert version is not None
    return version


def more(folder: Path, *lines: str, head: str = LINES[0]) -> Path:
    file = folder / "more.csv"
    file.write_text("\n".join([head, *lines]) + "\n", "utf-8")
    return file


def updated(market: Market, version: Version, source: Path, mode: Mode, **told: Any) -> Version:
    request = PublishVersion(asset=version.binding.asset_id, source=source, mode=mode, **told)
    made: Version = actions.publish_version(market.provider, request)
    return made


def listed(market: Market, version: Version) -> openpyxl.Workbook:
    _, content = queries.correction_list(market.provider, version.id, "xlsx")
    return openpyxl.load_workbook(io.BytesIO(content))


def places(sheet: Any) -> dict[str, int]:
    """The columns by what they are called, the row's number and the key by their first sign."""
    return {str(cell.value).split(" ")[0]: at for at, cell in enumerate(sheet[1], 1)}


def row_of(sheet: Any, number: int) -> int:
    return next(cell.row for cell in sheet["A"] if cell.value == str(number))


def change(sheet: Any, number: int, **cells: str) -> None:
    there, row = places(sheet), row_of(sheet, number)
    for name, value in cells.items():
        sheet.cell(row, there[name], value)


def sent(
    market: Market, version: Version, book: openpyxl.Workbook, folder: Path, name: str = "list.xlsx"
) -> Correction:
    book.save(folder / name)
    row: Correction = actions.correct(market.provider, version.id, Corrected(source=folder / name))
    return row


def contents(asset: str) -> list[tuple[Any, ...]]:
    version = queries.latest(asset)
    assert version is not None
    names = [column.name for column in COLUMNS]
    table = lake.store().read_table(queries.files(version), queries.place(version), View(tuple(names)))
    return sorted(zip(*(table.column(name).to_pylist() for name in names), strict=True))


def test_the_list_says_what_is_wrong_and_loses_nothing(market: Market, tmp_path: Path) -> None:
    version = published(market, tmp_path)
    book = listed(market, version)
    sheet = book[SHEET]
    there = places(sheet)
    rows = {row[0].value: row for row in sheet.iter_rows(min_row=2)}
    assert sorted(rows) == ["3", "4", "6", "7", "8"]  # the row of totals is no fault
    six = rows["6"]
    assert six[there["customer_no"] - 1].value == "510107199003071234"
    assert six[there["contract"] - 1].value == "0028"
    formula = six[there["name"] - 1]
    assert (formula.value, formula.data_type, formula.number_format) == (FORMULA, "s", "@")
    assert "tenure" in six[1].value
    assert "整数" in six[1].value
    assert "请" in six[2].value
    assert six[there["tenure"] - 1].fill.fgColor.rgb.endswith("FFE2B8")
    assert not six[there["name"] - 1].fill.fill_type
    assert rows["7"][there["※多出的单元格"] - 1].value == "多"
    assert sheet.protection.sheet
    key = six[there["※校验码"] - 1]
    assert key.protection.locked
    assert not six[there["name"] - 1].protection.locked
    assert sheet.column_dimensions[key.column_letter].hidden


def test_the_csv_holds_no_formula(market: Market, tmp_path: Path) -> None:
    version = published(market, tmp_path)
    _, content = queries.correction_list(market.provider, version.id, "csv")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    six = next(row for row in rows if row["※行号 Row"] == "6")
    assert six["name"] == "'" + FORMULA
    assert six["customer_no"] == "510107199003071234"
    (tmp_path / "list.csv").write_bytes(content.replace(b'"abc"', b'"8"'))  # a key is hexadecimal and may hold abc
    row = actions.correct(market.provider, version.id, Corrected(source=tmp_path / "list.csv"))
    assert row.open == 4
    assert ("510107199003071234", FORMULA, 8, "0028") in contents(row.asset_id)


def test_round_trip(market: Market, tmp_path: Path) -> None:
    version = published(market, tmp_path)
    asset = version.binding.asset_id
    assert cases.state(version.id) == "open"
    book = listed(market, version)
    sheet = book[SHEET]
    change(sheet, 3, tenure="12")
    change(sheet, 4, contract="按月", tenure="many")  # still wrong, in another way
    change(sheet, 6, tenure="36")
    sheet.cell(row_of(sheet, 8), places(sheet)["※处理"], "不收录")  # without a reason
    row = sent(market, version, book, tmp_path)
    assert (row.rows, row.open) == (5, 3)
    assert contents(asset) == [
        ("510107199003071234", FORMULA, 36, "0028"),
        ("K001", "张三", 12, "按月"),
        ("K002", "李四", 12, "按月"),
        ("K003", "𠮷野", 4, "一年"),
    ]
    newest = queries.latest(asset)
    assert newest is not None
    assert newest.number == 2
    assert newest.recipe == version.recipe  # the next delivery is read as the first was
    assert cases.state(version.id) == "open"
    recorded = Outbox.objects.get(event="rows.corrected").fields
    assert (recorded["added"], recorded["left_out"], recorded["open"], recorded["into"]) == (2, 0, 3, newest.id)
    assert "many" not in json.dumps([each.fields for each in Outbox.objects.all()], ensure_ascii=False)

    # The same list again: nothing changes.
    again = sent(market, version, book, tmp_path)
    assert (again.open, again.round) == (3, 1)
    assert queries.versions_of(asset)[0].number == 2
    assert Outbox.objects.filter(event="rows.corrected").count() == 1

    # What still does not fit stands in the next list as it came back, with the new reason.
    book = listed(market, version)
    sheet = book[SHEET]
    there = places(sheet)
    four = [cell.value for cell in sheet[row_of(sheet, 4)]]
    assert four[there["tenure"] - 1] == "many"
    assert "tenure" in four[1]
    eight = [cell.value for cell in sheet[row_of(sheet, 8)]]
    assert "不收录须写明理由" in eight[1]
    change(sheet, 4, customer_no="K004", tenure="3")
    seven = row_of(sheet, 7)
    sheet.cell(seven, there["※多出的单元格"], "")
    sheet.cell(row_of(sheet, 8), there["※处理"], "不收录")
    sheet.cell(row_of(sheet, 8), there["※不收录的理由"], "与第 2 行是同一客户")
    row = sent(market, version, book, tmp_path)
    assert row.open == 0
    assert cases.state(version.id) == "closed"
    assert [step.transition for step in cases.history(version.id)] == ["correct", "finish"]
    assert len(contents(asset)) == 6
    outcomes = dict(SettledRow.objects.values_list("row", "outcome"))
    assert outcomes == {3: "added", 4: "added", 6: "added", 7: "added", 8: "left_out"}
    with pytest.raises(Conflict, match=r"corrections\.closed"):
        queries.correction_list(market.provider, version.id, "xlsx")


def _other_key(sheet: Any) -> None:
    column = places(sheet)["※校验码"]
    cell = sheet.cell(row_of(sheet, 3), column)
    cell.value = cell.value[:-1] + ("0" if cell.value[-1] != "0" else "1")


def _swapped_keys(sheet: Any) -> None:
    column = places(sheet)["※校验码"]
    one, two = sheet.cell(row_of(sheet, 3), column), sheet.cell(row_of(sheet, 4), column)
    one.value, two.value = two.value, one.value


def _other_row(sheet: Any) -> None:
    column = places(sheet)["※校验码"]
    cell = sheet.cell(row_of(sheet, 3), column)
    cell.value = "2" + cell.value[1:]
    sheet.cell(cell.row, 1, "2")


def _twice(sheet: Any) -> None:
    sheet.append([cell.value for cell in sheet[row_of(sheet, 3)]])


def _less(sheet: Any) -> None:
    sheet.delete_cols(places(sheet)["tenure"])


def test_what_is_no_list_of_ours_changes_nothing(market: Market, tmp_path: Path) -> None:
    version = published(market, tmp_path)
    _, content = queries.correction_list(market.provider, version.id, "xlsx")
    tampered: dict[Callable[[Any], None], str] = {
        _other_key: "corrections.key",
        _swapped_keys: "corrections.key",
        _other_row: "corrections.key",
        _twice: "corrections.twice",
        _less: "corrections.columns",
    }
    for tamper, code in tampered.items():
        book = openpyxl.load_workbook(io.BytesIO(content))
        change(book[SHEET], 6, tenure="36")
        tamper(book[SHEET])
        with pytest.raises(Invalid) as refused:
            sent(market, version, book, tmp_path)
        assert refused.value.code == code, tamper.__name__
    assert Correction.objects.get().open == 5
    assert queries.versions_of(version.binding.asset_id)[0].number == 1


def test_a_list_of_another_version_is_refused(market: Market, tmp_path: Path) -> None:
    one, other = published(market, tmp_path), published(market, tmp_path)
    with pytest.raises(Invalid, match=r"corrections\.key"):
        sent(market, one, listed(market, other), tmp_path)


def test_deleted_rows_stay_open_and_taken_keys_are_refused(market: Market, tmp_path: Path) -> None:
    version = published(market, tmp_path)
    book = listed(market, version)
    sheet = book[SHEET]
    change(sheet, 3, tenure="1", customer_no="K003")  # a key the table has
    for number in (4, 6, 7, 8):
        sheet.delete_rows(row_of(sheet, number))
    row = sent(market, version, book, tmp_path)
    assert row.open == 5
    book = listed(market, version)
    assert "重复" in book[SHEET].cell(row_of(book[SHEET], 3), 2).value


def test_only_the_owner_fetches_and_sends(market: Market, tmp_path: Path) -> None:
    version = published(market, tmp_path)
    book = listed(market, version)
    book.save(tmp_path / "list.xlsx")
    for stranger in (market.buyer, market.modeller):
        with pytest.raises(NotFound):
            queries.correction_list(stranger, version.id, "xlsx")
        with pytest.raises(NotFound):
            actions.correct(stranger, version.id, Corrected(source=tmp_path / "list.xlsx"))
        assert not queries.corrections(stranger)
    assert [row.version_id for row in queries.corrections(market.provider)] == [version.id]


def test_kept_sealed_and_erased_with_the_version(market: Market, tmp_path: Path, home: Path) -> None:
    version = published(market, tmp_path, "L3")
    book = listed(market, version)
    change(book[SHEET], 3, name="独特姓名甲", tenure="still wrong")
    row = sent(market, version, book, tmp_path)
    kept = [home / file["path"] for file in row.files]
    assert kept
    assert all(path.is_file() and "独特姓名甲".encode() not in path.read_bytes() for path in kept)
    assert {file["path"] for file in row.files} <= set(queries.stored_digests())
    assert (
        listed(market, version)[SHEET].cell(row_of(book[SHEET], 3), places(book[SHEET])["name"]).value == "独特姓名甲"
    )
    actions.erase(market.provider, version.id)
    assert not any(path.exists() for path in kept)
    assert cases.state(version.id) == "erased"
    with pytest.raises(NotFound):
        queries.correction_list(market.provider, version.id, "xlsx")


def test_a_list_looked_at_before_its_version_was_erased_adds_nothing(market: Market, tmp_path: Path) -> None:
    version = published(market, tmp_path)
    book = listed(market, version)
    change(book[SHEET], 6, tenure="36")
    book.save(tmp_path / "list.xlsx")
    request = PublishVersion(
        asset=version.binding.asset_id, source=more(tmp_path, "K009,吴九,9,按月"), mode=Mode.APPEND
    )
    newest = actions.publish_version(market.provider, request)
    row, sheet = queries.correction(market.provider, version.id), Corrected(source=tmp_path / "list.xlsx")
    looked = correcting.look(row, market.provider, sheet)
    assert looked.passed == (6,)
    actions.erase(market.provider, version.id)
    with pytest.raises(NotFound):
        actions.correct(market.provider, version.id, sheet, prepared=looked)
    assert queries.latest(version.binding.asset_id) == newest
    assert Correction.objects.get().open == 0


def test_a_list_of_what_was_replaced_adds_nothing(market: Market, tmp_path: Path) -> None:
    """Without a key nothing else would stop a row from standing twice."""
    file = tmp_path / "source.csv"
    file.write_text("\n".join(LINES[:3]) + "\n", "utf-8")
    made = actions.publish(market.provider, PublishTable(source=file, title="客户", reading=READING))
    version = queries.latest(made.id)
    assert version is not None
    book = listed(market, version)
    change(book[SHEET], 3, tenure="12")
    whole = updated(market, version, more(tmp_path, LINES[1], "K002,李四,12,按月"), Mode.REPLACE)
    assert queries.correction(market.provider, version.id).replaced
    before = contents(made.id)
    with pytest.raises(Conflict, match=r"corrections\.replaced"):
        sent(market, version, book, tmp_path)
    assert contents(made.id) == before
    # Once the first is the newest again, so is its list.
    actions.restore(market.provider, version.id)
    assert not queries.correction(market.provider, version.id).replaced
    assert sent(market, version, book, tmp_path).open == 0
    assert contents(made.id) == before
    assert queries.version_row(whole.id).state == "live"


def test_rows_of_a_list_that_was_replaced_may_still_be_left_out(market: Market, tmp_path: Path) -> None:
    version = published(market, tmp_path)
    book = listed(market, version)
    updated(market, version, more(tmp_path, "K001,张三,12,按月"), Mode.UPSERT, remove_missing=True)
    sheet = book[SHEET]
    for number in (3, 4, 6, 7, 8):
        sheet.cell(row_of(sheet, number), places(sheet)["※处理"], "不收录")
        sheet.cell(row_of(sheet, number), places(sheet)["※不收录的理由"], "新文件中已改正")
    assert sent(market, version, book, tmp_path).open == 0
    assert contents(version.binding.asset_id) == [("K001", "张三", 12, "按月")]


@pytest.mark.parametrize(("live", "replaced"), [(True, False), (False, True)])
def test_a_list_of_what_was_withdrawn(market: Market, tmp_path: Path, *, live: bool, replaced: bool) -> None:
    """Its rows may still stand in the version made of it; in the one before they never did."""
    first = published(market, tmp_path)
    second = updated(
        market, first, more(tmp_path, "K008,周八,八,按月", "K009,吴九,9,按月"), Mode.APPEND, reading=READING
    )
    if live:
        updated(market, first, more(tmp_path, "K010,郑十,10,按月"), Mode.APPEND)
    actions.withdraw(market.provider, second.id, "owner")
    assert queries.correction(market.provider, second.id).replaced is replaced
    assert queries.correction(market.provider, first.id).replaced is False


def test_columns_that_changed_since_are_known_by_what_they_are(market: Market, tmp_path: Path) -> None:
    version = published(market, tmp_path)
    book = listed(market, version)
    change(book[SHEET], 3, tenure="12", contract="一年")
    change(book[SHEET], 6, tenure="no number yet")
    evolution = Evolution(rename={"tenure": "months"}, drop=("name",), add=("name", "since", "part"))
    file = more(tmp_path, "K009,9,按月,新列,2026-01-05,0.5", head="customer_no,months,contract,name,since,part")
    updated(market, version, file, Mode.APPEND, evolution=evolution)
    file = more(tmp_path, "K010,10,,,", head="customer_no,months,name,since,part")
    updated(market, version, file, Mode.APPEND, evolution=Evolution(drop=("contract",)))
    row = sent(market, version, book, tmp_path)
    assert row.open == 4
    newest = queries.latest(row.asset_id)
    assert newest is not None
    names = ("customer_no", "months", "name", "since", "part")
    table = lake.store().read_table(queries.files(newest), queries.place(newest), View(names))
    assert {"customer_no": "K002", "months": 12, "name": None, "since": None, "part": None} in table.to_pylist()
    six = listed(market, version)[SHEET]
    there = places(six)
    cells = [cell.value for cell in six[row_of(six, 6)]]
    assert "months" in cells[1]
    assert (cells[there["tenure"] - 1], cells[there["contract"] - 1]) == ("no number yet", "0028")
    assert six.cell(row_of(six, 6), there["tenure"]).fill.fgColor.rgb.endswith("FFE2B8")


def test_columns_added_by_a_format_with_types_stay_empty(market: Market, tmp_path: Path) -> None:
    version = published(market, tmp_path)
    book = listed(market, version)
    change(book[SHEET], 3, tenure="12")
    added = {
        "small": pa.array([1], pa.int32()),
        "exact": pa.array([Decimal("1.005")], pa.decimal128(30, 3)),
        "half": pa.array([0.5], pa.float32()),
        "moment": pa.array([datetime(2026, 1, 5, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        "yes": pa.array([True]),
        "bytes": pa.array([b"x"]),
        "id": pa.array([2**60], pa.uint64()),
    }
    same = {"customer_no": ["K009"], "name": ["吴九"], "tenure": [9], "contract": ["按月"]}
    pq.write_table(pa.table({**same, **added}), tmp_path / "typed.parquet")
    updated(market, version, tmp_path / "typed.parquet", Mode.APPEND, evolution=Evolution(add=tuple(added)))
    row = sent(market, version, book, tmp_path)
    assert row.open == 4
    newest = queries.latest(row.asset_id)
    assert newest is not None
    table = lake.store().read_table(queries.files(newest), queries.place(newest), View(("name", *added)))
    assert {"name": "李四", **dict.fromkeys(added)} in table.to_pylist()


ODD = ("张\x0b三", "a\r\nb", "  sp  ", "\tx", "x\u3000", "=1+1", "'=1", "_x4E2D_ok", "\ufffe", "#N/A", "1e5")


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_cells_nobody_touched_stay_as_they_were(market: Market, tmp_path: Path, form: Form) -> None:
    file = tmp_path / "source.csv"
    lines = [f'K{at:03},"{text}",bad,按月' for at, text in enumerate(ODD)]
    file.write_bytes("\r\n".join([LINES[0], "K999,好,1,按月", *lines, ""]).encode())
    order = PublishTable(source=file, title="客户", key="customer_no", reading=READING)
    version = queries.latest(actions.publish(market.provider, order).id)
    assert version is not None
    stood = {row.cells[0]: row.cells[1] for row in correcting.open_rows(Correction.objects.get()).values()}
    assert stood == {f"K{at:03}": text for at, text in enumerate(ODD)}
    if form == "xlsx":
        book = listed(market, version)
        for number in range(3, 3 + len(ODD)):
            tenure = places(book[SHEET])["tenure"]
            cell = next(row[tenure - 1] for row in book[SHEET].iter_rows(min_row=number - 1, max_row=number - 1))
            cell.value = "7"
        row = sent(market, version, book, tmp_path)
    else:
        _, content = queries.correction_list(market.provider, version.id, "csv")
        (tmp_path / "list.csv").write_bytes(content.replace(b'"bad"', b'"7"'))
        row = actions.correct(market.provider, version.id, Corrected(source=tmp_path / "list.csv"))
    assert row.open == 0
    assert {key: name for key, name, _, _ in contents(row.asset_id) if key != "K999"} == stood


def test_blanks_are_taken_off_where_they_were_what_is_wrong() -> None:
    row = Open(3, (" x ", " 12 "), (Fault(column="n", code="row.value", zh="", en=""),))
    back = untouched(Answer(3, ("x", "12"), form="xlsx"), row, ("name", "n"))
    assert back.cells == (" x ", "12")
    assert untouched(Answer(3, ("x", "12"), form="csv"), row, ("name", "n")).cells == ("x", "12")
    assert untouched(Answer(3, ("y", " 12 "), form="xlsx"), row, ("name", "n")).cells == ("y", " 12 ")


def test_nothing_to_correct_opens_no_case(market: Market, tmp_path: Path) -> None:
    file = tmp_path / "fine.csv"
    file.write_text("a,b\nx,1\n合计,1\n", "utf-8")
    asset = actions.publish(market.provider, PublishTable(source=file, title="无误", reading=Reading(tolerant=True)))
    assert not Correction.objects.filter(asset=asset).exists()
