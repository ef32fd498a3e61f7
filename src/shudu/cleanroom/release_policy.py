"""The rules of release as values. What each is for stands beside them in
`release_policy.toml`, which is the one to change."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("release_policy.toml")


@dataclass(frozen=True, slots=True)
class ReleasePolicy:
    """One value for each rule; what they mean and why is said in the file. `group_by` None: any that was agreed."""

    min_group: int
    min_group_sensitive: int
    dominant_entities: int
    dominant_share: float
    carrier_fraction: float
    significant_digits: int
    resolution: int
    group_by: frozenset[str] | None
    max_rows: int
    max_columns: int
    max_bytes: int
    max_text: int
    releases_per_day: int
    decide_days: int


def read(text: str) -> tuple[ReleasePolicy, Mapping[str, bool], Mapping[str, str]]:
    """The policy in a file's text, whether the larger value is the stricter one, and the reasons, each by rule.

    Raises ValueError when a rule is missing, unknown, without a reason or of another type.
    """
    found = tomllib.loads(text)
    names = [one.name for one in fields(ReleasePolicy)]
    if set(found) != set(names):
        raise ValueError(f"rules missing or unknown: {sorted(set(found) ^ set(names))}")
    wrong = [name for name in names if not _is_rule(found[name], name)]
    if wrong:
        raise ValueError(f"a rule has a value above nought, `stricter` and a reason: {wrong}")
    values = {name: found[name]["value"] for name in names} | {"group_by": None}
    larger = {name: found[name]["stricter"] == "larger" for name in names}
    return ReleasePolicy(**values), larger, {name: " ".join(found[name]["reason"].split()) for name in names}


def _is_rule(rule: Any, name: str) -> bool:
    return (
        isinstance(rule, dict)
        and set(rule) == {"value", "stricter", "reason"}
        and (rule["value"] == "agreed" if name == "group_by" else is_value(name, rule["value"]))
        and rule["stricter"] in ("larger", "smaller")
        and bool(str(rule["reason"]).strip())
    )


def is_value(name: str, value: Any) -> bool:
    """Can a rule have this value? Above nought, and whole where it counts; for `group_by` a list of columns."""
    if name == "group_by":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return type(value) is (float if name in ("dominant_share", "carrier_fraction") else int) and value > 0


DEFAULTS, _LARGER_IS_STRICTER, REASONS = read(FILE.read_text("utf-8"))


def is_larger_stricter(name: str) -> bool:
    """Which way a rule is made stricter."""
    return _LARGER_IS_STRICTER[name]


def strictest(a: ReleasePolicy, b: ReleasePolicy) -> ReleasePolicy:
    """The stricter of both, rule by rule; of two lists what stands on both."""
    return ReleasePolicy(**{name: stricter(name, getattr(a, name), getattr(b, name)) for name in _LARGER_IS_STRICTER})


def stricter(name: str, a: Any, b: Any) -> Any:
    """The stricter of two values of one rule."""
    if name == "group_by":
        return a & b if a is not None and b is not None else b if a is None else a
    return (max if _LARGER_IS_STRICTER[name] else min)(a, b)
