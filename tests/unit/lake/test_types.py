"""A column takes a type only when no value of it loses a digit; whatever the text, it comes back."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.lake.actions import StoredDataKeys
from shudu.lake.coltypes import Candidates, fits, literal, selection, typed
from shudu.lake.keys import Keyring
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place, Stored, View

PLACE = Place("pty_one", "ast_one", "ver_one")
TYPES = {
    "BOOLEAN": [["true", "false"], ["true"], ["", "false"]],
    "BIGINT": [["0", "-1", "15"], ["", "999999999999999"], ["-999999999999999"], ["13800000000"], ["20200101"]],
    "DOUBLE": [
        ["29.85", "80"], ["12.50"], ["-0.5", ""], ["1e-05", "2.5E+10"], ["0.30000000000000004"], ["-0.000123456789012"],
        ["1.5", "999999999999999"], ["104.06476250000001"], ["1234567890.1234567"],
    ],
    "DATE": [["2020-02-29", "0001-01-01"], ["9999-12-31", ""]],
    "TIMESTAMP": [
        ["2020-02-29 23:59:59"], ["2020-02-29T00:00:00.120", "2020-02-29 00:00:00"], ["1999-12-31T23:59:59.999999"],
    ],
    "VARCHAR": [
        ["0028", "12"], ["510104199003071237"], ["1000000000000000"], ["+5"], ["1_000"], ["1,000"], [" 1"], ["0x1F"],
        ["12E4"], ["1e5"], [".5"], ["5."], ["-"], ["NaN"], ["inf"], ["Infinity"], ["-007"], ["TRUE"], ["True", "False"],
        ["t", "f"], ["yes", "no"], ["2020-02-30"], ["2020-1-1"], ["2020/01/01"], ["infinity"], ["today"],
        ["2020-02-29T00:00:00Z"], ["2020-02-29 00:00:00+08"], ["2020-02-29 24:00:00"], ["2020-02-29 23:59:60"],
        ["2020-02-29", "2020-02-29 00:00:00"], ["1", "x"], ["true", "1"], ["1.2345678901234567890"], ["", ""], ["１２"],
        ["1e999"], ["1e-999"], ["0.1234567890123456789"], ["2020-02-29 00:00:00.1234567"], ["NULL"], ["nan"], ["%d"],
        ["1.0e+400"],
    ],
}  # fmt: skip
CASES = [(type_, values) for type_, columns in TYPES.items() for values in columns]


def put(rows: list[list[str]], home: Path, *, end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> Stored:
    """Store rows under the columns a, b, c …; returns what was stored in a store under `home`."""
    text = io.StringIO(newline="")
    names = [chr(ord("a") + number) for number in range(len(rows[0]))]
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([names, *rows])
    source = home / "source.csv"
    source.write_bytes(text.getvalue().encode())
    return at(home).write_csv(source, PLACE, key=None)


def at(home: Path) -> DuckDBStore:
    return DuckDBStore(home / "home", StoredDataKeys(Keyring(home / "keys")))


def column(stored: Stored, home: Path, name: str = "a") -> list[object]:
    values: list[object] = at(home).read_table(stored.files, PLACE, View((name,)))[name].to_pylist()
    return values


def same(text: str, value: object, type_: str) -> bool:
    """Is `value` what `text` says, digit for digit?"""
    if value is None:
        return text == ""
    match type_:
        case "BOOLEAN":
            return text == str(value).lower()
        case "BIGINT":
            return text == str(value)
        case "DOUBLE":
            return Decimal(text) == Decimal(repr(value))
        case "DATE":
            return isinstance(value, date) and text == value.isoformat()
        case "TIMESTAMP":
            return isinstance(value, datetime) and datetime.fromisoformat(text) == value
        case _:
            return text == value


@pytest.mark.parametrize(("type_", "values"), CASES, ids=[",".join(values) or "empty" for _, values in CASES])
def test_types(type_: str, values: list[str], tmp_path: Path) -> None:
    stored = put([[value, "x"] for value in values], tmp_path)
    assert stored.columns[0].type == type_
    found = column(stored, tmp_path)
    assert len(found) == len(values)
    assert all(same(text, value, type_) for text, value in zip(values, found, strict=True))


def test_a_late_value_decides_as_an_early_one_would(tmp_path: Path) -> None:
    # 60,000 rows are more than the sample: every guess made from it is wrong here.
    early = [["1", "true", "2020-01-01", "", "5", "x", ""]] * 60_000
    late = ["1.5", "maybe", "2020-01-01 00:00:00", "7", "007", "", ""]
    stored = put([*early, late], tmp_path)
    types = [each.type for each in stored.columns]
    assert types == ["DOUBLE", "VARCHAR", "VARCHAR", "BIGINT", "VARCHAR", "VARCHAR", "VARCHAR"]
    for name, first, last in zip("abcdefg", early[0], late, strict=True):
        found = column(stored, tmp_path, name)
        type_ = types[ord(name) - ord("a")]
        assert same(first, found[0], type_)
        assert same(last, found[-1], type_)
    (tmp_path / "again").mkdir()
    assert [each.type for each in put([late, *early[:10]], tmp_path / "again").columns] == types


def test_quoted_nothing_is_a_text_and_nothing_is_none(tmp_path: Path, write: Callable[..., Path]) -> None:
    stored = at(tmp_path).write_csv(write('a,b,c\nx,"",1\n"",,""\n'), PLACE, key=None)
    assert at(tmp_path).read_table(stored.files, PLACE, View(("a", "b", "c"))).to_pydict() == {
        "a": ["x", ""],
        "b": ["", None],
        "c": [1, None],
    }
    assert [each.nullable for each in stored.columns] == [False, True, True]


digits = st.text(alphabet="0123456789", min_size=1, max_size=20)
numbers = st.builds(
    lambda sign, whole, fraction, exponent: sign + whole + fraction + exponent,
    st.sampled_from(["", "-", "+", " "]),
    digits | st.integers(0, 10**18).map(str),
    st.just("") | digits.map(lambda each: f".{each}"),
    st.sampled_from(["", "", "", "e5", "E-07", "e+22", "e-400"]),
)
floats = st.floats(allow_nan=True, allow_infinity=True).map(repr)
moments = st.builds(
    lambda moment, join, precision: moment.isoformat(join, precision),
    st.datetimes(),
    st.sampled_from([" ", "T"]),
    st.sampled_from(["auto", "seconds", "milliseconds", "microseconds", "minutes"]),
)
kinds = [numbers, digits, floats, st.dates().map(str), moments, st.sampled_from(["true", "false", "True", "1", "0"])]
letters = st.text(
    alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")
    | st.sampled_from('",\r\n 𠮷䶮\u3000'),
    max_size=12,
)
ROWS = 4


def tables(kinds: list[st.SearchStrategy[str]]) -> st.SearchStrategy[list[list[str]]]:
    """Columns of one kind each, as rows; the many columns make the few files worth their time."""
    column = st.sampled_from(kinds).flatmap(lambda kind: st.lists(kind | st.just(""), min_size=ROWS, max_size=ROWS))
    return st.lists(column, min_size=1, max_size=20).map(
        lambda columns: [list(row) for row in zip(*columns, strict=True)]
    )


def check(rows: list[list[str]], end: str, quoting: int) -> None:
    # A first column of letters tells a blank line from a row of nothing.
    with tempfile.TemporaryDirectory() as folder:
        table = [["r", *row] for row in rows]
        stored = put(table, Path(folder), end=end, quoting=quoting)
        names = [each.name for each in stored.columns]
        read = at(Path(folder)).read_table(stored.files, PLACE, View(tuple(names)))
        assert read.num_rows == len(rows)
        for number, each in enumerate(stored.columns):
            found = read[each.name].to_pylist()
            assert all(same(row[number], value, each.type) for row, value in zip(table, found, strict=True))


@settings(max_examples=80, deadline=None)
@given(tables(kinds))
def test_no_digit_is_ever_lost(rows: list[list[str]]) -> None:
    check(rows, "\n", csv.QUOTE_MINIMAL)


@settings(max_examples=80, deadline=None)
@given(
    tables([letters]),
    st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]),
)
def test_any_text_survives(rows: list[list[str]], way: tuple[str, int]) -> None:
    check(rows, *way)


@pytest.mark.parametrize("type_", ["BIGINT", "DOUBLE", "DATE", "TIMESTAMP"])
def test_the_quick_look_lets_nothing_through_that_does_not_fit(type_: str) -> None:
    """A value is typed when it fits, and only then, whether its typed form stood already or not."""
    texts = [text for columns in TYPES.values() for values in columns for text in values if text]
    texts += [each + tail for each in texts for tail in ("0", " ", "e+5", "e-100", ".0") if len(each) < 40]
    texts += [
        "1.2345678901234e+99",
        "1.2345678901234e-99",
        "1.2345678901234e+100",
        "-0",
        "0.0000000000000000",
        "-1e-07",
    ]
    column = Candidates((type_,), True)
    with duckdb.connect() as connection:
        for text in texts:
            table = f"(SELECT {literal(text)} AS c0)"
            fitting = connection.execute(f"SELECT ({fits(type_, 'c0')}) IS true FROM {table}").fetchone()
            for query in (selection([column], ["a"], table), f"SELECT {typed('c0', column)} FROM {table}"):
                try:
                    [value] = connection.execute(query).fetchone() or ()
                except duckdb.InvalidInputException:
                    value = None
                assert ((value is not None),) == fitting, text
                if value is not None:
                    [expected] = connection.execute(f"SELECT CAST(c0 AS {type_}) FROM {table}").fetchone() or ()
                    assert value == expected, text
