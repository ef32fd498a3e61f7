"""Members and tokens: who may add them, what is kept of their secrets, and when a token stops working."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from pydantic import SecretStr

from shudu.identity import actions, queries
from shudu.identity.models import Membership, Party, Person, Token
from shudu.identity.types import CreateParty, IssueToken, MemberRole, Scope
from shudu.policy import ids
from shudu.policy.models import IdempotencyKey, Outbox
from shudu.policy.types import Actor, Conflict, Invalid, NotFound, Refused, Role, Via

pytestmark = pytest.mark.usefixtures("quick_hashing")
PASSWORD = SecretStr("correct horse 42 staples")


@pytest.fixture
def party(operator: Actor) -> Party:
    return actions.create_party(operator, CreateParty(name="甲"))


@pytest.fixture
def own(party: Party) -> Actor:
    return queries.actor_for(party.id)


def code_of(caught: Any) -> str:
    return str(caught.value.code)


def test_a_new_member_can_sign_in_and_act(own: Actor, party: Party) -> None:
    membership = actions.add_member(
        own, party.id, "lin.wei", MemberRole.STEWARD, password=PASSWORD, display_name="林薇"
    )
    assert authenticate(username="lin.wei", password=PASSWORD.get_secret_value()) == membership.person
    assert authenticate(username="lin.wei", password="correct horse 43 staples") is None
    actor = queries.actor_for(party.id, Via.PAGE, membership.person_id)
    assert (actor.person, actor.roles) == (membership.person_id, party.roles)
    assert [row.party.name for row in queries.memberships(membership.person_id)] == ["甲"]
    assert [(row.person.username, row.role) for row in queries.members(party.id)] == [("lin.wei", "steward")]


def test_no_secret_and_no_name_of_a_person_reaches_the_record(own: Actor, party: Party) -> None:
    actions.add_member(own, party.id, "lin.wei", MemberRole.ADMIN, password=PASSWORD, idempotency_key="k")
    token = actions.issue_token(own, IssueToken(party=party.id))
    kept = json.dumps([row.fields for row in Outbox.objects.all()])
    kept += json.dumps(list(IdempotencyKey.objects.values("request_sha256", "result")))
    kept += json.dumps(list(Token.objects.values()), default=str) + json.dumps(list(Person.objects.values("password")))
    for secret in (PASSWORD.get_secret_value(), token.secret, token.secret.removeprefix("shudu_")):
        assert secret not in kept
    assert "lin.wei" not in json.dumps([row.fields for row in Outbox.objects.all()])
    assert PASSWORD.get_secret_value() not in repr(PASSWORD)


def test_membership_is_recorded_once(own: Actor, party: Party) -> None:
    first = actions.add_member(own, party.id, "lin.wei", MemberRole.FINANCE, password=PASSWORD)
    again = actions.add_member(own, party.id, "lin.wei", MemberRole.FINANCE)
    assert again == first
    rows = Outbox.objects.filter(event="member.added")
    assert [row.fields for row in rows] == [
        {"membership": first.id, "party": party.id, "role": "finance", "by": party.id, "via": "console"}
    ]


def test_adding_a_member_never_changes_a_password(own: Actor, party: Party, operator: Actor) -> None:
    actions.add_member(own, party.id, "lin.wei", MemberRole.STEWARD, password=PASSWORD)
    other = actions.create_party(operator, CreateParty(name="乙"))
    with pytest.raises(Conflict) as caught:
        actions.add_member(
            queries.actor_for(other.id), other.id, "lin.wei", MemberRole.ADMIN, password=SecretStr("another one 99!")
        )
    assert code_of(caught) == "identity.username_taken"
    assert authenticate(username="lin.wei", password=PASSWORD.get_secret_value())
    assert Membership.objects.count() == 1


@pytest.mark.parametrize(
    ("password", "zh", "en"),
    [
        ("short 1 two", "至少 12 个字符", "12 characters"),
        ("q1w2e3r4t5y6", "太常见", "too common"),
        ("lin.wei.2026", "与用户名太相似", "similar to the username"),
    ],
)
def test_weak_passwords_are_refused_in_both_languages(
    own: Actor, party: Party, password: str, zh: str, en: str
) -> None:
    with pytest.raises(Invalid) as caught:
        actions.add_member(own, party.id, "lin.wei", MemberRole.STEWARD, password=SecretStr(password))
    message = caught.value.message
    assert zh in message.zh
    assert en in message.en
    assert password not in f"{message.zh}{message.en}{caught.value.__cause__}"
    assert not Person.objects.exists()


def test_an_unknown_person_without_a_password(own: Actor, party: Party) -> None:
    with pytest.raises(NotFound):
        actions.add_member(own, party.id, "nobody", MemberRole.STEWARD)


def test_another_party_manages_nothing_here(operator: Actor, party: Party) -> None:
    other = queries.actor_for(actions.create_party(operator, CreateParty(name="乙")).id)
    with pytest.raises(Refused):
        actions.add_member(other, party.id, "lin.wei", MemberRole.ADMIN, password=PASSWORD)
    with pytest.raises(NotFound):
        actions.issue_token(other, IssueToken(party=party.id))
    with pytest.raises(Refused):
        queries.token_rows(other, party.id)
    token = actions.issue_token(operator, IssueToken(party=party.id))
    with pytest.raises(NotFound):
        actions.revoke_token(other, token.id)
    assert queries.actor_of_token(token.secret, Scope.READ)


def test_a_member_manages_only_as_administrator(own: Actor, party: Party) -> None:
    steward = actions.add_member(own, party.id, "lin.wei", MemberRole.STEWARD, password=PASSWORD)
    acting = queries.actor_for(party.id, Via.PAGE, steward.person_id)
    with pytest.raises(Refused) as caught:
        actions.issue_token(acting, IssueToken(party=party.id))
    assert code_of(caught) == "party.manage.administrator"
    actions.add_member(own, party.id, "lin.wei", MemberRole.ADMIN)
    assert actions.issue_token(acting, IssueToken(party=party.id)).secret


def test_a_person_acts_only_for_parties_they_are_in(own: Actor, party: Party, operator: Actor) -> None:
    member = actions.add_member(own, party.id, "lin.wei", MemberRole.ADMIN, password=PASSWORD)
    other = actions.create_party(operator, CreateParty(name="乙"))
    with pytest.raises(Refused) as caught:
        queries.actor_for(other.id, Via.PAGE, member.person_id)
    assert code_of(caught) == "identity.not_a_member"
    with pytest.raises(Refused):
        actions.issue_token(operator, IssueToken(party=other.id, person=member.person_id))
    Person.objects.filter(id=member.person_id).update(is_active=False)
    with pytest.raises(Refused):
        queries.actor_for(party.id, Via.PAGE, member.person_id)


def test_a_token_speaks_for_its_party(own: Actor, party: Party) -> None:
    token = actions.issue_token(own, IssueToken(party=party.id, scopes=frozenset({Scope.WRITE})))
    assert token.secret.startswith("shudu_")
    assert len(token.secret) > 40
    assert queries.actor_of_token(token.secret) == Actor(party.id, party.roles, Via.API)
    assert queries.actor_of_token(token.secret, Scope.READ).party == party.id
    assert Token.objects.get().secret == ""
    row = Outbox.objects.get(event="token.issued")
    assert row.fields["scopes"] == ["write"]
    assert row.fields["expires"].endswith("Z")


def test_a_token_never_carries_a_role_its_party_does_not_hold(operator: Actor) -> None:
    party = actions.create_party(operator, CreateParty(name="甲", roles=frozenset({Role.BUYER})))
    token = actions.issue_token(operator, IssueToken(party=party.id))
    assert queries.actor_of_token(token.secret, Scope.READ).roles == {Role.BUYER}


@pytest.mark.parametrize("secret", ["", "shudu_", "shudu_" + "A" * 43, "𠮷", "\udc80"])
def test_an_unknown_token(db: None, secret: str) -> None:
    with pytest.raises(Refused) as caught:
        queries.actor_of_token(secret)
    assert code_of(caught) == "token.unknown"


def test_a_digest_is_no_token(own: Actor, party: Party) -> None:
    token = actions.issue_token(own, IssueToken(party=party.id))
    for near in (token.digest, token.secret[:-1], token.secret + "A", token.secret.swapcase()):
        with pytest.raises(Refused):
            queries.actor_of_token(near, Scope.READ)


def test_reading_is_not_writing(own: Actor, party: Party) -> None:
    token = actions.issue_token(own, IssueToken(party=party.id))
    assert queries.actor_of_token(token.secret, Scope.READ)
    with pytest.raises(Refused) as caught:
        queries.actor_of_token(token.secret, Scope.WRITE)
    assert code_of(caught) == "token.scope"
    with pytest.raises(Refused):  # a door that does not say is taken to write
        queries.actor_of_token(token.secret)


def test_a_token_ends(own: Actor, party: Party, clock: Any) -> None:
    token = actions.issue_token(own, IssueToken(party=party.id, days=1))
    clock.advance(timedelta(days=1, microseconds=-1))
    assert queries.actor_of_token(token.secret, Scope.READ)
    clock.advance(microseconds=1)
    with pytest.raises(Refused) as caught:
        queries.actor_of_token(token.secret, Scope.READ)
    assert code_of(caught) == "token.expired"


def test_a_revoked_token_is_dead_and_stays_so(own: Actor, party: Party, clock: Any) -> None:
    token = actions.issue_token(own, IssueToken(party=party.id))
    revoked = actions.revoke_token(own, token.id).revoked
    clock.advance(hours=1)
    assert actions.revoke_token(own, token.id).revoked == revoked
    with pytest.raises(Refused) as caught:
        queries.actor_of_token(token.secret, Scope.READ)
    assert code_of(caught) == "token.revoked"
    assert Outbox.objects.filter(event="token.revoked").count() == 1
    with pytest.raises(NotFound):
        actions.revoke_token(own, ids.new("token"))


def test_a_token_falls_with_its_party_and_its_person(own: Actor, party: Party) -> None:
    member = actions.add_member(own, party.id, "lin.wei", MemberRole.STEWARD, password=PASSWORD)
    token = actions.issue_token(own, IssueToken(party=party.id, person=member.person_id))
    assert queries.actor_of_token(token.secret, Scope.READ).person == member.person_id
    Membership.objects.all().delete()
    with pytest.raises(Refused):
        queries.actor_of_token(token.secret, Scope.READ)
    machine = actions.issue_token(own, IssueToken(party=party.id))
    Party.objects.filter(id=party.id).update(state="suspended")
    with pytest.raises(Refused):
        queries.actor_of_token(machine.secret, Scope.READ)


def test_last_use_is_noted_at_most_once_a_minute(own: Actor, party: Party, clock: Any) -> None:
    token = actions.issue_token(own, IssueToken(party=party.id))
    noted = []
    for seconds in (0, 30, 30, 1):
        clock.advance(seconds=seconds)
        queries.actor_of_token(token.secret, Scope.READ)
        noted.append(Token.objects.get().last_used)
    start = noted[0]
    assert start is not None
    assert noted == [start, start, start, start + timedelta(seconds=61)]


def test_a_replayed_issue_makes_no_second_token_and_tells_no_secret(own: Actor, party: Party) -> None:
    first = actions.issue_token(own, IssueToken(party=party.id), idempotency_key="once")
    again = actions.issue_token(own, IssueToken(party=party.id), idempotency_key="once")
    assert (again.id, again.secret) == (first.id, "")
    assert Token.objects.count() == 1
