"""企业登记: the register of firms. Small firms close oftener, inns and shops oftener than hospitals."""

from __future__ import annotations

from typing import Any

import numpy as np

from .chance import Chance
from .dirt import CITY, blank, district_columns, replaced
from .districts import DISTRICTS, at_work, leaning
from .identifiers import landlines, mobiles, unified_code
from .words import FIRM_FIRST, FIRM_SECOND, addresses, people

# GB/T 4754-2017 门类: its share of the register, how readily such a firm closes, and what it puts in its name.
_INDUSTRIES = {
    "A": (3.0, 0.8, "农业"),
    "C": (9.0, 0.9, "制造"),
    "E": (7.0, 1.1, "建筑工程"),
    "F": (33.0, 1.2, "商贸"),
    "G": (4.0, 1.0, "物流"),
    "H": (11.0, 1.9, "餐饮管理"),
    "I": (8.0, 1.3, "信息技术"),
    "J": (1.0, 0.6, "投资咨询"),
    "K": (3.0, 0.8, "置业"),
    "L": (10.0, 1.2, "商务服务"),
    "M": (5.0, 0.7, "检测技术"),
    "O": (3.0, 1.4, "家政服务"),
    "P": (1.0, 0.9, "教育咨询"),
    "Q": (1.0, 0.4, "健康管理"),
    "R": (1.0, 1.5, "文化传播"),
}
# Kind of firm → (share, registrar and class in its code, what its name ends in, how readily it closes).
_KINDS = {
    "有限责任公司": (52.0, "91", "有限公司", 1.0),
    "股份有限公司": (2.0, "91", "股份有限公司", 0.4),
    "个体工商户": (41.0, "92", "店", 1.5),
    "农民专业合作社": (3.0, "93", "专业合作社", 0.9),
    "合伙企业": (2.0, "91", "合伙企业", 1.1),
}
FIRMS = 8_000
_LEANINGS = {
    "centre": {"I": 1.8, "J": 2.5, "L": 1.6, "M": 1.4, "A": 0.1, "C": 0.3, "农民专业合作社": 0.05, "个体工商户": 0.7},
    "near": {"C": 1.9, "G": 1.6},
    "far": {"A": 4.0, "C": 1.5, "I": 0.3, "J": 0.2, "L": 0.5, "农民专业合作社": 3.0, "个体工商户": 1.4},
}
_CAPITAL = {0.0: 1, 0.2: 10, 0.45: 50, 0.65: 100, 0.85: 500, 0.95: 2_000, 0.99: 10_000, 1.0: 80_000}
_STAFF = {0.0: 1, 0.35: 2, 0.6: 5, 0.8: 14, 0.93: 60, 0.985: 300, 1.0: 4_000}
_FOUNDED = {0.0: "1993-03-01", 0.1: "2006-01-01", 0.35: "2015-01-01", 0.7: "2020-06-01", 1.0: "2025-12-31"}


def enterprises(chance: Chance, count: int) -> dict[str, list[Any]]:
    places = at_work(chance, count)
    kinds = leaning(chance, {name: each[0] for name, each in _KINDS.items()}, _LEANINGS, places)
    industries = leaning(chance, {code: each[0] for code, each in _INDUSTRIES.items()}, _LEANINGS, places)
    sole = np.array([kind == "个体工商户" for kind in kinds])
    capital = np.round(chance.along(_CAPITAL, count) * np.where(sole, 0.05, 1.0), 2)
    staff = np.maximum(1, chance.along(_STAFF, count) * np.where(sole, 0.2, 1.0)).astype(np.int64)
    founded = _founded(chance, count)
    risk = np.array([_KINDS[k][3] * _INDUSTRIES[i][1] for k, i in zip(kinds, industries, strict=True)])
    closed = chance.happens(np.minimum(0.85, 0.16 * risk * np.where(staff < 5, 1.4, 0.7)), count)
    open_ = chance.pick({"存续": 70, "在业": 27, "存续 ": 2, "正常": 1}, count)
    gone = chance.pick({"注销": 80, "吊销": 15, "迁出": 5}, count)
    codes, names = district_columns(chance, places)
    women = chance.happens(0.33, count)
    sequence = chance.shuffled(count)
    telephone = replaced(landlines(chance, count), chance.happens(0.62, count), mobiles(chance, count))
    return {
        "统一社会信用代码": [
            unified_code(DISTRICTS[place].code, f"MA0{number + 10_000:05d}", _KINDS[kind][1])
            for place, number, kind in zip(places, sequence, kinds, strict=True)
        ],
        "企业名称": _names(chance, kinds, industries, sequence.tolist()),
        "企业类型": kinds,
        "行业门类": blank(industries, chance.happens(0.012, count)),
        # A few firms typed yuan into a field of ten thousands.
        "注册资本万元": blank(
            replaced(capital.tolist(), chance.happens(0.003, count), (capital * 10_000).tolist()),
            chance.happens(0.02, count),
        ),
        "成立日期": blank(founded, chance.happens(0.004, count)),
        "区划代码": codes,
        "行政区": names,
        "法定代表人姓名": people(chance, women),
        "联系电话": blank(telephone, chance.happens(0.06, count)),
        "住所": addresses(chance, [DISTRICTS[place].name for place in places]),
        "从业人数": blank(staff.tolist(), chance.happens(0.05, count)),
        "登记状态": replaced(open_, closed, gone),
    }


def _founded(chance: Chance, count: int) -> list[str]:
    numbers = {share: float(np.datetime64(day, "D").astype(np.int64)) for share, day in _FOUNDED.items()}
    days = chance.along(numbers, count).astype(np.int64).astype("datetime64[D]")
    written: list[str] = days.astype(str).tolist()
    return written


def _names(chance: Chance, kinds: list[str], industries: list[str], sequence: list[int]) -> list[str]:
    """`锦官市` comes first in every name: there is no such city, so there is no such firm."""
    first = chance.any_of(FIRM_FIRST, len(kinds))
    second, third = chance.any_of(FIRM_SECOND, len(kinds)), chance.any_of(FIRM_SECOND, len(kinds))
    return [
        f"{CITY}{first[row]}{second[row]}{third[row]}{_INDUSTRIES[industries[row]][2]}{_KINDS[kind][2]}"
        + (f"（{sequence[row] % 89 + 2}店）" if kind == "个体工商户" and sequence[row] % 7 == 0 else "")
        for row, kind in enumerate(kinds)
    ]
