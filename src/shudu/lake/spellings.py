"""How people write values that are no plain number, date or truth: 1,234.50 · 12.5% · 3.5万 · 2024年3月5日 ·
二〇二四年三月五日 · 是.

A column takes a spelling only when every value of it is written that way, so nothing is guessed cell by cell; which one
it took stands in the recipe and can be corrected. No digit is lost: numbers have up to 15 digits (every such decimal
survives IEEE 754 binary64), and 万 and 亿 are multiplied as decimals. A percentage keeps the number that was written,
with % as its unit. A code with a leading zero and an identifier of 18 digits fit none of these and stay text.

`NULLS` are spellings of nothing. They count as nothing only in a column whose other values are numbers, dates or
truths: a text column keeps them as they are, for 无 may be an answer and NA is Namibia.
"""

from __future__ import annotations

from dataclasses import dataclass

NULLS = (
    "NULL", "null", "Null", "N/A", "n/a", "NA", "#N/A", "NaN", "nan", "None", "none", "(null)", "\\N", "-", "--", "—",
    "——", "/", "无", "空", "未填", "暂无",
)  # fmt: skip

# Full-width digits and signs, as Chinese input methods write them, and the blanks that group digits in print
# (GB/T 15835, 千分空); and what they mean.
_WIDE, _NARROW = "０１２３４５６７８９．，－＋％：／（）　\u00a0\u2009\u202f", "0123456789.,-+%:/() ,,,"
# Translating is slow, and hardly any cell needs it. Programs that write columns of a width fill cells up with blanks.
_N = f"(CASE WHEN strlen($c) = length($c) THEN trim($c) ELSE translate(trim($c), '{_WIDE}', '{_NARROW}') END)"
_GROUPED = r"([1-9][0-9]{0,2}(,[0-9]{3})+|0|[1-9][0-9]*)"
_DIGITS = f"CASE WHEN length($c) <= 15 THEN true ELSE strlen(regexp_replace({_N}, '[^0-9]', '', 'g')) <= 15 END"
# A percentage that was computed has more digits, of which those count that binary64 keeps.
_SHARE = f"replace(rtrim({_N}, '%'), ',', '')"
_SIGNIFICANT = "trim(translate({0}, '-.', ''), '0')"
_KEPT = f"regexp_replace(CAST(TRY_CAST({_SHARE} AS DOUBLE) AS VARCHAR), 'e.*$', '')"
_SAME = f"CASE WHEN {_DIGITS} THEN true ELSE {_SIGNIFICANT.format(_SHARE)} = {_SIGNIFICANT.format(_KEPT)} END"
_DATE = r"([0-9]{4})(?:年|/|-|\.)([0-9]{1,2})(?:月|/|-|\.)([0-9]{1,2})日?"
_CLOCK = r"(?:[ T]*([0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?))?"
_ISO = rf"regexp_replace({_N}, '^{_DATE}$', '\1-\2-\3')"
_MOMENT = rf"rtrim(regexp_replace({_N}, '^{_DATE}{_CLOCK}$', '\1-\2-\3 \4'))"
# Years outside these are version numbers, or a calendar that is not ours; but 9999-12-31 is a day wherever it stands.
_YEAR = f"({_N}[1:2] IN ('18', '19', '20', '21') OR $c LIKE '____-__-__%')"
# 二〇二四年十月十五日: the tens become digits first, and then every numeral is one.
_HAN = "一二三四五六七八九"
_ZERO = "〇○◯零"
_NUMERAL_DATE = (
    f"[0-9０-９{_ZERO}{_HAN}]{{4}}年(?:[0-9０-９]{{1,2}}|[0０{_ZERO}]?[{_HAN}]|十[一二]?)月"
    f"(?:[0-9０-９]{{1,2}}|[0０{_ZERO}]?[{_HAN}]|[二三]?十[{_HAN}]?)日"
)
_TENS = f"regexp_replace(regexp_replace(trim($c), '([二三])十([{_HAN}])', '\\1\\2'), '([二三])十', '\\1〇')"
_DIGITS_ONLY = f"replace(regexp_replace({_TENS}, '十([{_HAN}])', '一\\1', 'g'), '十', '一〇')"
_UNNUMBERED = f"translate({_DIGITS_ONLY}, '{_ZERO}{_HAN}{_WIDE[:10]}', '00001234567890123456789')"
_NUMERAL_ISO = f"regexp_replace({_UNNUMBERED}, '^{_DATE}$', '\\1-\\2-\\3')"
_SCALES = {"千": 1_000, "万": 10_000, "百万": 1_000_000, "千万": 10_000_000, "亿": 100_000_000}
_NUMBER = f"regexp_replace({_N}, '[千百]?[万亿]$|[千,]', '', 'g')"
_SCALE = " ".join(
    f"WHEN ends_with({_N}, '{suffix}') THEN {factor}" for suffix, factor in sorted(_SCALES.items(), key=lambda s: -s[1])
)


@dataclass(frozen=True, slots=True)
class Spelling:
    """`fits` and `value` are SQL over the text `$c`; `fits` may be NULL, meaning no. `unit` is what values carry."""

    type: str
    fits: str
    value: str
    unit: str = ""


def _number(pattern: str, value: str, type_: str = "DOUBLE", unit: str = "") -> Spelling:
    return Spelling(type_, f"(regexp_full_match({_N}, '{pattern}') AND {_DIGITS})", value, unit)


# In this order: a column takes the first that fits.
SPELLINGS: dict[str, Spelling] = {
    "yes-no": Spelling("BOOLEAN", "$c IN ('是', '否')", "$c = '是'"),
    "capitals": Spelling("BOOLEAN", "$c IN ('TRUE', 'FALSE')", "$c = 'TRUE'"),
    "grouped-integer": _number(f"-?{_GROUPED}", f"CAST(replace({_N}, ',', '') AS BIGINT)", "BIGINT"),
    "grouped": _number(rf"-?{_GROUPED}(\.[0-9]+)?", f"CAST(replace({_N}, ',', '') AS DOUBLE)"),
    "percent": Spelling(
        "DOUBLE",
        f"CASE WHEN regexp_full_match({_N}, '-?{_GROUPED}(\\.[0-9]+)?%') THEN {_SAME} ELSE false END",
        f"CAST({_SHARE} AS DOUBLE)",
        "%",
    ),
    "yuan": _number(
        rf"[¥￥]\s?-?{_GROUPED}(\.[0-9]+)?",
        f"CAST(regexp_replace({_N}, '[¥￥, ]', '', 'g') AS DOUBLE)",
        unit="元",
    ),
    "scaled": _number(
        rf"-?{_GROUPED}(\.[0-9]{{1,8}})?(千|万|百万|千万|亿)?",
        f"CAST(CAST({_NUMBER} AS DECIMAL(28, 8)) * CAST(CASE {_SCALE} ELSE 1 END AS DECIMAL(10, 0)) AS DOUBLE)",
    ),
    "date": Spelling(
        "DATE",
        f"(regexp_full_match({_N}, '{_DATE}') AND {_YEAR} AND TRY_CAST({_ISO} AS DATE) IS NOT NULL)",
        f"CAST({_ISO} AS DATE)",
    ),
    "date-numerals": Spelling(
        "DATE",
        f"CASE WHEN contains($c, '年') THEN regexp_full_match(trim($c), '{_NUMERAL_DATE}')"
        f" AND {_UNNUMBERED}[1:2] IN ('18', '19', '20', '21') AND TRY_CAST({_NUMERAL_ISO} AS DATE) IS NOT NULL"
        " ELSE false END",
        f"CAST({_NUMERAL_ISO} AS DATE)",
    ),
    "moment": Spelling(
        "TIMESTAMP",
        f"(regexp_full_match({_N}, '{_DATE}{_CLOCK}') AND {_YEAR} AND TRY_CAST({_MOMENT} AS TIMESTAMP) IS NOT NULL)",
        f"CAST({_MOMENT} AS TIMESTAMP)",
    ),
}
