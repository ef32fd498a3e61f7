"""Which level a table's columns suggest, and why.

Scale L1 to L6 under GB/T 43697-2024. Its appendix on general data and GB/T 35273-2020 (annexes A and B) put sensitive
personal information at the fourth grade; 个人信息保护法 第二十八条 names health and financial accounts. A number that
identifies a person by itself (GB/T 37964-2019, 直接标识符) is held as carefully here, though that standard names no
level. A table takes the highest level of its columns. L1 is never suggested: to open data is a decision; nor are L5 and
L6, which depend on what the whole means to the country.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shudu.lake.types import Sensitivity
from shudu.policy.types import Text

from .detectors import Confidence, Finding, Kind

DEFAULT = "L2"
_LEVEL = {Sensitivity.DIRECT_IDENTIFIER: "L4", Sensitivity.SENSITIVE: "L4", Sensitivity.PERSONAL: "L3"}
_SENSITIVITY = {
    Sensitivity.DIRECT_IDENTIFIER: Text("直接标识符", "a direct identifier"),
    Sensitivity.SENSITIVE: Text("敏感个人信息", "sensitive personal information"),
    Sensitivity.PERSONAL: Text("一般个人信息", "personal information"),
}
_KIND = {
    Kind.ADDRESS: Text("地址", "addresses"),
    Kind.BANK_CARD: Text("银行卡号", "bank card numbers"),
    Kind.CITIZEN_ID: Text("公民身份号码", "citizen id numbers"),
    Kind.FINANCE: Text("个人财产信息", "personal finances"),
    Kind.HEALTH: Text("医疗健康信息", "health information"),
    Kind.MOBILE: Text("手机号码", "mobile numbers"),
    Kind.PERSON_NAME: Text("姓名", "names of persons"),
}
_CONFIDENCE = {
    Confidence.HIGH: Text("把握高", "high confidence"),
    Confidence.MEDIUM: Text("把握中", "medium confidence"),
    Confidence.LOW: Text("仅依列名，把握低", "by its name alone, low confidence"),
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A level and why, the weightiest reason first."""

    level: str
    reasons: tuple[Text, ...]

    def to_json(self) -> dict[str, Any]:
        return {"level": self.level, "reasons": [{"zh": reason.zh, "en": reason.en} for reason in self.reasons]}


def suggest(columns: Mapping[str, Finding]) -> Suggestion:
    """The level that the findings, by column name, call for."""
    if not columns:
        nothing = Text(
            "未发现个人信息列，建议默认级别。", "No column with personal information was found: the default."
        )
        return Suggestion(DEFAULT, (nothing,))
    found = sorted(columns.items(), key=lambda each: _LEVEL[each[1].sensitivity], reverse=True)
    return Suggestion(_LEVEL[found[0][1].sensitivity], tuple(_reason(name, finding) for name, finding in found))


def _reason(name: str, finding: Finding) -> Text:
    level = _LEVEL[finding.sensitivity]
    kind, sensitivity, confidence = (
        _KIND[finding.kind],
        _SENSITIVITY[finding.sensitivity],
        _CONFIDENCE[finding.confidence],
    )
    counts_zh = counts_en = ""
    if finding.examined:
        counts_zh = f"，{finding.examined:,} 个不同值中 {finding.matched:,} 个相符"
        counts_en = f", {finding.matched:,} of {finding.examined:,} distinct values match"
    return Text(
        f"“{name}”列看来是{kind.zh}（{confidence.zh}{counts_zh}），属{sensitivity.zh}：{level}。",
        f"The column “{name}” seems to hold {kind.en} ({confidence.en}{counts_en}), {sensitivity.en}: {level}.",
    )
