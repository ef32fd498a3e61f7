"""Fills a home for the people of `test_people`: an offer, a run that closed, two that are held, one that broke off."""

# ruff: noqa: E402 — the home is opened before the rooms can be read
from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from shudu.cli.house import open_home

open_home(Path(sys.argv[1]))
from pydantic import SecretStr

import shudu
from shudu.accounts import actions as accounts
from shudu.agreements import actions as agreements
from shudu.agreements.types import DraftOffer
from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishModel, PublishTable
from shudu.exchange import actions as exchange
from shudu.exchange.types import PlaceOrder
from shudu.identity import actions, queries
from shudu.identity.types import TRADING, CreateParty, MemberRole
from shudu.policy import clock
from shudu.policy.types import Role, ShuduError, Text
from shudu.runs import actions as runs
from shudu.runs import worker
from shudu.runs.queries import Run

operator = queries.actor_for(queries.operator().id)
PARTIES = {
    "provider": ("竹枝数据", "91510100MA0000103G", TRADING),
    "modeller": ("梭影模型", "91510100MA000020XN", TRADING),
    "buyer": ("锦帆金融", "52510100MA00003066", TRADING),
    "auditor": ("江桥审计", None, frozenset({Role.AUDITOR})),
}
here = {"operator": operator}
actions.add_member(operator, operator.party, "operator", MemberRole.ADMIN, password=SecretStr(sys.argv[2]))
for who, (name, code, roles) in PARTIES.items():
    party = actions.create_party(operator, CreateParty(name=name, code=code, roles=roles))
    actions.add_member(operator, party.id, who, MemberRole.ADMIN, password=SecretStr(sys.argv[2]))
    here[who] = queries.actor_for(party.id)
accounts.deposit(operator, here["buyer"].party, 1_000_000)
folder = Path(shudu.__file__).parents[2] / "docs" / "example"


def file(name: str) -> dict[str, object]:
    path = folder / name
    return {"source": path, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


hostile = '𠮷电信客户<script>alert(1)</script>"><img src=x onerror=alert(1)>'
table = catalog.publish(
    here["provider"],
    PublishTable(**file("customers.csv"), title=hostile, key="customer_no", level="L2", origin="synthetic"),
)
model = catalog.publish_model(
    here["modeller"], PublishModel(**file("scorecard.json"), title="流失评分", inputs=("tenure", "contract"))
)
terms = DraftOffer(
    data=table.id,
    model=model.id,
    group_by=("contract",),
    purposes=["research"],
    bases=["contract"],
    runs=9,
    until="2035-12-31",
    price_fen=120001,
    split={"provider": 60, "modeller": 30, "platform": 10},
)


def live(**changes: object) -> str:
    offer = agreements.draft(here["provider"], terms.model_copy(update=changes))
    for who in ("provider", "modeller"):
        agreements.accept(here[who], offer.id)
    return offer.id


# One whose terms ask for a look each time: its runs are held for the data's owner, and it is offered no more.
looked_at = live(review=True, price_fen=100)
for _ in range(2):
    asked = exchange.place(here["buyer"], PlaceOrder(offer=looked_at, purpose="research"))
    worker.settle(exchange.start_run(here["buyer"], asked.id).id)
agreements.withdraw(here["provider"], looked_at)
order = exchange.place(here["buyer"], PlaceOrder(offer=live(), purpose="research"))
worker.settle(exchange.start_run(here["buyer"], order.id).id)
# And one that broke off, as when the machine went down under it.
broken = exchange.start_run(here["buyer"], order.id)
one = worker.Worker()
Run.objects.filter(pk=broken.id).update(lease_holder=one.name, lease_until=clock.now() + one.lease)
runs.fail(
    queries.system(),
    broken.id,
    one.name,
    ShuduError(
        "run.internal",
        Text("任务多次意外中断，已停止重试。", "The run stopped unexpectedly several times and was given up."),
    ),
)
while worker.spread_news():
    pass
