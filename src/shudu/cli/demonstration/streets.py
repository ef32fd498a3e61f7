"""停车 and 公交刷卡: what a city's streets do, by the hour. Offices fill at nine, hospitals earlier, malls at night."""

from __future__ import annotations

from typing import Any

import numpy as np

from .chance import Chance, Floats, Ints
from .dirt import blank, district_columns, replaced
from .districts import DISTRICTS, at_work, leaning
from .identifiers import plates
from .year import days, hours, moments, written

# Twenty-four weights, from midnight.
_OFFICE = (1, 1, 1, 1, 1, 2, 8, 30, 60, 45, 20, 15, 18, 22, 18, 14, 12, 14, 18, 14, 9, 6, 3, 2)
_LEISURE = (2, 1, 1, 1, 1, 1, 3, 6, 12, 22, 32, 40, 36, 34, 36, 36, 34, 38, 44, 40, 28, 16, 8, 4)
_RUSH = (0, 0, 0, 0, 0, 2, 16, 60, 85, 40, 20, 18, 20, 20, 18, 22, 36, 75, 80, 40, 22, 14, 8, 2)
_QUIET = (0, 0, 0, 0, 0, 1, 6, 16, 26, 36, 40, 36, 30, 32, 36, 38, 38, 36, 30, 24, 18, 12, 6, 1)
_EVEN = (90, 84, 98, 101, 103, 100, 99, 98, 104, 96, 103, 102)
_SCHOOL = (60, 55, 108, 110, 110, 104, 60, 58, 112, 96, 112, 110)
# Kind of car park → (share, middle minutes, chance of a stay of many hours).
_PARKS = {"路内": (30, 55, 0.06), "商业综合体": (28, 130, 0.08), "医院": (12, 150, 0.12),
          "写字楼": (18, 260, 0.35), "交通枢纽": (12, 190, 0.25)}  # fmt: skip
_LEANINGS = {
    "centre": {"写字楼": 1.9, "医院": 1.3},
    "near": {"交通枢纽": 1.5},
    "far": {"路内": 1.6, "写字楼": 0.3},
}
_CARDS = {"普通卡": 52, "学生卡": 15, "老年卡": 21, "乘车码": 12}
_FARE = {"普通卡": 1.8, "学生卡": 1.0, "老年卡": 0.0, "乘车码": 2.0}


def parking(chance: Chance, count: int) -> dict[str, list[Any]]:
    places, electric = at_work(chance, count), chance.happens(0.31, count)
    kinds = leaning(chance, {name: each[0] for name, each in _PARKS.items()}, _LEANINGS, places)
    entered = moments(chance, days(chance, count, free=0.85, months=_EVEN), _OFFICE, _LEISURE)
    minutes = _stays(chance, kinds, hours(entered))
    fee = np.round(np.minimum(60, np.ceil(np.maximum(0, minutes - 15) / 60) * 3) * np.where(electric, 0.5, 1), 2)
    left = written(entered + (minutes * 60).astype(np.int64))
    missing, mad = chance.happens(0.015, count), chance.happens(0.002, count)
    codes, names = district_columns(chance, places)
    paid = chance.pick({"微信": 52, "支付宝": 27, "ETC": 16, "现金": 3, "WeChat": 1, "其它": 1}, count)
    lots, wild = chance.whole(1, 40, count), chance.any_of([-60, 99_999], count)
    return {
        "记录编号": [f"P2025{number:07d}" for number in range(1, count + 1)],
        "车牌号": blank(plates(chance, count, electric), chance.happens(0.012, count)),
        "停车场编号": [f"{DISTRICTS[p].code}-{lot:03d}" for p, lot in zip(places, lots, strict=True)],
        "停车场类型": kinds,
        "区划代码": codes,
        "行政区": names,
        "入场时间": written(entered),
        "入场时段": hours(entered).tolist(),
        "出场时间": blank(left, missing),
        # A barrier that lost its clock: stays of minus an hour, and of ten weeks.
        "停放分钟": blank(replaced(minutes.astype(np.int64).tolist(), mad, wild), missing),
        "应收金额元": blank(fee.tolist(), missing),
        "支付方式": blank(paid, missing),
        "新能源": replaced(["是" if green else "否" for green in electric], chance.happens(0.01, count), ["Y"] * count),
    }


def _stays(chance: Chance, kinds: list[str], hour: Ints) -> Floats:
    """Minutes: most near the park's middle, some all day; who comes to an office before ten stays."""
    count = len(kinds)
    middle = np.array([_PARKS[kind][1] for kind in kinds], dtype=np.float64)
    long = np.array([_PARKS[kind][2] for kind in kinds]) + np.where((hour >= 7) & (hour <= 9), 0.12, 0.0)
    usual = middle * chance.along({0.0: 0.05, 0.25: 0.5, 0.5: 0.9, 0.75: 1.4, 0.95: 2.6, 1.0: 4.0}, count)
    all_day = chance.along({0.0: 300, 0.5: 540, 0.9: 720, 1.0: 2_900}, count)
    return np.floor(np.where(chance.happens(long, count), all_day, usual)) + 1


def bus(chance: Chance, count: int) -> dict[str, list[Any]]:
    places, kinds = at_work(chance, count), np.array(chance.pick(_CARDS, count))
    number = np.array(days(chance, count, free=0.72, months=_SCHOOL))
    at_rush, quietly = moments(chance, number, _RUSH, _QUIET), moments(chance, number, _QUIET, _QUIET)
    when = np.where(kinds == "老年卡", quietly, at_rush)
    lines, stops, coaches = chance.whole(1, 60, count), chance.whole(1, 28, count), chance.whole(1, 18, count)
    route = [f"{DISTRICTS[p].code[-2:]}{line:02d}路" for p, line in zip(places, lines, strict=True)]
    cards = chance.whole(1, 8_000, count)
    codes, names = district_columns(chance, places)
    fares = [_FARE[kind] for kind in kinds.tolist()]
    return {
        "流水号": [f"B2025{row:08d}" for row in range(1, count + 1)],
        "卡号": [f"KX{card * 7_919 % 99_991:05d}{card % 10}" for card in cards.tolist()],
        "卡种": replaced(kinds.tolist(), chance.happens(0.006, count), ["未知"] * count),
        "线路": replaced(route, chance.happens(0.008, count), [name.removesuffix("路") for name in route]),
        "上车站序": blank(stops.tolist(), chance.happens(0.02, count)),
        "车辆编号": [f"{name[:-1]}-{coach:02d}" for name, coach in zip(route, coaches, strict=True)],
        "刷卡时间": written(when),
        "刷卡时段": hours(when).tolist(),
        "区划代码": codes,
        "行政区": names,
        # Now and then a machine books a fare a hundred times too high: it took 分 for 元.
        "交易金额元": replaced(fares, chance.happens(0.002, count), [fare * 100 for fare in fares]),
        "换乘": ["是" if changes else "否" for changes in chance.happens(0.24, count)],
    }
