"""What a sheet's XML says of its cells, whoever wrote it and wherever it is cut into pieces."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.lake.coltypes import Candidates, fits, typed
from shudu.lake.engine import connect, one
from shudu.lake.readers import cells, spreadsheetml
from shudu.lake.readers.spreadsheetml import FORMULA, NO_DAY, PERCENT, letters
from unit.lake import odd_files as odd

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
ALL = (range(1, 100), range(1, 100))
FORMATS = ("General", "0.00%", "yyyy-mm-dd", "000000", "0000;@", '0"%"', "[Red]0.0%", "h:mm", '"d"0', '00"A"')


def workbook(path: Path, rows: str, before: str = "", prefix: str = "", namespace: str = MAIN) -> Path:
    """A workbook of one sheet, whose cells' styles are the numbers of `FORMATS`."""
    p = f"{prefix}:" if prefix else ""
    declared = f'xmlns{":" if prefix else ""}{prefix}="{namespace}"'
    codes = "".join(
        f'<numFmt numFmtId="{200 + at}" formatCode="{code.replace(chr(34), "&quot;")}"/>'
        for at, code in enumerate(FORMATS)
    )
    styles = "".join(f'<xf numFmtId="{200 + at}"/>' for at in range(len(FORMATS)))
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{namespace}" xmlns:r="x/relationships"><sheets>'
        '<sheet name="甲" r:id="rId7"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="y"><Relationship Id="rId7" Target="worksheets/odd.xml"/>'
        "</Relationships>",
        "xl/styles.xml": f'<styleSheet xmlns="{namespace}"><numFmts>{codes}</numFmts><cellXfs>{styles}</cellXfs>'
        "</styleSheet>",
        "xl/worksheets/odd.xml": f"<{p}worksheet {declared}>{before}<{p}sheetData>{rows}</{p}sheetData></{p}worksheet>",
    }
    path.write_bytes(odd.zipped({name: part.encode() for name, part in parts.items()}))
    return path


def marks(path: Path) -> list[tuple[int, spreadsheetml.Marks]]:
    sheet = spreadsheetml.seen(path, "甲", *ALL)
    assert sheet is not None
    return list(sheet.rows())


def test_cells_are_known_by_their_formats(tmp_path: Path) -> None:
    row = "".join(f'<c s="{at}"><v>60</v></c>' for at in range(len(FORMATS)))
    shown = {2: PERCENT, 3: NO_DAY, 4: "000000", 5: "0000", 7: PERCENT}
    # Numbers alone have a format; 61 is a day.
    others = '<c s="1" t="s"><v>60</v></c><c s="2"><v>61</v></c><c s="2"><v>60.75</v></c>'
    assert marks(workbook(tmp_path / "a.xlsx", f"<row>{row}</row><row>{others}</row>")) == [
        (1, shown),
        (2, {3: NO_DAY}),
    ]


@pytest.mark.parametrize("prefix", ["", "x"])
@pytest.mark.parametrize("chunk", [300, 1 << 20])
def test_formulas_without_a_value(prefix: str, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheetml, "_CHUNK", chunk)
    p = f"{prefix}:" if prefix else ""
    plain = "".join(f'<{p}row r="{at}"><{p}c r="A{at}"><{p}v>{at}</{p}v></{p}c></{p}row>' for at in range(1, 40))
    for formula in (
        f"<{p}f>A1</{p}f>",
        f'<{p}f t="shared" si="0"/>',
        f"<{p}f>A1</{p}f><{p}v/>",
        f"<{p}f>1</{p}f><{p}v></{p}v>",
    ):
        row = f'<{p}row r="50"><{p}c r="AB50">{formula}</{p}c><{p}c>{formula}</{p}c></{p}row>'
        path = workbook(tmp_path / "a.xlsx", plain + row, prefix=prefix)
        assert marks(path) == [(50, {28: FORMULA, 29: FORMULA})]
    computed = f'<{p}c><{p}f>A1</{p}f><{p}v>0</{p}v></{p}c><{p}c t="str"><{p}f>A1</{p}f><{p}v></{p}v></{p}c>'
    assert marks(workbook(tmp_path / "a.xlsx", f"{plain}<{p}row>{computed}</{p}row>", prefix=prefix)) == []


@pytest.mark.parametrize("chunk", [64, 1 << 20])
def test_what_is_hidden(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheetml, "_CHUNK", chunk)
    columns = (
        '<cols><col min="2" max="3" hidden="1"/><col hidden="true" max="28" min="27"/><col min="5" max="5"/></cols>'
    )
    rows = '<row r="2" hidden="1"><c><v>1</v></c></row><row r="3"><c><v>1</v></c></row><row r="4" hidden="1"/>'
    path = workbook(tmp_path / "a.xlsx", f'{rows}<row hidden="1" r="9"><c/></row>', columns)
    sheet = spreadsheetml.seen(path, "甲", range(1, 9), range(1, 28))
    assert sheet is not None
    assert (sheet.hidden_rows, [letters(each) for each in sheet.hidden_columns]) == (1, ["B", "C", "AA"])


def test_a_strict_workbook_is_known_too(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx", '<row><c s="1"><v>1</v></c></row>', namespace="http://purl.oclc.org/ooxml/main"
    )
    assert marks(path) == [(1, {1: PERCENT})]


def test_what_is_no_such_workbook_is_left_alone(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", "<row><c></row>")
    assert spreadsheetml.seen(path, "乙", *ALL) is None
    assert marks(path) == []


def test_a_percentage_is_the_hundredfold_and_is_always_read() -> None:
    with connect() as connection:

        @settings(derandomize=True, max_examples=60, deadline=None, database=None)
        @given(st.floats(-1e12, 1e12, allow_subnormal=False))
        def holds(value: float) -> None:
            text = cells.shown(value, PERCENT)
            value_of = f"{fits('percent', 'c0')}, {typed('c0', Candidates(('percent',), True))}"
            fitting, found = one(connection, f"SELECT {value_of} FROM (SELECT '{text}' AS c0)")
            assert fitting
            assert found == float(Decimal(repr(value)) * 100)

        holds()
