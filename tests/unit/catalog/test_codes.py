"""Assigned codes: the check digits notice what a hand gets wrong, and agree with an independent implementation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_97_10

from shudu.catalog.codes import TYPES, asset_code, is_valid

OWNER = "91510100MA0000103G"
codes = st.builds(asset_code, st.just(OWNER), st.sampled_from(sorted(TYPES)), st.integers(1, 999_999))


def plain(code: str) -> str:
    return code.replace("/", "")


def test_layout() -> None:
    code = asset_code(OWNER, "table", 7)
    assert code[:6] == OWNER[2:8]
    assert code[6:15] == OWNER[8:17]
    assert code[15:23] == "/D000007"
    assert len(code) == 25


@given(codes)
def test_agrees_with_an_independent_mod_97_10(code: str) -> None:
    assert is_valid(code)
    assert mod_97_10.is_valid(plain(code))


@given(codes, st.data())
def test_notices_one_wrong_sign(code: str, data: st.DataObject) -> None:
    position = data.draw(st.sampled_from([n for n, sign in enumerate(code) if sign != "/"]))
    kind = "0123456789" if code[position].isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    wrong = data.draw(st.sampled_from([sign for sign in kind if sign != code[position]]))
    assert not is_valid(code[:position] + wrong + code[position + 1 :])


@given(codes, st.data())
def test_notices_two_neighbours_swapped(code: str, data: st.DataObject) -> None:
    swaps = [n for n in range(len(code) - 1) if code[n].isdigit() and code[n + 1].isdigit() and code[n] != code[n + 1]]
    position = data.draw(st.sampled_from(swaps))
    assert not is_valid(code[:position] + code[position + 1] + code[position] + code[position + 2 :])


@pytest.mark.parametrize("number", [0, 1_000_000])
def test_sequence_has_one_to_six_digits(number: int) -> None:
    with pytest.raises(ValueError, match="six digits"):
        asset_code(OWNER, "table", number)
