"""What an offer of rows would tell of single people: measured in the lake, over the very view that would leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from shudu.agreements.types import Exposure
from shudu.catalog import queries as catalog
from shudu.catalog.types import Offered
from shudu.lake import queries as lake
from shudu.lake.types import View
from shudu.policy.types import Invalid, Text

from .anonymity import (
    CONTROLLED_K,
    Anonymity,
    Grouped,
    Step,
    assess,
    check_named,
    identifying_of,
    quasi_of,
    sensitive_of,
    towards,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found by which columns, and the masks that would bring the smallest class to `least` (none: it is).

    `left_out`: suggested columns it was not counted by.
    """

    quasi: tuple[str, ...]
    left_out: tuple[str, ...]
    sensitive: tuple[str, ...]
    least: int
    found: Anonymity
    steps: tuple[Step, ...]


def report(
    data: Offered, view: View, quasi: Sequence[str] | None, not_quasi: AbstractSet[str], least: int = CONTROLLED_K
) -> Report:
    """The whole report; one scan, and where k is too small a few more for each column."""
    by, left_out = _counted(data, view, quasi, not_quasi)
    sensitive = tuple(name for name in sensitive_of(data.columns, view) if name not in by)
    grouped = _grouped(data)
    found = assess(grouped, view, by, sensitive)
    short = found.records and found.k < least
    steps = towards(grouped, view, by, data.columns, least) if short else ()
    return Report(by, left_out, sensitive, least, found, steps)


def exposure(data: Offered, view: View, quasi: Sequence[str] | None, not_quasi: AbstractSet[str]) -> Exposure:
    """The part of it that decides whether rows may be offered."""
    by, left_out = _counted(data, view, quasi, not_quasi)
    found = assess(_grouped(data), view, by)
    return Exposure(by, found.k, CONTROLLED_K, found.records, found.below_controlled, left_out)


def _counted(
    data: Offered, view: View, quasi: Sequence[str] | None, not_quasi: AbstractSet[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns to count by, and the suggested ones left out: those named come to the suggested, not in their place.

    Were a choice of harmless columns enough, the gate would hold nobody. Raises Invalid `anonymity.identifying` for one
    left out that names people and is shown as it is.
    """
    named = check_named(quasi or ())
    suggested = quasi_of(data.columns, view)
    if naming := sorted(identifying_of(data.columns, view) & not_quasi):
        raise _naming(naming)
    left_out = tuple(name for name in suggested if name in not_quasi and name not in named)
    by = dict.fromkeys([*(name for name in suggested if name not in left_out), *named])
    return tuple(by), left_out


def _naming(columns: Sequence[str]) -> Invalid:
    return Invalid(
        "anonymity.identifying",
        Text(
            f"这些列原样提供时直接认出个人，不能不计入：{'、'.join(columns)}。",
            f"Shown as they are, these columns name people, and cannot be left out: {', '.join(columns)}.",
        ),
        Text(
            "请遮盖或不提供这些列；仍要原样提供的，照实填写最小一类的记录数 k。",
            "Mask them or leave them out of the offer; or count by them, and say the smallest class back (k).",
        ),
        {"field": "not_quasi", "columns": list(columns)},
    )


def _grouped(data: Offered) -> Grouped:
    version = catalog.version_row(data.version)
    tables = [file for file in catalog.files(version) if file.name.endswith(".parquet")]
    place, store = catalog.place(version), lake.store()

    def grouped(
        view: View, by: Sequence[str], each: Mapping[str, str], aggregates: Mapping[str, str]
    ) -> Mapping[str, Any]:
        return store.measure_groups(tables, place, view, by, each, aggregates)

    return grouped
