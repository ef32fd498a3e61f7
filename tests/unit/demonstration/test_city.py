"""The invented city: the same every time, valid in its codes, dirty as registers are, shaped like a city."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stdnum.cn import ric

from shudu.cli.demonstration import city
from shudu.cli.demonstration.districts import DISTRICTS
from shudu.govern.checksums import is_citizen_id
from shudu.govern.detectors import is_mobile, is_person_name
from shudu.identity.codes import check_uscc, doubts

# GB/T 2260, list of 2024.
CHENGDU = """
510104 锦江区 510105 青羊区 510106 金牛区 510107 武侯区 510108 成华区 510112 龙泉驿区 510113 青白江区
510114 新都区 510115 温江区 510116 双流区 510117 郫都区 510118 新津区 510121 金堂县 510129 大邑县
510131 蒲江县 510181 都江堰市 510182 彭州市 510183 邛崃市 510184 崇州市 510185 简阳市
""".split()
TABLES = {name: city.table(name) for name in city.TABLES}
NAMES = pytest.mark.parametrize("name", TABLES)
# When each of these codes came into being; nobody born before bears it from birth.
SINCE = {"510116": "2015", "510117": "2016", "510118": "2020", "510185": "2016"}


def given(table: str, column: str) -> list[Any]:
    return [value for value in TABLES[table][column] if value is not None]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def generated(folder: Path, hash_seed: str) -> dict[str, str]:
    words = [sys.executable, "-m", "shudu.cli.demonstration.city", str(folder)]
    subprocess.run(words, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed})
    return digests(folder)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first = generated(tmp_path / "a", "1")
    assert len(first) == 7
    assert generated(tmp_path / "b", "2") == first
    city.generate(tmp_path / "c", city.SEED + 1)
    assert not set(digests(tmp_path / "c").values()) & set(first.values())


def test_the_districts_are_exactly_the_twenty() -> None:
    assert [word for each in DISTRICTS for word in (each.code, each.name)] == CHENGDU


@NAMES
def test_every_district_code_is_one_of_them_and_every_one_occurs(name: str) -> None:
    assert set(given(name, "区划代码")) == {each.code for each in DISTRICTS}


@NAMES
def test_a_table_is_large_enough_and_whole(name: str) -> None:
    sizes = {len(values) for values in TABLES[name].values()}
    assert len(sizes) == 1
    assert name == "stations" or 2_000 <= sizes.pop() <= 20_000
    assert all(re.search("[一-鿿]", column) for column in TABLES[name])


@pytest.mark.parametrize("table", ["outpatient", "insurance"])
def test_citizen_ids_are_valid_and_nobodys(table: str) -> None:
    numbers = [number for number in given(table, "身份证号") if number]
    assert len(numbers) > 0.85 * len(TABLES[table]["身份证号"])
    assert all(is_citizen_id(number) and ric.calc_check_digit(number) == number[17] for number in numbers)
    assert all(number[6:10] < SINCE[number[:6]] for number in numbers)


def test_a_citizen_id_agrees_with_sex_and_year_of_birth() -> None:
    table = TABLES["insurance"]
    assert all(int(i[6:10]) == year for i, year in zip(table["身份证号"], table["出生年份"], strict=True))
    visits = zip(TABLES["outpatient"]["身份证号"], TABLES["outpatient"]["性别代码"], strict=True)
    assert all(int(number[16]) % 2 == int(sex) % 2 for number, sex in visits if number and sex in "12")


def test_firms_have_valid_codes_each_its_own() -> None:
    codes = TABLES["enterprises"]["统一社会信用代码"]
    assert len(set(codes)) == len(codes)
    for code in codes:
        assert check_uscc(code) == code
        assert doubts(code) == ()
    assert {code[:2] for code in codes} == {"91", "92", "93"}
    employers = set(given("insurance", "缴费单位代码"))
    assert {code for code in employers if not code.startswith("11")} <= set(codes)
    assert all(check_uscc(code) for code in employers)


def test_telephones_and_plates_have_the_right_shape_and_belong_to_nobody() -> None:
    phones = given("enterprises", "联系电话")
    mobile = [number for number in phones if is_mobile(number)]
    assert 0.5 < len(mobile) / len(phones) < 0.75
    assert {number[:3] for number in mobile} == {"154"}
    assert all(re.fullmatch(r"028-0\d{7}", number) for number in phones if number not in set(mobile))
    # GA 36: five places after the city's letter, six for a new-energy car; neither I nor O.
    plates = given("parking", "车牌号")
    assert all(re.fullmatch(r"川N(D\d{5}|[A-HJ-NP-Z]\d{4})", plate) for plate in plates)


def test_names_are_names_and_rare_characters_occur() -> None:
    names = given("outpatient", "患者姓名")
    assert sum(map(is_person_name, names)) > 0.99 * len(names)
    assert any(ord(sign) > 0xFFFF for name in names for sign in name)


@NAMES
def test_registers_are_dirty_but_not_rotten(name: str) -> None:
    table = TABLES[name]
    lacking = sum(value is None for column in table.values() for value in column) / sum(map(len, table.values()))
    assert lacking < 0.08
    if name in ("stations", "readings"):
        return
    known = {each.name: each.code for each in DISTRICTS}
    pairs = list(zip(table["区划代码"], table["行政区"], strict=True))
    odd = sum(label is not None and label not in known for _, label in pairs) / len(pairs)
    wrong = sum(label in known and code is not None and known[label] != code for code, label in pairs) / len(pairs)
    assert lacking > 0
    assert 0.004 < odd < 0.02
    assert 0.004 < wrong < 0.02


def test_there_are_outliers() -> None:
    assert max(given("enterprises", "注册资本万元")) > 1_000_000
    assert {-60, 99_999} <= set(given("parking", "停放分钟"))
    assert min(given("readings", "细颗粒物")) == -99
    assert max(given("outpatient", "年龄")) == 199


def test_the_streets_have_rush_hours() -> None:
    at = Counter(given("bus", "刷卡时段"))
    assert min(at[8], at[17], at[18]) > 1.5 * at[12] > 20 * at[3]
    parked = Counter(given("parking", "入场时段"))
    assert parked[8] > 4 * parked[4]


def test_the_year_has_seasons() -> None:
    table = TABLES["outpatient"]
    coughs = Counter(day[5:7] for day, what in zip(table["就诊日期"], table["科室"], strict=True) if what == "呼吸内科")
    assert coughs["01"] + coughs["12"] > 1.6 * (coughs["06"] + coughs["07"])
    air = TABLES["readings"]
    month = np.array([int(day[5:7]) for day in air["监测日期"]])

    def mean(column: str, when: int) -> float:
        values = np.array([np.nan if value is None else value for value in air[column]], dtype=float)
        return float(np.nanmean(values[(month == when) & (values >= 0)]))

    assert mean("细颗粒物", 1) > 2 * mean("细颗粒物", 7)
    assert mean("臭氧", 7) > 2 * mean("臭氧", 1)


def test_districts_differ_in_size() -> None:
    firms = Counter(given("enterprises", "区划代码"))
    assert firms["510107"] > 10 * firms["510131"]
    assert firms["510131"] > 20


def test_the_air_quality_index_is_that_of_hj_633() -> None:
    air = TABLES["readings"]
    for row in range(0, 2_000, 7):
        fine, index, worst = (air[name][row] for name in ("细颗粒物", "空气质量指数", "首要污染物"))
        if worst == "细颗粒物" and 75 < fine <= 115 and air["数据标识"][row] == "有效":
            assert index == int(np.ceil(100 + (fine - 75) * 50 / 40))


def test_what_is_committed_is_what_was_looked_at(tmp_path: Path) -> None:
    """A change of the generator is seen here: look at the tables, then write the new digest down."""
    city.generate(tmp_path)
    whole = hashlib.sha256("".join(digests(tmp_path).values()).encode()).hexdigest()
    assert whole[:16] == "5b8b625631195458"
