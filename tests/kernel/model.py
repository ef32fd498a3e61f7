"""A model of the kernel in dicts: what each operation must lead to, said a second time and as simply as possible.

It knows no rows and calls nothing of the kernel. An operation is foretold as the code of its refusal, or None; `did_…`
then says what it changed. The book is a counter of (holder, unit, place): every amount that moves is moved here too.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

FEN, RUN = "CNY.fen", "run"
PURPOSE = "research"
ATTEMPTS = 5


@dataclass
class Asset:
    owner: str
    kind: str  # table, small or model; `small` has too few rows for anything to be released
    version: str
    state: str = "live"
    result: bool = False
    findable: bool = False


@dataclass
class Offer:
    drafter: str
    data: str
    model: str
    price: int
    runs: int
    split: dict[str, int]
    until: datetime
    state: str = "drafted"
    accepted: set[str] = field(default_factory=set)


@dataclass
class Agreement:
    assigner: str
    assignee: str
    asset: str
    until: datetime
    runs: int
    revoked: bool = False
    told: bool = False  # the news of its revocation has been delivered


@dataclass
class Order:
    offer: str
    buyer: str
    agreements: tuple[str, str]  # data, model
    state: str = "placed"
    prepaid: bool = True  # reserved with the order, not yet used by a run
    rung: bool = False  # its deadline has passed, and somebody has looked


@dataclass
class Run:
    order: str
    state: str = "queued"
    step: str = "bind"
    attempt: int = 0
    lease: datetime | None = None
    told: bool = False  # the news of its end has been delivered, so it is settled or released


class Model:
    def __init__(self, operator: str) -> None:
        self.operator = operator
        self.roles: dict[str, frozenset[str]] = {operator: frozenset({"operator"})}
        self.assets: dict[str, Asset] = {}
        self.offers: dict[str, Offer] = {}
        self.agreements: dict[str, Agreement] = {}
        self.orders: dict[str, Order] = {}
        self.runs: dict[str, Run] = {}
        self.book: Counter[tuple[str, str, str]] = Counter()
        self.events: Counter[str] = Counter()

    # --- money and counts

    def move(self, unit: str, amount: int, source: tuple[str, str], *targets: tuple[str, str]) -> None:
        self.book[source[0], unit, source[1]] -= amount
        for holder, place in targets:
            self.book[holder, unit, place] += amount

    def has(self, holder: str, unit: str) -> int:
        return self.book[holder, unit, "available"]

    def reserve(self, order: Order) -> None:
        self.move(FEN, self.offers[order.offer].price, (order.buyer, "available"), (order.buyer, "reserved"))
        for agreement in order.agreements:
            self.move(RUN, 1, (agreement, "available"), (agreement, "reserved"))

    def cannot_reserve(self, buyer: str, price: int, agreements: tuple[str, ...]) -> str | None:
        if price > self.has(buyer, FEN):
            return "accounts.funds"
        return "accounts.quota" if any(not self.has(one, RUN) for one in agreements) else None

    def give_back(self, order: Order) -> None:
        price = self.offers[order.offer].price
        self.move(FEN, price, (order.buyer, "reserved"), (order.buyer, "available"))
        for agreement in order.agreements:
            self.move(RUN, 1, (agreement, "reserved"), (agreement, "available"))

    def cancel(self, order: Order) -> None:
        order.state = "cancelled"
        self.events["order.released"] += 1
        if order.prepaid:
            order.prepaid = False
            self.give_back(order)

    def revoked(self, name: str) -> None:
        """The news of a revocation has arrived: what its orders have locked comes back, unless a run goes on."""
        self.agreements[name].told = True
        for order in self.orders.values():
            if name in order.agreements and order.state not in ("running", "cancelled"):
                self.cancel(order)

    def ended(self, run: Run) -> None:
        """The news of a run's end has arrived: whoever is to be paid is paid, or everything is given back."""
        run.told = True
        order = self.orders[run.order]
        offer = self.offers[order.offer]
        if run.state == "closed":
            order.state = "settled"
            self.events["order.settled"] += 1
            self.book[order.buyer, FEN, "reserved"] -= offer.price
            payees = {
                "provider": self.assets[offer.data].owner,
                "modeller": self.assets[offer.model].owner,
                "platform": self.operator,
            }
            for role, share in shares(offer.price, offer.split).items():
                self.book[payees[role], FEN, "available"] += share
            for agreement in order.agreements:
                self.move(RUN, 1, (agreement, "reserved"), (agreement, "consumed"))
        else:
            order.state = "failed"
            self.events["order.released"] += 1
            self.give_back(order)

    # --- what is there for whom

    def sees(self, by: str, name: str, now: datetime) -> bool:
        asset = self.assets[name]
        if asset.findable or by in (asset.owner, self.operator):
            return True
        for offer in self.offers.values():
            if name in (offer.data, offer.model):
                shown = asset.owner == offer.drafter or asset.owner in offer.accepted
                on_sale = offer.state == "live" and now <= offer.until
                if on_sale or (shown and by in self.assigners(offer)):
                    return True
        return any(one.asset == name and by in (one.assigner, one.assignee) for one in self.agreements.values())

    def sees_offer(self, by: str, offer: Offer) -> bool:
        return offer.state == "live" or by in {*self.assigners(offer), offer.drafter, self.operator}

    def sees_order(self, by: str, order: Order) -> bool:
        return by in {order.buyer, self.operator, *(self.agreements[one].assigner for one in order.agreements)}

    # --- what would be refused, and why

    def retiring(self, by: str, name: str, now: datetime) -> str | None:
        if by == self.assets[name].owner:
            return None
        return "asset.erase.owner" if self.sees(by, name, now) else "not_found"

    def drafting(self, by: str, data: str, model: str, now: datetime) -> str | None:
        if not self.roles[by] & {"provider", "modeller"}:
            return "offer.draft.role"
        for asset in (data, model):
            if not self.sees(by, asset, now):
                return "not_found"
            if self.assets[asset].state != "live":
                return "asset.no_version"
        if by not in (self.assets[data].owner, self.assets[model].owner):
            return "offer.draft.assigner"
        return "right.operate" if self.assets[data].result else None

    def assigners(self, offer: Offer) -> set[str]:
        return {self.assets[offer.data].owner, self.assets[offer.model].owner}

    def accepting(self, by: str, offer: Offer, now: datetime) -> str | None:
        if by not in self.assigners(offer):
            return "offer.accept.assigner" if self.sees_offer(by, offer) else "not_found"
        if by in offer.accepted and offer.state != "withdrawn":
            return "offer.accepted"
        if now > offer.until:
            return "offer.expired"
        return "cases.transition" if offer.state == "withdrawn" else None

    def withdrawing(self, by: str, offer: Offer) -> str | None:
        if by not in self.assigners(offer):
            return "offer.withdraw.assigner" if self.sees_offer(by, offer) else "not_found"
        return "cases.transition" if offer.state == "withdrawn" else None

    def ordering(self, by: str, offer: Offer, purpose: str, now: datetime) -> str | None:
        if not self.sees_offer(by, offer):
            return "not_found"
        if "buyer" not in self.roles[by]:
            return "order.place.role"
        if offer.state != "live":
            return "offer.not_live"
        if now > offer.until:
            return "offer.expired"
        # Line by line: the model's version is looked at when the data's line is concluded.
        if self.assets[offer.data].state != "live":
            return "asset.no_version"
        if purpose != PURPOSE:
            return "terms.purposes"
        if self.assets[offer.model].state != "live":
            return "asset.no_version"
        return "accounts.funds" if offer.price > self.has(by, FEN) else None

    def over(self, order: Order, now: datetime) -> bool:
        return any(now > self.agreements[agreement].until for agreement in order.agreements)

    def permitting(self, order: Order, now: datetime) -> str | None:
        for one in (self.agreements[agreement] for agreement in order.agreements):
            if one.revoked:
                return "agreement.revoked"
            if now > one.until:
                return "agreement.expired"
        return None

    def starting(self, by: str, order: Order, now: datetime) -> str | None:
        if by != order.buyer:
            return "order.run.buyer" if self.sees_order(by, order) else "not_found"
        if refused := self.permitting(order, now):
            return refused
        if not order.prepaid and (
            short := self.cannot_reserve(order.buyer, self.offers[order.offer].price, order.agreements)
        ):
            return short
        return "cases.transition" if order.state in ("running", "cancelled") else None

    def cancelling(self, by: str, order: Order) -> str | None:
        if by != order.buyer:
            return "order.cancel.buyer" if self.sees_order(by, order) else "not_found"
        return "cases.transition" if order.state in ("running", "cancelled") else None

    def revoking(self, by: str, agreement: Agreement) -> str | None:
        if by != agreement.assigner:
            seen = by in (agreement.assignee, self.operator)
            return "agreement.revoke.assigner" if seen else "not_found"
        return "agreement.revoked" if agreement.revoked else None

    def delivering(self, by: str, asset: Asset) -> str | None:
        if by != asset.owner:
            return "result.download.owner" if by == self.operator else "not_found"
        return None if asset.state == "live" else "result.withdrawn"

    def failing(self, order: Order, step: str, now: datetime) -> str | None:
        """Why a run would fail at this step, whatever the sandbox does."""
        if refused := self.permitting(order, now):
            return refused
        offer = self.offers[order.offer]
        if step == "close":
            return None if self.assets[offer.data].state == "live" else "asset.no_version"
        if any(self.assets[asset].state != "live" for asset in (offer.data, offer.model)):
            return "asset.no_version"
        return None


def shares(price: int, weights: dict[str, int]) -> dict[str, int]:
    """By largest remainder, ties in alphabetical order."""
    whole = {role: price * weight // 100 for role, weight in weights.items()}
    rest = sorted(weights, key=lambda role: (-(price * weights[role] % 100), role))
    for role in rest[: price - sum(whole.values())]:
        whole[role] += 1
    return whole
