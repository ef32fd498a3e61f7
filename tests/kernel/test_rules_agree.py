"""Who may, asked in three ways of the whole kernel: for one row, as a list, and as a search index's tokens.

The permissions come from the registry, so a new one fails here until it says which rows it is about; and every row that
a permission was really asked about while the town was built must be of a kind that stands in `ROWS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import models, transaction
from django.test import override_settings

from kernel.files import customers, customers_with_a_lone_one, scorecard
from kernel.in_process import InProcess
from shudu.accounts import actions as accounts
from shudu.agreements import actions as agreements
from shudu.agreements import queries as offers_read
from shudu.agreements.models import Agreement, Offer
from shudu.agreements.types import DraftOffer
from shudu.catalog import actions as catalog
from shudu.catalog import queries as catalog_read
from shudu.catalog.models import Asset, Correction, Version
from shudu.catalog.types import PublishModel, PublishTable, PublishVersion, Reading
from shudu.cleanroom import actions as cleanroom
from shudu.cleanroom import steps
from shudu.cleanroom.models import Release
from shudu.cleanroom.types import OwnRules
from shudu.collect import actions as collect
from shudu.collect import queries as collect_read
from shudu.collect.models import Batch, Feed, Inbox, Source, Upload
from shudu.collect.types import AddSource, CreateUpload, OpenFeed
from shudu.exchange import actions as exchange
from shudu.exchange import queries as orders_read
from shudu.exchange.models import Order
from shudu.exchange.types import PlaceOrder
from shudu.govern import actions as govern
from shudu.govern.types import Rules
from shudu.identity import actions as parties
from shudu.identity import queries as identity
from shudu.identity.codes import make_uscc
from shudu.identity.models import Party
from shudu.identity.types import CreateParty, IssueToken, founder
from shudu.ledger import actions as ledger
from shudu.policy import outbox, rules
from shudu.policy.permissions import Permission
from shudu.policy.rules import audience, decide, tokens, visible
from shudu.policy.types import Actor, Conflict, Invalid, Refused, Role, Text
from shudu.runs import actions as runs
from shudu.runs import queries as runs_read
from shudu.runs.models import Run, RunOutput
from shudu.runs.worker import Worker
from shudu.security import actions as security
from unit.collect.headers import header

pytestmark = pytest.mark.django_db

# Which rows a permission is about; none for one that is asked before there is a row.
ROWS: dict[Permission, tuple[type[models.Model], ...]] = {
    Permission.AGREEMENT_READ: (Agreement,),
    Permission.AGREEMENT_REVOKE: (Agreement,),
    Permission.ASSET_ERASE: (Asset,),
    Permission.ASSET_INSPECT: (Asset,),
    Permission.ASSET_PUBLISH: (),
    Permission.ASSET_READ: (Asset,),
    Permission.ASSET_REVIEW: (Asset,),
    Permission.ASSET_UPDATE: (Asset,),
    Permission.BACKUP_TAKE: (),
    Permission.DATA_KEYS_ROTATE: (),
    Permission.BATCH_READ: (Batch,),
    Permission.BATCH_SUBMIT: (),
    Permission.FEED_OPEN: (Source,),
    Permission.FEED_READ: (Feed,),
    Permission.FEED_REFRESH: (Feed,),
    Permission.FUNDS_DEPOSIT: (),
    Permission.INBOX_OPEN: (),
    Permission.INBOX_USE: (Inbox,),
    Permission.LEDGER_FORGET: (),
    Permission.LEDGER_INITIALISE: (),
    Permission.LEDGER_ROTATE: (),
    Permission.MODEL_PUBLISH: (),
    Permission.OFFER_ACCEPT: (Offer,),
    Permission.OFFER_DRAFT: (),
    Permission.OFFER_INSPECT: (Offer,),
    Permission.OFFER_READ: (Offer,),
    Permission.OFFER_WITHDRAW: (Offer,),
    Permission.ORDER_CANCEL: (Order,),
    Permission.ORDER_PLACE: (Order, Offer),
    Permission.ORDER_READ: (Order,),
    Permission.ORDER_RESTART: (Order,),
    Permission.ORDER_RUN: (Order,),
    Permission.ORDER_SETTLE: (Order,),
    Permission.PARTY_CREATE: (),
    Permission.PARTY_MANAGE: (Party,),
    Permission.PARTY_READ: (Party,),
    Permission.PROJECTION_REBUILD: (),
    Permission.QUALITY_DECLARE: (Asset,),
    Permission.RELEASE_DECIDE: (Release,),
    Permission.RELEASE_RESTRICT: (),
    Permission.RESULT_DOWNLOAD: (Asset,),
    Permission.ROWS_CORRECT: (Correction,),
    Permission.RUN_CARRY: (Run,),
    Permission.RUN_READ: (Run,),
    Permission.RUN_START: (Run,),
    Permission.SOURCE_ADD: (),
    Permission.SOURCE_CLOSE: (Source,),
    Permission.SOURCE_READ: (Source,),
    Permission.UPLOAD_CREATE: (),
    Permission.UPLOAD_REMOVE: (Upload,),
    Permission.UPLOAD_USE: (Upload,),
}
REGISTERED = sorted({name for book in (rules._grants, rules._vetoes) for name, given in book.items() if given})
PAIRS = [(permission, model) for permission in REGISTERED for model in ROWS.get(permission, ())]
ROWLESS = [permission for permission in REGISTERED if permission in ROWS and not ROWS[permission]]


@dataclass(frozen=True)
class Spy:
    """A veto that keeps nobody from anything and notes which rows its permission is asked about."""

    permission: Permission
    seen: set[tuple[Permission, type | None]]
    name: str = "spy"
    message: Text = Text("", "")

    def allows(self, actor: Actor, row: Any) -> bool:
        self.seen.add((self.permission, None if row is None else type(row)))
        return True

    def where(self, actor: Actor) -> models.Q:
        return rules.EVERYBODY

    def audience(self, row: Any) -> frozenset[str]:
        return frozenset({rules.PUBLIC})


def every_combination(least: int = 0, most: int = len(Role)) -> list[frozenset[Role]]:
    return [frozenset(chosen) for size in range(least, most + 1) for chosen in combinations(sorted(Role), size)]


class Town:
    """Parties of every kind that can be registered, and everything they can do with each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table, self.few, self.card = customers(folder, 60), customers(folder, 6), scorecard(folder)
        self.worker = Worker()
        company = parties.create_operator(founder(), CreateParty(name="锦水数据运营有限公司"))
        self.operator = identity.actor_for(company.id)
        self.parties = list(self.register())
        self.assets()
        self.offers()
        self.orders()
        self.look_around()

    def register(self) -> Iterator[Actor]:
        for number, roles in enumerate(every_combination(1), start=1):
            try:
                order = CreateParty(name=f"第{number}号", code=make_uscc("510100", f"MA{number:06d}"), roles=roles)
            except Invalid:  # such a party cannot be: who approves never sells
                continue
            if Role.OPERATOR in roles:
                continue
            party = identity.actor_for(parties.create_party(self.operator, order).id)
            assert party.roles == roles
            accounts.deposit(self.operator, party.party, 1_000_000)
            yield party

    def holding(self, role: Role) -> list[Actor]:
        return [party for party in self.parties if role in party.roles]

    def publish(self, owner: Actor, source: Path, level: str = "L2", *, findable: bool = False) -> str:
        request = PublishTable(source=source, title="客户", key="customer_no", level=level, findable=findable)
        return str(catalog.publish(owner, request).id)

    def publish_model(self, owner: Actor) -> str:
        return str(catalog.publish_model(owner, PublishModel(source=self.card, inputs=("tenure",))).id)

    def assets(self) -> None:
        self.tables = {owner.party: self.publish(owner, self.table) for owner in self.holding(Role.PROVIDER)}
        self.models = {owner.party: self.publish_model(owner) for owner in self.holding(Role.MODELLER)}
        provider, *others = self.holding(Role.PROVIDER)
        self.small = self.publish(provider, self.few)
        self.lone = self.publish(provider, customers_with_a_lone_one(self.folder))
        self.publish(provider, self.table, "L5")
        reviewed = self.publish(others[0], self.table, "L5")
        catalog.review_level(self.operator, reviewed, "同意")
        updated = self.publish(others[0], self.table, "L3")
        catalog.publish_version(others[0], PublishVersion(asset=updated, source=self.few))
        erased, withdrawn = self.publish(provider, self.table, "L4"), self.publish(provider, self.table)
        catalog.erase(provider, Version.objects.get(binding__asset=erased).id)
        catalog.withdraw(provider, Version.objects.get(binding__asset=withdrawn).id, "owner")

    def draft(self, drafter: Actor, table: str, model: str) -> Offer:
        request = DraftOffer(
            data=table,
            model=model,
            group_by=("region",),
            purposes=frozenset({"research"}),
            bases=frozenset({"contract"}),
            runs=3,
            until=date(2035, 12, 31),
            price_fen=1_000,
            split={"provider": 60, "modeller": 30, "platform": 10},
        )
        return agreements.draft(drafter, request)

    def live(self, provider: Actor, modeller: Actor, table: str) -> Offer:
        offer = self.draft(provider, table, self.models[modeller.party])
        for assigner in dict.fromkeys((provider, modeller)):
            offer = agreements.accept(assigner, offer.id)
        assert offer.state == Offer.State.LIVE
        return offer

    def offers(self) -> None:
        """Every pair of provider and modeller has one live; the first two have one in each other state."""
        providers, modellers = self.holding(Role.PROVIDER), self.holding(Role.MODELLER)
        self.on_sale = [
            self.live(provider, modeller, self.tables[provider.party])
            for provider in providers
            for modeller in modellers
        ]
        provider = next(one for one in providers if one not in modellers)
        modeller = next(one for one in modellers if one not in providers)

        def drafted_by(drafter: Actor) -> Offer:
            # Of assets of their own: what is on sale anywhere is shown to all, and a draft would disclose nothing more.
            table = self.publish(provider, self.table, findable=drafter == modeller)
            return self.draft(drafter, table, self.publish_model(modeller))

        drafted_by(provider)
        drafted_by(modeller)
        agreements.accept(provider, drafted_by(modeller).id)
        agreements.withdraw(modeller, drafted_by(provider).id)
        agreements.withdraw(provider, self.live(provider, modeller, self.publish(provider, self.table)).id)
        self.too_few = self.live(provider, modeller, self.small)
        self.telling = self.live(provider, modeller, self.lone)

    def orders(self) -> None:
        """Every buyer orders something; of the orders, runs are waiting, closed, failed, refused by a revocation."""
        buyers = self.holding(Role.BUYER)
        orders = [
            exchange.place(buyers[number % len(buyers)], PlaceOrder(offer=offer.id, purpose="research"))
            for number, offer in enumerate(self.on_sale)
        ]
        for order in orders[:6]:
            self.carry(exchange.start_run(self.buyer(order), order.id))
        self.carry(exchange.start_run(self.buyer(orders[0]), orders[0].id))
        failing = exchange.place(buyers[0], PlaceOrder(offer=self.too_few.id, purpose="research"))
        self.carry(exchange.start_run(buyers[0], failing.id))
        with pytest.raises(Conflict):  # what the release rules stopped they would stop again
            exchange.restart(self.operator, Run.objects.get(state=Run.State.FAILED).id)
        for decided in (True, False):
            telling = exchange.place(buyers[0], PlaceOrder(offer=self.telling.id, purpose="research"))
            run = exchange.start_run(buyers[0], telling.id)
            self.carry(run)
            if decided:
                cleanroom.refuse(identity.actor_for(Asset.objects.get(pk=self.lone).owner), run.id, "只涉及一人。")
        exchange.start_run(self.buyer(orders[6]), orders[6].id)
        for order in (orders[1], orders[7], orders[8]):
            for agreement in Agreement.objects.filter(offer=order.offer, assignee=order.buyer)[:1]:
                agreements.revoke(identity.actor_for(agreement.assigner), agreement.id, "breach")
        results = [made.asset for made in RunOutput.objects.order_by("id")]
        for asset in results[:3]:
            runs.deliver(identity.actor_for(Asset.objects.get(pk=asset).owner), asset, "product.csv")
        made = Version.objects.get(binding__asset=results[3])
        catalog.erase(identity.actor_for(made.owner), made.id)
        while outbox.dispatch():
            pass

    def look_around(self) -> None:
        """The reads and the management no trade needs."""
        ledger.open_log(self.operator, base_iri="https://data.example.org", software="test")
        parties.issue_token(self.parties[0], IssueToken(party=self.parties[0].party))
        orders_read.order(self.operator, Order.objects.latest("id").id)
        offers_read.anonymity_of(self.operator, Offer.objects.latest("id"))
        runs_read.run(self.operator, Run.objects.latest("id").id)
        for refused in (
            lambda: security.take(self.parties[0], Path("anywhere")),
            lambda: ledger.forget(self.parties[0], self.parties[0].party, ["code"]),
            lambda: ledger.rotate(self.parties[0]),
            lambda: security.rotate_data_keys(self.parties[0]),
            lambda: catalog.rebuild_projection(self.parties[0]),
        ):
            with pytest.raises(Refused):
                refused()
        provider = self.holding(Role.PROVIDER)[0]
        govern.declare_rules(provider, self.small, Rules())
        cleanroom.restrict(self.holding(Role.MODELLER)[0], OwnRules())
        upload = collect.create_upload(provider, CreateUpload(name="a.csv", size=1, sha256="0" * 64))
        with pytest.raises(Conflict):
            collect.complete_upload(provider, upload.id)
        removed = collect.create_upload(provider, CreateUpload(name="b.csv", size=1, sha256="1" * 64))
        collect.remove_upload(provider, removed.id)
        with pytest.raises(Invalid):
            collect.accept_batch(provider, header(self.table, "no-such-code", provider.party), self.table)
        collect_read.batch(provider, Batch.objects.get().id)
        with override_settings(OPTIONS=replace(settings.OPTIONS, source_hosts="db.example.cn:5432")):
            source = AddSource(name="库", kind="postgresql", host="db.example.cn", database="d", user="u")
            added = collect.add_source(provider, source)
        closed = collect.open_feed(provider, OpenFeed(source=added.id, table="t", title="表"))
        collect.close_feed(provider, closed.id)
        collect.open_inbox(provider)
        collect.close_inbox(provider)
        collect.close_source(provider, added.id)
        amiss = self.folder / "amiss.csv"
        amiss.write_text("id,n\na,1\nb\n", "utf-8")
        order = PublishTable(source=amiss, title="有误", reading=Reading(tolerant=True))
        version = Version.objects.get(binding__asset=catalog.publish(provider, order).id)
        catalog_read.correction_list(provider, version.id, "csv")
        catalog_read.inspected(provider, Version.objects.get(binding__asset=self.small).id)

    def buyer(self, order: Order) -> Actor:
        return identity.actor_for(order.buyer)

    def carry(self, run: Run) -> None:
        claimed = self.worker._claim(run.id)
        assert claimed is not None
        self.worker._carry(claimed)
        outbox.dispatch()

    def actors(self) -> list[Actor]:
        """Each party as it is, without roles and as the worker; strangers and nobody with every pair of roles."""
        known = [self.operator, *self.parties]
        there = [
            Actor(one.party, roles) for one in known for roles in (one.roles, frozenset(), frozenset({Role.SYSTEM}))
        ]
        away = [Actor(party, roles) for party in ("pty_stranger", "") for roles in every_combination(0, 2)]
        return [*there, *away, Actor("pty_stranger", frozenset(Role)), identity.system()]


@dataclass(frozen=True)
class Built:
    town: Town
    asked: set[tuple[Permission, type | None]]


@pytest.fixture(scope="module")
def built(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    asked: set[tuple[Permission, type | None]] = set()
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), transaction.atomic():
        patch.setattr(steps, "sandbox", InProcess)
        for permission in REGISTERED:
            given = rules._vetoes[permission]
            patch.setitem(rules._vetoes, permission, [Spy(Permission(permission), asked), *given])
        town = Town(tmp_path_factory.mktemp("town"))
        patch.undo()
        yield Built(town, asked)
        transaction.set_rollback(True)


def test_every_permission_of_the_registry_says_which_rows_it_is_about() -> None:
    missing = [permission.value for permission in REGISTERED if permission not in ROWS]
    assert missing == [], f"rules are registered for {missing}; say in ROWS, in {__name__}, which rows they are about"
    assert sorted(ROWS) == sorted(Permission), "ROWS names a permission that is gone, or lacks one nobody is granted"


def test_no_permission_is_asked_about_other_rows(built: Built) -> None:
    """What was really asked while the town was built, so that ROWS cannot fall behind the actions."""
    known = {(permission, model) for permission, kinds in ROWS.items() for model in (kinds or (None,))}
    odd = [f"{permission} about {getattr(kind, '__name__', kind)}" for permission, kind in built.asked - known]
    assert sorted(odd) == [], "these are asked, and ROWS does not say so"
    never = {permission for permission, _ in known} - {permission for permission, _ in built.asked}
    assert never <= {Permission.PARTY_READ}, f"the town never asks for {sorted(never)}; only a list is read under one"


def test_the_town_holds_every_state(built: Built) -> None:
    def states(model: type[models.Model]) -> set[str]:
        return set(model._default_manager.values_list("state", flat=True))

    assert states(Offer) == set(Offer.State.values)
    assert states(Agreement) == set(Agreement.State.values)
    assert states(Run) == set(Run.State.values)
    assert states(Asset) == set(Asset.State.values)
    assert states(Version) == set(Version.State.values)
    assert {"L2", "L3", "L4", "L5"} <= set(Asset.objects.values_list("level", flat=True))
    assert Asset.objects.exclude(run="").exists(), "a result"
    assert Run.objects.filter(kind="delivery").exists()
    trading = {Role.BUYER, Role.MODELLER, Role.PROVIDER}
    held = {party.roles for party in built.town.parties}
    assert {roles for roles in every_combination(1) if roles <= trading} <= held


@pytest.mark.parametrize(("permission", "model"), PAIRS, ids=lambda one: getattr(one, "__name__", str(one)))
def test_the_three_forms_agree(built: Built, permission: Permission, model: type[models.Model]) -> None:
    rows = list(model._default_manager.all())
    assert rows, f"the town has no {model.__name__}"
    audiences = {row.pk: audience(permission, row) for row in rows}
    answers = set()
    for actor in built.town.actors():
        listed = set(visible(actor, permission, model._default_manager.all()).values_list("pk", flat=True))
        brought = tokens(actor)
        for row in rows:
            allowed = bool(decide(actor, permission, row))
            answers.add(allowed)
            found = all(brought & needed for needed in audiences[row.pk])
            assert (allowed, row.pk in listed, found) == (allowed,) * 3, (
                f"{permission} of {row.pk} for {actor}: decide says {allowed}, "
                f"the list {row.pk in listed}, the index {found}"
            )
    assert answers == {True, False}, f"{permission} says {answers} to everybody: nothing was tested"


@pytest.mark.parametrize("permission", ROWLESS)
def test_without_a_row_they_agree_too(built: Built, permission: Permission) -> None:
    """All rows or none: such a permission hangs on the actor alone."""
    answers = set()
    for actor in built.town.actors():
        allowed = bool(decide(actor, permission))
        answers.add(allowed)
        listed = visible(actor, permission, Party.objects.all()).count()
        assert listed == (Party.objects.count() if allowed else 0)
        assert all(tokens(actor) & needed for needed in audience(permission, None)) == allowed
    assert answers == {True, False}
