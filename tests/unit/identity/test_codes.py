"""The codes' laws: published vectors, what the check character detects, agreement with an independent library."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import uscc as independent

from shudu.identity.codes import (
    ALPHABET,
    check_uscc,
    doubts,
    make_uscc,
    normalise,
    organisation_check_digit,
    uscc_check_digit,
)
from shudu.policy.types import Invalid

REAL = "91110000600037341L"
SYNTHETIC = "91510104123456788F"

serials = st.text(ALPHABET, min_size=8, max_size=8)
regions = st.text("0123456789", min_size=6, max_size=6)
codes = st.builds(make_uscc, regions, serials, st.text(ALPHABET, min_size=2, max_size=2))


def valid(code: str) -> bool:
    try:
        return check_uscc(code) == code
    except Invalid:
        return False


@pytest.mark.parametrize("code", [REAL, SYNTHETIC])
def test_published_vectors(code: str) -> None:
    assert check_uscc(code) == code
    assert doubts(code) == ()


def test_organisation_code_vectors() -> None:
    assert organisation_check_digit("60003734") == "1"
    assert organisation_check_digit("12345678") == "8"
    assert organisation_check_digit("00000004") == "3"  # 11 - 8
    assert organisation_check_digit("00000000") == "0"  # 11 becomes 0
    assert organisation_check_digit("00000006") == "X"  # 10 becomes X


@given(codes)
def test_made_codes_are_valid_and_beyond_doubt(code: str) -> None:
    assert valid(code)
    assert doubts(code) == ()


@given(codes, st.integers(0, 17), st.sampled_from(ALPHABET))
def test_every_single_substitution_is_detected(code: str, place: int, other: str) -> None:
    assume(code[place] != other)
    assert not valid(code[:place] + other + code[place + 1 :])


@given(codes, st.integers(0, 17), st.integers(0, 17))
def test_every_transposition_is_detected_but_of_first_and_last(code: str, one: int, other: int) -> None:
    # 3 has order 30 modulo 31, so the weights of places 1 to 17 differ; place 18 weighs 1, as place 1 does.
    assume(code[one] != code[other] and {one, other} != {0, 17})
    swapped = list(code)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    assert not valid("".join(swapped))


@given(st.text("0123456789", min_size=8, max_size=8), st.text(ALPHABET, min_size=10, max_size=10))
def test_agrees_with_an_independent_implementation(head: str, tail: str) -> None:
    code = head + tail
    assert valid(code) == independent.is_valid(code)
    assert uscc_check_digit(code[:17]) == independent.calc_check_digit(code[:17])


@given(regions, serials)
def test_agrees_on_valid_codes(region: str, serial: str) -> None:
    assert independent.is_valid(make_uscc(region, serial))


def test_full_width_lower_case_and_blanks_are_read() -> None:
    typed = " 915101 04１２３４５６７８８ｆ\u3000"
    assert normalise(typed) == SYNTHETIC
    assert check_uscc(typed) == SYNTHETIC


@pytest.mark.parametrize(
    ("code", "place", "said"),
    [
        ("91510104123456788", None, "has 17"),
        (SYNTHETIC + "0", None, "has 19"),
        ("9151O104123456788F", 5, "“0”"),
        ("91510104I23456788F", 9, "“1”"),
        ("9151A104123456788F", 5, "digit"),
        ("91510104123456788G", 18, "check character"),
        ("91510104·23456788F", 9, "“·”"),
    ],
)
def test_errors_name_the_place_and_the_remedy(code: str, place: int | None, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_uscc(code)
    assert caught.value.code == "identity.code"
    assert caught.value.where.get("place") == place
    assert said in caught.value.message.en
    assert caught.value.remedy
    assert place is None or f"第 {place} 位" in caught.value.message.zh


def test_a_wrong_organisation_check_is_a_doubt_and_no_refusal() -> None:
    first17 = "91510104123456780"
    code = first17 + uscc_check_digit(first17)
    assert valid(code)
    assert len(doubts(code)) == 1
