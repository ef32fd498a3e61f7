"""The score by its laws, and every rule against a count made by hand over the same rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from stdnum import luhn
from stdnum.cn import ric, uscc

from shudu.govern import quality_rules
from shudu.govern.quality import INDICATORS, WEIGHTS, Count, percent, score
from shudu.govern.quality_rules import Rules
from shudu.govern.queries import on_time
from shudu.lake.types import Column
from shudu.policy.types import Invalid, Text

HOW = Text("数", "counted")
PUBLISHED = date(2026, 11, 20)
COLUMNS = (
    Column("编号", "VARCHAR", True),
    Column("note", "VARCHAR", True),
    Column("low", "BIGINT", True),
    Column("high", "DOUBLE", True),
    Column("begun", "DATE", True),
    Column("ended", "DATE", True),
)
ROWS: list[tuple[Any, ...]] = [
    ("11010519491231002X", "按月", 1, 2.5, date(2026, 11, 1), date(2026, 11, 2)),
    ("110105194912310021", "一年", 3, 3.0, date(2026, 11, 19), date(2026, 11, 2)),
    ("110105194902310026", " 按月", 5, 4.0, date(2025, 1, 1), None),
    (None, "NULL", None, 1.0, None, date(2026, 1, 1)),
    ("91110000600037341L", "", 7, None, date(2026, 12, 1), date(2026, 12, 1)),
    ("91110000600037341L", "锟斤拷", 7, 7.0, None, None),
    ("4111111111111111", "a\n null \nb", 0, -1.0, date(1999, 1, 1), date(2000, 1, 1)),
    ("4111111111111112", "中文　", 600, 601.5, date(2026, 11, 20), date(2026, 11, 20)),
]


def counted(rules: list[dict[str, Any]] | None = None, key: str | None = None) -> dict[str, tuple[int, int]]:
    """A and B by indicator, as the engine counts them over ROWS."""
    given_rules = Rules(rules=tuple(rules or ()))  # type: ignore[arg-type]
    asked = quality_rules.all_rules(COLUMNS, key, given_rules, PUBLISHED)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t ({})".format(", ".join(f"{c.name} {c.type}" for c in COLUMNS)))
        connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(COLUMNS))})", ROWS)
        sql = quality_rules.aggregates(asked)
        row = connection.execute(f"SELECT {', '.join(sql.values())} FROM t").fetchone()
    assert row is not None
    made = quality_rules.counted(asked, dict(zip(sql, row, strict=True)))
    return {m.indicator.code: (m.a, m.b) for m in score(made).measured}


def by_hand(holds: Callable[..., bool], *columns: int) -> tuple[int, int]:
    """The same for one rule: of the rows that have all these cells, those for which it holds."""
    there = [cells for row in ROWS if all((c := row[n]) is not None and c != "" for n in columns) for cells in [row]]
    return sum(holds(*(row[n] for n in columns)) for row in there), len(there)


def test_what_a_schema_alone_is_held_to() -> None:
    filled = sum(cell is not None and cell != "" for row in ROWS for cell in row)
    typed = sum(cell is not None for row in ROWS for cell in row[2:])
    texts = sum(cell is not None and cell != "" for row in ROWS for cell in row[:2])
    # " 按月", "NULL", "锟斤拷" and the one that ends in a wide blank; the line that says null stands inside a text.
    assert counted() == {"0201": (filled, 48), "0302": (typed, typed), "0305": (4, texts)}
    assert counted(key="编号")["0304"] == (6, 8)


@pytest.mark.parametrize(
    ("rule", "indicator", "expected"),
    [
        ({"rule": "required", "columns": ["low", "high"]}, "0201", (14, 16)),
        ({"rule": "expected_rows", "rows": 10}, "0202", (8, 10)),
        ({"rule": "expected_rows", "rows": 5}, "0202", (5, 5)),
        (
            {"rule": "codes", "column": "note", "values": ["按月", "一年"]},
            "0105",
            by_hand({"按月", "一年"}.__contains__, 1),
        ),
        ({"rule": "unique", "columns": ["编号"]}, "0304", (7, 8)),
        ({"rule": "equal", "columns": ["low", "high"]}, "0401", by_hand(lambda a, b: a == b, 2, 3)),
        ({"rule": "order", "columns": ["low", "high"]}, "0402", by_hand(lambda a, b: a <= b, 2, 3)),
        ({"rule": "order", "columns": ["begun", "ended"]}, "0503", by_hand(lambda a, b: a <= b, 4, 5)),
        (
            {"rule": "period", "column": "begun", "first": "2026-11-01", "last": "2026-11-30"},
            "0501",
            by_hand(lambda day: date(2026, 11, 1) <= day <= date(2026, 11, 30), 4),
        ),
        (
            {"rule": "fresh", "column": "begun", "days": 19},
            "0502",
            by_hand(lambda day: (PUBLISHED - day).days <= 19, 4),
        ),
        ({"rule": "check_digit", "column": "编号", "scheme": "citizen_id"}, "0301", by_hand(ric.is_valid, 0)),
        ({"rule": "check_digit", "column": "编号", "scheme": "uscc"}, "0301", by_hand(uscc.is_valid, 0)),
        (
            {"rule": "check_digit", "column": "编号", "scheme": "luhn"},
            "0301",
            by_hand(lambda text: text.isdigit() and luhn.is_valid(text), 0),
        ),
    ],
)
def test_a_declared_rule_counts_what_one_counts_by_hand(
    rule: dict[str, Any], indicator: str, expected: tuple[int, int]
) -> None:
    assert counted([rule])[indicator] == expected
    assert 0 < expected[0] <= expected[1]


def test_rules_of_one_indicator_add_up() -> None:
    range_, pattern = by_hand(lambda n: 0 <= n <= 6, 2), by_hand(lambda text: text.startswith("9111"), 0)
    typed = counted()["0302"]
    found = counted(
        [
            {"rule": "range", "column": "low", "min": 0, "max": 6},
            {"rule": "pattern", "column": "编号", "pattern": "9111.*"},
        ]
    )
    assert found["0302"] == (typed[0] + range_[0] + pattern[0], typed[1] + range_[1] + pattern[1])


@pytest.mark.parametrize(
    "rule",
    [
        {"rule": "range", "column": "nothing", "min": 1},
        {"rule": "range", "column": "note", "min": 1},
        {"rule": "order", "columns": ["low", "begun"]},
        {"rule": "pattern", "column": "note", "pattern": "("},
        {"rule": "pattern", "column": "note", "pattern": r"(a)\1"},
        {"rule": "fresh", "column": "low", "days": 1},
    ],
)
def test_a_rule_the_table_cannot_be_held_to_is_named(rule: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        counted([{"rule": "expected_rows", "rows": 8}, rule])
    assert refused.value.code == "quality.rules"
    assert refused.value.where == {"rule": 2}


@pytest.mark.parametrize(
    "rule",
    [
        {"rule": "range", "column": "low"},
        {"rule": "sql", "column": "low", "sql": "1=1"},
        {"rule": "unique", "columns": []},
        {"rule": "expected_rows", "rows": 0},
    ],
)
def test_what_is_no_rule_is_refused_at_the_border(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rules(rules=(rule,))  # type: ignore[arg-type]


def test_names_and_values_stay_names_and_values() -> None:
    hostile = "'; DROP TABLE t; --"
    assert counted([{"rule": "codes", "column": "note", "values": [hostile, "一年"]}])["0105"][0] == 1


counts = st.builds(
    lambda code, b, share: Count(code, round(b * share), b, HOW),
    st.sampled_from(sorted(INDICATORS)),
    st.integers(0, 10**9),
    st.floats(0, 1),
)


@given(st.lists(counts, max_size=12))
def test_the_score_follows_from_the_counts(found: list[Count]) -> None:
    """Recomputed with nothing of ours but the list of counts."""
    parts: dict[str, list[int]] = {}
    for each in found:
        if each.b:
            pair = parts.setdefault(each.indicator, [0, 0])
            pair[0], pair[1] = pair[0] + each.a, pair[1] + each.b
    shares: dict[str, list[Fraction]] = {}
    for code, (a, b) in parts.items():
        x = Fraction(a, b)
        shares.setdefault(code[:2], []).append(1 - x if code in ("0303", "0305") else x)
    weight = sum(WEIGHTS[d] for d in shares)
    expected = sum(WEIGHTS[d] * sum(s) / len(s) for d, s in shares.items()) / weight if weight else None
    made = score(found)
    assert made.total == expected
    assert made.total is None or 0 <= made.total <= 1
    assert {i.code for i in made.missing} | set(parts) >= {c.indicator for c in found if c.b}


@given(st.fractions(0, 1))
def test_only_the_whole_is_shown_as_the_whole(share: Fraction) -> None:
    shown = percent(share)
    assert (shown == "100.0") == (share == 1)
    assert (shown == "0.0") == (share == 0)
    assert abs(Fraction(shown) - share * 100) <= Fraction(1, 10)


def test_periods_of_a_promise() -> None:
    start, week = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=7)
    made = [start, start + timedelta(days=3), start + timedelta(days=15)]
    count = on_time(made, week, start + timedelta(days=29))
    assert count is not None
    assert (count.a, count.b) == (2, 4)
    assert on_time(made[:1], week, start + timedelta(days=6)) is None


def test_the_weights_are_a_hundred_per_cent() -> None:
    assert sum(WEIGHTS.values()) == 100
    assert len(INDICATORS) == 20
