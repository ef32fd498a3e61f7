"""Masking presets: what stays of a value, as SQL over a column of text. What does not look as expected is masked whole.

The presets follow what Chinese practice shows of each kind of value (GB/T 37964-2019 calls it 屏蔽 and 泛化). A mask is
no anonymity: `anonymity` says what a masked table still tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shudu.lake.types import literal, quoted
from shudu.policy.types import Text

from .detectors import Kind

WHOLE = "***"


@dataclass(frozen=True, slots=True)
class Preset:
    """`pattern` (RE2) is what a value must look like as a whole; `kept` is what becomes of it, `\\1` and so on."""

    name: Text
    shows: str
    pattern: str
    kept: str


PRESETS: Mapping[str, Preset] = {
    "name": Preset(Text("姓名", "name"), "张*", r"\s*(\S)[\s\S]+", r"\1*"),
    "citizen_id": Preset(
        Text("公民身份号码", "citizen id"), "510104********123X", r"([0-9]{6})[0-9]{8}([0-9]{3}[0-9Xx])", r"\1********\2"
    ),
    "mobile": Preset(
        Text("手机号码", "mobile number"), "138****5678",
        r"(?:\+?86[- ]?)?(1[3-9][0-9])[- ]?[0-9]{4}[- ]?([0-9]{4})", r"\1****\2",
    ),
    "bank_card": Preset(
        Text("银行卡号", "bank card"), "622202******1234", r"([0-9]{6})[0-9]{6,9}([0-9]{4})", r"\1******\2"
    ),
    # To the street, 街道 or 镇 or 乡; an address without one keeps its district, and one without either nothing.
    "address": Preset(
        Text("地址", "address"), "成都市武侯区桂溪街道***",
        r"(.{0,30}?(?:街道|镇|乡)|.{0,20}?[市州](?:.{1,10}?[区县市旗])?|.{1,10}?[区县旗]).*", rf"\1{WHOLE}",
    ),
    "email": Preset(Text("电子邮箱", "e-mail"), "a***@", r"([^@\s])[^@\s]*@[^@\s]+", rf"\1{WHOLE}@"),
    "plate": Preset(
        Text("车牌", "number plate"), "川A**123", r"([\p{Han}][A-Z])[0-9A-Z]{2}([0-9A-Z]{3,4})", r"\1**\2"
    ),
    # 0.001 degrees of latitude are 111 m.
    "coordinate": Preset(
        Text("坐标", "coordinate"), "104.06* (100 m)", r"(-?[0-9]{1,3}\.[0-9]{3})[0-9]*", r"\1"
    ),
    "whole": Preset(Text("全部", "everything"), WHOLE, r"[\s\S]*", WHOLE),
}  # fmt: skip
# What a column of this kind is masked with when nobody says otherwise.
USUAL: Mapping[Kind, str] = {
    Kind.ADDRESS: "address",
    Kind.BANK_CARD: "bank_card",
    Kind.CITIZEN_ID: "citizen_id",
    Kind.FINANCE: "whole",
    Kind.HEALTH: "whole",
    Kind.MOBILE: "mobile",
    Kind.PERSON_NAME: "name",
}


def masked(column: str, preset: str) -> str:
    """SQL: the column under a preset, always text; NULL stays NULL. KeyError for a preset there is not."""
    rule, value = PRESETS[preset], f"CAST({quoted(column)} AS VARCHAR)"
    fits = f"regexp_full_match({value}, {literal(rule.pattern)})"
    kept = f"regexp_replace({value}, {literal(f'^(?:{rule.pattern})$')}, {literal(rule.kept)})"
    return f"CASE WHEN {value} IS NULL THEN NULL WHEN {fits} THEN {kept} ELSE '{WHOLE}' END"
