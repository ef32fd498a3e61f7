"""The words every room answers with: who asks, what was decided and why, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages; a type checker sees when one is missing."""

    zh: str
    en: str

    def __str__(self) -> str:
        return self.en

    def say(self, language: str) -> str:
        """The sentence in `language` (`zh…` is Chinese, anything else English)."""
        return self.zh if language.lower().startswith("zh") else self.en


class Role(StrEnum):
    """What a party may act as. `SYSTEM` is the worker carrying out what was already agreed."""

    AUDITOR = "auditor"
    AUTHORITY = "authority"
    BUYER = "buyer"
    MODELLER = "modeller"
    OPERATOR = "operator"
    PROVIDER = "provider"
    SYSTEM = "system"


class Via(StrEnum):
    """Which door a request came through. The console's user is the operator (docs/threat-model.md)."""

    API = "api"
    CONSOLE = "console"
    FOLDER = "folder"
    PAGE = "page"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: always a party, sometimes a person in it."""

    party: str
    roles: frozenset[Role] = frozenset()
    via: Via = Via.CONSOLE
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule's answer. `rule` is a dotted name; `remedy` says what would change the answer."""

    rule: str
    allowed: bool
    message: Text
    remedy: Text | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """An explained yes or no. Truthy when allowed."""

    allowed: bool
    reasons: tuple[Reason, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed

    @classmethod
    def allow(cls, rule: str, message: Text) -> Decision:
        return cls(True, (Reason(rule, True, message),))

    @classmethod
    def deny(cls, rule: str, message: Text, remedy: Text | None = None) -> Decision:
        return cls(False, (Reason(rule, False, message, remedy),))

    @classmethod
    def every(cls, decisions: list[Decision]) -> Decision:
        """All must allow; the reasons of all are kept, refusals first."""
        reasons = [reason for decision in decisions for reason in decision.reasons]
        reasons.sort(key=lambda reason: reason.allowed)
        return cls(all(decisions), tuple(reasons))

    @property
    def refusal(self) -> Reason | None:
        """The first reason that refused, if any did."""
        return next((reason for reason in self.reasons if not reason.allowed), None)


@dataclass(eq=False)
class ShuduError(Exception):
    """Anything a user is told: what happened, where, and what to do. Never the data itself."""

    code: str
    message: Text
    remedy: Text | None = None
    where: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.message.en}"


class Invalid(ShuduError):
    """The input cannot be used as given; `where` names file, row and column."""


class NotFound(ShuduError):
    """Nothing there, or nothing this actor may know of: the two look alike."""


class Conflict(ShuduError):
    """The request is fine, the state of things is not (already accepted, key used for another request …)."""


class Unavailable(ShuduError):
    """This machine lacks something the request needs."""


class Refused(ShuduError):
    """A decision said no."""

    decision: Decision

    @classmethod
    def by(cls, decision: Decision) -> Refused:
        reason = decision.refusal
        if reason is None:
            raise ValueError("a decision that allows cannot refuse")
        error = cls(reason.rule, reason.message, reason.remedy)
        error.decision = decision
        return error


def not_found(noun_zh: str, noun_en: str, name: str) -> NotFound:
    """The one wording for a missing or invisible thing."""
    return NotFound(
        "not_found",
        Text(f"没有找到{noun_zh}“{name}”。", f"There is no {noun_en} “{name}” here."),
        Text("请核对编号，或确认贵方有权查看。", "Check the id, or whether your organisation may see it."),
    )
