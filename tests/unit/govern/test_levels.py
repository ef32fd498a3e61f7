"""The level follows the weightiest column, and is told in both languages without a value."""

from __future__ import annotations

import pytest

from shudu.govern.detectors import DETECTORS, Confidence, Finding, Kind
from shudu.govern.levels import suggest
from shudu.lake.types import Sensitivity

LEVELS = {
    Kind.CITIZEN_ID: "L4",
    Kind.BANK_CARD: "L4",
    Kind.MOBILE: "L4",
    Kind.HEALTH: "L4",
    Kind.FINANCE: "L4",
    Kind.PERSON_NAME: "L3",
    Kind.ADDRESS: "L3",
}
FINDINGS = {each.kind: Finding(each.kind, each.sensitivity, each.confidence, 8, 9) for each in DETECTORS}


def test_nothing_found_is_the_default() -> None:
    suggestion = suggest({})
    assert suggestion.level == "L2"
    assert len(suggestion.reasons) == 1


@pytest.mark.parametrize("kind", Kind)
def test_each_kind(kind: Kind) -> None:
    suggestion = suggest({"某列": FINDINGS[kind]})
    [reason] = suggestion.reasons
    assert suggestion.level == LEVELS[kind]
    for text in (reason.zh, reason.en):
        assert "某列" in text
        assert LEVELS[kind] in text
        assert "8" in text
        assert "9" in text


def test_the_highest_decides_and_is_named_first() -> None:
    columns = {"name": FINDINGS[Kind.PERSON_NAME], "id": FINDINGS[Kind.CITIZEN_ID], "address": FINDINGS[Kind.ADDRESS]}
    suggestion = suggest(columns)
    assert suggestion.level == "L4"
    assert [column for reason in suggestion.reasons for column in columns if f"“{column}”" in reason.en] == [
        "id",
        "name",
        "address",
    ]


def test_a_name_alone_says_so_without_counts() -> None:
    [reason] = suggest({"诊断": Finding(Kind.HEALTH, Sensitivity.SENSITIVE, Confidence.LOW)}).reasons
    assert "仅依列名" in reason.zh
    assert "distinct" not in reason.en
