"""门诊 and 社保: the registers about people. Coughs come in winter, the old come oftener, work is insured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .chance import Chance, Floats, Ints
from .dirt import blank, district_columns, replaced
from .districts import at_home, leaning
from .enterprises import FIRMS, enterprises
from .identifiers import citizen_ids, unified_code
from .words import people
from .year import DAYS, days

_WINTER = (150, 120, 100, 85, 75, 65, 62, 62, 78, 95, 120, 160)
_SUMMER = (75, 78, 85, 95, 108, 125, 140, 138, 112, 95, 82, 76)
_EVEN = (96, 90, 104, 103, 102, 100, 99, 98, 102, 98, 104, 104)


@dataclass(frozen=True, slots=True)
class _Department:
    """How many come, in which months, how old, how readily again within thirty days, and with what (ICD-10)."""

    share: int
    months: tuple[int, ...]
    age: int
    spread: int
    again: float
    illnesses: tuple[tuple[str, str], ...]


_DEPARTMENTS = {
    "呼吸内科": _Department(20, _WINTER, 48, 20, 0.22, (("J06.9", "急性上呼吸道感染"), ("J44.9", "慢性阻塞性肺病"))),
    "心血管内科": _Department(14, _WINTER, 62, 12, 0.38, (("I10", "原发性高血压"), ("I25.1", "冠状动脉粥样硬化"))),
    "内分泌科": _Department(11, _EVEN, 57, 13, 0.41, (("E11.9", "2型糖尿病"), ("E04.9", "甲状腺结节"))),
    "儿科": _Department(16, _WINTER, 6, 3, 0.25, (("J06.9", "急性上呼吸道感染"), ("A08.4", "病毒性肠炎"))),
    "骨科": _Department(12, _EVEN, 51, 18, 0.24, (("M54.5", "腰痛"), ("M17.9", "膝关节病"))),
    "消化内科": _Department(12, _SUMMER, 46, 16, 0.19, (("K29.7", "胃炎"), ("K21.9", "胃食管反流"))),
    "皮肤科": _Department(9, _SUMMER, 33, 16, 0.15, (("L30.9", "皮炎"), ("L50.9", "荨麻疹"))),
    "眼科": _Department(6, _EVEN, 40, 22, 0.12, (("H52.1", "近视"), ("H10.9", "结膜炎"))),
}
_HOSPITALS = {"centre": {"三级": 1.4}, "near": {}, "far": {"三级": 0.5, "基层": 1.7}}
_WORK = {"centre": {"机关事业": 1.4}, "near": {"企业职工": 1.2}, "far": {"灵活就业": 2.0}}
_DEARER = {"三级": 1.3, "二级": 1.0, "基层": 0.5}
_FEE = {0.0: 8, 0.3: 62, 0.6: 160, 0.85: 390, 0.97: 1_100, 1.0: 6_800}


def outpatient(chance: Chance, count: int) -> dict[str, list[Any]]:
    departments = chance.pick({name: each.share for name, each in _DEPARTMENTS.items()}, count)
    at: Ints = np.zeros(count, dtype=np.int64)
    age: Floats = np.zeros(count)
    for name, kind in _DEPARTMENTS.items():
        there = np.array([each == name for each in departments])
        at[there] = days(chance, int(there.sum()), free=0.55, months=kind.months)
        age[there] = chance.bell(kind.age, kind.spread, int(there.sum()))
    age = np.clip(age, 1, 97)
    births = (DAYS[at] - (age * 365.25).astype(np.int64)).astype("datetime64[D]")
    women, places = chance.happens(0.54, count), at_home(chance, count)
    hospital = leaning(chance, {"三级": 46, "二级": 33, "基层": 21}, _HOSPITALS, places)
    dearer = np.array([_DEARER[level] for level in hospital])
    fee = np.round(chance.along(_FEE, count) * dearer, 2)
    ill = [_ill(name, u) for name, u in zip(departments, chance.uniform(count), strict=True)]
    again = np.array([_DEPARTMENTS[name].again for name in departments])
    again = again + np.where(age > 65, 0.12, 0.0) - np.where(dearer < 1, 0.1, 0.0)
    share = np.round(np.minimum(1, chance.along({0.0: 0.0, 0.15: 0.3, 0.8: 0.75, 1.0: 0.95}, count)), 3)
    codes, names = district_columns(chance, places)
    sex = ["2" if woman else "1" for woman in women]
    return {
        "就诊流水号": [f"MZ2025{row:07d}" for row in range(1, count + 1)],
        "患者姓名": people(chance, women),
        "身份证号": blank(citizen_ids(chance, births, women), chance.happens(0.02, count)),
        # GB/T 2261.1: 1 man, 2 woman, 9 not stated.
        "性别代码": replaced(sex, chance.happens(0.01, count), ["9"] * count),
        "年龄": replaced(age.astype(np.int64).tolist(), chance.happens(0.001, count), [199] * count),
        "区划代码": codes,
        "行政区": names,
        "医院等级": hospital,
        "科室": departments,
        "就诊日期": DAYS[at].astype(str).tolist(),
        "诊断编码": blank([code for code, _ in ill], chance.happens(0.015, count)),
        "诊断名称": blank([name for _, name in ill], chance.happens(0.015, count)),
        "费用总额元": blank(fee.tolist(), chance.happens(0.01, count)),
        "医保支付元": np.round(fee * share, 2).tolist(),
        "三十日内再来": ["是" if more else "否" for more in chance.happens(again, count)],
    }


def _ill(department: str, chance: float) -> tuple[str, str]:
    known = _DEPARTMENTS[department].illnesses
    return known[int(chance * len(known))]


def insurance(chance: Chance, count: int) -> dict[str, list[Any]]:
    women = chance.happens(0.47, count)
    age = np.clip(chance.bell(39, 10, count), 18, 63)
    births = (DAYS[364] - (age * 365.25).astype(np.int64)).astype("datetime64[D]")
    places = at_home(chance, count)
    kind = leaning(chance, {"企业职工": 71, "机关事业": 9, "灵活就业": 20}, _WORK, places)
    free = np.array([each == "灵活就业" for each in kind])
    months = np.minimum((age - 18) * 12, chance.along({0.0: 0, 0.3: 24, 0.6: 84, 0.9: 220, 1.0: 420}, count))
    base = np.clip(chance.along({0.0: 4_500, 0.4: 5_800, 0.7: 8_900, 0.93: 16_000, 1.0: 24_000}, count), 4_511, 22_554)
    broken = chance.happens(np.where(free, 0.34, 0.11) + np.where(months < 24, 0.12, 0.0), count)
    codes, names = district_columns(chance, places)
    # The same codes as in 企业登记, so that the two tables can be joined; organs of state stand in no such register.
    firms = chance.any_of(enterprises(chance.of("enterprises"), FIRMS)["统一社会信用代码"], count)
    organs = [unified_code("510100", f"MB000{number}", "11") for number in chance.whole(100, 399, count)]
    employer = replaced(firms, np.array([each == "机关事业" for each in kind]), organs)
    return {
        "个人编号": [f"SB{number + 10_000_000:08d}" for number in chance.shuffled(count).tolist()],
        "姓名": people(chance, women),
        "身份证号": citizen_ids(chance, births, women),
        "出生年份": births.astype("datetime64[Y]").astype(str).astype(np.int64).tolist(),
        "区划代码": codes,
        "行政区": names,
        "参保类型": replaced(kind, chance.happens(0.008, count), [f"{each}参保" for each in kind]),
        "缴费单位代码": blank(employer, free | chance.happens(0.01, count)),
        "月缴费工资元": blank(np.round(base).astype(np.int64).tolist(), chance.happens(0.012, count)),
        "累计缴费月数": months.astype(np.int64).tolist(),
        "参保日期": (DAYS[364] - (months * 30.4).astype(np.int64)).astype("datetime64[D]").astype(str).tolist(),
        "缴费状态": replaced(chance.pick({"正常": 97, "正常缴费": 3}, count), broken, ["中断"] * count),
    }
