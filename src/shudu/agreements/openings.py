"""Before rows are offered to whoever orders them: what they would still tell of single people is measured and said.

The measure is an upper room's, which registers it here; where it finds the smallest class too small, the drafter says
the number back, or changes what is offered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shudu.catalog.types import Offered
from shudu.lake.types import View
from shudu.policy.types import Decision, Text


@dataclass(frozen=True, slots=True)
class Exposure:
    """The smallest class by these quasi-identifiers, how small it may be, and how many of the records are in such.

    `left_out`: columns that were suggested as quasi-identifiers, and left out because the drafter named them.
    """

    quasi: tuple[str, ...]
    k: int
    least: int
    records: int
    at_risk: int
    left_out: tuple[str, ...] = ()

    @property
    def small(self) -> bool:
        return bool(self.records) and self.k < self.least

    def kept(self) -> dict[str, Any]:
        """What stays on the offer and on record: what was counted by, what was not, and what was acknowledged."""
        return {
            "quasi": list(self.quasi),
            "left_out": list(self.left_out),
            "k": self.k,
            "least": self.least,
            "acknowledged": self.small,
        }


Measure = Callable[[Offered, View, tuple[str, ...] | None, frozenset[str]], Exposure]
_measures: list[Measure] = []


def register_exposure(measure: Measure) -> None:
    """Let a room measure what is to be offered. Call it in `ready`."""
    _measures.append(measure)


def exposure(data: Offered, view: View, quasi: tuple[str, ...] | None, not_quasi: frozenset[str]) -> Exposure | None:
    """What was found, by the only room that measures; None where none does."""
    return _measures[0](data, view, quasi, not_quasi) if _measures else None


def opened(found: Exposure | None, acknowledged_k: int | None) -> Decision:
    """May it be offered? With the reason, and what would change it."""
    if found is None or not found.small:
        k = found.k if found else 0
        return Decision.allow("offer.anonymity", Text(f"最小等价类 {k}。", f"The smallest class is {k}."))
    if acknowledged_k == found.k:
        return Decision.allow(
            "offer.anonymity", Text(f"已确认最小等价类 {found.k}。", f"A smallest class of {found.k} is acknowledged.")
        )
    by = "、".join(found.quasi), ", ".join(found.quasi)
    return Decision.deny(
        "offer.anonymity",
        Text(
            f"按{by[0]}看，最小的一类只有 {found.k} 条记录（应不少于 {found.least}），"
            f"{found.records} 条中有 {found.at_risk} 条容易被重新识别。",
            f"By {by[1]} the smallest class has {found.k} record(s), fewer than {found.least}: {found.at_risk} of"
            f" {found.records} records are easily told apart.",
        ),
        Text(
            f"请遮盖或去掉其中的列，或照实填写最小一类的记录数 k：{found.k}。",
            f"Mask or leave out some of these columns, or say the smallest class back (k): {found.k}.",
        ),
    )
