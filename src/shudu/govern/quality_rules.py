"""What a table is held to: rules its schema gives, and rules its owner declares. Each becomes two counts, A and B.

A rule is data, never SQL: a small closed set, checked at the border. Rules with the same meaning as a field of the
standard carry that indicator's code. Counting is one aggregate query, so all rules of a table cost one scan.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shudu.lake.types import Column, literal, quoted
from shudu.policy.types import Invalid, Text

from .quality import Count
from .quality_sql import SCHEMES, between, blank, dirty, filled, listed, matches

Name = Annotated[str, Field(min_length=1, max_length=200)]
Weight = Annotated[int, Field(ge=0, le=100)]
TEXT = "VARCHAR"
NUMBERS = frozenset({"BIGINT", "DOUBLE", "INTEGER"})
MOMENTS = frozenset({"DATE", "TIMESTAMP"})


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns it is about."""
        named = getattr(self, "columns", None) or [getattr(self, "column", None)]
        return tuple(name for name in named if name)


class Required(_Rule):
    """0201: these columns, and no others, are expected to hold a value in every row."""

    rule: Literal["required"]
    columns: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)]


class Expected(_Rule):
    """0202: how many records there should be."""

    rule: Literal["expected_rows"]
    rows: Annotated[int, Field(ge=1, le=10**12)]


class Pattern(_Rule):
    """0302: every value matches a regular expression (RE2 syntax) as a whole."""

    rule: Literal["pattern"]
    column: Name
    pattern: Annotated[str, Field(min_length=1, max_length=500)]


class Range(_Rule):
    """0302: every number lies between `min` and `max`, both included."""

    rule: Literal["range"]
    column: Name
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Range:
        if self.min is None and self.max is None:
            raise ValueError("至少写明 min 或 max / needs min or max")
        return self


class Codes(_Rule):
    """0105: every value is in the reference list."""

    rule: Literal["codes"]
    column: Name
    values: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(min_length=1, max_length=10_000)]


class CheckDigit(_Rule):
    """0301: every value carries the right check digit: citizen id (GB 11643), organisation code (GB 32100), card."""

    rule: Literal["check_digit"]
    column: Name
    scheme: Literal["citizen_id", "uscc", "luhn"]


class Unique(_Rule):
    """0304: no two rows have the same values here."""

    rule: Literal["unique"]
    columns: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)]


class Equal(_Rule):
    """0401: the same datum, kept in several columns, is the same in all of them."""

    rule: Literal["equal"]
    columns: Annotated[tuple[Name, ...], Field(min_length=2, max_length=20)]


class Ordered(_Rule):
    """0402, or 0503 for columns of time: each column is at most the next one."""

    rule: Literal["order"]
    columns: Annotated[tuple[Name, ...], Field(min_length=2, max_length=20)]


class Period(_Rule):
    """0501: every day lies within a period, both ends included."""

    rule: Literal["period"]
    column: Name
    first: date
    last: date


class Fresh(_Rule):
    """0502: every record is at most so many days older than the version."""

    rule: Literal["fresh"]
    column: Name
    days: Annotated[int, Field(ge=0, le=36_600)]


Rule = Annotated[
    Required | Expected | Pattern | Range | Codes | CheckDigit | Unique | Equal | Ordered | Period | Fresh,
    Field(discriminator="rule"),
]


class Rules(BaseModel):
    """What an owner declares of a table; versioned, for it is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal["shudu-quality/1"] = "shudu-quality/1"
    rules: Annotated[tuple[Rule, ...], Field(max_length=500)] = ()
    # Per cent of each dimension, 规范性 first, as in the option `quality_weights`; None: that option's.
    weights: Annotated[tuple[Weight, ...], Field(min_length=6, max_length=6)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Rules:
        if self.weights is not None and sum(self.weights) != 100:
            raise ValueError("六个权重合计须为 100 / the six weights must add up to 100")
        return self


@dataclass(frozen=True, slots=True)
class Asked:
    """One count to be made: SQL aggregates of A and B over the table, and what they count, in words."""

    indicator: str
    a: str
    b: str
    how: Text


def from_schema(columns: Sequence[Column], key: str | None) -> list[Asked]:
    """What any table is held to by its schema alone."""
    asked = [Asked("0201", filled(columns), f"count(*) * {len(columns)}", Text("全部单元格", "all cells"))]
    typed = [column for column in columns if column.type != TEXT]
    if typed:
        # A value that did not fit its column's type is not in the table; whoever knows how many there were adds them.
        asked.append(Asked("0302", filled(typed), filled(typed), Text("有类型的列的单元格", "cells of typed columns")))
    texts = [column for column in columns if column.type == TEXT]
    if texts:
        asked.append(Asked("0305", dirty(texts), filled(texts), Text("文本单元格", "cells of text")))
    if key:
        distinct = f"count(DISTINCT {quoted(key)})"
        asked.append(Asked("0304", distinct, "count(*)", Text(f"主键列“{key}”", f"key column “{key}”")))
    return asked


def declared(rules: Rules, columns: Sequence[Column], published: date) -> list[Asked]:
    """What the owner's rules ask of a table with these columns.

    Raises Invalid `quality.rules`, naming the rule, for a column the table lacks or of a type the rule cannot judge.
    """
    known = {column.name: column for column in columns}
    return [_held(number, rule, known, published) for number, rule in enumerate(rules.rules, 1)]


def all_rules(columns: Sequence[Column], key: str | None, rules: Rules, published: date) -> list[Asked]:
    """Schema and declaration together; a declared rule of completeness takes the place of the general one."""
    return _together(columns, key, declared(rules, columns, published))


def still_fitting(
    columns: Sequence[Column], key: str | None, rules: Rules, published: date
) -> tuple[list[Asked], list[Invalid]]:
    """The same for a later version, whose columns may have changed: what can be counted, and the rules that cannot."""
    known = {column.name: column for column in columns}
    stated, unfit = [], []
    for number, rule in enumerate(rules.rules, 1):
        try:
            stated.append(_held(number, rule, known, published))
        except Invalid as error:
            unfit.append(error)
    return _together(columns, key, stated), unfit


def _held(number: int, rule: Rule, known: Mapping[str, Column], published: date) -> Asked:
    for name in rule.reads:
        if name not in known:
            raise _unfit(number, rule.rule, f"表中没有列“{name}”", f"the table has no column “{name}”")
    return _asked(number, rule, known, published)


def _together(columns: Sequence[Column], key: str | None, stated: list[Asked]) -> list[Asked]:
    replaced = {each.indicator for each in stated} & {"0201"}
    return [each for each in from_schema(columns, key) if each.indicator not in replaced] + stated


def aggregates(asked: Iterable[Asked]) -> dict[str, str]:
    """All of it as named SQL aggregates of one query."""
    return {f"{side}{place}": sql for place, each in enumerate(asked) for side, sql in (("a", each.a), ("b", each.b))}


def counted(asked: Iterable[Asked], answer: Mapping[str, Any]) -> list[Count]:
    """The answers to `aggregates`, in order."""
    return [
        Count(each.indicator, int(answer[f"a{place}"] or 0), int(answer[f"b{place}"] or 0), each.how)
        for place, each in enumerate(asked)
    ]


def _asked(number: int, rule: Rule, known: Mapping[str, Column], published: date) -> Asked:
    names = "、".join(rule.reads), ", ".join(rule.reads)
    how = Text(f"规则 {number}：{names[0]}", f"rule {number}: {names[1]}")
    if isinstance(rule, Expected):
        how = Text(f"规则 {number}：应有 {rule.rows} 条", f"rule {number}: {rule.rows} records expected")
        return Asked("0202", f"least(count(*), {rule.rows})", str(rule.rows), how)
    if isinstance(rule, Required):
        return Asked("0201", filled([known[name] for name in rule.columns]), f"count(*) * {len(rule.columns)}", how)
    if isinstance(rule, Unique):
        row = ", ".join(quoted(name) for name in rule.columns)
        return Asked("0304", f"count(DISTINCT row({row}))", "count(*)", how)
    first = known[rule.reads[0]]
    here, value = f"NOT ({blank(first)})", quoted(first.name)
    if isinstance(rule, Pattern):
        _require(number, rule, first, {TEXT})
        return _of(here, "0302", matches(value, _pattern(number, rule.pattern), whole=True), how)
    if isinstance(rule, Range):
        _require(number, rule, first, NUMBERS)
        return _of(here, "0302", between(value, rule.min, rule.max), how)
    if isinstance(rule, Codes):
        return _of(here, "0105", listed(value, rule.values), how)
    if isinstance(rule, CheckDigit):
        _require(number, rule, first, {TEXT})
        return _of(here, "0301", SCHEMES[rule.scheme](value), how)
    if isinstance(rule, Period):
        _require(number, rule, first, MOMENTS)
        day = f"CAST({value} AS DATE)"
        within = f"{day} BETWEEN DATE {literal(str(rule.first))} AND DATE {literal(str(rule.last))}"
        return _of(here, "0501", within, how)
    if isinstance(rule, Fresh):
        _require(number, rule, first, MOMENTS)
        recent = f"DATE {literal(str(published))} - CAST({value} AS DATE) <= {rule.days}"
        return _of(here, "0502", recent, how)
    columns = [known[name] for name in rule.columns]
    here = " AND ".join(f"NOT ({blank(column)})" for column in columns)
    pairs = list(itertools.pairwise(columns))
    if isinstance(rule, Equal):
        same = " AND ".join(_same(a, b) for a, b in pairs)
        return _of(here, "0401", same, how)
    for column in columns:
        _require(number, rule, column, MOMENTS if first.type in MOMENTS else NUMBERS)
    rising = " AND ".join(f"{quoted(a.name)} <= {quoted(b.name)}" for a, b in pairs)
    return _of(here, "0503" if first.type in MOMENTS else "0402", rising, how)


def _of(here: str, indicator: str, holds: str, how: Text) -> Asked:
    return Asked(indicator, f"count_if(({here}) AND ({holds}))", f"count_if({here})", how)


def _same(a: Column, b: Column) -> str:
    if a.type == b.type or {a.type, b.type} <= NUMBERS:
        return f"{quoted(a.name)} = {quoted(b.name)}"
    return f"CAST({quoted(a.name)} AS VARCHAR) = CAST({quoted(b.name)} AS VARCHAR)"


def _require(number: int, rule: Rule, column: Column, types: Iterable[str]) -> None:
    if column.type not in types:
        raise _unfit(
            number,
            rule.rule,
            f"列“{column.name}”的类型是 {column.type}，不适用",
            f"the column “{column.name}” is of type {column.type}, which it cannot judge",
        )


def _pattern(number: int, pattern: str) -> str:
    """A pattern the engine will take; Python's grammar is close enough to RE2's to say what is wrong with it."""
    try:
        re.compile(pattern)
    except re.error:
        raise _unfit(number, "pattern", "正则表达式不成立", "the regular expression is not one") from None
    if re.search(r"\(\?[=!<]|\\[1-9]", pattern):
        raise _unfit(
            number,
            "pattern",
            "不支持环视与反向引用",
            "look-around and back references are not supported",
        )
    return pattern


def _unfit(number: int, rule: str, zh: str, en: str) -> Invalid:
    return Invalid(
        "quality.rules",
        Text(f"第 {number} 条规则（{rule}）：{zh}。", f"Rule {number} ({rule}): {en}."),
        Text("请改正规则后再试。", "Correct the rule and try again."),
        {"rule": number},
    )
