"""Stricter rules of release than the defaults: the house's, and each owner's for whatever its data or model is part of.

They stand in `release_policy.toml` of the home, which whoever runs the house edits: a table `[house]`, and a table
`[owner.<party id>]` for each owner that asked for one, with rules of `ReleasePolicy` by name. It is read for every run.
What is not a rule, or laxer than the default, stops every run until it is corrected: a typing error must not loosen.
What a party declares for itself (`actions.restrict`) stands in rows; the strictest of all holds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import reduce
from pathlib import Path
from typing import Any

from shudu.policy.types import Text, Unavailable

from .release_policy import DEFAULTS, ReleasePolicy, is_value, stricter, strictest

NAME = "release_policy.toml"
_RULES = frozenset(one.name for one in fields(ReleasePolicy))


def policy_of(owners: Iterable[str], home: Path) -> ReleasePolicy:
    """The strictest of the defaults, the house's rules and those of all `owners`.

    Raises Unavailable `release.policy` when the home's file cannot be read or says what no rule can be.
    """
    return reduce(strictest, parse(_text(home / NAME), owners), DEFAULTS)


def parse(text: str, owners: Iterable[str]) -> list[ReleasePolicy]:
    """The policies in the text that bear on these owners. All of it is checked, whoever asks."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(Text("不是 TOML 文件", "it is not TOML"), detail=str(error)) from None
    told = found.get("owner", {})
    if set(found) - {"house", "owner"} or not isinstance(told, dict):
        raise _wrong(Text("只能有 [house] 与 [owner.…] 两种表", "its tables are [house] and [owner.…]"))
    house = _policy("house", found.get("house", {}))
    each = {owner: _policy(f"owner.{owner}", rules) for owner, rules in told.items()}
    return [house, *(each[owner] for owner in sorted(set(owners) & set(each)))]


def _policy(place: str, rules: Any) -> ReleasePolicy:
    if not isinstance(rules, Mapping):
        raise _wrong(Text(f"[{place}] 不是表", f"[{place}] is no table"), field=place)
    values: dict[str, Any] = {}
    for name, value in rules.items():
        where = f"{place}.{name}"
        if name not in _RULES or not is_value(name, value):
            raise _wrong(Text(f"{where} 不是规则或取值不对", f"{where} is no rule or has no value of it"), field=where)
        values[name] = as_rule(name, value)
        if stricter(name, values[name], getattr(DEFAULTS, name)) != values[name]:
            raise _wrong(Text(f"{where} 比默认值宽松", f"{where} is laxer than the default"), field=where)
    return replace(DEFAULTS, **values)


def declared(rules: Mapping[str, Any]) -> ReleasePolicy:
    """What a party declared for itself, as `OwnRules.named` gives it; each rule it does not name is the default."""
    return replace(DEFAULTS, **{name: as_rule(name, value) for name, value in rules.items()})


def as_rule(name: str, value: Any) -> Any:
    """A value as a policy holds it: columns are a set."""
    return frozenset(value) if name == "group_by" else value


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(Text("无法读取", "it cannot be read"), detail=str(error)) from None


def _wrong(what: Text, **where: object) -> Unavailable:
    return Unavailable(
        "release.policy",
        Text(
            f"放行规则文件 {NAME} 有误（{what.zh}），模型不予运行。",
            f"The rules of release in {NAME} are wrong ({what.en}), so no model is run.",
        ),
        Text("请运行维护人员按 docs/operations.md 改正该文件。", "The operator corrects it after docs/operations.md."),
        where,
    )
