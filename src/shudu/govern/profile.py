"""What the columns of a new table look like: counts, range, quantiles, commonest values; nothing about anybody.

Counts, distinct values (exact where few, else by HyperLogLog, some 12 % off), ranges and commonest values are of all
rows; a column with more different values than the lake groups has no commonest ones, and a very wide table those of its
first `HEAD` rows.
Quantiles (t-digest, 21 of them, which is a histogram of equal frequencies) are of the first `HEAD` rows and every
`NTH` after. Columns found to be sensitive, and the key, show counts only; a value is named when `LEAST` rows have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from shudu.lake.types import Column, Observation, quoted

from .detectors import DETECTORS, detect
from .observers import Quiet

HEAD = 50_000
NTH = 31
MANY = 5_000  # different values in those rows that make the commonest meaningless
LEAST = 10
TOP = 10
WIDEST = 200  # columns beyond which a profile costs more than it tells
LONGEST = 64
QUANTILES = tuple(number / 20 for number in range(21))
_NUMBERS = ("BIGINT", "DOUBLE", "DECIMAL", "HUGEINT", "INTEGER", "FLOAT")
_MOMENTS = ("DATE", "TIMESTAMP")
_UNKEPT = ("TIMESTAMP WITH TIME ZONE", "HUGEINT", "BOOLEAN")  # of which no file's statistics tell the range


class ProfileObserver(Quiet):
    """Result: `{"columns": {name: {"nulls", "distinct", "min", "max", "quantiles", "top"}}, "rows", "sampled"}`."""

    def __init__(self, columns: tuple[Column, ...], key: str | None) -> None:
        self._columns = [column for column in columns[:WIDEST] if not column.type.startswith("BLOB")]
        self._key = key
        self._seen: dict[str, Counter[str]] = {column.name: Counter() for column in self._columns if _is_text(column)}
        self._whole: set[str] = set()
        self._rows = 0

    @property
    def aggregates(self) -> Mapping[str, str]:
        asked = {}
        for number, column in enumerate(self._columns):
            name = quoted(column.name)
            asked[f"count {number}"] = f"count({name})"
            if _is_text(column):
                asked[f"min {number}"], asked[f"max {number}"] = f"min(length({name}))", f"max(length({name}))"
            elif column.type in _UNKEPT:
                # The engine hands moments with a zone to Python by way of a library we do not have.
                name = f"timezone('UTC', {name})" if column.type == "TIMESTAMP WITH TIME ZONE" else name
                asked[f"min {number}"], asked[f"max {number}"] = f"min({name})", f"max({name})"
            if column.type.startswith(_NUMBERS):
                some = f"CASE WHEN file_row_number < {HEAD} OR file_row_number % {NTH} = 0 THEN {name}::DOUBLE END"
                asked[f"quantiles {number}"] = f"approx_quantile({some}, {list(QUANTILES)})"
        return asked

    @property
    def ranges(self) -> Mapping[str, str]:
        return {
            f"{end} {number}": f"{end}({quoted(column.name)})"
            for number, column in enumerate(self._columns)
            if _has_range(column) and column.type not in _UNKEPT
            for end in ("min", "max")
        }

    @property
    def distinct(self) -> Mapping[str, str]:
        return {f"distinct {number}": column.name for number, column in enumerate(self._columns)}

    @property
    def groups(self) -> frozenset[str]:
        return frozenset(self._seen)

    def grouped(self, name: str, rows: Mapping[Any, int]) -> None:
        self._whole.add(name)
        for value, count in rows.items():
            if value:
                self._seen[name][value[:LONGEST]] += count

    @property
    def reads(self) -> frozenset[str]:
        # A column of ever new values has no commonest one.
        open_ = (n for n, seen in self._seen.items() if n not in self._whole and len(seen) <= MANY)
        return frozenset(open_) if self._rows < HEAD else frozenset()

    def observe(self, batch: Any) -> None:
        import pyarrow.compute as pc  # takes longer to load than a small table to group, which needs none of it

        for name in self.reads:
            seen = self._seen[name]
            counts = pc.value_counts(batch.column(name))
            # One more than too many says enough.
            for each in counts.slice(0, MANY + 1).to_pylist():
                if each["values"]:
                    seen[each["values"][:LONGEST]] += each["counts"]
        self._rows += batch.num_rows

    def result(self, aggregates: Mapping[str, Any]) -> Observation:
        rows = aggregates["rows"]
        columns = {}
        for number, column in enumerate(self._columns):
            found: dict[str, Any] = {
                "nulls": rows - aggregates[f"count {number}"],
                "distinct": min(aggregates[f"distinct {number}"], aggregates[f"count {number}"]),
            }
            seen = self._seen.get(column.name, Counter())
            if column.name != self._key and not _points_at_people(column.name, seen):
                found |= self._shown(number, column, aggregates, seen)
            columns[column.name] = found
        return Observation({"rows": rows, "sampled": min(rows, HEAD), "columns": columns})

    def _shown(self, number: int, column: Column, known: Mapping[str, Any], seen: Counter[str]) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        if _is_text(column):
            shown["shortest"], shown["longest"] = known[f"min {number}"], known[f"max {number}"]
            common = [[value, count] for value, count in seen.most_common(TOP) if count >= LEAST]
            if (len(seen) <= MANY or column.name in self._whole) and common:
                shown["top"] = common
        elif _has_range(column):
            shown["min"], shown["max"] = _plain(known[f"min {number}"]), _plain(known[f"max {number}"])
        if quantiles := known.get(f"quantiles {number}"):
            shown["quantiles"] = quantiles
        return shown


def _points_at_people(name: str, seen: Counter[str]) -> bool:
    """Stricter than a finding: here a name that hints at a person is enough."""
    hinted = any(each.hint is not None and each.hint.fits(name) for each in DETECTORS)
    return hinted or detect(name, list(seen)) is not None


def _is_text(column: Column) -> bool:
    return column.type == "VARCHAR"


def _has_range(column: Column) -> bool:
    return column.type.startswith((*_NUMBERS, *_MOMENTS, "BOOLEAN"))


def _plain(value: Any) -> Any:
    """As JSON has it: dates as ISO 8601, decimals as text."""
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float) else str(value)
