"""Procedures as data: declared once, checked when registered, run by the one engine, drawn from the same table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from shudu.policy.types import Actor, Role, Text

Who = Role | Literal["owner", "anyone"]
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Transition:
    """A named step from any of `from_` to `to`. `by` lists who may take it: the case's owner, a role, or anyone (whom
    the calling action has let through)."""

    name: str
    from_: str | tuple[str, ...]
    to: str
    by: tuple[Who, ...] = ("anyone",)

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.from_,) if isinstance(self.from_, str) else self.from_

    def allows(self, actor: Actor, owner: str) -> bool:
        """May `actor` take this step of a case owned by the party `owner`?"""
        own = bool(actor.party) and actor.party == owner
        return any(who == "anyone" or (who == "owner" and own) or who in actor.roles for who in self.by)


@dataclass(frozen=True, slots=True)
class Procedure:
    """A transition table. Without `final` states its cases never end. `words` names states and transitions for people;
    what is missing there is called by its name."""

    name: str
    version: int
    initial: str
    transitions: tuple[Transition, ...]
    final: tuple[str, ...] = ()
    words: Mapping[str, Text] = field(default_factory=dict)

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, in the order it is first mentioned."""
        ends = [state for step in self.transitions for state in (*step.sources, step.to)]
        return tuple(dict.fromkeys((self.initial, *ends, *self.final)))

    def possible(self, state: str) -> tuple[Transition, ...]:
        """The transitions that leave `state`."""
        return tuple(step for step in self.transitions if state in step.sources)

    def step(self, state: str, transition: str) -> Transition | None:
        """The one transition of that name which leaves `state`, if there is one."""
        return next((step for step in self.possible(state) if step.name == transition), None)

    def say(self, name: str) -> Text:
        """A state or a transition in both languages."""
        return self.words.get(name, Text(name, name))

    def faults(self) -> list[str]:
        """What is wrong with the table; empty for a procedure that can be run."""
        names = [step.name for step in self.transitions]
        found = [f"{name} is no name" for name in (self.name, *self.states, *names) if not _NAME.fullmatch(name)]
        found += [f"{name} is declared twice" for name in sorted({name for name in names if names.count(name) > 1})]
        found += [f"{step.name} repeats a source" for step in self.transitions if _repeats(step.sources)]
        found += [f"{step.name} starts nowhere" for step in self.transitions if not step.sources]
        found += [f"{step.name} is for nobody" for step in self.transitions if not step.by]
        found += [f"{state} is final and has a way out" for state in self.final if self.possible(state)]
        reached = _closure({self.initial}, [(source, step.to) for step in self.transitions for source in step.sources])
        found += [f"{state} cannot be reached" for state in self.states if state not in reached]
        back = [(step.to, source) for step in self.transitions for source in step.sources]
        alive = {state for state in self.states if self.possible(state)}
        ending = _closure(set(self.final), back) if self.final else alive
        found += [f"{state} leads to no end" for state in self.states if state not in ending]
        strange = set(self.words) - {*self.states, *names}
        found += [f"{name} is worded but not declared" for name in sorted(strange)]
        return found + (["a version is 1 or more"] if self.version < 1 else [])

    def draw(self, language: str = "en") -> str:
        """The table as a Mermaid state diagram, for the docs."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial}"]
        lines += [f"    {state}: {self.say(state).say(language)}" for state in self.states if state in self.words]
        for step in self.transitions:
            label = f"{self.say(step.name).say(language)} ({', '.join(step.by)})"
            lines += [f"    {source} --> {step.to}: {label}" for source in step.sources]
        return "\n".join([*lines, *(f"    {state} --> [*]" for state in self.final)]) + "\n"


def _repeats(names: tuple[str, ...]) -> bool:
    return len(set(names)) < len(names)


def _closure(start: set[str], arrows: Iterable[tuple[str, str]]) -> set[str]:
    reached, arrows = set(start), list(arrows)
    while more := {to for source, to in arrows if source in reached} - reached:
        reached |= more
    return reached


_known: dict[str, dict[int, Procedure]] = {}


def register(procedure: Procedure) -> None:
    """Make a procedure known. Raises `ValueError` for a faulty table, or for a version that says something else now:
    cases run under it already, so a change is a new version."""
    if faults := procedure.faults():
        raise ValueError(f"procedure {procedure.name}: {'; '.join(faults)}")
    if _known.setdefault(procedure.name, {}).setdefault(procedure.version, procedure) != procedure:
        raise ValueError(f"procedure {procedure.name} version {procedure.version} is registered differently already")


def current(name: str) -> Procedure:
    """The latest version, under which new cases are opened; `KeyError` for an unknown name."""
    return _known[name][max(_known[name])]


def known(name: str, version: int) -> Procedure:
    """The version a case was opened under; `KeyError` for an unknown one."""
    return _known[name][version]


def procedures() -> tuple[Procedure, ...]:
    """Every registered procedure and version, in order."""
    return tuple(_known[name][version] for name in sorted(_known) for version in sorted(_known[name]))
