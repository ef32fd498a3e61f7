"""Drafting: what an offer can say, and the two lines it is composed into."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from shudu.agreements.codes import OnRevocation, ReleaseClass
from shudu.agreements.lines import compose
from shudu.agreements.order import covers, meet
from shudu.agreements.terms import NOTHING, Onward, Terms
from shudu.agreements.types import DraftOffer
from shudu.catalog.types import Offered
from shudu.lake.types import Column
from shudu.policy.types import Invalid

UNTIL = datetime(2026, 12, 31, 15, 59, 59, 999999, tzinfo=UTC)
DATA = Offered(
    asset="ast_data",
    owner="pty_provider",
    kind="table",
    level="L3",
    version="ver_data",
    title={"zh": "客户流失"},
    columns=(
        Column("customer_no", "VARCHAR", False, "direct_identifier"),
        Column("tenure", "BIGINT", False),
        Column("contract", "VARCHAR", False),
        Column("region", "VARCHAR", True),
        Column("illness", "VARCHAR", True, "sensitive"),
    ),
    entity_key="customer_no",
    inputs=(),
    model_sha256=None,
    files=("f" * 64,),
)
MODEL = Offered(
    asset="ast_model",
    owner="pty_modeller",
    kind="model",
    level="L3",
    version="ver_model",
    title={"zh": "评分卡"},
    columns=(),
    entity_key=None,
    inputs=("tenure", "contract"),
    model_sha256="a" * 64,
    files=("a" * 64,),
)


def draft(**changes: Any) -> DraftOffer:
    given: dict[str, Any] = {
        "data": "ast_data",
        "model": "ast_model",
        "group_by": ("region",),
        "purposes": ["statistics"],
        "bases": ["consent"],
        "runs": 3,
        "until": date(2026, 12, 31),
        "price_fen": 50_000,
        "split": {"provider": 60, "modeller": 30, "platform": 10},
    }
    return DraftOffer.model_validate({**given, **changes})


def test_the_data_line_names_exactly_what_one_run_binds() -> None:
    data, _ = compose(draft(), DATA, MODEL, UNTIL)
    assert (data.role, data.asset, data.version, data.assigner) == ("data", "ast_data", "ver_data", "pty_provider")
    use = data.terms.use
    assert use.columns == {"tenure", "contract", "region", "customer_no"}
    assert use.actions == {"compute", "deliver_derived"}
    assert use.models == {"a" * 64}
    assert use.release is not None
    assert (use.release.class_, use.release.group_by, use.release.min_group) == (ReleaseClass.A, {"region"}, 10)
    assert (use.assignee, use.runs, use.window.until, use.rows) == (None, 3, UNTIL, ())
    assert (use.purposes, use.bases) == ({"statistics"}, {"consent"})


def test_the_model_line_permits_computing_and_no_release() -> None:
    _, model = compose(draft(), DATA, MODEL, UNTIL)
    assert (model.role, model.asset, model.version, model.assigner) == (
        "model",
        "ast_model",
        "ver_model",
        "pty_modeller",
    )
    use = model.terms.use
    assert (use.actions, use.columns, use.release) == ({"compute"}, frozenset(), None)
    assert use.models == {"a" * 64}
    Terms.model_validate(model.terms.model_dump(by_alias=True))


def test_a_result_outlives_the_offer() -> None:
    data, model = compose(draft(min_group=12), DATA, MODEL, UNTIL)
    both = meet(data.terms, model.terms)
    assert isinstance(both, Terms), "one run must be able to satisfy both lines"
    assert isinstance(both.onward, Onward)
    assert both.onward.window.until is None
    assert both.onward.actions == {"read", "download"}
    assert (both.onward.min_group, both.onward.on_revocation) == (12, OnRevocation.STAND)
    assert both != NOTHING
    assert covers(data.terms, both)


@pytest.mark.parametrize(
    ("group_by", "asked", "expected"),
    [
        (("region",), 10, 10),
        (("region",), 60, 60),
        (("region", "illness"), 10, 50),
        (("illness",), 49, 50),
        (("illness",), 51, 51),
        ((), 10, 10),
    ],
)
def test_a_sensitive_column_raises_the_least_group(group_by: tuple[str, ...], asked: int, expected: int) -> None:
    data, model = compose(draft(group_by=group_by, min_group=asked), DATA, MODEL, UNTIL)
    assert data.terms.use.release is not None
    assert data.terms.use.release.min_group == expected
    for line in (data, model):
        assert isinstance(line.terms.onward, Onward)
        assert line.terms.onward.min_group == expected


def test_a_sensitive_input_that_is_not_grouped_by_raises_nothing() -> None:
    data, _ = compose(draft(), DATA, replace(MODEL, inputs=("illness",)), UNTIL)
    assert data.terms.use.release is not None
    assert data.terms.use.release.min_group == 10


@pytest.mark.parametrize(
    ("change", "data", "model", "code", "named"),
    [
        ({"min_group": 9}, {}, {}, "offer.min_group", "10"),
        ({}, {}, {"inputs": ("tenure", "salary", "age")}, "offer.columns", "age, salary"),
        ({"group_by": ("region", "city")}, {}, {}, "offer.columns", "city"),
        ({"group_by": ("region", "region")}, {}, {}, "offer.group_by_repeated", "region"),
        ({"group_by": ("customer_no",)}, {}, {}, "offer.group_by_key", "customer_no"),
        ({}, {}, {"inputs": ("tenure", "customer_no")}, "offer.input_key", "customer_no"),
        ({}, {"entity_key": "tenure"}, {"inputs": ("customer_no",)}, "offer.identifier", "customer_no"),
        ({"group_by": ("customer_no",)}, {"entity_key": "tenure"}, {"inputs": ("contract",)}, "offer.identifier", "by"),
        ({}, {"entity_key": None}, {}, "offer.no_key", "entity key"),
        ({}, {"kind": "model"}, {}, "offer.kind", "ast_data"),
        ({}, {}, {"kind": "table"}, "offer.kind", "ast_model"),
        ({}, {}, {"model_sha256": None}, "offer.no_model_digest", "digest"),
    ],
)
def test_what_cannot_be_offered_is_said_by_name(
    change: dict[str, Any], data: dict[str, Any], model: dict[str, Any], code: str, named: str
) -> None:
    with pytest.raises(Invalid) as caught:
        compose(draft(**change), replace(DATA, **data), replace(MODEL, **model), UNTIL)
    assert caught.value.code == code
    assert named in caught.value.message.en
    assert caught.value.remedy is not None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"runs": 0}, "offer.runs"),
        ({"runs": 10**9 + 1}, "offer.runs"),
        ({"price_fen": -1}, "offer.price_fen"),
        ({"price_fen": 10**12 + 1}, "offer.price_fen"),
        ({"split": {"provider": 60, "modeller": 30, "platform": 11}}, "offer.split"),
        ({"split": {"provider": 110, "modeller": -20, "platform": 10}}, "offer.split"),
        ({"split": {"provider": 60, "modeller": 40}}, "offer.split"),
        ({"split": {"provider": 60, "modeller": 30, "platform": 5, "friend": 5}}, "offer.split"),
        ({"purposes": ["statistics", "gossip"]}, "offer.code"),
        ({"purposes": []}, "offer.code"),
        ({"bases": ["because"]}, "offer.code"),
    ],
)
def test_a_draft_that_cannot_be_is_refused_in_words(change: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        draft(**change)
    assert caught.value.code == code
    assert caught.value.remedy is not None


def test_the_edges_of_a_draft_are_allowed() -> None:
    free = draft(runs=1, price_fen=0, split={"provider": 0, "modeller": 0, "platform": 100}, purposes="audit")
    assert free.purposes == {"audit"}
    assert draft(price_fen=10**12, runs=10**9).price_fen == 10**12


@pytest.mark.parametrize("change", [{"colour": "red"}, {"until": "someday"}, {"runs": "many"}, {"data": None}])
def test_a_draft_of_the_wrong_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        draft(**change)
