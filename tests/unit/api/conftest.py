"""A small market spoken to over HTTP only, once what has no call of its own (the operator, the log) is there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import HttpResponse
from django.test import Client, override_settings
from pydantic import SecretStr

from shudu.collect import actions as collect
from shudu.identity import actions as identity
from shudu.identity import queries as parties
from shudu.identity.types import CreateParty, IssueToken, MemberRole, Scope, founder
from shudu.ledger import actions as ledger
from shudu.ledger.types import signer
from shudu.policy.types import Actor, Invalid, Role
from shudu.runs.worker import settle, spread_news
from unit.collect.headers import header

EXAMPLE = Path(__file__).parents[3] / "docs" / "example"
TABLE = (EXAMPLE / "customers.csv").read_bytes()
MODEL = (EXAMPLE / "scorecard.json").read_bytes()
CODES = {"provider": "91510100MA0000103G", "modeller": "91510100MA000020XN", "buyer": "52510100MA00003066"}
TERMS: dict[str, Any] = {
    "group_by": ["contract"],
    "purposes": ["research", "statistics"],
    "bases": ["contract"],
    "runs": 3,
    "until": "2035-12-31",
    "price_fen": 120_001,
    "split": {"provider": 60, "modeller": 30, "platform": 10},
    "min_group": 10,
}


def new_key() -> str:
    return str(uuid.uuid4())


@dataclass
class Caller:
    """Somebody with a token."""

    party: str
    secret: str
    client: Client = field(default_factory=Client)

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> HttpResponse:
        """Call `/api/v1` + path; a body is sent as JSON, or as a multipart form when it is `Parts`."""
        sent = {"authorization": f"Bearer {self.secret}", "accept-language": "en", **headers}
        if method not in ("GET", "HEAD"):
            sent["idempotency-key"] = key or new_key()
        if method == "PATCH":
            sent.setdefault("upload-offset", "0")
        words: dict[str, Any] = {}
        if isinstance(body, Parts):
            words = {"data": body.form()}
        elif body is not None:
            words = {"data": json.dumps(body), "content_type": "application/json"}
        ask = getattr(self.client, method.lower())
        answer: HttpResponse = ask(f"/api/v1{path}", headers=sent, **words)
        return answer

    def get(self, path: str) -> Any:
        """What a GET answers, expected to succeed."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.content.decode()
        return answer.json()  # type: ignore[attr-defined]

    def do(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """What a call that changes something answers, expected to succeed."""
        answer = self.call(method, path, body, **more)
        assert answer.status_code in (200, 201, 202), answer.content.decode()
        return answer.json()  # type: ignore[attr-defined]

    def refused(self, status: int, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The problem a call answers with."""
        answer = self.call(method, path, body, **more)
        assert answer.status_code == status, answer.content.decode()
        assert answer["Content-Type"] == "application/problem+json"
        told = json.loads(answer.content)
        assert told["status"] == status
        assert told["type"] == f"urn:shudu:problem:{told['code']}"
        assert told["title"]
        assert told["detail"]
        return told


@dataclass
class Parts:
    """A multipart form: JSON fields and files."""

    fields: dict[str, Any] | None
    file: bytes | None
    name: str = "customers.csv"
    more: dict[str, Any] = field(default_factory=dict)

    def form(self) -> dict[str, Any]:
        form: dict[str, Any] = dict(self.more)
        if self.fields is not None:
            form["fields"] = json.dumps(self.fields, ensure_ascii=False)
        if self.file is not None:
            form["file"] = SimpleUploadedFile(self.name, self.file)
        return form


@dataclass
class Market:
    """Everybody, and the ids of what was made, by noun."""

    callers: dict[str, Caller]
    ids: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Caller:
        try:
            return self.callers[name]
        except KeyError:
            raise AttributeError(name) from None

    def register(self) -> None:
        """Three companies, with simulated funds for the buyer; all by the operator's calls."""
        for name, code in CODES.items():
            made = self.operator.do("POST", "/parties", {"name": f"{name}有限公司", "code": code})
            self.callers[name] = caller(made["id"])
        self.operator.do("POST", f"/accounts/{self.buyer.party}/deposits", {"amount_fen": 1_000_000})

    def publish(self) -> None:
        fields = {"title": "客户", "title_en": "Customers", "key": "customer_no", "origin": "synthetic"}
        made = self.provider.do("POST", "/assets", Parts(fields, TABLE))
        self.ids["asset"], self.ids["version"] = made["id"], made["version"]["id"]
        fields = {"inputs": ["tenure", "contract"]}
        self.ids["model"] = self.modeller.do("POST", "/models", Parts(fields, MODEL, "card.json"))["id"]

    def draft(self, **changed: Any) -> str:
        body = {**TERMS, "data": self.ids["asset"], "model": self.ids["model"], **changed}
        return str(self.provider.do("POST", "/offers", body)["id"])

    def trade(self) -> None:
        """Up to an order."""
        self.ids["offer"] = self.draft()
        for party in (self.provider, self.modeller):
            offer = party.do("POST", f"/offers/{self.ids['offer']}/accept")
        assert offer["state"] == "live"
        order = self.buyer.do("POST", "/orders", {"offer": self.ids["offer"], "purpose": "research"})
        self.ids["order"], self.ids["agreement"] = order["id"], order["agreements"][0]

    def hide(self) -> None:
        """A table and a model nobody has been offered, a draft nobody has accepted, a person in an organisation."""
        made = self.provider.do("POST", "/assets", Parts({"title": "未上架", "key": "customer_no"}, TABLE))
        self.ids["hidden_asset"], self.ids["hidden_version"] = made["id"], made["version"]["id"]
        self.ids["draft"] = self.draft(data=made["id"])
        fields = {"title": "secret", "inputs": ["tenure", "contract"], "findable": False}
        self.ids["hidden_model"] = self.modeller.do("POST", "/models", Parts(fields, MODEL, "card.json"))["id"]
        member = identity.add_member(
            parties.actor_for(self.provider.party),
            self.provider.party,
            "lin.wei",
            MemberRole.STEWARD,
            password=SecretStr("a long and private sentence"),
        )
        self.ids["person"] = member.person_id
        announced = {"name": "customers.csv", "size": len(TABLE), "sha256": "0" * 64}
        self.ids["upload"] = self.provider.do("POST", "/uploads", announced)["id"]
        actor = parties.actor_for(self.provider.party)
        file = EXAMPLE / "customers.csv"
        with pytest.raises(Invalid):
            collect.accept_batch(actor, header(file, "no-such-code", actor.party), file)
        self.ids["batch"] = self.provider.get("/batches")["items"][0]["id"]
        key = str(signer.Ed25519Signer.generate("provider").verifier)
        self.ids["sender_key"] = self.provider.do("POST", "/signing-keys", {"verifier": key})["id"]
        source = {"name": "库", "kind": "mysql", "host": "db.example.cn", "database": "d", "user": "u", "tls": "off"}
        with override_settings(OPTIONS=replace(settings.OPTIONS, source_hosts="db.example.cn:3306")):
            self.ids["source"] = self.provider.do("POST", "/sources", source)["id"]
        feed = {"source": self.ids["source"], "table": "t", "title": "表"}
        self.ids["feed"] = self.provider.do("POST", "/feeds", feed)["id"]

    def run(self) -> None:
        """Start a run over HTTP and be the worker that carries it."""
        answer = self.buyer.call("POST", f"/orders/{self.ids['order']}/runs")
        assert answer.status_code == 202, answer.content.decode()
        place = answer["Location"]
        self.ids["run"] = place.rsplit("/", 1)[1]
        assert self.buyer.get(place.removeprefix("/api/v1"))["state"] == "queued"
        settle(self.ids["run"])
        done = self.buyer.get(place.removeprefix("/api/v1"))
        assert done["state"] == "closed", done
        self.ids["result"] = done["result"]["asset"]


def caller(party: str, *scopes: Scope, days: int = 90) -> Caller:
    """A token of a party, for reading and writing unless told otherwise."""
    order = IssueToken(party=party, scopes=frozenset(scopes or (Scope.READ, Scope.WRITE)), days=days)
    token = identity.issue_token(parties.actor_for(party), order)
    return Caller(party, token.secret)


def found() -> Market:
    """A market with its operator, an open log, and nobody else."""
    company = identity.create_operator(founder(), CreateParty(name="锦水数据运营有限公司", code="91510100MA00000152"))
    ledger.open_log(parties.actor_for(company.id), base_iri="https://data.example.org", software="shudu test")
    return Market({"operator": caller(company.id)})


def strangers(market: Market) -> None:
    """Two more parties that have nothing to do with anything: a company, and an auditor of the authority's."""
    operator: Actor = parties.actor_for(market.operator.party)
    for name, roles in {"stranger": {Role.BUYER, Role.PROVIDER, Role.MODELLER}, "auditor": {Role.AUDITOR}}.items():
        row = identity.create_party(operator, CreateParty(name=name, roles=frozenset(roles)))
        market.callers[name] = caller(row.id)


@pytest.fixture
def market(db: None) -> Market:
    """Three companies with tokens, one with money; nothing published yet."""
    market = found()
    market.register()
    strangers(market)
    return market


@pytest.fixture
def traded(market: Market) -> Market:
    """The same after the main job up to an order."""
    market.publish()
    market.trade()
    return market


@pytest.fixture(scope="module")
def kept(django_db_setup: None, django_db_blocker: Any) -> Iterator[Market]:
    """A whole market after a settled run, made once for a module of tests that only look or are refused.

    Each test's own writes end with it; the market's end with the module.
    """
    whole = transaction.atomic()
    whole._from_testcase = True  # as TestCase marks its own: what must be durable may lie within it
    with django_db_blocker.unblock(), whole:
        market = found()
        market.register()
        strangers(market)
        market.publish()
        market.trade()
        market.run()
        market.hide()
        market.ids["token"] = market.provider.do("POST", "/tokens", {})["id"]
        market.ids["party"] = market.provider.party
        while spread_news():
            pass
        yield market
        transaction.set_rollback(True)
