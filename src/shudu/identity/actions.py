"""Every write of parties, their members and their tokens."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from pydantic import SecretStr

from shudu.policy import clock, ids
from shudu.policy.actions import action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide
from shudu.policy.types import Actor, Conflict, Decision, Invalid, NotFound, Refused, Role, Text, not_found

from . import queries
from .credentials import hash_password, new_token, token_digest
from .models import Membership, Party, PartyRole, Person, Token
from .types import CreateParty, IssueToken, MemberRole, clean_name


@action(Permission.PARTY_CREATE, Event.PARTY_CREATED)
def create_party(actor: Actor, order: CreateParty) -> Party:
    """A new party with its roles. `Conflict` when its code is taken; the operating company is made elsewhere."""
    require(actor, Permission.PARTY_CREATE)
    if Role.OPERATOR in order.roles:
        raise Conflict(
            "identity.operator_exists",
            Text("运营机构只有一个，在系统初始化时设立。", "There is one operating company, made at `init`."),
            Text("请去掉运营机构角色。", "Leave the operator role out."),
        )
    return _create(ids.new("party"), order, order.roles)


@action(Permission.PARTY_CREATE, Event.PARTY_CREATED)
def create_operator(actor: Actor, order: CreateParty) -> Party:
    """The operating company 运营机构, the first party of all; `actor` is `types.founder()`, whose id it takes.

    It is nothing but operator: whoever runs the venue neither buys nor sells on it. `order.roles` is not read.
    """
    require(actor, Permission.PARTY_CREATE)
    if Party.objects.exists():
        raise Conflict(
            "identity.operator_exists",
            Text("已有主体登记，运营机构不能再次设立。", "There are parties already; it is made once."),
        )
    return _create(actor.party, order, frozenset({Role.OPERATOR}))


def _create(party_id: str, order: CreateParty, roles: frozenset[Role]) -> Party:
    try:
        with transaction.atomic():
            party = Party.objects.create(
                id=party_id, kind=order.kind.value, name=order.name, code=order.code, created=clock.now()
            )
            PartyRole.objects.bulk_create([PartyRole(party=party, role=role.value) for role in sorted(roles)])
    except IntegrityError as error:
        raise Conflict(
            "identity.code_taken",
            Text(f"统一社会信用代码 {order.code} 已登记。", f"The code {order.code} is registered already."),
            Text("请使用已登记的主体。", "Use the party that has it."),
        ) from error
    record(party.id, {"party": party.id, "kind": party.kind, "code": party.code, "roles": sorted(roles)})
    return party


def _hash(actor: Actor, party_id: str, username: str, *rest: Any, password: SecretStr | None = None, **_: Any) -> str:
    return hash_password(password, username) if password else ""


@action(Permission.PARTY_MANAGE, Event.MEMBER_ADDED, prepare=_hash)
def add_member(
    actor: Actor,
    party_id: str,
    username: str,
    role: MemberRole,
    *,
    password: SecretStr | None = None,
    display_name: str = "",
    prepared: str = "",
) -> Membership:
    """Give a person a role in a party; with a password, a person who is not there yet.

    Raises `NotFound` for an unknown person without a password, `Conflict` for a known one with a password: adding a
    member never changes how somebody signs in. A membership that stands already is returned.
    """
    party = queries.party(party_id)
    require(actor, Permission.PARTY_MANAGE, party)
    _as_administrator(actor)
    person = _new_person(username, prepared, display_name) if prepared else _known_person(username)
    membership, new = Membership.objects.get_or_create(party=party, person=person, role=MemberRole(role).value)
    if new:
        record(membership.id, {"membership": membership.id, "party": party.id, "role": membership.role})
    else:
        record_nothing()
    return membership


def _known_person(username: str) -> Person:
    person = Person.objects.filter(username=Person.normalize_username(username.strip())).first()
    if person is None:
        raise NotFound(
            "identity.person",
            Text(f"没有用户名为“{username}”的人员。", f"Nobody signs in as “{username}”."),
            Text("请核对用户名；要新建人员，请同时设置密码。", "Check it; to create the person, give a password too."),
        )
    return person


def _new_person(username: str, hashed: str, display_name: str) -> Person:
    username = Person.normalize_username(clean_name(username))
    if len(username) > 64:
        raise Invalid("identity.username", Text("用户名最长 64 个字符。", "A username has at most 64 characters."))
    try:
        with transaction.atomic():
            return Person.objects.create(
                username=username, display_name=clean_name(display_name or username), password=hashed
            )
    except IntegrityError as error:
        raise Conflict(
            "identity.username_taken",
            Text(f"用户名“{username}”已被使用。", f"The username “{username}” is taken."),
            Text(
                "请换一个用户名；若是同一人，请不要填写密码。",
                "Choose another, or give no password if it is the same person.",
            ),
        ) from error


@action(Permission.PARTY_MANAGE, Event.TOKEN_ISSUED)
def issue_token(actor: Actor, order: IssueToken) -> Token:
    """A new token; `.secret` of the returned row is the only time it is told (a replayed request tells it no more)."""
    party = Party.objects.filter(id=order.party).first()
    if party is None or not decide(actor, Permission.PARTY_MANAGE, party):
        raise not_found("贵方可管理的主体", "party you manage", order.party)
    require(actor, Permission.PARTY_MANAGE, party)
    _as_administrator(actor)
    if order.person is not None:
        queries.actor_for(party.id, actor.via, order.person)
    secret, now = new_token(), clock.now()
    token = Token.objects.create(
        party=party,
        person_id=order.person,
        digest=token_digest(secret),
        scopes=sorted(order.scopes),
        issued=now,
        expires=now + order.life,
    )
    record(
        token.id,
        {"token": token.id, "party": party.id, "scopes": token.scopes, "expires": clock.stamp(token.expires)},
    )
    token.secret = secret
    return token


@action(Permission.PARTY_MANAGE, Event.TOKEN_REVOKED)
def revoke_token(actor: Actor, token_id: str) -> Token:
    """End a token now, for good. Revoking it again changes nothing."""
    token = Token.objects.select_for_update(of=("self",)).filter(id=token_id).select_related("party", "person").first()
    if token is None or not decide(actor, Permission.PARTY_MANAGE, token.party):
        raise not_found("令牌", "token", token_id)
    require(actor, Permission.PARTY_MANAGE, token.party)
    _as_administrator(actor)
    if token.revoked is not None:
        record_nothing()
        return token
    token.revoked = clock.now()
    token.save(update_fields=["revoked"])
    record(token.id, {"token": token.id, "party": token.party_id})
    return token


def _as_administrator(actor: Actor) -> None:
    """A person manages a party as its administrator (or the operator's); a party acting without a person may."""
    if actor.person is None:
        return
    if not Membership.objects.filter(party=actor.party, person=actor.person, role=MemberRole.ADMIN.value).exists():
        raise Refused.by(
            Decision.deny(
                f"{Permission.PARTY_MANAGE}.administrator",
                Text("仅限本单位的管理员。", "Only an administrator of the organisation."),
                Text("请联系本单位管理员。", "Ask your organisation's administrator."),
            )
        )
