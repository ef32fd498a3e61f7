"""Cells that show an error are counted in the sheet that is read, however large, and the first is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from shudu.lake.readers import biff, cellerrors
from unit.lake import odd_files as odd
from unit.lake import odd_workbooks as books


def test_the_first_and_how_many(tmp_path: Path) -> None:
    """In XLS past the 109 sector tables its head has room for, in XLSX past one chunk of its part."""
    rows = [("x" * 90, number) for number in range(8_000)]
    more = [*rows[:7_000], ("y", "#N/A"), *rows[7_000:], ("z", "#REF!"), ("q", "#N/A text")]
    (tmp_path / "a.xlsx").write_bytes(odd.book(("甲", [("a",)]), ("乙&丙", more)))
    note = cellerrors.note(tmp_path / "a.xlsx", "xlsx", "乙&丙")
    assert note is not None
    assert note.where == {"cells": 2, "first": "B7001"}
    assert cellerrors.note(tmp_path / "a.xlsx", "xlsx", "甲") is None
    old: list[tuple[object, ...]] = [(f"{number:01000}",) for number in range(8_000)]
    old[7_000] = (*[None] * 29, books.ERROR)
    (tmp_path / "a.xls").write_bytes(books.xls(("甲", [("a", books.ERROR)]), ("乙", old)))
    assert (tmp_path / "a.xls").stat().st_size > 109 * 128 * 512
    note = cellerrors.note(tmp_path / "a.xls", "xls", "乙")
    assert note is not None
    assert note.where == {"cells": 1, "first": "AD7001"}


@pytest.mark.parametrize("cut", [0, 20, 100, 600, 2_000, 5_000])
def test_a_damaged_file_says_nothing(cut: int, tmp_path: Path) -> None:
    whole = books.xls(("甲", [("n", books.ERROR)]))
    for number, content in enumerate((whole[:cut], whole[:cut] + b"\xff" * 64 + whole[cut + 64 :])):
        path = tmp_path / f"{number}.xls"
        path.write_bytes(content)
        assert biff.errors(path, "甲")[0] in (0, 1)
