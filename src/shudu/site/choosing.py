"""What forms about tables offer to choose from, in the language of the page."""

from __future__ import annotations

from typing import Any

from shudu.catalog.types import LEVELS
from shudu.policy.types import Text

from . import words
from .language import is_chinese

_UNITS = (
    (10_080, Text("每周", "every week"), Text("每 {} 周", "every {} weeks")),
    (1_440, Text("每天", "every day"), Text("每 {} 天", "every {} days")),
    (60, Text("每小时", "every hour"), Text("每 {} 小时", "every {} hours")),
    (1, Text("每分钟", "every minute"), Text("每 {} 分钟", "every {} minutes")),
)


def said(text: Text) -> str:
    """A `Text` in the language of the page."""
    return text.zh if is_chinese() else text.en


def options(table: dict[str, Text]) -> list[tuple[str, str]]:
    """A table of `words` as options."""
    return [(code, said(text)) for code, text in table.items()]


def table_options() -> dict[str, Any]:
    """Levels and origins a table may be published with."""
    return {
        "levels": [(code, f"{code} {said(level.name)}") for code, level in LEVELS.items() if code != "L6"],
        "origins": options(words.ORIGINS),
    }


def interval(minutes: int) -> str:
    """How often: the largest unit that divides it; 0 is only when somebody asks."""
    if not minutes:
        return said(Text("只在有人要求时", "only when somebody asks"))
    unit, one, several = next(each for each in _UNITS if minutes % each[0] == 0)
    return said(one) if minutes == unit else said(several).format(minutes // unit)
