"""What a table's page says of its quality: the score, and every indicator with its A and B or why it has none."""

from __future__ import annotations

from typing import Any

from shudu.catalog.queries import Asset
from shudu.govern import queries
from shudu.govern.types import percent, why_not


def judged(row: Asset) -> dict[str, Any] | None:
    """For the part `quality.html`; None for what has no version of a table."""
    found = queries.of(row)
    if found is None:
        return None
    score = found.score
    return {
        "found": found,
        "percent": percent(score.total) if score.total is not None else None,
        "rows": [(each, percent(each.x)) for each in score.measured],
        "missing": [(each, why_not(each)) for each in score.missing],
    }
