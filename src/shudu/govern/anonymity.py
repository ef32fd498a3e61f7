"""What a table still tells about single people: k-anonymity, l-diversity, and the risks that follow (GB/T 37964-2019).

Records that agree in all quasi-identifiers form a class. k is the size of the smallest class (Sweeney 2002); l is the
smallest number of distinct sensitive values within a class (Machanavajjhala et al. 2007). The prosecutor's risk, of
somebody known to be in the table, is 1 / k at worst; the marketer's, of all records together, classes / records
(El Emam 2013). A missing value is a value like any other: it sets a record apart too.

The engine counts, over the very view that would leave; no value comes out, only counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from shudu.lake.types import IDENTIFYING, Column, Mask, Sensitivity, View, quoted
from shudu.policy.types import Invalid, Text

from . import hints

# Sizes below which a class is too small: for opening to everybody, and for use under conditions.
OPEN_K, CONTROLLED_K = 20, 5
MOST_QUASI = 8
Grouped = Callable[[View, Sequence[str], Mapping[str, str], Mapping[str, str]], Mapping[str, Any]]


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
    classes_below_controlled: int = 0

    @property
    def prosecutor(self) -> Fraction:
        return Fraction(1, self.k) if self.k else Fraction(0)

    @property
    def marketer(self) -> Fraction:
        return Fraction(self.classes, self.records) if self.records else Fraction(0)

    @property
    def suits(self) -> Literal["open", "controlled", "none"]:
        """The widest use this table may be put to: open, controlled, or none."""
        return "open" if self.k >= OPEN_K else "controlled" if self.k >= CONTROLLED_K else "none"


@dataclass(frozen=True, slots=True)
class Step:
    """Mask this column so, and k becomes this."""

    column: str
    mask: Mask
    k: int


def assess(grouped: Grouped, view: View, quasi: Sequence[str], sensitive: Sequence[str] = ()) -> Anonymity:
    """Judge a view by these quasi-identifiers; `sensitive` columns are those an attacker wants to learn.

    Without quasi-identifiers all records are one class. Raises Invalid `anonymity.columns`.
    """
    _check(view, quasi, sensitive)
    each = {"size": "count(*)"}
    for at, name in enumerate(sensitive):
        column = quoted(name)
        each[f"l{at}"] = f"count(DISTINCT {column}) + CAST(bool_or({column} IS NULL) AS INTEGER)"
    below = "coalesce(sum(CASE WHEN size < {0} THEN size ELSE 0 END), 0)"
    asked = {
        "records": "coalesce(sum(size), 0)",
        "classes": "count(*)",
        "k": "coalesce(min(size), 0)",
        "alone": below.format(2),
        "open": below.format(OPEN_K),
        "controlled": below.format(CONTROLLED_K),
        "small": f"count(*) FILTER (size < {CONTROLLED_K})",
        **{f"l{at}": f"coalesce(min(l{at}), 0)" for at in range(len(sensitive))},
    }
    found = {name: int(value) for name, value in grouped(view, quasi, each, asked).items()}
    return Anonymity(
        records=found["records"],
        classes=found["classes"],
        k=found["k"],
        diversity={name: found[f"l{at}"] for at, name in enumerate(sensitive)},
        records_alone=found["alone"],
        below_open=found["open"],
        below_controlled=found["controlled"],
        classes_below_controlled=found["small"],
    )


def towards(
    grouped: Grouped, view: View, quasi: Sequence[str], columns: Sequence[Column], k: int = CONTROLLED_K
) -> tuple[Step, ...]:
    """Masks that bring the smallest class to `k`, the one that helps most first; as many as it takes, or all there are.

    Greedy: the fewest masks are not promised. A date is tried by its year before it is hidden altogether; of many
    columns only the first few are tried at each step, for every try is a scan.
    """
    dates = {column.name for column in columns if column.type == "DATE" or column.type.startswith("TIMESTAMP")}
    steps: list[Step] = []
    while True:
        ways = [
            (name, mask)
            for name in quasi
            for mask in ((Mask.YEAR, Mask.WHOLE) if name in dates else (Mask.WHOLE,))
            if view.masks.get(name) not in (mask, Mask.WHOLE)
        ]
        if not ways:
            return tuple(steps)
        tried = [
            Step(name, mask, assess(grouped, replace(view, masks={**view.masks, name: mask}), quasi).k)
            for name, mask in ways[: 2 * MOST_QUASI]
        ]
        best = max(tried, key=lambda step: step.k)
        steps.append(best)
        view = replace(view, masks={**view.masks, best.column: best.mask})
        if best.k >= k:
            return tuple(steps)


def quasi_of(columns: Sequence[Column], view: View | None) -> tuple[str, ...]:
    """Columns by which somebody may know a person: what hints at one by its name, and what is left of personal data.

    Without a view: of the table as it is. The key is judged like any other: a serial number tells nothing, a citizen's
    tells everything.
    """
    shown = {column.name for column in columns} if view is None or view.columns is None else set(view.columns)
    masks = view.masks if view else {}
    found = [
        column.name
        for column in columns
        if column.name in shown
        and masks.get(column.name) is not Mask.WHOLE
        and column.sensitivity != Sensitivity.SENSITIVE
        and (column.sensitivity is not None or hints.QUASI.fits(column.name))
    ]
    return tuple(found)


def identifying_of(columns: Sequence[Column], view: View) -> frozenset[str]:
    """The columns that name a person, and are shown as they are: whatever else is counted by, these are."""
    return frozenset(
        column.name
        for column in columns
        if column.sensitivity in IDENTIFYING
        and (view.columns is None or column.name in view.columns)
        and column.name not in view.masks
    )


def sensitive_of(columns: Sequence[Column], view: View) -> tuple[str, ...]:
    """The columns an attacker would want to learn, as far as they are shown."""
    return tuple(
        column.name
        for column in columns
        if column.sensitivity == Sensitivity.SENSITIVE
        and (view.columns is None or column.name in view.columns)
        and view.masks.get(column.name) is not Mask.WHOLE
    )


def check_named(quasi: Sequence[str]) -> tuple[str, ...]:
    """The quasi-identifiers somebody named, at most `MOST_QUASI` and each once. Raises Invalid `anonymity.columns`."""
    twice = [name for name in quasi if list(quasi).count(name) > 1][:1]
    if twice or len(quasi) > MOST_QUASI:
        raise _wrong(twice)
    return tuple(quasi)


def _check(view: View, quasi: Sequence[str], sensitive: Sequence[str]) -> None:
    shown = None if view.columns is None else set(view.columns)
    wrong = sorted({*quasi, *sensitive} - shown) if shown is not None else []
    wrong += sorted(set(quasi) & set(sensitive))
    if wrong:
        raise _wrong(wrong)


def _wrong(columns: list[str]) -> Invalid:
    named = "、".join(columns), ", ".join(columns)
    return Invalid(
        "anonymity.columns",
        Text(
            f"自选的准标识符至多 {MOST_QUASI} 列，须为提供的列，且不同时是敏感列：{named[0]}。",
            f"At most {MOST_QUASI} quasi-identifiers are named, all shown and none of them sensitive too: {named[1]}.",
        ),
        Text("请改选列。", "Choose other columns."),
        {"columns": columns},
    )
