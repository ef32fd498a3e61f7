"""The product's files: quoting, spreadsheets, and equal bytes for equal tables."""

from __future__ import annotations

import csv
import io
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.cleanroom.product import to_csv, to_parquet

TABLE = pa.table(
    {
        "g": ["plain", 'say "hi"', "a,b", "two\nlines", "", None, "一环 𠮷"],
        "is_remainder": [False, False, False, False, False, True, False],
        "entities": [10, 11, 12, 13, 14, 15, 16],
        "mean_score": [1.0, -2.5, 1e-9, 1.23e20, 0.0, 3.0, 12.3],
    }
)


def test_csv_to_the_byte() -> None:
    assert (
        to_csv(TABLE)
        == (
            "g,is_remainder,entities,mean_score\n"
            "plain,false,10,1.0\n"
            '"say ""hi""",false,11,-2.5\n'
            '"a,b",false,12,1e-09\n'
            '"two\nlines",false,13,1.23e+20\n'
            '"",false,14,0.0\n'
            ",true,15,3.0\n"
            "一环 𠮷,false,16,12.3\n"
        ).encode()
    )


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"])
def test_no_text_is_a_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(to_csv(pa.table({text: [text]})).decode(), newline="")))
    assert rows == [["'" + text], ["'" + text]]


def test_a_negative_number_stays_a_number() -> None:
    assert to_csv(pa.table({"x": [-1.5]})) == b"x\n-1.5\n"


@given(
    st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9)), min_size=1, max_size=5)
)
def test_a_reader_gets_back_every_text(rows: list[tuple[str, int]]) -> None:
    raw = to_csv(pa.table({"g": [row[0] for row in rows], "n": [row[1] for row in rows]})).decode()
    read = list(csv.reader(io.StringIO(raw, newline="")))[1:]
    assert [
        (text.removeprefix("'") if text[1:] == row[0] else text) for (text, _), row in zip(read, rows, strict=True)
    ] == [row[0] for row in rows]


def test_parquet_keeps_the_table_and_no_metadata() -> None:
    table = TABLE.replace_schema_metadata({"secret": "x"})
    raw = to_parquet(table)
    assert pq.read_table(io.BytesIO(raw)).equals(TABLE)
    assert not pq.read_metadata(io.BytesIO(raw)).metadata
    assert b"secret" not in raw


def test_equal_tables_are_equal_files_in_any_process() -> None:
    pieces = pa.concat_tables([TABLE.slice(0, 3), TABLE.slice(3)])
    assert to_parquet(pieces) == to_parquet(TABLE)
    assert to_csv(pieces) == to_csv(TABLE)
    script = (
        "import hashlib, pyarrow as pa; from shudu.cleanroom.product import to_csv, to_parquet;"
        "t = pa.table({'g': ['a', None], 'mean_score': [1.0, 2.5]});"
        "print(hashlib.sha256(to_csv(t) + to_parquet(t)).hexdigest())"
    )
    digests = {subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(digests) == 1
