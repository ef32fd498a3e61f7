"""What people read of a command's answer: no empty fields, no JSON, words in their language."""

from __future__ import annotations

from shudu.cli.shown import lines
from shudu.policy.types import Text

FOUND = {
    "id": None,
    "runs": [
        {"id": "run_1", "title": {"zh": "流失", "en": "Churn"}, "order": None, "groups": ["a", "b"]},
        {"id": "run_2", "title": {"zh": "停车", "en": "Parking"}, "order": "ord_1", "groups": []},
    ],
    "checks": [],
    "dimensions": {"Accuracy": "99.9", "none": ""},
    "waiting": False,
    "said": Text("完成", "done"),
    "rows": 0,
    "next": None,
}


def test_each_thing_has_a_line_and_nothing_is_said_of_nothing() -> None:
    assert list(lines(FOUND, "en")) == [
        (1, "runs", ""),
        (2, "-", "id run_1  title Churn  groups a, b"),
        (2, "-", "id run_2  title Parking  order ord_1"),
        (1, "dimensions", ""),
        (2, "Accuracy", "99.9"),
        (1, "waiting", "no"),
        (1, "said", "done"),
        (1, "rows", "0"),
    ]
    assert any("title 流失" in words for _, _, words in lines(FOUND, "zh"))
    assert (1, "waiting", "否") in list(lines(FOUND, "zh"))
