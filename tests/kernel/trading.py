"""Operations up to an order: parties, funds, assets, offers, agreements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from kernel.invariants import Invariants
from kernel.model import FEN, PURPOSE, RUN, Agreement, Asset, Offer, Order
from kernel.world import LOOKS, PICK, TRADE, WHO, Killed, end_of
from shudu.accounts import actions as accounts
from shudu.agreements import actions as agreements
from shudu.agreements.types import DraftOffer
from shudu.catalog import actions as catalog
from shudu.catalog.models import Version
from shudu.catalog.types import PublishModel, PublishTable
from shudu.exchange import actions as exchange
from shudu.exchange.types import PlaceOrder
from shudu.identity import actions as parties
from shudu.identity.codes import make_uscc
from shudu.identity.types import CreateParty
from shudu.policy.types import Actor, Role, ShuduError


class Trading(Invariants):
    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world.restore()
        self.clock = self.world.clock
        self.model = deepcopy(self.world.model)
        self.requests = list(self.world.requests)

    def open_market(self) -> None:
        for _ in range(3):
            self.add_party(TRADE)
        provider, modeller, buyer = list(self.model.roles)[1:]
        self.give(buyer, 100_000)
        for kind in ("table", "small"):
            self.put(provider, kind)
        self.put(modeller, "model")
        *tables, model = self.model.assets
        for table in tables:
            offer = self.offer(provider, table, model, price=1_001, count=3, days=30, weights=(60, 30))
            for assigner in (provider, modeller):
                self.agree(assigner, offer)

    # --- doing, and comparing what came of it

    def act(
        self, function: Callable[..., Any], by: str, *given: Any, foretold: str | None, looks: int | None = None
    ) -> Any:
        """Do it under a key of its own; the row that came of it, or None when it was refused as foretold, or died."""
        key = f"key-{len(self.requests)}-{sum(self.seen.values())}"
        refused, row = None, None
        self.clock.left = looks
        try:
            row = function(self.actor(by), *given, idempotency_key=key)
        except ShuduError as error:
            refused = error
        except Killed:
            self.seen[f"{function.__name__} killed"] += 1
            return None
        finally:
            self.clock.left = None
        said = refused.code if refused else None
        assert said == foretold, f"{function.__name__} by {by}: {refused or 'allowed'}, foretold {foretold}"
        self.seen[f"{function.__name__} refused" if refused else function.__name__] += 1
        if row is not None:
            self.requests.append((function, given, by, key, row.pk))
        return row

    def actor(self, party: str) -> Actor:
        return Actor(party, frozenset(Role(role) for role in self.model.roles[party]))

    def choose(self, known: Any, pick: int) -> Any:
        there = list(known)
        return there[pick % len(there)]

    def likely(self, ways: list[Any], pick: int, who: int) -> Any:
        """Mostly something that would succeed, else None: then anything."""
        return self.choose(ways, pick) if ways and who else None

    def somebody(self, pick: int, who: int, right: str) -> str:
        return right if who else str(self.choose(self.model.roles, pick))

    # --- parties and funds

    def add_party(self, roles: frozenset[Role], looks: int | None = None) -> None:
        serial = len(self.model.roles)
        order = CreateParty(name=f"第{serial}号", code=make_uscc("510100", f"MA{serial:06d}"), roles=roles)
        row = self.act(parties.create_party, self.model.operator, order, foretold=None, looks=looks)
        if row is not None:
            self.model.roles[row.id] = frozenset(role.value for role in roles)
            self.model.events["party.created"] += 1

    @precondition(lambda self: len(self.model.roles) < 8)
    @rule(roles=st.sets(st.sampled_from(sorted(TRADE)), min_size=1), looks=LOOKS)
    def register(self, roles: set[Role], looks: int | None) -> None:
        self.add_party(frozenset(roles), looks)

    def give(self, party: str, fen: int, by: str = "", looks: int | None = None) -> None:
        by = by or self.model.operator
        foretold = None if by == self.model.operator else "funds.deposit.role"
        if self.act(accounts.deposit, by, party, fen, foretold=foretold, looks=looks):
            self.model.move(FEN, fen, (party, "issued"), (party, "available"))
            self.model.events["funds.deposited"] += 1

    @rule(pick=PICK, fen=st.integers(1, 5_000), who=WHO, looks=LOOKS)
    def deposit(self, pick: int, fen: int, who: int, looks: int | None) -> None:
        self.give(self.choose(self.model.roles, pick), fen, self.somebody(pick, who, self.model.operator), looks)

    # --- assets

    def put(self, owner: str, kind: str, looks: int | None = None) -> None:
        needed = "modeller" if kind == "model" else "provider"
        foretold = (
            None if needed in self.model.roles[owner] else f"{'model' if kind == 'model' else 'asset'}.publish.role"
        )
        findable = len(self.model.assets) % 4 != 3
        if kind == "model":
            request: Any = PublishModel(source=self.world.card, inputs=("tenure",), findable=findable)
            row = self.act(catalog.publish_model, owner, request, foretold=foretold, looks=looks)
        else:
            source = self.world.files[kind]
            request = PublishTable(source=source, title="客户", key="customer_no", findable=findable)
            row = self.act(catalog.publish, owner, request, foretold=foretold, looks=looks)
        if row is not None:
            self.model.assets[row.id] = Asset(
                owner, kind, Version.objects.get(binding__asset=row.id).id, findable=findable
            )
            self.model.events["asset.published"] += 1

    @precondition(lambda self: len(self.model.assets) < 12)
    @rule(pick=PICK, kind=st.sampled_from(["table", "small", "model"]), looks=LOOKS)
    def publish(self, pick: int, kind: str, looks: int | None) -> None:
        self.put(self.choose(self.model.roles, pick), kind, looks)

    @precondition(lambda self: len(self.model.assets) > 3)
    @rule(pick=PICK, who=WHO, erase=st.booleans(), looks=LOOKS)
    def retire(self, pick: int, who: int, erase: bool, looks: int | None) -> None:
        """An owner takes its version out of use."""
        name = self.choose(self.model.assets, pick)
        asset = self.model.assets[name]
        by = self.somebody(pick, who, asset.owner)
        foretold = self.model.retiring(by, name, self.clock.moment)
        done = asset.state == "erased" or (asset.state == "withdrawn" and not erase)
        if erase:
            row = self.act(catalog.erase, by, asset.version, foretold=foretold, looks=looks)
        else:
            row = self.act(catalog.withdraw, by, asset.version, "owner", foretold=foretold, looks=looks)
        if row is not None and not done:
            asset.state = "erased" if erase else "withdrawn"
            self.model.events[f"version.{asset.state}"] += 1

    # --- offers

    def offer(
        self,
        by: str,
        data: str,
        model: str,
        *,
        price: int,
        count: int,
        days: int,
        weights: tuple[int, int],
        looks: int | None = None,
    ) -> str | None:
        provider, modeller = weights
        split = {"provider": provider, "modeller": modeller, "platform": 100 - provider - modeller}
        until = (self.clock.moment + timedelta(hours=8, days=days)).date()
        request = DraftOffer(
            data=data,
            model=model,
            group_by=("region",),
            purposes=frozenset({PURPOSE}),
            bases=frozenset({"contract"}),
            runs=count,
            until=until,
            price_fen=price,
            split=split,
        )
        foretold = self.model.drafting(by, data, model, self.clock.moment)
        row = self.act(agreements.draft, by, request, foretold=foretold, looks=looks)
        if row is None:
            return None
        self.model.offers[row.id] = Offer(by, data, model, price, count, split, end_of(until))
        self.model.events["offer.drafted"] += 1
        return str(row.id)

    @precondition(lambda self: len(self.model.offers) < 10)
    @rule(
        pick=PICK,
        which=PICK,
        who=WHO,
        price=st.sampled_from([0, 1, 7, 99, 1_000, 3_333]),
        count=st.integers(1, 3),
        days=st.sampled_from([0, 1, 30, 30]),
        provider=st.integers(0, 60),
        modeller=st.integers(0, 40),
        looks=LOOKS,
    )
    def draft(
        self,
        pick: int,
        which: int,
        who: int,
        price: int,
        count: int,
        days: int,
        provider: int,
        modeller: int,
        looks: int | None,
    ) -> None:
        known = self.model.assets.items()
        data = self.choose([name for name, asset in known if asset.kind != "model"], pick)
        model = self.choose([name for name, asset in known if asset.kind == "model"], which)
        by = self.somebody(pick, who, self.model.assets[(data, model)[pick % 2]].owner)
        self.offer(by, data, model, price=price, count=count, days=days, weights=(provider, modeller), looks=looks)

    @precondition(lambda self: len(self.model.offers) < 15)
    @rule(pick=PICK, which=PICK)
    def bring_to_market(self, pick: int, which: int) -> None:
        """An offer that goes live at once, if there is anything to offer."""
        known = [
            (name, asset) for name, asset in self.model.assets.items() if asset.state == "live" and not asset.result
        ]
        tables = [(name, asset.owner) for name, asset in known if asset.kind != "model"]
        models = [(name, asset.owner) for name, asset in known if asset.kind == "model"]
        if tables and models:
            (data, provider), (model, modeller) = self.choose(tables, pick), self.choose(models, which)
            if not self.model.sees(provider, model, self.clock.moment):
                return
            days = (0, 1, 30)[pick % 3]
            offer = self.offer(provider, data, model, price=pick, count=1 + which % 3, days=days, weights=(60, 30))
            for assigner in dict.fromkeys((provider, modeller)):
                self.agree(assigner, offer)
        else:
            self.put(list(self.model.roles)[1], "model" if tables else "table")

    def agree(self, by: str, offer_id: str | None, looks: int | None = None) -> None:
        assert offer_id is not None
        offer = self.model.offers[offer_id]
        foretold = self.model.accepting(by, offer, self.clock.moment)
        if self.act(agreements.accept, by, offer_id, foretold=foretold, looks=looks):
            offer.accepted.add(by)
            self.model.events["offer.accepted"] += 1
            if offer.accepted == self.model.assigners(offer):
                offer.state = "live"

    @precondition(lambda self: self.model.offers)
    @rule(pick=PICK, which=PICK, who=WHO, looks=LOOKS)
    def accept(self, pick: int, which: int, who: int, looks: int | None) -> None:
        now = self.clock.moment
        ways = [
            (name, by)
            for name, offer in self.model.offers.items()
            for by in sorted(self.model.assigners(offer))
            if self.model.accepting(by, offer, now) is None
        ]
        offer_id, by = self.likely(ways, pick, who) or (
            self.choose(self.model.offers, pick),
            self.choose(self.model.roles, which),
        )
        self.agree(by, offer_id, looks)

    @precondition(lambda self: len(self.model.offers) > 3)
    @rule(pick=PICK, who=WHO, looks=LOOKS)
    def withdraw(self, pick: int, who: int, looks: int | None) -> None:
        offer_id, offer = self.choose(self.model.offers.items(), pick)
        by = self.somebody(pick, who, self.choose(sorted(self.model.assigners(offer)), pick))
        if self.act(agreements.withdraw, by, offer_id, foretold=self.model.withdrawing(by, offer), looks=looks):
            offer.state = "withdrawn"
            self.model.events["offer.withdrawn"] += 1

    # --- orders and agreements

    @precondition(lambda self: self.model.offers)
    @rule(pick=PICK, which=PICK, who=WHO, purpose=st.sampled_from([PURPOSE] * 7 + ["marketing"]), looks=LOOKS)
    def order(self, pick: int, which: int, who: int, purpose: str, looks: int | None) -> None:
        now = self.clock.moment
        ways = [
            (name, by)
            for name, offer in self.model.offers.items()
            for by in self.model.roles
            if self.model.ordering(by, offer, PURPOSE, now) is None
        ]
        offer_id, by = self.likely(ways, pick, who) or (
            self.choose(self.model.offers, pick),
            self.choose(self.model.roles, which),
        )
        offer = self.model.offers[offer_id]
        foretold = self.model.ordering(by, offer, purpose, now)
        request = PlaceOrder(offer=offer_id, purpose=purpose)
        row = self.act(exchange.place, by, request, foretold=foretold, looks=looks)
        if row is None:
            return
        made = {line.role: line.agreement for line in row.lines.all()}
        for role, asset in (("data", offer.data), ("model", offer.model)):
            owner = self.model.assets[asset].owner
            self.model.agreements[made[role]] = Agreement(owner, by, asset, offer.until, offer.runs)
            self.model.move(RUN, offer.runs, (made[role], "issued"), (made[role], "available"))
        self.model.orders[row.id] = Order(offer_id, by, (made["data"], made["model"]))
        self.model.reserve(self.model.orders[row.id])
        self.model.events.update({"order.placed": 1, "agreement.concluded": 2})

    @precondition(lambda self: len(self.model.agreements) > 2)
    @rule(pick=PICK, who=WHO, looks=LOOKS)
    def revoke(self, pick: int, who: int, looks: int | None) -> None:
        agreement_id, agreement = self.choose(self.model.agreements.items(), pick)
        self.end(agreement_id, self.somebody(pick, who, agreement.assigner), looks)

    def end(self, agreement_id: str, by: str, looks: int | None = None) -> None:
        agreement = self.model.agreements[agreement_id]
        foretold = self.model.revoking(by, agreement)
        if self.act(agreements.revoke, by, agreement_id, "breach", foretold=foretold, looks=looks):
            agreement.revoked = True
            self.model.events["agreement.revoked"] += 1

    # --- runs
