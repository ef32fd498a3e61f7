"""Terms as an offer makes them, to vary in tests; and a small market to make real offers in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from shudu.agreements import actions
from shudu.agreements.codes import Basis, OnRevocation, Purpose, ReleaseClass, UseAction
from shudu.agreements.models import Offer
from shudu.agreements.spans import Span
from shudu.agreements.terms import Onward, Release, Terms, Use, Window, make
from shudu.agreements.types import DraftOffer
from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishModel, PublishTable
from shudu.identity import actions as parties
from shudu.identity import queries as identity
from shudu.identity.codes import make_uscc
from shudu.identity.types import CreateParty, founder
from shudu.lake.types import Mask
from shudu.policy.types import Actor

# Of a release of class A.
PLAIN: dict[str, Any] = {"label": None, "metrics": frozenset(), "review": False}
UNTIL = datetime(2026, 12, 31, 15, 59, 59, 999999, tzinfo=UTC)


@pytest.fixture
def terms() -> Terms:
    """The data line of an offer, with a condition on rows added, concluded with `pty_buyer`."""
    use = Use(
        assignee="pty_buyer",
        purposes=frozenset({Purpose.STATISTICS, Purpose.RESEARCH}),
        bases=frozenset({Basis.NO_PERSONAL_DATA}),
        actions=frozenset({UseAction.COMPUTE, UseAction.DELIVER_DERIVED}),
        columns=frozenset({"customer_no", "region", "tenure"}),
        masks=(("region", Mask.ADDRESS),),
        clear=frozenset({"tenure"}),
        rows=(Span(column="region", in_=frozenset({"成都", "眉山"})),),
        models=frozenset({"a" * 64}),
        release=Release(class_=ReleaseClass.A, group_by=frozenset({"region"}), min_group=10, **PLAIN),
        runs=3,
        window=Window(from_=datetime(2026, 1, 1, tzinfo=UTC), until=UNTIL),
    )
    onward = Onward(
        purposes=frozenset({Purpose.STATISTICS}),
        actions=frozenset({UseAction.READ, UseAction.DOWNLOAD}),
        min_group=10,
        window=Window(from_=None, until=None),
        on_revocation=OnRevocation.STAND,
    )
    return make(use, onward)


@dataclass
class Market:
    """A provider with a table, a modeller with a scorecard, a buyer and the operating company."""

    operator: Actor
    provider: Actor
    modeller: Actor
    buyer: Actor
    data: str
    model: str

    def draft(self, **changes: Any) -> DraftOffer:
        given: dict[str, Any] = {
            "data": self.data,
            "model": self.model,
            "group_by": ("region",),
            "purposes": ["statistics", "research"],
            "bases": ["no_personal_data"],
            "runs": 3,
            "until": date(2026, 6, 30),
            "price_fen": 50_000,
            "split": {"provider": 60, "modeller": 30, "platform": 10},
        }
        return DraftOffer.model_validate({**given, **changes})

    def live(self, **changes: Any) -> Offer:
        offer = actions.draft(self.provider, self.draft(**changes))
        actions.accept(self.provider, offer.id)
        return actions.accept(self.modeller, offer.id)


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


@pytest.fixture
def market(db: None, clock: Any, tmp_path: Path) -> Market:
    operator = identity.actor_for(parties.create_operator(founder(), CreateParty(name="锦水数据运营有限公司")).id)
    named = {}
    for serial, name in enumerate(("蜀通电信有限公司", "青羊智算有限公司", "武侯研究院有限公司"), start=1):
        code = make_uscc("510100", f"MA{serial:06d}")
        named[serial] = identity.actor_for(parties.create_party(operator, CreateParty(name=name, code=code)).id)
    table = tmp_path / "customers.csv"
    rows = [f"C{number:04d},{number % 70},{'东' if number % 2 else '西'}区" for number in range(60)]
    table.write_text("\n".join(["customer_no,tenure,region", *rows]) + "\n", encoding="utf-8")
    card = tmp_path / "card.json"
    card.write_text(json.dumps(SCORECARD, ensure_ascii=False), encoding="utf-8")
    data = catalog.publish(named[1], PublishTable(source=table, title="客户流失", key="customer_no", findable=True))
    model = catalog.publish_model(named[2], PublishModel(source=card, title="评分卡", inputs=("tenure",)))
    return Market(operator, named[1], named[2], named[3], data.id, model.id)
