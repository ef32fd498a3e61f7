"""Every read of who there is, and the making of actors."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Q, QuerySet

from shudu.policy import clock, ids
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, refuse_unless, visible
from shudu.policy.types import Actor, Conflict, Decision, NotFound, Refused, Role, Text, Via, not_found

from .codes import normalise
from .credentials import token_digest
from .models import Membership, Person
from .models import Party as Party
from .models import Token as Token
from .types import PartyState, Scope, clean_name

_LAST_USED_EVERY = timedelta(minutes=1)
_NEW_TOKEN = Text("请向本单位管理员申请新的令牌。", "Ask your organisation's administrator for a new one.")


def party(party_id: str) -> Party:
    """The party with this id; `NotFound` otherwise."""
    found = Party.objects.filter(id=party_id).first()
    if found is None:
        raise not_found("主体", "party", party_id)
    return found


def resolve(text: str) -> Party:
    """The party with this id, code or name.

    Raises `NotFound` for none, `Conflict` naming the ids when a name is shared, `Invalid` for what cannot be a name.
    """
    if ids.noun_of(text.strip()) == "party":
        return party(text.strip())
    name = clean_name(text)
    found = list(Party.objects.filter(code=normalise(name)))
    found = found or list(Party.objects.filter(name=name).order_by("id")[:10])
    if not found:
        raise not_found("主体", "party", text)
    if len(found) > 1:
        named = [row.id for row in found]
        raise Conflict(
            "party.ambiguous",
            Text(
                f"名为“{text}”的主体不止一个：{'、'.join(named)}。",
                f"More than one party is called “{text}”: {', '.join(named)}.",
            ),
            Text("请改用编号或统一社会信用代码。", "Use the id or the unified social credit code."),
            {"parties": named},
        )
    return found[0]


def parties(actor: Actor) -> list[Party]:
    """The register of parties by name, as far as the actor may read it."""
    rows = visible(actor, Permission.PARTY_READ, Party.objects.order_by("name", "id"))
    return list(rows.prefetch_related("held"))


def register(actor: Actor, *, code: str = "", name: str = "") -> QuerySet[Party]:
    """The same register as rows to page through, newest first; with `code` or `name`, those that have exactly it."""
    rows = visible(actor, Permission.PARTY_READ, Party.objects.order_by("-id"))
    if code:
        rows = rows.filter(code=normalise(code))
    if name:
        rows = rows.filter(name=clean_name(name))
    return rows.prefetch_related("held")


def registered(actor: Actor, party_id: str) -> Party:
    """A party the actor may read in the register; anything else is not found."""
    found = Party.objects.filter(id=party_id).first()
    if found is None or not decide(actor, Permission.PARTY_READ, found):
        raise not_found("主体", "party", party_id)
    return found


def names(party_ids: Iterable[str]) -> dict[str, str]:
    """What these parties are called, read at once: names stand in the register, open to whoever has signed in."""
    return dict(Party.objects.filter(pk__in=set(party_ids)).values_list("id", "name"))


def operator() -> Party:
    """The operating company 运营机构; `NotFound` before there is one."""
    found = Party.objects.filter(held__role=Role.OPERATOR.value).first()
    if found is None:
        raise NotFound(
            "identity.no_operator",
            Text("系统尚未初始化：还没有运营机构。", "Nothing is initialised yet: there is no operating company."),
            Text("请先运行 shudu init。", "Run `shudu init` first."),
        )
    return found


def system() -> Actor:
    """The worker, carrying out what was agreed, in the operating company's name."""
    return Actor(party=operator().id, roles=frozenset({Role.SYSTEM}), via=Via.WORKER)


def actor_for(party_id: str, via: Via = Via.CONSOLE, person: str | None = None) -> Actor:
    """The party as an actor with the roles it holds; with `person` (id), as that member of it.

    Raises `NotFound` for no such party, `Refused` when it is suspended or the person is no active member of it.
    """
    acting = party(party_id)
    if acting.state != PartyState.ACTIVE.value:
        raise _refused(
            "identity.suspended",
            Text(f"主体“{acting.name}”已被暂停。", f"The party “{acting.name}” is suspended."),
            Text("请联系运营机构。", "Contact the operating company."),
        )
    if person is not None and not _is_member(acting.id, person):
        raise _refused(
            "identity.not_a_member",
            Text(f"该人员不是“{acting.name}”的有效成员。", f"This person is no active member of “{acting.name}”."),
            Text("请联系该主体的管理员。", "Ask its administrator."),
        )
    return Actor(party=acting.id, roles=acting.roles, via=via, person=person)


def actor_of_token(secret: str, needs: Scope = Scope.WRITE, via: Via = Via.API) -> Actor:
    """The actor a token stands for, when it is live and its scopes cover `needs`.

    The stricter scope is the default, so that a door which forgets to say refuses too much, never too little.
    Raises `Refused`: `token.unknown`, `token.revoked`, `token.expired`, `token.scope`, or as `actor_for`.
    """
    digest = token_digest(secret)
    token = Token.objects.filter(digest=digest).first()
    # The index is asked for a digest, which tells nothing of a secret; the answer is compared in constant time.
    if token is None or not hmac.compare_digest(token.digest, digest):
        raise _refused("token.unknown", Text("访问令牌无效。", "This token is not known here."), _NEW_TOKEN)
    if token.revoked is not None:
        raise _refused("token.revoked", Text("访问令牌已撤销。", "This token was revoked."), _NEW_TOKEN)
    now = clock.now()
    if token.expires <= now:
        raise _refused("token.expired", Text("访问令牌已过期。", "This token has expired."), _NEW_TOKEN)
    if needs.value not in token.scopes and Scope.WRITE.value not in token.scopes:
        raise _refused(
            "token.scope",
            Text(f"访问令牌的范围不含“{needs.value}”。", f"This token's scopes do not include “{needs.value}”."),
            _NEW_TOKEN,
        )
    actor = actor_for(token.party_id, via, token.person_id)
    # A note for the owner, not a write of anyone's: outside any action, and seldom, so that reading stays reading.
    stale = Q(last_used=None) | Q(last_used__lt=now - _LAST_USED_EVERY)
    Token.objects.filter(stale, id=token.id).update(last_used=now)
    return actor


def memberships(person: Person | str) -> list[Membership]:
    """What a person (or the one with this id) is a member of, by the party's name: where a page may let them act."""
    rows = Membership.objects.filter(person=person).select_related("party")
    return list(rows.order_by("party__name", "party_id", "role"))


def members(party_id: str) -> list[Membership]:
    """Who is in a party, and as what. Personal data: a door shows it to those who manage the party only."""
    rows = Membership.objects.filter(party=party_id).select_related("person")
    return list(rows.order_by("person__username", "role"))


def token_rows(actor: Actor, party_id: str) -> QuerySet[Token]:
    """A party's tokens, to page through; their secrets are gone."""
    refuse_unless(decide(actor, Permission.PARTY_MANAGE, party(party_id)))
    return Token.objects.filter(party=party_id)


def _is_member(party_id: str, person_id: str) -> bool:
    active = Person.objects.filter(id=person_id, is_active=True)
    return Membership.objects.filter(party=party_id, person__in=active).exists()


def _refused(rule: str, message: Text, remedy: Text) -> Refused:
    return Refused.by(Decision.deny(rule, message, remedy))
