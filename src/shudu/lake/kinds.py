"""What types and spellings are called, in every sentence that names one."""

from __future__ import annotations

from shudu.policy.types import Text

TYPES = {
    "VARCHAR": Text("文本", "text"),
    "BIGINT": Text("整数", "whole number"),
    "DOUBLE": Text("小数", "number"),
    "DATE": Text("日期", "day"),
    "TIMESTAMP": Text("时刻", "moment"),
    "BOOLEAN": Text("真假", "truth"),
}
# With an example of how each is written, for whoever chooses among them.
SPELLED = {
    "VARCHAR": TYPES["VARCHAR"],
    "BIGINT": TYPES["BIGINT"],
    "DOUBLE": TYPES["DOUBLE"],
    "DATE": Text("日期（2024-03-05）", "day (2024-03-05)"),
    "TIMESTAMP": Text("时刻（2024-03-05 08:00:00）", "moment (2024-03-05 08:00:00)"),
    "BOOLEAN": Text("真假（true、false）", "truth (true, false)"),
    "yes-no": Text("是否（是、否）", "truth (yes or no, in Chinese)"),
    "capitals": Text("真假（TRUE、FALSE）", "truth (TRUE, FALSE)"),
    "grouped-integer": Text("整数，带千分位（1,234）", "whole number with commas (1,234)"),
    "grouped": Text("小数，带千分位（1,234.5）", "number with commas (1,234.5)"),
    "percent": Text("百分数（12.5%）", "percentage (12.5%)"),
    "yuan": Text("金额（¥1,234.50）", "amount (¥1,234.50)"),
    "scaled": Text("带万、亿的数（3.5万）", "number with wan or yi (ten thousands, hundred millions)"),
    "date": Text("日期，其他写法（2024年3月5日、2024/3/5）", "day, written otherwise (2024/3/5)"),
    "date-numerals": Text("日期，汉字数字（二〇二四年三月五日）", "day in Chinese numerals"),
    "moment": Text("时刻，其他写法（2024/3/5 8:00）", "moment, written otherwise (2024/3/5 8:00)"),
}


def called(kind: str | None) -> Text:
    """A type or a spelling as people say it; one that only some file's format has by its own name."""
    name = kind or "VARCHAR"
    return SPELLED.get(name) or Text(name, name)
