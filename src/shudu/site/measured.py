"""A result of release class B on its page: each metric in words, its bins apart."""

from __future__ import annotations

import csv
import io
from typing import Any

from shudu.agreements.types import METRICS
from shudu.catalog import queries as catalog
from shudu.lake import queries as lake
from shudu.policy.types import Text

COLUMNS = ["metric", "bin", "value"]
_COUNTS = {
    "entities": Text("主体数", "Entities"),
    "positives": Text("正例主体数", "Entities, yes"),
    "negatives": Text("负例主体数", "Entities, no"),
}
_BINS = ("calibration_entities", "calibration_mean_score", "calibration_positive_rate")


def is_measured(version: catalog.Version | None) -> bool:
    """Are these metrics, and not a table of groups?"""
    return version is not None and [column["name"] for column in version.columns] == COLUMNS


def measured(version: catalog.Version) -> dict[str, Any]:
    """`metrics`: (words, value) pairs; `bins`: rows of (bin counted from 1, and the three figures of the bin)."""
    file = next(one for one in catalog.files(version) if one.name == "product.csv")
    rows = list(csv.DictReader(io.StringIO(lake.store().read_file(file, catalog.place(version)).decode())))
    words = _COUNTS | {str(code): label for code, label in METRICS.labels.items()}
    bins: dict[int, dict[str, str]] = {}
    for row in rows:
        if row["bin"]:
            bins.setdefault(int(row["bin"]), {})[row["metric"]] = _said(row["value"])
    return {
        "metrics": [(words[row["metric"]], _said(row["value"])) for row in rows if not row["bin"]],
        "bins": [(one + 1, *(found.get(name, "") for name in _BINS)) for one, found in sorted(bins.items())],
    }


def _said(value: str) -> str:
    return value.removesuffix(".0")
