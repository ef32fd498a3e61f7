"""Units of measure as headers give them: behind a name, 金额（万元）, or in a row of their own below the names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from .spellings import NULLS

Cells = Sequence[str | None]

_UNIT = re.compile(r"[（(\[【]\s*(?:单位[:：]\s*)?([^（()）\[\]【】]{1,12})\s*[）)\]】]$")
_WORDS = re.compile(
    r"(?:[千万亿百十]*(?:元|美元|人|户|人次|个|件|次|家|辆|台|套|户次|吨|千克|公斤|克|斤|升|立方米|平方米|平方公里|公顷|亩"
    r"|公里|千米|米|厘米|毫米|度|千瓦时|兆瓦|千瓦|天|日|月|年|岁|小时|时|分|分钟|秒|毫秒|页|册|条|项|所|名|床|张|篇|倍)"
    r"|%|％|‰|℃|°C?|㎡|m²|m2|m³|km²|km|kg|g|t|m|cm|mm|h|s|ms|min|kWh|MW|kW|GB|MB|TB|CNY|RMB|USD|[μu]g/m[³3]"
    r"|mg/[Llm][³3]?|万?元/[^（）()]{1,6}|人/[^（）()]{1,8}|个/[^（）()]{1,6}|dB|hPa|Pa|mm/h|m/s)"
)
_LABELS = frozenset(("单位", "计量单位", "Unit", "Units"))
_NOTHING = frozenset(("-", "--", "—", "——", "/"))
_NUMBER = re.compile(r"¥?\s?-?(?:0|[1-9][0-9,]*)(?:\.[0-9]+)?(?:[eE][+-][0-9]+)?(?:%|[千万亿]|百万|千万)?")


def unit_in(name: str) -> str:
    """The unit a column's name ends with: 金额（万元） has 万元."""
    found = _UNIT.search(name)
    return found[1] if found and _WORDS.fullmatch(found[1].strip()) else ""


def units_of(cells: Cells) -> tuple[str, ...]:
    """The units a row gives, a cell each, "" where there is none; empty when anything else stands in the row.

    The first cell may say what the row is (单位).
    """
    units = []
    for at, cell in enumerate(cells):
        word = (cell or "").strip()
        if not word or word in _NOTHING or (at == 0 and word in _LABELS):
            units.append("")
        elif unit := unit_in(word if _UNIT.fullmatch(word) else f"（{word}）"):
            units.append(unit)
        else:
            return ()
    return tuple(units) if any(units) else ()


def measure(units: Sequence[str], rows: Iterable[Cells]) -> bool:
    """Do the rows below hold numbers, and nothing else, in the columns that have a unit?"""
    columns = [at for at, unit in enumerate(units) if unit]
    numbers = False
    for cells in rows:
        for at in columns:
            cell = (cells[at] or "").strip() if at < len(cells) else ""
            if not cell or cell in NULLS:
                continue
            if not _NUMBER.fullmatch(unicodedata.normalize("NFKC", cell)):
                return False
            numbers = True
    return numbers


def with_unit(name: str, unit: str) -> str:
    """A column's name with its unit behind it, once."""
    return name if not name or not unit or unit_in(name) == unit else f"{name}（{unit}）"
