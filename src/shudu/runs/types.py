"""Kinds of run and their steps, and what starting, carrying and closing a run take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shudu.catalog.types import Result
from shudu.policy.types import Conflict, Invalid, Text

# The kind of run that hands rows over, as an agreement shows them.
HANDING_OVER = "handing_over"


@dataclass(frozen=True, slots=True)
class Input:
    """A pair every use consists of: which version, under which agreement. `role` is its part in the run."""

    role: str
    version: str
    agreement: str


@dataclass(frozen=True, slots=True)
class StartRun:
    """What a run is: its kind, its party, why, and its inputs. `params` are the kind's own."""

    kind: str
    party: str
    purpose: str
    inputs: tuple[Input, ...]
    order: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """A run as its step sees it. `done` holds what earlier steps returned; `renew` keeps the lease alive."""

    run: str
    kind: str
    party: str
    purpose: str
    inputs: tuple[Input, ...]
    params: Mapping[str, Any]
    done: Mapping[str, Any]
    attempt: int

    def input(self, role: str) -> Input:
        return next(item for item in self.inputs if item.role == role)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the last step hands over to be closed in one transaction.

    `result` is what the run made, to be entered now; None where its steps entered what came in by the catalogue's own
    actions, which `entered` names: (asset, version).
    """

    result: Result | None
    checks: list[dict[str, Any]]
    sandbox: dict[str, Any]
    meters: dict[str, int]
    # Of a result that was held: {"case", "by", "held_for", "opinion_sha256", "time"}.
    decision: Mapping[str, Any] = field(default_factory=dict)
    entered: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """What the last step returns instead while a person must decide: by which procedure, whose case, what for."""

    procedure: str
    owner: str
    reasons: tuple[str, ...]


class Withheld(Conflict):
    """A run ends without a result for what its checks found: its party is told a code, its data's owner `checks`."""

    checks: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One idempotent step: it may be killed anywhere and done again.

    `do(work)` returns what later steps need, as JSON; the last step of a kind returns an `Outcome`, or a
    `Hold`, and is done again when somebody has decided.
    """

    name: str
    do: Callable[[Work], Mapping[str, Any] | Outcome | Hold]


@dataclass(frozen=True, slots=True)
class RunKind:
    """`idle` is called by a worker with nothing to do, to get ready for the next run of this kind; it returns soon."""

    name: str
    steps: tuple[Step, ...]
    idle: Callable[[], None] | None = None

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    def after(self, name: str) -> str | None:
        names = [step.name for step in self.steps]
        position = names.index(name) + 1
        return names[position] if position < len(names) else None


_kinds: dict[str, RunKind] = {}
_keepers: list[Callable[[], Mapping[str, str]]] = []
_chores: list[Callable[[], None]] = []


def register_keeper(digests: Callable[[], Mapping[str, str]]) -> None:
    """Let a room vouch for stored files that no version has, by path with their SHA-256: no sweep takes them."""
    _keepers.append(digests)


def kept_digests() -> dict[str, str]:
    """The files that rooms vouch for."""
    return {path: digest for digests in _keepers for path, digest in digests().items()}


def register_chore(chore: Callable[[], None]) -> None:
    """Let a room look after what falls due: each worker calls it every minute, beside its runs. Safe to do twice, and
    while runs and other workers are at theirs."""
    _chores.append(chore)


def chores() -> tuple[Callable[[], None], ...]:
    return tuple(_chores)


def register_kind(kind: RunKind) -> None:
    _kinds[kind.name] = kind


def idle() -> None:
    """Let every kind get ready for its next run."""
    for kind in _kinds.values():
        if kind.idle is not None:
            kind.idle()


def kind_of(name: str) -> RunKind:
    if name not in _kinds:
        raise Invalid("run.kind", Text(f"没有“{name}”这类任务。", f"There is no kind of run “{name}”."))
    return _kinds[name]
