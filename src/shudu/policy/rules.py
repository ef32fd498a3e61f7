"""Who may: rules that answer for one row, for a query and for a search index, and cannot disagree.

A rule is built from a few parts, and each part has the three forms at once: `allows(actor, row)`,
`where(actor)` (a `Q` for lists, counts and facets) and `audience(row)` (tokens for a search index, matched against
`tokens(actor)`). Rooms register grants and vetoes: grants are OR-ed, vetoes AND-ed. Nothing registered means no.
Where a list would have to ask many tables, the tokens are also kept in rows beside it (`keep`, `audiences`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar, runtime_checkable

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from . import clock
from .models import Audience, AudienceSize
from .permissions import Permission
from .types import Actor, Decision, Reason, Refused, Role, Text

ROW = TypeVar("ROW", bound=Model)
NOBODY = Q(pk__in=[])
EVERYBODY = ~NOBODY
PUBLIC = "public"  # the token everybody brings
SIGNED_IN = "signed_in"  # the token of every party that holds a role


@dataclass(frozen=True)
class Kept:
    """Where the tokens of a permission's rows are kept, and how many rows each opens."""

    tokens: type[Audience]
    sizes: type[AudienceSize]


class Rule(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def message(self) -> Text: ...
    def allows(self, actor: Actor, row: Any) -> bool: ...
    def where(self, actor: Actor) -> Q: ...
    def audience(self, row: Any) -> frozenset[str]: ...


@runtime_checkable
class Ending(Protocol):
    """A rule whose answer for a row ends by the clock, without anybody writing anything."""

    def until(self, row: Any) -> datetime:
        """The last moment of what `audience(row)` says now."""
        ...


@dataclass(frozen=True)
class Owner:
    """The party named in one of the row's columns."""

    field: str
    name: str = "owner"
    message: Text = Text("仅限其所属主体。", "Only the party it belongs to.")

    def allows(self, actor: Actor, row: Any) -> bool:
        return bool(actor.party) and getattr(row, self.field) == actor.party

    def where(self, actor: Actor) -> Q:
        return Q(**{self.field: actor.party}) if actor.party else NOBODY

    def audience(self, row: Any) -> frozenset[str]:
        return frozenset({f"party:{getattr(row, self.field)}"})


@dataclass(frozen=True)
class Holder:
    """A party with one of these roles, whatever the row."""

    roles: frozenset[Role]
    name: str = "role"
    message: Text = Text("仅限具有相应角色的主体。", "Only a party with the right role.")

    def allows(self, actor: Actor, row: Any) -> bool:
        return bool(self.roles & actor.roles)

    def where(self, actor: Actor) -> Q:
        return EVERYBODY if self.roles & actor.roles else NOBODY

    def audience(self, row: Any) -> frozenset[str]:
        return frozenset(f"role:{role}" for role in self.roles)


@dataclass(frozen=True)
class Open:
    """Anybody, for rows whose column holds one of these values."""

    field: str
    values: tuple[str, ...]
    name: str = "open"
    message: Text = Text("尚未公开。", "It is not open.")

    def allows(self, actor: Actor, row: Any) -> bool:
        return getattr(row, self.field) in self.values

    def where(self, actor: Actor) -> Q:
        return Q(**{f"{self.field}__in": self.values})

    def audience(self, row: Any) -> frozenset[str]:
        return frozenset({PUBLIC}) if getattr(row, self.field) in self.values else frozenset()


@dataclass(frozen=True)
class Related:
    """Parties another room names for a row, such as those of its agreements.

    `ids(party)` gives a queryset of row ids, `parties(row)` the parties of one row; the two must agree.
    """

    ids: Callable[[str], Any]
    parties: Callable[[Any], Iterable[str]]
    name: str
    message: Text

    def allows(self, actor: Actor, row: Any) -> bool:
        return bool(actor.party) and actor.party in set(self.parties(row))

    def where(self, actor: Actor) -> Q:
        return Q(pk__in=self.ids(actor.party)) if actor.party else NOBODY

    def audience(self, row: Any) -> frozenset[str]:
        return frozenset(f"party:{party}" for party in self.parties(row))


def holders(*roles: Role) -> Holder:
    return Holder(frozenset(roles))


_grants: dict[Permission, list[Rule]] = defaultdict(list)
_vetoes: dict[Permission, list[Rule]] = defaultdict(list)
_kept: dict[Permission, Kept] = {}


def grant(permission: Permission, *rules: Rule) -> None:
    """Any of these lets an actor through (with every grant registered elsewhere)."""
    _grants[permission].extend(rules)


def veto(permission: Permission, *rules: Rule) -> None:
    """Each of these must also agree."""
    _vetoes[permission].extend(rules)


def keep(permission: Permission, tokens: type[Audience], sizes: type[AudienceSize]) -> None:
    """From now on lists under this permission are read from the tokens kept, and counts from their sizes (see
    `audiences`)."""
    _kept[permission] = Kept(tokens, sizes)


def kept(permission: Permission) -> Kept | None:
    """Where the tokens of this permission's rows are kept, if they are."""
    return _kept.get(permission)


def unrestricted(actor: Actor, permission: Permission) -> bool:
    """Does a role of the actor's let it through whatever the row? (Vetoes are another matter.)"""
    return any(isinstance(rule, Holder) and rule.roles & actor.roles for rule in _grants[permission])


def decide(actor: Actor, permission: Permission, row: Any = None) -> Decision:
    """May `actor` do this to `row` (None for what has no row yet)? Every door comes through here."""
    for rule in _vetoes[permission]:
        if not rule.allows(actor, row):
            return Decision.deny(f"{permission}.{rule.name}", rule.message)
    for rule in _grants[permission]:
        if rule.allows(actor, row):
            return Decision(True, (Reason(f"{permission}.{rule.name}", True, rule.message),))
    asked = _grants[permission]
    message = Text(
        "；".join(rule.message.zh.rstrip("。") for rule in asked) + "。", " ".join(rule.message.en for rule in asked)
    )
    if not asked:
        message = Text("没有规则允许此操作。", "No rule allows this.")
    return Decision.deny(
        f"{permission}.{asked[0].name if asked else 'none'}",
        Text(f"无权执行“{permission}”：{message.zh}", f"Not permitted ({permission}): {message.en}"),
        Text("请以有权的主体身份操作，或向其提出申请。", "Act as a party that may, or ask it."),
    )


def where(actor: Actor, permission: Permission) -> Q:
    """The same rules as a query: what `decide` would allow, for lists, counts and facets."""
    allowed = NOBODY
    if unrestricted(actor, permission):
        allowed = EVERYBODY
    elif keeping := _kept.get(permission):
        asked: dict[str, Any] = {"row": OuterRef("pk"), "token__in": sorted(tokens(actor)), "until__gte": clock.now()}
        allowed = Q(Exists(keeping.tokens._default_manager.filter(**asked)))
    else:
        for rule in _grants[permission]:
            allowed |= rule.where(actor)
    return allowed & spared(actor, permission)


def spared(actor: Actor, permission: Permission) -> Q:
    """What no veto keeps from the actor."""
    allowed = Q()
    for rule in _vetoes[permission]:
        allowed &= rule.where(actor)
    return allowed


def visible(actor: Actor, permission: Permission, rows: QuerySet[ROW]) -> QuerySet[ROW]:
    """`rows` cut to what the actor may."""
    return rows.filter(where(actor, permission))


def audience(permission: Permission, row: Any) -> list[frozenset[str]]:
    """The same rules as token sets: `tokens(actor)` must meet every one of them."""
    granted: frozenset[str] = frozenset().union(*(rule.audience(row) for rule in _grants[permission]))
    return [granted, *(rule.audience(row) for rule in _vetoes[permission])]


def lasting(permission: Permission, row: Any) -> dict[str, datetime]:
    """The tokens of a row's grants, each with its last moment: what is kept. Roles that see every row are left out."""
    found: dict[str, datetime] = {}
    for rule in _grants[permission]:
        if not isinstance(rule, Holder):
            until = rule.until(row) if isinstance(rule, Ending) else clock.FOREVER
            for token in rule.audience(row):
                found[token] = max(until, found.get(token, until))
    return found


def tokens(actor: Actor) -> frozenset[str]:
    """What an actor brings to a search index."""
    own = {PUBLIC, *(f"role:{role}" for role in actor.roles)}
    if actor.roles:
        own.add(SIGNED_IN)
    if actor.party:
        own.add(f"party:{actor.party}")
    return frozenset(own)


def refuse_unless(decision: Decision) -> None:
    """Raise `Refused` with the explanation when the decision is no."""
    if not decision:
        raise Refused.by(decision)
