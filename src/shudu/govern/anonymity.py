"""What a table still tells about single people: k-anonymity, l-diversity, and the risks that follow (GB/T 37964-2019).

Records that agree in all quasi-identifiers form a class. k is the size of the smallest class (Sweeney 2002); l is the
smallest number of distinct sensitive values within a class (Machanavajjhala et al. 2007). The prosecutor's risk, of
somebody known to be in the table, is 1 / k at worst; the marketer's, of all records together, classes / records
(El Emam 2013). A missing value is a value like any other: it sets a record apart too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# Sizes below which a class is too small: for opening to everybody, and for use under conditions.
OPEN_K, CONTROLLED_K = 20, 5


@dataclass(frozen=True, slots=True)
class Anonymity:
    """`records_alone` are in a class of one; `below_open` and `below_controlled` in one smaller than the gate."""

    records: int
    classes: int
    k: int
    diversity: dict[str, int]
    records_alone: int
    below_open: int
    below_controlled: int

    @property
    def prosecutor(self) -> Fraction:
        return Fraction(1, self.k) if self.k else Fraction(0)

    @property
    def marketer(self) -> Fraction:
        return Fraction(self.classes, self.records) if self.records else Fraction(0)

    @property
    def suits(self) -> str:
        """The widest use this table may be put to: open, controlled, or none."""
        return "open" if self.k >= OPEN_K else "controlled" if self.k >= CONTROLLED_K else "none"


def assess(table: pa.Table, quasi: Sequence[str], sensitive: Sequence[str] = ()) -> Anonymity:
    """Judge a table by these quasi-identifiers; `sensitive` columns are those an attacker wants to learn.

    Without quasi-identifiers all records are one class. ValueError for a column that is both.
    """
    if both := set(quasi) & set(sensitive):
        raise ValueError(f"both quasi-identifier and sensitive: {sorted(both)}")
    rows = len(table)
    if not rows:
        return Anonymity(0, 0, 0, dict.fromkeys(sensitive, 0), 0, 0, 0)
    wanted: list[Any] = [
        ([], "count_all"),
        *((name, "count_distinct", pc.CountOptions(mode="all")) for name in sensitive),
    ]
    classes = table.select([*quasi, *sensitive]).group_by(list(quasi)).aggregate(wanted)
    sizes = classes.column("count_all")

    def below(limit: int) -> int:
        return pc.sum(pc.if_else(pc.less(sizes, limit), sizes, 0)).as_py() or 0

    return Anonymity(
        records=rows,
        classes=len(classes),
        k=pc.min(sizes).as_py(),
        diversity={name: pc.min(classes.column(f"{name}_count_distinct")).as_py() for name in sensitive},
        records_alone=below(2),
        below_open=below(OPEN_K),
        below_controlled=below(CONTROLLED_K),
    )
