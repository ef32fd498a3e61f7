"""Which columns need care, judged by their names and by samples of their distinct values. Columns, never cells.

A number with a check digit speaks for itself; a shape that other numbers share needs a name that hints at it; health
and finance are known by the column's name alone. At least 80 % of the distinct values seen must match. What is reported
are counts and how sure we are, never a value.

By chance random digits of the right length match a citizen id's date and check digit in 0.01 %, Luhn with prefix 62 in
0.1 %, the shape of a mobile number in 7 %: the last is why it needs a hint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from shudu.lake.types import Sensitivity

from . import hints
from .checksums import is_bank_card, is_citizen_id

SAMPLE = 10_000
SHARE = 0.8


class Kind(StrEnum):
    """What a column holds."""

    ADDRESS = "address"
    BANK_CARD = "bank_card"
    CITIZEN_ID = "citizen_id"
    FINANCE = "finance"
    HEALTH = "health"
    MOBILE = "mobile"
    PERSON_NAME = "person_name"


class Confidence(StrEnum):
    """High: a check digit. Medium: shape and name agree. Low: the name alone."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a column seems to hold; `matched` of `examined` distinct values fit (both 0 when the name alone speaks)."""

    kind: Kind
    sensitivity: Sensitivity
    confidence: Confidence
    matched: int = 0
    examined: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Detector:
    """`fits` judges one value; without it the hint alone decides. Without a hint the values alone decide."""

    kind: Kind
    sensitivity: Sensitivity
    confidence: Confidence
    fits: Callable[[str], bool] | None = None
    hint: hints.Hint | None = None


_MOBILE = re.compile(r"(?:\+?86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}")
# The commonest surnames, of one character and of two.
_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜"
    "崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文施洪辛"
    "柯庄温牛樊葛邢安齐伍庞颜倪严聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柴纪梅童凌毕单裴霍涂成苗谷盛曲翁冉"
    "骆蓝路游靳辛欧管柴鲍华屈瞿解房褚喻车卫游褟隋卞戚简饶宫郎冷蒲滕辜卓仇巫查闵窦应傅萧阎"
)
_COMPOUND = (
    "欧阳",
    "上官",
    "司马",
    "诸葛",
    "司徒",
    "东方",
    "皇甫",
    "尉迟",
    "公孙",
    "慕容",
    "令狐",
    "夏侯",
    "端木",
    "长孙",
)
_HAN_NAME = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]{2,4}")
_LATIN_NAME = re.compile(r"[A-Z][a-z'’-]+(?: [A-Z]\.)?(?: [A-Z][a-z'’-]+){1,3}")
_ADDRESS = re.compile(r"[省市区县旗州镇乡村街路巷弄道号栋幢室组]|[0-9]+.*[A-Za-z]{3}")


def is_mobile(text: str) -> bool:
    """The shape of a mainland mobile number, with or without +86 and separators."""
    return _MOBILE.fullmatch(text) is not None


def is_person_name(text: str) -> bool:
    """Two to four Han characters that begin with a surname, a name with a middle dot, or `Given Family` in Latin."""
    if "·" in text:
        return all(part and not part.isdigit() for part in text.split("·"))
    if _HAN_NAME.fullmatch(text):
        return text[0] in _SURNAMES or text.startswith(_COMPOUND)
    return _LATIN_NAME.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """Long enough for an address, and with a division, a road or a house number in it."""
    return len(text) >= 5 and _ADDRESS.search(text) is not None


# In this order: the first that fits names the column.
DETECTORS = (
    Detector(Kind.CITIZEN_ID, Sensitivity.DIRECT_IDENTIFIER, Confidence.HIGH, is_citizen_id),
    Detector(Kind.BANK_CARD, Sensitivity.SENSITIVE, Confidence.HIGH, is_bank_card),
    Detector(Kind.MOBILE, Sensitivity.DIRECT_IDENTIFIER, Confidence.MEDIUM, is_mobile, hints.MOBILE),
    Detector(Kind.PERSON_NAME, Sensitivity.PERSONAL, Confidence.MEDIUM, is_person_name, hints.NAME),
    Detector(Kind.ADDRESS, Sensitivity.PERSONAL, Confidence.MEDIUM, is_address, hints.ADDRESS),
    Detector(Kind.HEALTH, Sensitivity.SENSITIVE, Confidence.LOW, None, hints.HEALTH),
    Detector(Kind.FINANCE, Sensitivity.SENSITIVE, Confidence.LOW, None, hints.FINANCE),
)


def detect(name: str, values: Collection[str]) -> Finding | None:
    """What a column of this name with these distinct values (up to `SAMPLE`) seems to hold; None for nothing."""
    seen = [text for value in values if (text := value.strip())]
    for detector in DETECTORS:
        if detector.hint is not None and not detector.hint.fits(name):
            continue
        if detector.fits is None:
            return Finding(detector.kind, detector.sensitivity, detector.confidence)
        matched = sum(map(detector.fits, seen))
        if seen and matched >= SHARE * len(seen):
            return Finding(detector.kind, detector.sensitivity, detector.confidence, matched, len(seen))
    return None
