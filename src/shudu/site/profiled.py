"""A table's columns at a glance: how many values, how they are spread, which are commonest; as the profile has them.

What is shown was counted when the version was written; what points at people was never kept (`govern.profile`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shudu.catalog.queries import Version
from shudu.govern import queries
from shudu.policy.types import Actor

MOST = 60  # columns
BINS = 20
WIDE, HIGH = 120.0, 36.0  # of a histogram's own units


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    y: str
    width: str
    height: str
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What is shown of one column; `bars` are a histogram of numbers, or the commonest values and the rest."""

    name: str
    type: str
    unit: str
    nulls: int
    distinct: int
    bars: tuple[Bar, ...]
    ends: tuple[str, str]
    middle: str
    top: tuple[tuple[str, int], ...]


def profiled(actor: Actor, version: Version | None) -> dict[str, Any] | None:
    """For the part `profile.html`; None where there is nothing that this actor may see."""
    found = queries.profile(actor, version) if version else None
    if found is None or version is None:
        return None
    units = {column["name"]: column["unit"] for column in version.recipe.get("columns", ())}
    known = [column for column in version.columns if column["name"] in found["columns"]]
    columns = [
        _seen(column, units.get(column["name"], ""), found["columns"][column["name"]], found["rows"])
        for column in known[:MOST]
    ]
    return {"rows": found["rows"], "columns": columns, "more": len(version.columns) - len(columns)}


def _seen(column: dict[str, Any], unit: str, told: dict[str, Any], rows: int) -> Seen:
    quantiles, top = told.get("quantiles"), told.get("top") or ()
    bars: tuple[Bar, ...] = ()
    if quantiles and quantiles[-1] > quantiles[0]:
        bars = _bars(spread(quantiles, BINS))
    elif top:
        rest = max(rows - told["nulls"] - sum(count for _, count in top), 0)
        bars = _bars([count for _, count in top] + ([rest] if rest else []), rest=bool(rest))
    low, high = told.get("min"), told.get("max")
    return Seen(
        name=column["name"],
        type=column["type"],
        unit=unit,
        nulls=told["nulls"],
        distinct=told["distinct"],
        bars=bars,
        ends=("", "") if low is None or high is None else (end(low, column["type"]), end(high, column["type"])),
        middle=_said(quantiles[len(quantiles) // 2]) if quantiles else "",
        top=tuple((str(value), int(count)) for value, count in top[:3]),
    )


def spread(quantiles: Sequence[float], bins: int) -> list[float]:
    """Shares of all values in bins of equal width, from quantiles at equal steps; between two of them, evenly."""
    low, high = quantiles[0], quantiles[-1]
    edges = [low + (high - low) * number / bins for number in range(bins + 1)]
    below = [_share_below(quantiles, edge) for edge in edges[1:-1]]
    return [after - before for before, after in zip([0.0, *below], [*below, 1.0], strict=True)]


def _share_below(quantiles: Sequence[float], edge: float) -> float:
    at = bisect_right(quantiles, edge) - 1
    if at >= len(quantiles) - 1:
        return 1.0
    width = quantiles[at + 1] - quantiles[at]
    return (at + (edge - quantiles[at]) / width) / (len(quantiles) - 1)


def _bars(counts: Sequence[float], *, rest: bool = False) -> tuple[Bar, ...]:
    most, each = max([*counts, 1e-12]), WIDE / len(counts)
    made = []
    for number, count in enumerate(counts):
        height = max(HIGH * count / most, 1.0) if count else 0.0
        is_rest = rest and number == len(counts) - 1
        made.append(
            Bar(f"{number * each:.2f}", f"{HIGH - height:.2f}", f"{each * 0.9:.2f}", f"{height:.2f}", rest=is_rest)
        )
    return tuple(made)


def end(value: Any, type_: str) -> str:
    """The smallest or largest value; a moment as it is written everywhere else, not as ISO 8601 has it."""
    return _said(value).replace("T", " ") if type_.startswith("TIMESTAMP") else _said(value)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
