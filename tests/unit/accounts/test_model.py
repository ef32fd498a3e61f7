"""The book against a plain dictionary: whatever is done in whatever order, both say the same and the book is sound."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shudu.accounts import actions as accounts
from shudu.accounts.posting import post
from shudu.accounts.queries import balance, books, drift, statement
from shudu.accounts.splits import largest_remainder
from shudu.accounts.types import Balance, Kind, Why
from shudu.accounts.units import UNITS
from shudu.policy import ids
from shudu.policy.types import Actor, Conflict, Refused

HOLDERS = ("pty_a", "pty_b", "pty_c")
MONEY = "CNY.fen"
holders = st.sampled_from(HOLDERS)
amounts = st.integers(0, 50)


def machine(within: Any) -> type[RuleBasedStateMachine]:
    class Book(RuleBasedStateMachine):
        reservations = Bundle("reservations")

        def __init__(self) -> None:
            super().__init__()
            self.atomic = transaction.atomic()
            self.atomic.__enter__()
            self.available: dict[tuple[str, str], int] = defaultdict(int)
            self.reserved: dict[tuple[str, str], int] = defaultdict(int)
            self.consumed: dict[tuple[str, str], int] = defaultdict(int)
            self.opened: set[tuple[str, str]] = set()
            self.ends: dict[str, Any] = {}

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

        @rule(holder=holders, amount=st.integers(1, 100))
        def deposit(self, holder: str, amount: int) -> None:
            moves = {(holder, Kind.ISSUED): -amount, (holder, Kind.AVAILABLE): amount}
            post(MONEY, Why.DEPOSIT, ids.new("transfer"), moves)
            self.available[holder, MONEY] += amount

        @rule(holder=holders, unit=st.sampled_from(["run", "epsilon.micro"]), amount=amounts)
        def open_quota(self, holder: str, unit: str, amount: int) -> None:
            if (holder, unit) in self.opened:
                with pytest.raises(Conflict):
                    within(lambda: accounts.open_quota(holder, unit, amount))
                return
            within(lambda: accounts.open_quota(holder, unit, amount))
            self.opened.add((holder, unit))
            self.available[holder, unit] += amount

        @rule(target=reservations, holder=holders, unit=st.sampled_from(sorted(UNITS)), amount=amounts)
        def reserve(self, holder: str, unit: str, amount: int) -> Any:
            if amount > self.available[holder, unit]:
                with pytest.raises(Refused):
                    within(lambda: accounts.reserve(holder, unit, amount, purpose="test"))
                return None
            self.available[holder, unit] -= amount
            self.reserved[holder, unit] += amount
            return within(lambda: accounts.reserve(holder, unit, amount, purpose="test"))

        @rule(row=reservations, weights=st.tuples(*[st.integers(0, 3)] * 3).filter(any))
        def commit(self, row: Any, weights: tuple[int, ...]) -> None:
            if row is None:
                return
            shares = None
            if row.unit == MONEY:
                shares = largest_remainder(row.amount, dict(zip(HOLDERS, weights, strict=True)))
            end = ("committed", {holder: share for holder, share in (shares or {}).items() if share})
            if self.settled(row, end, lambda: accounts.commit(row.id, shares)):
                for holder, share in (shares or {}).items():
                    self.available[holder, MONEY] += share
                self.consumed[row.holder, row.unit] += 0 if shares is not None else row.amount

        @rule(row=reservations)
        def release(self, row: Any) -> None:
            if row is not None and self.settled(row, ("released", {}), lambda: accounts.release(row.id)):
                back = self.consumed if row.unit == "epsilon.micro" else self.available
                back[row.holder, row.unit] += row.amount

        def settled(self, row: Any, end: Any, work: Any) -> bool:
            """Do it, expecting a conflict after another end; True when it is the first."""
            if self.ends.get(row.id, end) != end:
                with pytest.raises(Conflict):
                    within(work)
                return False
            within(work)
            first = row.id not in self.ends
            self.ends[row.id] = end
            if first:
                self.reserved[row.holder, row.unit] -= row.amount
            return first

        @invariant()
        def both_say_the_same(self) -> None:
            for holder in HOLDERS:
                for unit in UNITS:
                    key = (holder, unit)
                    assert balance(*key) == Balance(self.available[key], self.reserved[key], self.consumed[key])
                    lines = statement(holder, unit)
                    assert (lines[-1].balance if lines else 0) == self.available[key]

        @invariant()
        def the_book_is_sound(self) -> None:
            assert not any(books().values())
            assert drift() == {}

    return Book


@pytest.mark.django_db
def test_the_book_agrees_with_a_dictionary(within: Any, operator: Actor) -> None:
    run_state_machine_as_test(
        machine(within), settings=settings(max_examples=40, stateful_step_count=25, deadline=None)
    )
