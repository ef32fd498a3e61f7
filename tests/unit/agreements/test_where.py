"""Conditions on rows as people write them, and that the engine reads of them what they say."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings

from shudu.agreements.spans import Span
from shudu.agreements.where import conditions, parsed, spans_of
from shudu.lake.types import Column, View
from shudu.lake.view import condition, projected
from shudu.policy.types import Invalid
from unit.agreements.test_laws import ROWS

COLUMNS = (
    Column("no", "VARCHAR", False),
    Column("phone", "VARCHAR", False, "direct_identifier"),
    Column("姓名", "VARCHAR", True, "personal"),
    Column("诊断", "VARCHAR", True, "sensitive"),
    Column("tenure", "BIGINT", True),
    Column("fee", "DOUBLE", True),
    Column("since", "DATE", True),
    Column("seen", "TIMESTAMP", True),
    Column("active", "BOOLEAN", True),
    Column("区 域", "VARCHAR", True),
    Column("shape", "GEOMETRY", True),
)


def spans(*lines: str) -> list[dict[str, Any]]:
    return [span.model_dump() for span in spans_of([parsed(line) for line in lines], COLUMNS, "no")]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["tenure >= 12"], {"column": "tenure", "from": 12, "to": None}),
        (["tenure≥12", "tenure < 24"], {"column": "tenure", "from": 12, "below": 24}),
        (["tenure between 3 and 5"], {"column": "tenure", "from": 3, "to": 5}),
        (["tenure BETWEEN 3 至 5", "tenure != 5"], {"column": "tenure", "from": 3, "below": 5}),
        (["tenure <> 5"], {"column": "tenure", "except": [5]}),
        (["fee > 2.5"], {"column": "fee", "above": 2.5, "to": None}),
        (["fee is not null"], {"column": "fee", "null": False}),
        (["fee IS  NULL"], {"column": "fee", "null": True}),
        (["区 域 in 成都、眉山, 资阳"], {"column": "区 域", "in": ["成都", "眉山", "资阳"]}),
        (['"区 域" = a=b'], {"column": "区 域", "in": ["a=b"]}),
        (["区 域 = x' OR '1'='1"], {"column": "区 域", "in": ["x' OR '1'='1"]}),
        (["since > 2026-01-01"], {"column": "since", "above": "2026-01-01", "to": None}),
        (["seen <= 2026-01-01"], {"column": "seen", "from": None, "to": "2026-01-01 00:00:00.000000"}),
        (["seen = 2026-01-01T08:00:00"], {"column": "seen", "in": ["2026-01-01 08:00:00.000000"]}),
        (["active = true"], {"column": "active", "in": ["true"]}),
        (["shape is not null"], {"column": "shape", "null": False}),
        (["诊断 = 糖尿病"], {"column": "诊断", "in": ["糖尿病"]}),
    ],
)
def test_what_people_write(lines: list[str], expected: dict[str, Any]) -> None:
    assert spans(*lines) == [expected]


def test_white_space_belongs_to_no_part_and_costs_nothing() -> None:
    wide = " " * 9_000
    begun = time.process_time()
    assert spans(f"{wide}tenure{wide}>= 12") == spans('"tenure"  >=  12 ') == spans("tenure >= 12")
    assert spans(f"tenure between 3{wide} and {wide}5") == spans("tenure between 3 and 5")
    for line in (f"tenure{wide}x", f'"tenure"{wide}x', f"tenure between 3{wide}5", wide, f"tenure = {wide}"):
        with pytest.raises(Invalid, match=r"rows\.written"):
            parsed(line)
    assert time.process_time() - begun < 1.0, "one request holds many such lines"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["tenure"], "rows.written"),
        (["tenure like 3"], "rows.written"),
        (["tenure between 3"], "rows.written"),
        (["tenure between 5 and 3"], "rows.written"),
        (["tenure = 1; DROP TABLE x"], "rows.value"),
        (["tenure >= 2.5"], "rows.value"),
        (["tenure = 九"], "rows.value"),
        (["fee = nan"], "rows.value"),
        (["fee = 1e400"], "rows.value"),
        (["tenure = 9007199254740993"], "rows.value"),
        (["since = 2026-02-30"], "rows.value"),
        (["seen = 2026-01-01T08:00:00+08:00"], "rows.value"),
        (["active = yes"], "rows.value"),
        (["shape = x"], "rows.type"),
        (["nobody = 1"], "rows.column"),
        (["no = K1"], "rows.identifier"),
        (["phone is null"], "rows.identifier"),
        (["姓名 = 张伟三"], "rows.identifier"),
        (["姓名 between 张 and 张伟四"], "rows.identifier"),
        (["姓名 is not null"], "rows.identifier"),
        (["tenure > 5", "tenure < 3"], "rows.empty"),
        (["tenure is null", "tenure = 3"], "rows.empty"),
    ],
)
def test_what_cannot_be_is_refused_in_words(lines: list[str], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        spans(*lines)
    assert caught.value.code == code


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute('CREATE TABLE t ("age" DOUBLE, "region" VARCHAR, "tenure" BIGINT)')
    values = [
        (age, region, tenure)
        for age in (None, 0.5, 1, 2.5, 4)
        for region in (None, "", "a", "成都")
        for tenure in (None, 0, 3)
    ]
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", values)
    return connection


TYPES = {"age": "DOUBLE", "region": "VARCHAR", "tenure": "BIGINT"}


def fits(span: Span) -> bool:
    """Is the condition of its column's type, as every stored one is?"""
    ends = [end for end in (span.from_, span.to, span.above, span.below) if end is not None]
    values = [*ends, *(span.in_ or ()), *(span.except_ or ())]
    if span.column == "region":
        return all(isinstance(value, str) for value in values)
    return all(not isinstance(value, str) and (span.column == "age" or value == int(value)) for value in values)


@given(ROWS.filter(lambda rows: all(map(fits, rows))))
@settings(max_examples=60, deadline=None)
def test_the_engine_keeps_the_rows_the_terms_hold(engine: duckdb.DuckDBPyConnection, rows: tuple[Span, ...]) -> None:
    everything = engine.execute("SELECT * FROM t").fetchall()
    expected = [
        row for row in everything if all(span.holds(dict(zip(TYPES, row, strict=True))[span.column]) for span in rows)
    ]
    kept = engine.execute(f"SELECT * FROM t WHERE {condition(conditions(rows), TYPES)}").fetchall()
    assert kept == expected


def test_a_hostile_name_or_value_is_only_a_name_or_value(tmp_path: Path) -> None:
    name = 'a" = 1 OR "x'
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT 'it''s' AS " + '"' + name.replace('"', '""') + '"')
    rows = conditions([Span(column=name, in_=frozenset({"it's"}))])
    where = condition(rows, {name: "VARCHAR"})
    shown = projected(View((name,)), {name: "VARCHAR"})[name]
    assert connection.execute(f"SELECT {shown} FROM t WHERE {where}").fetchall() == [("it's",)]
