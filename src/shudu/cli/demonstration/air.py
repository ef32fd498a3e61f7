"""空气站: where the stations stand, and a year of their daily means. Dust and smoke in winter, ozone in summer.

The index is that of HJ 633-2012: a pollutant's own index is interpolated between its limits, the largest one counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .chance import Chance, Floats
from .dirt import blank, replaced
from .districts import DISTRICTS
from .year import DAYS, MONTH

STATIONS = 24
_INDEX = (0, 50, 100, 150, 200, 300, 400, 500)
# Limits of a day's mean (of ozone: of its highest eight hours), micrograms, of carbon monoxide milligrams.
_LIMITS = {
    "细颗粒物": (0, 35, 75, 115, 150, 250, 350, 500),
    "可吸入颗粒物": (0, 50, 150, 250, 350, 420, 500, 600),
    "二氧化硫": (0, 50, 150, 475, 800, 1_600, 2_100, 2_620),
    "二氧化氮": (0, 40, 80, 180, 280, 565, 750, 940),
    "一氧化碳": (0, 2, 4, 14, 24, 36, 48, 60),
    "臭氧": (0, 100, 160, 215, 265, 800, 1_000, 1_200),
}
# A usual level, and how each month departs from it.
_COLD = (1.75, 1.45, 1.2, 0.95, 0.85, 0.65, 0.6, 0.62, 0.7, 0.9, 1.25, 1.7)
_SUNNY = (0.45, 0.6, 0.85, 1.1, 1.35, 1.3, 1.4, 1.45, 1.05, 0.7, 0.5, 0.4)
_USUAL = {"细颗粒物": (38, _COLD), "可吸入颗粒物": (62, _COLD), "二氧化硫": (5, _COLD), "二氧化氮": (31, _COLD),
          "一氧化碳": (0.75, _COLD), "臭氧": (98, _SUNNY)}  # fmt: skip
_KINDS = {"城区": 12, "郊区": 7, "路边": 3, "背景": 2}


def stations(chance: Chance, count: int) -> dict[str, list[Any]]:
    """One for each district, and a second one for the largest."""
    largest = sorted(DISTRICTS, key=lambda each: -each.size)
    places = [*DISTRICTS, *largest][:count]
    kinds = [kind for kind, number in _KINDS.items() for _ in range(number)]
    ordered = [kinds[place % len(kinds)] for place in chance.shuffled(count)]
    return {
        "站点编号": [f"JG{number:03d}" for number in range(1, count + 1)],
        "站点名称": [f"{each.name}{'二' if row >= len(DISTRICTS) else ''}站" for row, each in enumerate(places)],
        "站点类型": ordered,
        "区划代码": [each.code for each in places],
        "行政区": [each.name for each in places],
        "海拔米": chance.whole(452, 780, count).tolist(),
        "启用日期": [f"{year}-{month:02d}-01" for year, month in zip(
            chance.whole(2009, 2023, count), chance.whole(1, 12, count), strict=True)],
    }  # fmt: skip


def readings(chance: Chance, count: int) -> dict[str, list[Any]]:
    """A row for each station and day, in the order of the days; `count` is 24 stations times the days."""
    days = count // STATIONS
    station, day = np.tile(np.arange(STATIONS), days), np.repeat(np.arange(days), STATIONS)
    count = len(day)
    where = stations(chance.of("stations"), STATIONS)
    # The weather is shared, so that the whole city is grey on the same days; a place is always a little better or
    # worse.
    weather = np.clip(chance.bell(1.0, 0.34, days), 0.25, 2.4)[day]
    level = chance.bell(1.0, 0.12, STATIONS)[station]
    measured: dict[str, Floats] = {}
    for name, (usual, months) in _USUAL.items():
        noise = np.clip(chance.bell(1.0, 0.13, count), 0.3, 2.0)
        value = usual * np.asarray(months)[MONTH[day]] * weather * level * noise
        measured[name] = np.round(value, 1 if name == "一氧化碳" else 0)
    own = np.stack([np.ceil(np.interp(measured[name], limits, _INDEX)) for name, limits in _LIMITS.items()])
    index, worst = own.max(axis=0).astype(np.int64), own.argmax(axis=0)
    silent, stuck = chance.happens(0.012, count), chance.happens(0.002, count)
    names = list(_LIMITS)
    columns: dict[str, list[Any]] = {
        "记录编号": [f"KQ{row:08d}" for row in range(1, count + 1)],
        "站点编号": [where["站点编号"][each] for each in station],
        # One station moved across a border in July and kept its old district's name.
        "行政区": [
            "成华区" if each == 2 and when < 181 else where["行政区"][each]
            for each, when in zip(station, day, strict=True)
        ],
        "区划代码": [where["区划代码"][each] for each in station],
        "监测日期": DAYS[day].astype(str).tolist(),
    }
    for name in names:
        columns[name] = blank(measured[name].tolist(), silent)
    # What a stuck instrument writes, as found in registers: -99.
    columns["细颗粒物"] = replaced(columns["细颗粒物"], stuck, [-99.0] * count)
    columns["空气质量指数"] = blank(index.tolist(), silent)
    columns["首要污染物"] = blank([names[each] for each in worst], silent | (index <= 50))
    columns["数据标识"] = ["缺测" if s else "存疑" if odd else "有效" for s, odd in zip(silent, stuck, strict=True)]
    return columns
