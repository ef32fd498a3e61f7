"""Masking presets: what stays of a value, as SQL over one column. What does not look as expected is masked whole.

The presets follow what Chinese practice shows of each kind of value (GB/T 37964-2019 calls it 屏蔽 and 泛化). A mask is
no anonymity: equal values stay equal under every preset, and what is left may still tell people apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shudu.policy.types import Text

from .coltypes import literal, quoted

WHOLE = "***"


class Mask(StrEnum):
    """Which preset a column is shown under. WHOLE is stricter than all others; no two of those can be compared."""

    NAME = "name"
    CITIZEN_ID = "citizen_id"
    MOBILE = "mobile"
    BANK_CARD = "bank_card"
    ADDRESS = "address"
    EMAIL = "email"
    PLATE = "plate"
    COORDINATE = "coordinate"
    YEAR = "year"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Preset:
    """`pattern` (RE2) is what a value must look like as a whole; `kept` is what becomes of it, `\\1` and so on.

    `example` is a made-up value, and `shows` what is left of it.
    """

    name: Text
    example: str
    shows: str
    pattern: str
    kept: str


# An address keeps the divisions it begins with, down to 街道, 镇 or 乡; one that begins with none keeps nothing. What
# looks like a division behind a road or a number may be the shop downstairs, so the name of one is of Han characters
# without those of roads, houses and shops. 小区, and 东区 or 二区 behind a longer name, are estates.
_SIGNS = "路街道巷弄号栋幢座楼室单层院园苑组队超饭餐馆旁侧附"
_NAME = rf"[^\P{{Han}}省市县区旗盟{_SIGNS}]"
_LAST = rf"[^\P{{Han}}省市县区旗盟{_SIGNS}小社校厂库片业宅属墅住活舍东西南北中一二三四五六七八九十]"
_PROVINCE = rf"{_NAME}{{2,6}}?(?:省|自治区|特别行政区)"
_CITY = rf"(?:内蒙古|新疆|黑龙江)?{_NAME}{{2,4}}?(?:市|地区|盟)|{_NAME}{{2}}州|{_NAME}{{2,10}}?自治州"
_DISTRICT = rf"{_NAME}{{1,3}}{_LAST}区|(?:{_NAME}?[东西南北中]|路[桥南北]|道[里外]|[鼓钟]楼)区"
_COUNTY = rf"{_NAME}{{1,12}}?(?:县|(?:开发|高新|族|新)区)|{_NAME}{{2,4}}?[市旗]"
_TOWN = rf"{_NAME}{{2,6}}?(?:街道|镇|乡)"
_DIVISIONS = rf"(?:{_PROVINCE})?(?:\s*(?:{_CITY}))?(?:\s*(?:{_DISTRICT}|{_COUNTY}))?(?:\s*{_TOWN})?"

PRESETS: Mapping[Mask, Preset] = {
    Mask.NAME: Preset(Text("姓名", "name"), "张三丰", "张*", r"\s*(\S)[\s\S]+", r"\1*"),
    Mask.CITIZEN_ID: Preset(
        Text("公民身份号码", "citizen id"), "51010419900101123X", "510104********123X",
        r"([0-9]{6})[0-9]{8}([0-9]{3}[0-9Xx])", r"\1********\2",
    ),
    Mask.MOBILE: Preset(
        Text("手机号码", "mobile number"), "13812345678", "138****5678",
        r"(?:\+?86[- ]?)?(1[3-9][0-9])[- ]?[0-9]{4}[- ]?([0-9]{4})", r"\1****\2",
    ),
    Mask.BANK_CARD: Preset(
        Text("银行卡号", "bank card"), "6222021234567891234", "622202******1234",
        r"([0-9]{6})[0-9]{6,9}([0-9]{4})", r"\1******\2",
    ),
    Mask.ADDRESS: Preset(
        Text("地址到街道", "address to the street"), "成都市武侯区桂溪街道天府大道中段666号", "成都市武侯区桂溪街道***",
        # 成都市 before 场 is a market, 新乡 before 路 a road, and 镇 before 江 a city.
        rf"\s*({_DIVISIONS})(?:[^路街巷弄场口江前花][\s\S]*)?", rf"\1{WHOLE}",
    ),
    Mask.EMAIL: Preset(
        Text("电子邮箱", "e-mail"), "alice@example.cn", "a***@", r"([^@\s])[^@\s]*@[^@\s]+", rf"\1{WHOLE}@"
    ),
    Mask.PLATE: Preset(
        Text("车牌", "number plate"), "川A12345", "川A**345", r"([\p{Han}][A-Z])[0-9A-Z]{2}([0-9A-Z]{3,4})", r"\1**\2"
    ),
    # 0.001 degrees of latitude are 111 m.
    Mask.COORDINATE: Preset(
        Text("坐标到百米", "coordinate to 100 m"), "104.0657312", "104.065", r"(-?[0-9]{1,3}\.[0-9]{3})[0-9]*", r"\1"
    ),
    Mask.YEAR: Preset(
        Text("日期到年", "date to the year"), "1990-01-01", "1990", r"([0-9]{4})-[0-9]{2}-[0-9]{2}(?:[ T][0-9:.]*)?",
        r"\1",
    ),
    Mask.WHOLE: Preset(Text("全部遮盖", "everything"), "任何内容", WHOLE, r"[\s\S]*", WHOLE),
}  # fmt: skip


def stricter(a: Mask | None, b: Mask | None) -> Mask | None:
    """The mask that hides what either hides; None hides nothing. Two different presets hide different parts: WHOLE."""
    if a is None or b is None or a is b:
        return a or b
    return Mask.WHOLE


def masked(column: str, preset: Mask) -> str:
    """SQL: the column under a preset, always text; NULL stays NULL."""
    rule, value = PRESETS[preset], f"CAST({quoted(column)} AS VARCHAR)"
    fits = f"regexp_full_match({value}, {literal(rule.pattern)})"
    kept = f"regexp_replace({value}, {literal(f'^(?:{rule.pattern})$')}, {literal(rule.kept)})"
    return f"CASE WHEN {value} IS NULL THEN NULL WHEN {fits} THEN {kept} ELSE '{WHOLE}' END"
