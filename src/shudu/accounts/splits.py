"""Dividing an amount without losing or inventing a 分."""

from __future__ import annotations

from collections.abc import Mapping

from shudu.policy.types import Invalid, Text


def largest_remainder(amount: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide `amount` in proportion to `weights` (Hamilton's method): the shares sum to exactly `amount`.

    Each share is its exact quota rounded down; what is left goes, one each, to the largest remainders, and among equal
    remainders to the first keys in order. Raises `Invalid` unless weights are non-negative integers, not all zero.
    """
    total = sum(weights.values())
    if amount < 0 or total <= 0 or any(type(weight) is not int or weight < 0 for weight in weights.values()):
        raise Invalid(
            "accounts.split",
            Text(
                "分成比例须为非负整数，且不能全为零；金额不能为负。",
                "A split's weights are non-negative integers, not all zero; its amount is not negative.",
            ),
            Text("例如 provider=60,modeller=30,platform=10。", "For example provider=60,modeller=30,platform=10."),
        )
    quotas = {key: divmod(amount * weight, total) for key, weight in weights.items()}
    shares = {key: whole for key, (whole, _) in quotas.items()}
    for key in sorted(quotas, key=lambda key: (-quotas[key][1], key))[: amount - sum(shares.values())]:
        shares[key] += 1
    return shares
