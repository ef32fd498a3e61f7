"""What is offered and ordered in the demonstration, as data; `trade` carries it out.

Every way an offer or an order can go is there once: live, awaiting a party, withdrawn; settled, run twice, refused by
the release rules, its agreement revoked afterwards. Nothing is left waiting to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shudu.agreements.types import Basis, Metric, Purpose

_STUDY = frozenset({Purpose.RESEARCH, Purpose.STATISTICS})
_PUBLIC = frozenset({Purpose.RESEARCH, Purpose.STATISTICS, Purpose.PUBLIC_SERVICE})
_TRADE = frozenset({Purpose.STATISTICS, Purpose.SERVICE_IMPROVEMENT})
# Departments ask nothing for their data: modeller and operating company share the price.
_FREE_DATA = {"provider": 0, "modeller": 80, "platform": 20}


@dataclass(frozen=True, slots=True)
class Offering:
    """A table and a model offered together; drafted by the table's owner, who accepts."""

    table: str
    model: str
    group_by: tuple[str, ...]
    purposes: frozenset[Purpose]
    basis: Basis
    price_fen: int
    split: Mapping[str, int] = field(default_factory=lambda: dict(_FREE_DATA))
    min_group: int = 10
    runs: int = 12
    # Release class B instead of groups: which metrics of the model against which column it does not see.
    label: str | None = None
    metrics: frozenset[Metric] = frozenset()
    # Does the modeller accept too, so that it goes live? And is it taken off again once its orders are done?
    accepted: bool = True
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order by a word of `parties.CAST`, and how often it is run."""

    offer: str
    buyer: str
    purpose: Purpose
    runs: int = 1


OFFERS: dict[str, Offering] = {
    "churn": Offering(
        "customers", "churn", ("contract", "payment_method"), _STUDY, Basis.CONTRACT, 1_200_00,
        {"provider": 60, "modeller": 30, "platform": 10},
    ),
    # The same question answered by boosted trees in ONNX.
    "churn_trees": Offering(
        "customers", "churn_trees", ("contract",), _STUDY, Basis.CONTRACT, 1_500_00,
        {"provider": 55, "modeller": 35, "platform": 10},
    ),
    # How good are the trees on customers they were not fitted on? Metrics leave, and no group at all.
    "churn_checked": Offering(
        "customers", "churn_trees", (), _STUDY, Basis.CONTRACT, 600_00,
        {"provider": 60, "modeller": 30, "platform": 10}, label="churn", metrics=frozenset(Metric) - {Metric.RMSE},
    ),
    "survival": Offering(
        "enterprises", "survival", ("行政区",), _PUBLIC | _TRADE, Basis.LEGAL_DUTY, 800_00, min_group=20
    ),
    "turnover": Offering("parking", "turnover", ("停车场类型",), _PUBLIC | _TRADE, Basis.LEGAL_DUTY, 360_00),
    # The first try, dearer and finer: taken off when the one above came.
    "turnover_fine": Offering(
        "parking", "turnover", ("行政区", "停车场类型"), _PUBLIC | _TRADE, Basis.LEGAL_DUTY, 990_00, withdrawn=True
    ),
    "return_visit": Offering(
        "outpatient", "return_visit", ("行政区", "科室"), _PUBLIC, Basis.LEGAL_DUTY, 2_400_00, min_group=50
    ),
    # Drafted by the department; the modeller has not answered yet.
    "continuity": Offering(
        "insurance", "continuity", ("行政区",), _PUBLIC, Basis.LEGAL_DUTY, 1_500_00, min_group=50, accepted=False
    ),
    # Twenty-four stations can never make a group of thirty: every run of it is refused, and costs nothing.
    "representative": Offering(
        "stations", "representative", ("站点类型",), _PUBLIC, Basis.NO_PERSONAL_DATA, 150_00, min_group=30
    ),
}  # fmt: skip

ORDERS: dict[str, Ordering] = {
    "churn": Ordering("churn", "buyer", Purpose.RESEARCH),
    "churn_trees": Ordering("churn_trees", "insurer", Purpose.RESEARCH),
    "churn_checked": Ordering("churn_checked", "buyer", Purpose.RESEARCH),
    "survival_consultant": Ordering("survival", "consultant", Purpose.PUBLIC_SERVICE),
    "survival_insurer": Ordering("survival", "insurer", Purpose.STATISTICS, runs=2),
    "turnover_fine": Ordering("turnover_fine", "retailer", Purpose.SERVICE_IMPROVEMENT),
    "turnover_retailer": Ordering("turnover", "retailer", Purpose.SERVICE_IMPROVEMENT),
    "turnover_logistics": Ordering("turnover", "logistics", Purpose.SERVICE_IMPROVEMENT),
    "return_visit": Ordering("return_visit", "buyer", Purpose.RESEARCH),
    "refused": Ordering("representative", "consultant", Purpose.RESEARCH),
}
# The department ends this order's use of its table once the run is done; what was delivered stands, as agreed.
REVOKED = "turnover_logistics"
REVOKED_FOR = "mutual"
# Whose results are downloaded, so that there are deliveries to look at.
DELIVERED = ("churn", "churn_checked", "survival_consultant", "return_visit")
