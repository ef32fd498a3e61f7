"""The small files the kernel's tests publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCORECARD: dict[str, Any] = {
    "format": "shudu-scorecard/1",
    "name": "流失评分卡",
    "base": 500,
    "inputs": [
        {
            "column": "tenure",
            "kind": "number",
            "bins": [{"from": None, "to": 12, "points": 40}, {"from": 12, "to": None, "points": 0}],
            "missing": 0,
        }
    ],
    "output": {"name": "score", "min": 0, "max": 1000},
    "card": {"task": "流失", "trained_on": "合成", "intended_use": "测试", "limits": "无", "contact": "x@example.org"},
}


def customers(folder: Path, rows: int) -> Path:
    """A table with a key, an input of the scorecard and two regions; with fewer than ten rows nothing is released."""
    file = folder / f"customers-{rows}.csv"
    lines = [f"C{number:04d},{number % 70},{'东' if number % 2 else '西'}区" for number in range(rows)]
    file.write_text("\n".join(["customer_no,tenure,region", *lines]) + "\n", encoding="utf-8")
    return file


def customers_with_a_lone_one(folder: Path) -> Path:
    """The scorecard gives its points to one of sixty: what is released of it must wait for a person."""
    file = folder / "lone.csv"
    lines = [f"C{number:04d},{5 if number == 30 else 40},{'东' if number % 2 else '西'}区" for number in range(60)]
    file.write_text("\n".join(["customer_no,tenure,region", *lines]) + "\n", encoding="utf-8")
    return file


def scorecard(folder: Path) -> Path:
    """A model that reads `tenure`."""
    file = folder / "scorecard.json"
    file.write_text(json.dumps(SCORECARD, ensure_ascii=False), encoding="utf-8")
    return file
