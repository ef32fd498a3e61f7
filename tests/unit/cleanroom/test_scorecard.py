"""What a model file may say, and what is said when it may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from shudu.cleanroom.kinds import scorecard
from shudu.cleanroom.kinds.admitted import check_columns, kind_of
from shudu.cleanroom.kinds.scorecard import admit, parse
from shudu.policy.types import Invalid

Card = dict[str, Any]


def refusal(raw: bytes | Card) -> Invalid:
    """The error a model file meets."""
    with pytest.raises(Invalid) as caught:
        parse(raw if isinstance(raw, bytes) else json.dumps(raw).encode())
    assert caught.value.message.zh
    assert caught.value.message.en
    assert caught.value.remedy
    return caught.value


def test_a_good_card_is_read(card: Card) -> None:
    read = parse(json.dumps(card).encode())
    assert read.columns == ("tenure", "contract")
    assert read.reachable() == (10 - 5 - 2, 10 + 7.5 + 3)


def _without(*path: str | int) -> Callable[[Card], None]:
    def spoil(card: Card) -> None:
        at: Any = card
        for step in path[:-1]:
            at = at[step]
        del at[path[-1]]

    return spoil


def _with(value: Any, *path: str | int) -> Callable[[Card], None]:
    def spoil(card: Card) -> None:
        at: Any = card
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "code", "place"),
    [
        (_with("x", "extra"), "shape", "extra"),
        (_with(1, "inputs", 0, "weight"), "shape", "inputs[0].weight"),
        (_with("shudu-scorecard/2", "format"), "shape", "format"),
        (_with("12", "base"), "shape", "base"),
        (_with(True, "base"), "shape", "base"),
        (_with(10**400, "base"), "shape", "base"),
        (_without("inputs", 0, "missing"), "shape", "inputs[0].missing"),
        (_with([], "inputs"), "shape", "inputs"),
        (_with("date", "inputs", 0, "kind"), "shape", "inputs[0]"),
        (_with({}, "inputs", 1, "points"), "shape", "inputs[1].points"),
        (_with({"a\ud800": 1}, "inputs", 1, "points"), "shape", "inputs[1].points"),
        (_without("card"), "shape", "card"),
        (_without("card", "limits"), "shape", "card.limits"),
        (_with("  ", "card", "contact"), "shape", "card.contact"),
        (_with("label", "output", "name"), "shape", "output.name"),
        (_with(5, "inputs", 0, "bins", 0, "from"), "bins", None),
        (_with(30, "inputs", 0, "bins", 2, "to"), "bins", None),
        (_with(13, "inputs", 0, "bins", 1, "from"), "bins", None),
        (_with(11, "inputs", 0, "bins", 1, "from"), "bins", None),
        (_with(None, "inputs", 0, "bins", 1, "to"), "bins", None),
        (_with(25, "output", "min"), "output_range", None),
        (_with(20, "output", "max"), "out_of_range", None),
        (_with(3.5, "output", "min"), "out_of_range", None),
        (_with("tenure", "inputs", 1, "column"), "column_twice", None),
    ],
)
def test_a_spoiled_card_is_refused(card: Card, spoil: Callable[[Card], None], code: str, place: str | None) -> None:
    spoil(card)
    error = refusal(card)
    assert error.code == f"scorecard.{code}"
    if place:
        assert any(field.startswith(place) for field in error.where["fields"]), error.where


def test_bins_out_of_order_are_refused_though_they_touch(card: Card) -> None:
    card["inputs"][0]["bins"] = [
        {"from": None, "to": 20, "points": 0},
        {"from": 20, "to": 10, "points": 0},
        {"from": 10, "to": None, "points": 0},
    ]
    assert refusal(card).code == "scorecard.bins"


def test_out_of_range_output_names_what_is_reachable(card: Card) -> None:
    card["output"]["max"] = 20
    error = refusal(card)
    assert error.where["reachable"] == [3, 20.5]
    assert "3 to 20.5" in error.message.en
    assert "3 至 20.5" in error.message.zh
    assert "out-of-range output" in error.message.en.lower()


def test_points_that_overflow_are_out_of_range(card: Card) -> None:
    card["inputs"][0]["bins"][2]["points"] = 1.7e308
    card["inputs"][1]["other"] = 1.7e308
    assert refusal(card).code == "scorecard.out_of_range"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "not_json"),
        (b"\xff\xfe{}", "not_json"),
        (b'{"base": 1,}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"base": ' + b"9" * 5_000 + b"}", "not_json"),
        (b'{"base": NaN}', "not_finite"),
        (b'{"base": -Infinity}', "not_finite"),
        (b'{"base": 1e999}', "shape"),
        (b'{"base": 1, "base": 2}', "key_twice"),
        (b"[]", "shape"),
        (b'{"x":"' + b" " * scorecard.MAX_BYTES + b'"}', "too_large"),
    ],
)
def test_what_is_not_a_card_is_refused(raw: bytes, code: str) -> None:
    assert refusal(raw).code == f"scorecard.{code}"


def test_a_key_written_twice_deep_inside_is_named(card: Card) -> None:
    raw = json.dumps(card).replace('"month": -2', '"month": -2, "month": 9')
    assert refusal(raw.encode()).where["keys"] == ["month"]


@pytest.mark.parametrize("count", [200, 201])
def test_no_more_than_200_inputs(card: Card, count: int) -> None:
    card["inputs"] = [{**card["inputs"][1], "column": f"c{i}", "points": {"a": 0}, "missing": 0} for i in range(count)]
    card["output"] = {"name": "score", "min": 0, "max": 20}
    if count > 200:
        assert refusal(card).where["fields"] == ["inputs"]
    else:
        assert len(parse(json.dumps(card).encode()).inputs) == 200


@pytest.mark.parametrize("count", [1_000, 1_001])
def test_no_more_than_1000_bins_or_categories(card: Card, count: int) -> None:
    edges = [None, *range(count - 1), None]
    card["inputs"][0]["bins"] = [{"from": a, "to": b, "points": 0} for a, b in pairwise(edges)]
    card["inputs"][1]["points"] = {f"v{i}": 0 for i in range(count)}
    if count > 1_000:
        assert refusal(card).where["fields"] == ["inputs[0].bins", "inputs[1].points"]
    else:
        parse(json.dumps(card).encode())


@dataclass(frozen=True)
class Column:
    name: str
    type: str


def test_a_table_that_fits(card: Card) -> None:
    columns = [Column("contract", "VARCHAR"), Column("tenure", "BIGINT"), Column("born", "DATE")]
    check_columns(admit(json.dumps(card).encode(), None).inputs, columns)


@pytest.mark.parametrize(
    ("columns", "code", "named"),
    [
        ([Column("tenure", "INTEGER")], "unknown_columns", ["contract"]),
        ([], "unknown_columns", ["tenure", "contract"]),
        ([Column("tenure", "VARCHAR"), Column("contract", "VARCHAR")], "column_kind", ["tenure"]),
        ([Column("tenure", "DATE"), Column("contract", "DOUBLE")], "column_kind", ["tenure", "contract"]),
        ([Column("tenure", "DOUBLE[]"), Column("contract", "VARCHAR[]")], "column_kind", ["tenure", "contract"]),
    ],
)
def test_a_table_that_does_not_fit(card: Card, columns: list[Column], code: str, named: list[str]) -> None:
    with pytest.raises(Invalid) as caught:
        check_columns(admit(json.dumps(card).encode(), None).inputs, columns)
    assert caught.value.code == f"model.{code}"
    assert caught.value.where["columns"] == named
    assert all(name in caught.value.message.zh and name in caught.value.message.en for name in named)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("DECIMAL(18,3)", "number"),
        ("double precision", "number"),
        ("uint8", "number"),
        ("VARCHAR", "category"),
        ("ENUM('a', 'b')", "category"),
        ("dictionary<values=string, indices=int8, ordered=0>", "category"),
        ("BOOLEAN", "category"),
        ("TIMESTAMP", None),
        ("STRUCT(a INTEGER)", None),
        ("INTEGER[]", None),
        ("BLOB", None),
    ],
)
def test_kinds_of_types(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind
