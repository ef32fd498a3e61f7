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

from .anonymity import CONTROLLED_K, Anonymity, Grouped, Step, assess, check_named, quasi_of, sensitive_of, towards


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

    Were a choice of harmless columns enough, the gate would hold nobody.
    """
    named = check_named(quasi or ())
    suggested = quasi_of(data.columns, view, data.entity_key)
    left_out = tuple(name for name in suggested if name in not_quasi and name not in named)
    by = dict.fromkeys([*(name for name in suggested if name not in left_out), *named])
    return tuple(by), left_out


def _grouped(data: Offered) -> Grouped:
    version = catalog.version_row(data.version)
    tables = [file for file in catalog.files(version) if file.name.endswith(".parquet")]
    place, store = catalog.place(version), lake.store()

    def grouped(
        view: View, by: Sequence[str], each: Mapping[str, str], aggregates: Mapping[str, str]
    ) -> Mapping[str, Any]:
        return store.measure_groups(tables, place, view, by, each, aggregates)

    return grouped
