"""Deposits, quotas and reservations, one rule at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from shudu.accounts import actions as accounts
from shudu.accounts.models import Account, Posting, Transfer
from shudu.accounts.posting import Short, post
from shudu.accounts.queries import balance, books, drift, require_readable, statement
from shudu.accounts.types import CAP, Balance, Kind, Why
from shudu.accounts.units import UNITS, spoken
from shudu.policy import ids
from shudu.policy.models import Outbox
from shudu.policy.types import Actor, Conflict, Invalid, NotFound, Refused

Within = Callable[[Callable[[], Any]], Any]
MONEY = "CNY.fen"


def sound() -> bool:
    return not any(books().values()) and not drift()


def test_a_deposit_is_credited_and_recorded(operator: Actor, buyer: str) -> None:
    transfer = accounts.deposit(operator, buyer, 12_345)
    assert balance(buyer, MONEY) == Balance(available=12_345)
    assert Outbox.objects.get(subject=transfer.id).fields == {
        "party": buyer,
        "unit": MONEY,
        "amount": 12_345,
        "by": operator.party,
        "via": "console",
    }
    assert sound()


def test_only_the_operator_deposits(operator: Actor, buyer: str) -> None:
    with pytest.raises(Refused):
        accounts.deposit(Actor(buyer), buyer, 1)
    assert not Transfer.objects.exists()


def test_funds_are_shown_to_their_holder_and_the_operator(operator: Actor, buyer: str, seller: str) -> None:
    require_readable(Actor(buyer), buyer)
    require_readable(operator, buyer)
    with pytest.raises(Refused):
        require_readable(Actor(seller), buyer)


@pytest.mark.parametrize("fen", [0, -1, CAP + 1, 1.0, "1", True])
def test_what_is_no_deposit(operator: Actor, buyer: str, fen: Any) -> None:
    with pytest.raises(Invalid) as caught:
        accounts.deposit(operator, buyer, fen)
    assert caught.value.code == "accounts.amount"
    assert not Transfer.objects.exists()


def test_deposits_add_up_to_the_cap_and_no_further(operator: Actor, buyer: str) -> None:
    accounts.deposit(operator, buyer, CAP)
    with pytest.raises(Invalid):
        accounts.deposit(operator, buyer, 1)
    with pytest.raises(NotFound):
        accounts.deposit(operator, ids.new("party"), 1)
    assert balance(buyer, MONEY).available == CAP


def test_the_same_key_deposits_once(operator: Actor, buyer: str) -> None:
    first = accounts.deposit(operator, buyer, 5, idempotency_key="k")
    assert accounts.deposit(operator, buyer, 5, idempotency_key="k") == first
    assert balance(buyer, MONEY).available == 5


def test_money_is_reserved_then_shared(operator: Actor, buyer: str, seller: str, within: Within) -> None:
    accounts.deposit(operator, buyer, 1_000)
    row = within(lambda: accounts.reserve(buyer, MONEY, 999, purpose="order"))
    assert balance(buyer, MONEY) == Balance(available=1, reserved=999)
    within(lambda: accounts.commit(row.id, {seller: 600, operator.party: 399}))
    assert balance(buyer, MONEY) == Balance(available=1)
    assert balance(seller, MONEY).available == 600
    assert balance(operator.party, MONEY).available == 399
    assert [(line.reason, line.available, line.reserved, line.balance) for line in statement(buyer, MONEY)] == [
        ("deposit", 1_000, 0, 1_000),
        ("reserve", -999, 999, 1),
        ("commit", 0, -999, 1),
    ]
    line = statement(seller, MONEY)[0].to_json()
    assert (line["reference"], line["available"], line["balance"]) == (row.id, 600, 600)
    assert line["time"].endswith("Z")
    assert sound()


def test_a_party_may_earn_from_its_own_order(operator: Actor, buyer: str, within: Within) -> None:
    accounts.deposit(operator, buyer, 10)
    row = within(lambda: accounts.reserve(buyer, MONEY, 10, purpose="order"))
    within(lambda: accounts.commit(row.id, {buyer: 4, operator.party: 6}))
    assert balance(buyer, MONEY) == Balance(available=4)
    assert sound()


@pytest.mark.parametrize("shares", [None, {}, {"a": 9}, {"a": 11}, {"a": 11, "b": -1}, {"a": 5.0, "b": 5}])
def test_shares_must_be_exactly_what_was_reserved(
    operator: Actor, buyer: str, within: Within, shares: dict[str, int] | None
) -> None:
    accounts.deposit(operator, buyer, 100)
    row = within(lambda: accounts.reserve(buyer, MONEY, 10, purpose="order"))
    with pytest.raises(Invalid):
        within(lambda: accounts.commit(row.id, shares))
    assert balance(buyer, MONEY) == Balance(available=90, reserved=10)


def test_a_price_of_nothing_is_reserved_and_committed(buyer: str, within: Within) -> None:
    row = within(lambda: accounts.reserve(buyer, MONEY, 0, purpose="free"))
    assert within(lambda: accounts.commit(row.id, {})).state == "committed"
    assert balance(buyer, MONEY) == Balance()


def test_short_of_funds_says_what_is_missing(operator: Actor, buyer: str, within: Within) -> None:
    accounts.deposit(operator, buyer, 123_450)
    with pytest.raises(Refused) as caught:
        within(lambda: accounts.reserve(buyer, MONEY, 200_000, purpose="order"))
    error = caught.value
    assert error.code == error.decision.reasons[0].rule == "accounts.funds"
    for said in (error.message.zh, error.message.en):
        assert "¥2,000.00" in said
        assert "¥1,234.50" in said
    assert error.remedy
    assert balance(buyer, MONEY) == Balance(available=123_450)
    assert sound()


def test_a_refusal_that_is_caught_leaves_nothing_behind(operator: Actor, buyer: str, within: Within) -> None:
    """A caller may try, catch and go on in the same transaction."""
    accounts.deposit(operator, buyer, 10)

    def work() -> None:
        with pytest.raises(Refused):
            accounts.reserve(buyer, MONEY, 11, purpose="order")
        accounts.reserve(buyer, MONEY, 10, purpose="order")

    within(work)
    assert balance(buyer, MONEY) == Balance(reserved=10)
    assert Transfer.objects.filter(reason="reserve").count() == 1


def test_a_quota_runs_out(within: Within, db: None) -> None:
    agreement = ids.new("agreement")
    within(lambda: accounts.open_quota(agreement, "run", 2))
    first = within(lambda: accounts.reserve(agreement, "run", 1, purpose="run"))
    within(lambda: accounts.commit(first.id, None))
    within(lambda: accounts.reserve(agreement, "run", 1, purpose="run"))
    assert balance(agreement, "run") == Balance(available=0, reserved=1, consumed=1)
    with pytest.raises(Refused) as caught:
        within(lambda: accounts.reserve(agreement, "run", 1, purpose="run"))
    assert caught.value.code == "accounts.quota"
    assert "1 次" in caught.value.message.zh
    assert "0 run(s)" in caught.value.message.en
    assert sound()


def test_a_quota_is_opened_once(within: Within, db: None) -> None:
    agreement = ids.new("agreement")
    within(lambda: accounts.open_quota(agreement, "run", 2))
    with pytest.raises(Conflict):
        within(lambda: accounts.open_quota(agreement, "run", 2))
    within(lambda: accounts.open_quota(agreement, "epsilon.micro", 7))
    assert balance(agreement, "run").available == 2


def test_a_count_has_no_shares_and_money_no_quota(within: Within, db: None) -> None:
    within(lambda: accounts.open_quota("agr_x", "run", 1))
    row = within(lambda: accounts.reserve("agr_x", "run", 1, purpose="run"))
    with pytest.raises(Invalid):
        within(lambda: accounts.commit(row.id, {"a": 1}))
    with pytest.raises(ValueError, match="deposited"):
        within(lambda: accounts.open_quota("agr_x", MONEY, 1))
    with pytest.raises(Invalid) as caught:
        within(lambda: accounts.open_quota("agr_x", "USD", 1))
    assert caught.value.code == "accounts.unit"


@pytest.mark.parametrize("unit", sorted(code for code, unit in UNITS.items() if not unit.transferable))
def test_release_refunds_by_the_units_rule(within: Within, db: None, unit: str) -> None:
    within(lambda: accounts.open_quota("agr_x", unit, 5))
    row = within(lambda: accounts.reserve("agr_x", unit, 3, purpose="run"))
    within(lambda: accounts.release(row.id))
    refunded = {"run": Balance(available=5), "epsilon.micro": Balance(available=2, consumed=3)}
    assert balance("agr_x", unit) == refunded[unit]
    assert sound()


def test_an_outcome_stands(operator: Actor, buyer: str, seller: str, within: Within) -> None:
    accounts.deposit(operator, buyer, 20)
    one, two = (within(lambda: accounts.reserve(buyer, MONEY, 10, purpose="order")) for _ in range(2))
    for _ in range(2):
        within(lambda: accounts.commit(one.id, {seller: 10, buyer: 0}))
        within(lambda: accounts.release(two.id))
    assert (balance(buyer, MONEY), balance(seller, MONEY).available) == (Balance(available=10), 10)
    contrary: list[Callable[[], Any]] = [
        lambda: accounts.release(one.id),
        lambda: accounts.commit(one.id, {buyer: 10}),
        lambda: accounts.commit(two.id, {seller: 10}),
    ]
    for work in contrary:
        with pytest.raises(Conflict) as caught:
            within(work)
        assert caught.value.code == "accounts.reservation_closed"
    assert Posting.objects.count() == 2 + 4 + 2 + 2
    with pytest.raises(NotFound):
        within(lambda: accounts.release(ids.new("reservation")))


def test_parts_do_not_run_alone(db: None) -> None:
    for work in (
        lambda: accounts.reserve("a", "run", 0, purpose="x"),
        lambda: accounts.open_quota("a", "run", 1),
        lambda: accounts.commit("rsv_x"),
        lambda: accounts.release("rsv_x"),
    ):
        with pytest.raises(RuntimeError, match="part of an action"):
            work()


def test_post_keeps_its_word(db: None) -> None:
    with pytest.raises(ValueError, match="zero"):
        post("run", Why.QUOTA, "a", {("a", Kind.AVAILABLE): 1})
    with pytest.raises(Short):
        post("run", Why.RESERVE, "a", {("a", Kind.AVAILABLE): -1, ("a", Kind.RESERVED): 1})
    assert not Transfer.objects.exists()
    post("run", Why.QUOTA, "a", {("a", Kind.ISSUED): -1, ("a", Kind.AVAILABLE): 1})
    with pytest.raises(IntegrityError):
        post("run", Why.QUOTA, "a", {("a", Kind.ISSUED): -1, ("a", Kind.AVAILABLE): 1})
    assert balance("a", "run").available == 1


def test_the_database_itself_refuses_debt(db: None) -> None:
    account = Account.objects.create(holder="a", unit="run", kind="available")
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=account.pk).update(balance=-1)


def test_a_broken_book_is_noticed(operator: Actor, buyer: str) -> None:
    accounts.deposit(operator, buyer, 7)
    assert sound()
    account = Account.objects.get(holder=buyer, kind="available")
    Account.objects.filter(pk=account.pk).update(balance=9)
    assert books() == {MONEY: 2}
    assert drift() == {account.pk: 2}


def test_amounts_are_spoken() -> None:
    assert spoken(5, UNITS[MONEY]).en == "¥0.05"
    assert spoken(123_456_789, UNITS[MONEY]).zh == "¥1,234,567.89"
    assert spoken(1_500_000, UNITS["epsilon.micro"]).en == "ε 1.500000"
    assert spoken(3, UNITS["run"]).zh == "3 次"


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_gets_the_last(within: Within) -> None:
    """Two threads with connections of their own, on a database file, race for the last unit, over and over."""
    assert connection.vendor != "sqlite" or "memory" not in str(connection.settings_dict["NAME"])
    rounds = 15
    for number in range(rounds):
        within(partial(accounts.open_quota, f"agr_{number}", "run", 1))
    barrier = threading.Barrier(2)
    won: list[int] = []
    lost: list[int] = []
    broken: list[BaseException] = []

    def buy() -> None:
        try:
            for number in range(rounds):
                barrier.wait(timeout=30)
                try:
                    within(partial(accounts.reserve, f"agr_{number}", "run", 1, purpose="run"))
                    won.append(number)
                except Refused:
                    lost.append(number)
        except BaseException as error:
            barrier.abort()
            broken.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=buy) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not broken
    assert sorted(won) == sorted(lost) == list(range(rounds))
    assert all(balance(f"agr_{number}", "run") == Balance(reserved=1) for number in range(rounds))
    assert sound()
