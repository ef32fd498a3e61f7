"""Nothing in a sheet computes, whatever a title says; everything else arrives as it was."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from shudu.lake.handing import _FORMULA
from shudu.site.sheets import as_csv, as_xlsx, harmless

FORMULAS = ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://evil.example")', "=cmd|'/C calc'!A0"]
FORMULAS += ["\n=1", "＝1+1", "＋1", "－2", "＠SUM(A1)"]


@pytest.mark.parametrize("cell", FORMULAS)
def test_no_cell_becomes_a_formula(cell: str) -> None:
    table = b"".join(as_csv("uses", [[cell]]).streaming_content).decode("utf-8-sig")  # type: ignore[arg-type]
    assert table.lstrip('"').startswith("'")
    assert re.match(_FORMULA, cell), "what a delivery guards, and only that"
    sheet = load_workbook(BytesIO(as_xlsx("uses", [[cell, "𠮷"]]).content)).active
    assert sheet is not None
    assert sheet["A1"].data_type == "s"
    assert str(sheet["A1"].value).lstrip() == cell.lstrip()
    assert sheet["B1"].value == "𠮷"


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.text(max_size=40) | st.from_regex(_FORMULA))
def test_a_cell_is_guarded_or_left_alone(cell: str) -> None:
    assert harmless(cell) in (cell, f"'{cell}")
    assert not re.match(_FORMULA, harmless(cell))


def test_what_a_sheet_cannot_hold_is_left_out() -> None:
    sheet = load_workbook(BytesIO(as_xlsx("uses", [["a\x00b\x0bc"]]).content)).active
    assert sheet is not None
    assert sheet["A1"].value == "abc"
