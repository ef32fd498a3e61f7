"""What detectors say of columns whose content is known, and that they never say it of random digits."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric
from stdnum.luhn import calc_check_digit

from shudu.govern.checksums import is_bank_card, is_citizen_id
from shudu.govern.detectors import Confidence, Finding, Kind, detect, is_address, is_mobile, is_person_name
from shudu.lake.types import Sensitivity

DICE = random.Random(11643)


def citizen_id(area: str = "510104") -> str:
    """A synthetic number; its check digit comes from another implementation of the standard."""
    born = date(1930, 1, 1) + timedelta(days=DICE.randrange(33_000))
    start = f"{area}{born:%Y%m%d}{DICE.randrange(1000):03d}"
    return start + ric.calc_check_digit(start + "0")


def bank_card() -> str:
    start = f"62{DICE.randrange(10**14):014d}"
    return start + calc_check_digit(start)


def mobile() -> str:
    return f"1{DICE.choice('3456789')}{DICE.randrange(10**9):09d}"


def many(make: object, count: int = 200) -> list[str]:
    return [make() for _ in range(count)]  # type: ignore[operator]


@pytest.mark.parametrize("number", ["11010519491231002X", "11010519491231002x", "510104199003071237"])
def test_the_standards_own_numbers(number: str) -> None:
    assert is_citizen_id(number)


def test_districts_long_gone_stay_valid() -> None:
    # 510102 and 510111 ended in 1990, 510104 began then: people were born on either side of it.
    assert all(is_citizen_id(citizen_id(area)) for area in ("510102", "510103", "510111", "510104"))


@given(st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(position: int, change: int) -> None:
    for good, fits in ((citizen_id(), is_citizen_id), (bank_card(), is_bank_card)):
        digit = (int(good[position]) + change) % 10
        assert not fits(good[:position] + str(digit) + good[position + 1 :])


@given(st.text(max_size=20) | st.from_regex(r"\d{15,19}[Xx]?", fullmatch=True))
def test_no_text_makes_a_detector_fail(text: str) -> None:
    for fits in (is_citizen_id, is_bank_card, is_mobile, is_person_name, is_address):
        assert fits(text) in (True, False)


def test_how_often_chance_alone_fits() -> None:
    trials = 300_000
    digits = [f"{DICE.randrange(10**18):018d}" for _ in range(trials)]
    assert sum(map(is_citizen_id, digits)) / trials < 0.0003
    assert sum(map(is_bank_card, digits)) / trials < 0.002
    assert sum(is_mobile(number[:11]) for number in digits) / trials > 0.05


DIRECT, SENSITIVE, PERSONAL = Sensitivity.DIRECT_IDENTIFIER, Sensitivity.SENSITIVE, Sensitivity.PERSONAL
NAMES = ["张伟", "王秀英", "𠮷田", "欧阳修", "李强", "刘洋洋", "陈晨", "买买提·艾力"] * 10
ADDRESSES = ["成都市锦江区红星路二段159号", "武侯区人民南路四段12号3栋", "12 Market Street, Dublin"]
FOUND = [
    ("证件号", many(citizen_id), Kind.CITIZEN_ID, DIRECT, Confidence.HIGH),
    ("x1", many(citizen_id), Kind.CITIZEN_ID, DIRECT, Confidence.HIGH),
    ("卡号", many(bank_card), Kind.BANK_CARD, SENSITIVE, Confidence.HIGH),
    ("手机号", many(mobile), Kind.MOBILE, DIRECT, Confidence.MEDIUM),
    ("PhoneNumber", [f"+86 {number}" for number in many(mobile)], Kind.MOBILE, DIRECT, Confidence.MEDIUM),
    ("contact_tel", many(mobile), Kind.MOBILE, DIRECT, Confidence.MEDIUM),
    ("姓名", NAMES, Kind.PERSON_NAME, PERSONAL, Confidence.MEDIUM),
    ("customerName", ["Ada Lovelace", "Alan M. Turing"], Kind.PERSON_NAME, PERSONAL, Confidence.MEDIUM),
    ("家庭住址", ADDRESSES, Kind.ADDRESS, PERSONAL, Confidence.MEDIUM),
    ("home_address", ADDRESSES, Kind.ADDRESS, PERSONAL, Confidence.MEDIUM),
    ("出院诊断", ["感冒"], Kind.HEALTH, SENSITIVE, Confidence.LOW),
    ("bloodPressure", [], Kind.HEALTH, SENSITIVE, Confidence.LOW),
    ("年收入", ["1"], Kind.FINANCE, SENSITIVE, Confidence.LOW),
    ("credit_score", [], Kind.FINANCE, SENSITIVE, Confidence.LOW),
]


@pytest.mark.parametrize(
    ("name", "values", "kind", "sensitivity", "confidence"), FOUND, ids=[each[0] for each in FOUND]
)
def test_found(name: str, values: list[str], kind: Kind, sensitivity: Sensitivity, confidence: Confidence) -> None:
    finding = detect(name, values)
    assert finding is not None
    assert (finding.kind, finding.sensitivity, finding.confidence) == (kind, sensitivity, confidence)
    assert finding.examined == (0 if confidence is Confidence.LOW else len(values))
    assert finding.matched >= 0.8 * finding.examined


NOT_FOUND = [
    ("订单号", many(mobile)),
    ("microphone", many(mobile)),
    ("name", ["Widget", "gadget 3"]),
    ("product_name", ["Blue Jeans", "Green Tea"]),
    ("企业名称", ["张伟", "王秀英"]),
    ("IP地址", ["10.0.0.1"]),
    ("email_address", ["a@example.cn"]),
    ("shipping", ADDRESSES),
    ("姓名", ["甲", "乙", "1", "2"]),
    ("流水号", [f"{DICE.randrange(10**18):018d}" for _ in range(500)]),
    ("balance_sheet", []),
    ("MonthlyCharges", ["29.85"]),
    ("Contract", ["Month-to-month", "Two year"]),
    ("empty", []),
    ("blank", ["", " "]),
]


@pytest.mark.parametrize(("name", "values"), NOT_FOUND, ids=[each[0] for each in NOT_FOUND])
def test_not_found(name: str, values: list[str]) -> None:
    assert detect(name, values) is None


@pytest.mark.parametrize(("good", "found"), [(79, False), (80, True), (100, True)])
def test_four_in_five_must_match(good: int, found: bool) -> None:
    values = [*many(citizen_id, good), *(f"x{number}" for number in range(100 - good)), "", "  "]
    expected = Finding(Kind.CITIZEN_ID, DIRECT, Confidence.HIGH, good, 100) if found else None
    assert detect("a", values) == expected
