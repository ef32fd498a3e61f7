"""The laws of a split: nothing lost, nobody off by a whole 分, more weight never gets less, order does not matter."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.accounts.splits import largest_remainder
from shudu.policy.types import Invalid

amounts = st.integers(0, 10**15)
weights = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.integers(0, 10**6), min_size=1).filter(
    lambda found: any(found.values())
)


@given(amounts, weights)
def test_shares_sum_to_the_amount_and_stay_within_one_of_their_quota(amount: int, given_: dict[str, int]) -> None:
    shares = largest_remainder(amount, given_)
    total = sum(given_.values())
    assert sum(shares.values()) == amount
    assert shares.keys() == given_.keys()
    assert all(abs(shares[key] - Fraction(amount * given_[key], total)) < 1 for key in given_)
    assert all(shares[key] == 0 for key in given_ if given_[key] == 0)


@given(amounts, weights)
def test_more_weight_never_gets_less(amount: int, given_: dict[str, int]) -> None:
    shares = largest_remainder(amount, given_)
    ranked = sorted(given_, key=lambda key: given_[key])
    for less, more in pairwise(ranked):
        assert shares[less] <= shares[more] + (given_[less] == given_[more])


@given(amounts, weights, st.randoms())
def test_the_order_of_the_weights_does_not_matter(amount: int, given_: dict[str, int], random: Random) -> None:
    shuffled = list(given_.items())
    random.shuffle(shuffled)
    assert largest_remainder(amount, dict(shuffled)) == largest_remainder(amount, given_)


@given(amounts, weights, st.integers(1, 1000))
def test_only_proportions_matter(amount: int, given_: dict[str, int], factor: int) -> None:
    scaled = {key: weight * factor for key, weight in given_.items()}
    assert largest_remainder(amount, scaled) == largest_remainder(amount, given_)


@pytest.mark.parametrize(
    ("amount", "given_", "shares"),
    [
        (100, {"provider": 60, "modeller": 30, "platform": 10}, {"provider": 60, "modeller": 30, "platform": 10}),
        (1, {"provider": 60, "modeller": 30, "platform": 10}, {"provider": 1, "modeller": 0, "platform": 0}),
        (101, {"b": 1, "a": 1}, {"a": 51, "b": 50}),  # equal remainders: the first key in order
        (10, {"a": 1, "b": 1, "c": 1}, {"a": 4, "b": 3, "c": 3}),
        (7, {"a": 5, "b": 3, "c": 1}, {"a": 4, "b": 2, "c": 1}),  # quotas 3.89, 2.33, 0.78
        (0, {"a": 1}, {"a": 0}),
    ],
)
def test_worked_examples(amount: int, given_: dict[str, int], shares: dict[str, int]) -> None:
    assert largest_remainder(amount, given_) == shares


@pytest.mark.parametrize(
    ("amount", "given_"),
    [(1, {}), (1, {"a": 0}), (1, {"a": -1, "b": 3}), (-1, {"a": 1}), (1, {"a": 0.5}), (1, {"a": True})],
)
def test_what_is_no_split(amount: int, given_: dict[str, int]) -> None:
    with pytest.raises(Invalid) as caught:
        largest_remainder(amount, given_)
    assert caught.value.code == "accounts.split"
