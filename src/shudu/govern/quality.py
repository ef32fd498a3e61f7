"""The quality of a table after GB/T 36344-2018: twenty indicators X = A / B, and one score that anybody can recompute.

A and B are counts of elements; the standard says what each counts, and prescribes no weights and no sum. Ours: an
indicator contributes X, or 1 - X where less is better (0303, 0305); a dimension is the mean of its indicators; the
score is the weighted mean of the dimensions. What cannot be counted is left out and said, never guessed: a dimension
without any indicator gives its weight to the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from shudu.policy.types import Text


class Dimension(StrEnum):
    """The six dimensions of the standard, by the first two digits of their indicators' codes."""

    NORMATIVE = "01"
    COMPLETE = "02"
    ACCURATE = "03"
    CONSISTENT = "04"
    TIMELY = "05"
    ACCESSIBLE = "06"


DIMENSIONS = {
    Dimension.NORMATIVE: Text("规范性", "Conformity"),
    Dimension.COMPLETE: Text("完整性", "Completeness"),
    Dimension.ACCURATE: Text("准确性", "Accuracy"),
    Dimension.CONSISTENT: Text("一致性", "Consistency"),
    Dimension.TIMELY: Text("时效性", "Timeliness"),
    Dimension.ACCESSIBLE: Text("可访问性", "Accessibility"),
}
# The standard prescribes none; these are a city's common choice, in per cent.
WEIGHTS: Mapping[str, int] = {"01": 20, "02": 20, "03": 15, "04": 15, "05": 15, "06": 15}


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator: what its A counts, and whether more of it is worse."""

    code: str
    name: Text
    counts: Text
    inverse: bool = False

    @property
    def dimension(self) -> Dimension:
        return Dimension(self.code[:2])


def _indicators(*rows: tuple[str, str, str, str, str]) -> dict[str, Indicator]:
    inverse = {"0303", "0305"}
    return {code: Indicator(code, Text(zh, en), Text(a, b), code in inverse) for code, zh, en, a, b in rows}


INDICATORS: Mapping[str, Indicator] = _indicators(
    ("0101", "数据标准", "Data standard", "符合数据标准的元素", "elements that meet the data standard"),
    ("0102", "数据模型", "Data model", "符合数据模型的元素", "elements that meet the data model"),
    ("0103", "元数据", "Metadata", "符合元数据定义的元素", "elements whose metadata are defined"),
    ("0104", "业务规则", "Business rules", "符合业务规则的元素", "elements that meet the business rules"),
    ("0105", "权威参考数据", "Reference data", "符合权威参考数据的元素", "elements found in the reference list"),
    ("0106", "安全规范", "Security rules", "符合安全规范的元素", "elements that meet the security rules"),
    ("0201", "数据元素完整性", "Elements complete", "已赋值的元素", "elements that hold a value"),
    ("0202", "数据记录完整性", "Records complete", "已赋值的记录", "records that are there"),
    ("0301", "数据内容正确性", "Content correct", "内容正确的元素", "elements whose content is correct"),
    ("0302", "数据格式合规性", "Format compliant", "符合格式的元素", "elements in the required format"),
    ("0303", "数据重复率", "Duplicates", "重复的记录", "records that repeat another"),
    ("0304", "数据唯一性", "Uniqueness", "满足唯一性的元素", "elements that are unique"),
    ("0305", "脏数据出现率", "Dirty data", "脏数据元素", "elements that are dirty"),
    ("0401", "相同数据一致性", "Same data agree", "取值一致的元素", "elements that equal their other copy"),
    ("0402", "关联数据一致性", "Related data agree", "满足关联约束的元素", "elements that meet a relation"),
    ("0501", "基于时间段的正确性", "Within its period", "时间段内的记录", "records within the period"),
    ("0502", "基于时间点及时性", "On time", "及时的记录", "records that are in time"),
    ("0503", "时序性", "In sequence", "时序正确的元素", "elements in the right order of time"),
    ("0601", "可访问", "Accessible", "可访问的元素", "elements that can be read"),
    ("0602", "可用性", "Usable", "有效期内可用的元素", "elements usable within their life"),
)


# What it takes to count an indicator, for those who ask why it was not; the others have nothing here to count them by.
_NEEDED: Mapping[str, Text] = {
    "0105": Text("未声明 codes 规则。", "no rule `codes` is declared"),
    "0106": Text("没有发现敏感列。", "no sensitive column was found"),
    "0202": Text("不是由文件发布，也未声明 expected_rows 规则。", "it came from no file; no rule `expected_rows`"),
    "0301": Text("未声明 check_digit 规则。", "no rule `check_digit` is declared"),
    "0302": Text("没有有类型的列，也未声明 pattern 规则。", "no column has a type; no rule `pattern` is declared"),
    "0304": Text("没有主键，也未声明 unique 规则。", "it has no key; no rule `unique` is declared"),
    "0305": Text("没有文本列。", "no column is of text"),
    "0401": Text("未声明 equal 规则。", "no rule `equal` is declared"),
    "0402": Text("未对数值列声明 order 规则。", "no rule `order` over numbers is declared"),
    "0501": Text("未声明 period 规则。", "no rule `period` is declared"),
    "0502": Text("未承诺更新周期，或未满一个周期。", "no update cycle is promised, or the first is not over"),
    "0503": Text("未对时间列声明 order 规则。", "no rule `order` over times is declared"),
}
_NOTHING = Text("系统内没有可据以统计的内容。", "nothing here says what to count")


def why_not(indicator: Indicator) -> Text:
    """Why an indicator that is missing from a score could not be counted."""
    return _NEEDED.get(indicator.code, _NOTHING)


@dataclass(frozen=True, slots=True)
class Count:
    """A of B elements for an indicator. Several counts of one indicator add up. ValueError unless 0 <= A <= B."""

    indicator: str
    a: int
    b: int
    how: Text

    def __post_init__(self) -> None:
        if self.indicator not in INDICATORS or not 0 <= self.a <= self.b:
            raise ValueError(f"{self.indicator}: {self.a} of {self.b}")

    def to_json(self) -> dict[str, Any]:
        return {"indicator": self.indicator, "a": self.a, "b": self.b, "zh": self.how.zh, "en": self.how.en}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Count:
        return cls(value["indicator"], value["a"], value["b"], Text(value["zh"], value["en"]))


@dataclass(frozen=True, slots=True)
class Measured:
    """An indicator with its A, its B and how they were counted; B is at least 1."""

    indicator: Indicator
    a: int
    b: int
    how: tuple[Text, ...]

    @property
    def x(self) -> Fraction:
        return Fraction(self.a, self.b)

    @property
    def share(self) -> Fraction:
        """What it contributes: X, or 1 - X where less is better."""
        return 1 - self.x if self.indicator.inverse else self.x


@dataclass(frozen=True, slots=True)
class Score:
    """`total` and each dimension from 0 to 1; None when nothing could be counted."""

    measured: tuple[Measured, ...]
    missing: tuple[Indicator, ...]
    dimensions: Mapping[Dimension, Fraction]
    weights: Mapping[str, int]
    total: Fraction | None


def score(counts: Iterable[Count], weights: Mapping[str, int] = WEIGHTS) -> Score:
    """Add the counts up by indicator and weigh the dimensions. A count of nothing (B = 0) counts as none."""
    found: dict[str, list[Count]] = {}
    for each in counts:
        if each.b:
            found.setdefault(each.indicator, []).append(each)
    measured = tuple(
        Measured(indicator, sum(c.a for c in mine), sum(c.b for c in mine), tuple(c.how for c in mine))
        for code, indicator in INDICATORS.items()
        if (mine := found.get(code))
    )
    dimensions: dict[Dimension, Fraction] = {}
    for dimension in Dimension:
        shares = [each.share for each in measured if each.indicator.dimension is dimension]
        if shares:
            dimensions[dimension] = sum(shares, Fraction(0)) / len(shares)
    weight = sum(weights[dimension] for dimension in dimensions)
    total = sum((weights[d] * share for d, share in dimensions.items()), Fraction(0)) / weight if weight else None
    missing = tuple(indicator for code, indicator in INDICATORS.items() if code not in found)
    return Score(measured, missing, dimensions, dict(weights), total)


def percent(share: Fraction) -> str:
    """As a percentage with one decimal, ties to even; 100.0 only when nothing is missing, 0.0 only when all is."""
    tenths = round(share * 1000)
    if tenths == 1000 and share < 1:
        tenths = 999
    if tenths == 0 and share > 0:
        tenths = 1
    return f"{tenths // 10}.{tenths % 10}"
