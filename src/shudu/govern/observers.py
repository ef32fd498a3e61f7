"""What govern sees of every new table while it is written: its key, and which of its columns need care."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from shudu.lake.types import Cells, Column, Observation
from shudu.policy.types import Text

from . import hints, quality_rules
from .detectors import SAMPLE, detect
from .levels import suggest
from .quality import Count
from .quality_sql import DIRTY_CELL

LONGEST = 200  # nothing that is looked for is longer, and essays are not worth the memory


class Quiet:
    """An observer that asks for nothing; others ask for what they need."""

    @property
    def aggregates(self) -> Mapping[str, str]:
        return {}

    @property
    def ranges(self) -> Mapping[str, str]:
        return {}

    @property
    def distinct(self) -> Mapping[str, str]:
        return {}

    @property
    def cells(self) -> Mapping[str, Cells]:
        return {}

    @property
    def groups(self) -> frozenset[str]:
        return frozenset()

    @property
    def reads(self) -> frozenset[str]:
        return frozenset()

    def grouped(self, name: str, rows: Mapping[Any, int]) -> None:
        """Not asked for."""

    def observe(self, batch: Any) -> None:
        """Not asked for."""


class KeyObserver(Quiet):
    """Keeps the counts of the key: `{"column", "rows", "distinct", "empty"}`; without a key only the rows.

    It asks for nothing: the lake has counted already, for it takes no table whose key is none.
    """

    def __init__(self, columns: tuple[Column, ...], key: str | None) -> None:
        self._key = key

    def result(self, aggregates: Mapping[str, Any]) -> Observation:
        return Observation({"column": self._key, **aggregates})


class LevelObserver(Quiet):
    """Collects up to `SAMPLE` distinct values of each column that could hold personal data, and suggests a level.

    Result: `{"level", "reasons": [{"zh", "en"}], "columns": {name: finding}}`. The values are forgotten with it.
    """

    def __init__(self, columns: tuple[Column, ...], key: str | None) -> None:
        self._columns = columns
        self._seen: dict[str, set[str]] = {column.name: set() for column in columns if _may_tell(column)}
        self._whole: set[str] = set()

    @property
    def groups(self) -> frozenset[str]:
        return frozenset(self._seen)

    def grouped(self, name: str, rows: Mapping[Any, int]) -> None:
        self._whole.add(name)
        self._seen[name] = {str(value)[:LONGEST] for value in islice(rows, SAMPLE)}

    @property
    def reads(self) -> frozenset[str]:
        return frozenset(n for n, seen in self._seen.items() if n not in self._whole and len(seen) < SAMPLE)

    def observe(self, batch: Any) -> None:
        import pyarrow.compute as pc  # takes longer to load than a small table to group, which needs none of it

        for name in self.reads:
            seen = self._seen[name]
            for value in pc.unique(batch.column(name)).slice(0, SAMPLE + 1).to_pylist():
                if value is not None and len(seen) < SAMPLE:
                    seen.add(str(value)[:LONGEST])

    def result(self, aggregates: Mapping[str, Any]) -> Observation:
        found = {column.name: detect(column.name, self._seen.get(column.name, ())) for column in self._columns}
        findings = {name: finding for name, finding in found.items() if finding is not None}
        value = suggest(findings).to_json()
        value["columns"] = {name: finding.to_json() for name, finding in findings.items()}
        return Observation(value, {name: finding.sensitivity for name, finding in findings.items()})


class QualityObserver(Quiet):
    """Counts what a table's schema alone holds it to: `{"counts": [A and B by indicator]}` (GB/T 36344, `quality`)."""

    def __init__(self, columns: tuple[Column, ...], key: str | None) -> None:
        # Not the key: the lake has counted it already, and counting distinct values twice would double the cost.
        self._asked = quality_rules.from_schema(columns, None)
        self._key = key
        self._texts = tuple(column.name for column in columns if column.type == "VARCHAR")

    @property
    def aggregates(self) -> Mapping[str, str]:
        return {what: sql for what, sql in quality_rules.aggregates(self._asked).items() if what not in self.cells}

    @property
    def cells(self) -> Mapping[str, Cells]:
        """Dirty cells are the dear ones to find."""
        dirty = {f"a{place}" for place, each in enumerate(self._asked) if each.indicator == "0305"}
        return {what: Cells(self._texts, DIRTY_CELL) for what in dirty}

    def result(self, aggregates: Mapping[str, Any]) -> Observation:
        counts = quality_rules.counted(self._asked, aggregates)
        if self._key:
            how = Text(f"主键列“{self._key}”", f"key column “{self._key}”")
            counts.append(Count("0304", aggregates["distinct"], aggregates["rows"], how))
        return Observation({"counts": [each.to_json() for each in counts]})


def _may_tell(column: Column) -> bool:
    """Long identifiers stay text; of the columns typed as numbers only mobile numbers could tell anything."""
    return column.type == "VARCHAR" or (column.type == "BIGINT" and hints.MOBILE.fits(column.name))
