"""The models of the demonstration: five fitted, one written by hand.

The five that score the invented city are fitted on another city of the same kind (the same generator, another seed), as
a modeller would who has never seen the table the model is sold for.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .city import SEED, table
from .fit_scorecard import Recipe, Row, fit

_TRAINED = "Synthetic rows of the same generator as the table, from another seed."
_LIMITS = "Synthetic: shows how the exchange works and says nothing about a real city; never for a single person."


def _card(task: str, use: str, trained: str = _TRAINED, limits: str = _LIMITS) -> dict[str, str]:
    return {"task": task, "trained_on": trained, "intended_use": use, "limits": limits}


# File name → how it is fitted. The table it is trained on bears the name in `_TRAINING`.
RECIPES: dict[str, Recipe] = {
    "churn": Recipe(
        "客户留存评分卡",
        {"tenure": (6, 12, 24, 48), "monthly_charges": (35, 60, 80, 95)},
        ("contract", "internet_service", "payment_method", "tech_support"),
        lambda row: bool(row["churn"] == "No"),
        _card(
            "Likelihood that a telecom customer stays; 20 points double the odds.",
            "Comparing groups of customers, released as averages of at least ten.",
            "3,522 real customers (modeldata wa_churn, one half of the rows).",
            "One company, one month; not for decisions about a single person.",
        ),
    ),
    "survival": Recipe(
        "企业存续评分卡",
        {"注册资本万元": (10, 50, 200, 1_000), "从业人数": (3, 5, 20, 100)},
        ("企业类型", "行业门类"),
        lambda row: str(row["登记状态"]).strip() in ("存续", "在业", "正常"),
        _card("Likelihood that a registered firm is still in business.", "Comparing industries and districts."),
    ),
    "turnover": Recipe(
        "停车周转评分卡",
        {"入场时段": (6, 10, 14, 18, 21)},
        ("停车场类型", "新能源"),
        lambda row: int(row["停放分钟"] or 0) < 240,
        _card("Likelihood that a parked car leaves within four hours.", "Comparing car parks by kind and district."),
    ),
    "return_visit": Recipe(
        "门诊复诊评分卡",
        {"年龄": (7, 18, 40, 65, 80), "费用总额元": (60, 160, 400)},
        ("科室", "医院等级"),
        lambda row: bool(row["三十日内再来"] == "是"),
        _card("Likelihood that an outpatient comes again within thirty days.", "Planning of departments by district."),
    ),
    "continuity": Recipe(
        "参保连续评分卡",
        {"累计缴费月数": (24, 60, 120, 240), "出生年份": (1970, 1980, 1990, 2000)},
        ("参保类型",),
        lambda row: bool(row["缴费状态"] != "中断"),
        _card("Likelihood that somebody's contributions go on without a gap.", "Comparing districts."),
    ),
}
_TRAINING = {
    "survival": ("enterprises", 4_000),
    "turnover": ("parking", 6_000),
    "return_visit": ("outpatient", 6_000),
    "continuity": ("insurance", 5_000),
}
REPRESENTATIVE = {
    "format": "shudu-scorecard/1",
    "name": "站点代表性评分卡",
    "base": 60,
    "inputs": [
        {
            "column": "站点类型",
            "kind": "category",
            "points": {"城区": 30, "郊区": 20, "路边": 5, "背景": 0},
            "other": 0,
            "missing": 0,
        },
        {
            "column": "海拔米",
            "kind": "number",
            "bins": [
                {"from": None, "to": 500, "points": 10},
                {"from": 500, "to": 650, "points": 5},
                {"from": 650, "to": None, "points": 0},
            ],
            "missing": 0,
        },
    ],
    "output": {"name": "score", "min": 60, "max": 100},
    "card": {
        **_card("How well a station stands for the air most people breathe.", "Planning of stations.", "By judgement."),
        "contact": "model@example.invalid",
    },
}
INPUTS = {**{name: recipe.inputs for name, recipe in RECIPES.items()}, "representative": ("站点类型", "海拔米")}


def write(folder: Path) -> None:
    """Write every scorecard into `folder`; the rows of the first one's training lie there already."""
    with (folder / "training.csv").open(encoding="utf-8", newline="") as file:
        fit(RECIPES["churn"], csv.DictReader(file), folder / "churn.json")
    for name, (source, rows) in _TRAINING.items():
        fit(RECIPES[name], _rows(table(source, SEED + 1, rows)), folder / f"{name}.json")
    text = json.dumps(REPRESENTATIVE, ensure_ascii=False, indent=1) + "\n"
    (folder / "representative.json").write_text(text, encoding="utf-8")


def _rows(columns: Any) -> Iterator[Row]:
    names = list(columns)
    return (dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True))
