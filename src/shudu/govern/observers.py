"""What govern sees of every new table while it is written: its key, and which of its columns need care."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from shudu.lake.queries import count_blank, count_distinct, count_rows
from shudu.lake.types import Column, Observation

from . import hints
from .detectors import SAMPLE, detect
from .levels import suggest


class KeyObserver:
    """Counts rows, distinct keys and rows without a key: `{"column", "rows", "distinct", "empty"}`."""

    def __init__(self, columns: tuple[Column, ...], key: str | None) -> None:
        self._key = next((column for column in columns if column.name == key), None)

    @property
    def aggregates(self) -> Mapping[str, str]:
        if self._key is None:
            return {"rows": count_rows()}
        return {"rows": count_rows(), "distinct": count_distinct(self._key.name), "empty": count_blank(self._key)}

    @property
    def reads(self) -> frozenset[str]:
        return frozenset()

    def observe(self, batch: Any) -> None:
        """Nothing: the counts say all."""

    def result(self, aggregates: Mapping[str, Any]) -> Observation:
        return Observation({"column": self._key.name if self._key else None, **aggregates})


class LevelObserver:
    """Collects up to `SAMPLE` distinct values of each column that could hold personal data, and suggests a level.

    Result: `{"level", "reasons": [{"zh", "en"}], "columns": {name: finding}}`. The values are forgotten with it.
    """

    def __init__(self, columns: tuple[Column, ...], key: str | None) -> None:
        self._columns = columns
        self._seen: dict[str, set[str]] = {column.name: set() for column in columns if _may_tell(column)}

    @property
    def aggregates(self) -> Mapping[str, str]:
        return {}

    @property
    def reads(self) -> frozenset[str]:
        return frozenset(name for name, seen in self._seen.items() if len(seen) < SAMPLE)

    def observe(self, batch: Any) -> None:
        for name in self.reads:
            seen = self._seen[name]
            for value in pc.unique(batch.column(name)).to_pylist():
                if value is not None and len(seen) < SAMPLE:
                    seen.add(str(value))

    def result(self, aggregates: Mapping[str, Any]) -> Observation:
        found = {column.name: detect(column.name, self._seen.get(column.name, ())) for column in self._columns}
        findings = {name: finding for name, finding in found.items() if finding is not None}
        value = suggest(findings).to_json()
        value["columns"] = {name: finding.to_json() for name, finding in findings.items()}
        return Observation(value, {name: finding.sensitivity for name, finding in findings.items()})


def _may_tell(column: Column) -> bool:
    """Long identifiers stay text; of the columns typed as numbers only mobile numbers could tell anything."""
    return column.type == "VARCHAR" or (column.type == "BIGINT" and hints.MOBILE.fits(column.name))
