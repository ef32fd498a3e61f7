"""Parties: how the first comes to be, what they may be, how they are found, and what is recorded of them."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from django.db import IntegrityError
from hypothesis import given
from hypothesis import strategies as st

from shudu.identity import actions, queries
from shudu.identity.codes import make_uscc
from shudu.identity.models import Party, PartyRole
from shudu.identity.types import TRADING, CreateParty, PartyKind, founder
from shudu.policy import ids
from shudu.policy.models import Outbox
from shudu.policy.permissions import Permission
from shudu.policy.rules import audience, decide, tokens, where
from shudu.policy.types import Actor, Conflict, Invalid, NotFound, Refused, Role, Via

CODE = make_uscc("510104", "12345678")
OTHER_CODE = make_uscc("510105", "MA6C0000")


def test_the_operating_company_takes_the_founders_id_and_only_its_role(db: None) -> None:
    actor = founder()
    party = actions.create_operator(actor, CreateParty(name="运营", code=CODE))
    assert party.id == actor.party
    assert party.roles == {Role.OPERATOR}
    assert queries.operator() == party
    row = Outbox.objects.get(event="party.created")
    assert row.fields == {
        "party": party.id,
        "kind": "organisation",
        "code": CODE,
        "roles": ["operator"],
        "by": party.id,
        "via": "console",
    }


def test_there_is_one_operating_company(operator: Actor) -> None:
    with pytest.raises(Conflict) as caught:
        actions.create_operator(founder(), CreateParty(name="另一家"))
    assert caught.value.code == "identity.operator_exists"
    with pytest.raises(Conflict):
        actions.create_party(operator, CreateParty(name="另一家", roles=frozenset({Role.OPERATOR})))
    party = actions.create_party(operator, CreateParty(name="乙"))
    with pytest.raises(IntegrityError):
        PartyRole.objects.create(party=party, role="operator")


def test_nobody_else_may_found(db: None) -> None:
    stranger = Actor(ids.new("party"), frozenset({Role.BUYER}))
    with pytest.raises(Refused):
        actions.create_operator(stranger, CreateParty(name="冒充"))
    assert not Party.objects.exists()


def test_before_there_is_an_operator(db: None) -> None:
    with pytest.raises(NotFound) as caught:
        queries.operator()
    assert caught.value.remedy
    assert "init" in caught.value.remedy.en


def test_a_new_party_trades_and_is_recorded_without_its_name(operator: Actor) -> None:
    party = actions.create_party(operator, CreateParty(name="青羊医养服务中心", code=CODE))
    assert queries.actor_for(party.id).roles == TRADING
    row = Outbox.objects.get(subject=party.id)
    assert row.fields["by"] == operator.party
    assert "青羊" not in str(row.fields)


def test_only_the_operator_creates_parties(operator: Actor) -> None:
    party = actions.create_party(operator, CreateParty(name="甲"))
    with pytest.raises(Refused):
        actions.create_party(queries.actor_for(party.id), CreateParty(name="乙"))
    assert Party.objects.count() == 2


def test_a_code_is_registered_once_and_nothing_is_left_of_the_second_try(operator: Actor) -> None:
    actions.create_party(operator, CreateParty(name="甲", code=CODE))
    before = Outbox.objects.count()
    with pytest.raises(Conflict) as caught:
        actions.create_party(operator, CreateParty(name="乙", code=CODE.lower()))
    assert caught.value.code == "identity.code_taken"
    assert (Party.objects.count(), Outbox.objects.count()) == (2, before)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "  "}, "identity.name"),
        ({"name": "字" * 201}, "identity.name"),
        ({"name": "甲\n乙"}, "identity.name"),
        ({"name": "甲\udc80"}, "identity.name"),
        ({"name": "甲", "code": "91510104123456788G"}, "identity.code"),
        ({"name": "张三", "kind": PartyKind.PERSON, "code": CODE}, "identity.code_of_organisation"),
        ({"name": "甲", "roles": frozenset()}, "identity.roles"),
        ({"name": "甲", "roles": frozenset({Role.SYSTEM})}, "identity.roles"),
        ({"name": "甲", "roles": frozenset({Role.AUTHORITY, Role.PROVIDER})}, "identity.roles"),
        ({"name": "甲", "roles": frozenset({Role.AUDITOR, Role.BUYER})}, "identity.roles"),
    ],
)
def test_what_a_party_cannot_be(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        CreateParty(**fields)
    assert caught.value.code == code
    assert caught.value.remedy


@given(st.text(min_size=1, max_size=200).filter(lambda text: text.strip()))
def test_names_are_kept_in_nfc_and_survive(text: str) -> None:
    try:
        name = CreateParty(name=text).name
    except Invalid:
        return
    assert unicodedata.is_normalized("NFC", name)
    assert name == unicodedata.normalize("NFC", text).strip()


def test_plane_two_names_are_kept_and_found(operator: Actor) -> None:
    party = actions.create_party(operator, CreateParty(name="𠮷野家数据"))
    assert queries.resolve("𠮷野家数据").id == party.id


def test_a_party_is_found_by_id_code_and_name(operator: Actor) -> None:
    party = actions.create_party(operator, CreateParty(name="Café 数据", code=CODE))
    for text in (party.id, f" {party.id} ", CODE, CODE.lower(), "Café 数据", "Cafe\u0301 数据 "):
        assert queries.resolve(text).id == party.id
    for text in ("无此主体", OTHER_CODE, ids.new("party")):
        with pytest.raises(NotFound):
            queries.resolve(text)
    for text in ("", "\0", "\udc80"):
        with pytest.raises(Invalid):
            queries.resolve(text)


def test_a_shared_name_is_answered_with_the_ids(operator: Actor) -> None:
    twins = [actions.create_party(operator, CreateParty(name="同名公司")).id for _ in range(2)]
    with pytest.raises(Conflict) as caught:
        queries.resolve("同名公司")
    assert caught.value.code == "party.ambiguous"
    assert all(twin in caught.value.message.zh and twin in caught.value.message.en for twin in twins)


def test_an_actor_has_exactly_the_roles_its_party_holds(operator: Actor) -> None:
    roles = frozenset({Role.MODELLER})
    party = actions.create_party(operator, CreateParty(name="甲", roles=roles))
    assert queries.actor_for(party.id, Via.API) == Actor(party.id, roles, Via.API)
    assert queries.system() == Actor(operator.party, frozenset({Role.SYSTEM}), Via.WORKER)


def test_a_suspended_party_does_not_act(operator: Actor) -> None:
    party = actions.create_party(operator, CreateParty(name="甲"))
    Party.objects.filter(id=party.id).update(state="suspended")
    with pytest.raises(Refused) as caught:
        queries.actor_for(party.id)
    assert caught.value.code == "identity.suspended"


def test_the_register_is_open_to_whoever_signed_in(operator: Actor) -> None:
    party = actions.create_party(operator, CreateParty(name="甲"))
    assert [row.name for row in queries.parties(queries.actor_for(party.id))] == ["甲", "锦水数据运营有限公司"]
    assert queries.parties(Actor("")) == []


@pytest.mark.parametrize("permission", [Permission.PARTY_READ, Permission.PARTY_MANAGE])
def test_the_three_forms_of_the_rules_agree(operator: Actor, permission: Permission) -> None:
    for name, roles in (("甲", TRADING), ("乙", frozenset({Role.BUYER})), ("监管", frozenset({Role.AUDITOR}))):
        actions.create_party(operator, CreateParty(name=name, roles=roles))
    actors = [Actor(""), *(queries.actor_for(party.id) for party in Party.objects.all())]
    answers = set()
    for actor in actors:
        listed = set(Party.objects.filter(where(actor, permission)).values_list("id", flat=True))
        for party in Party.objects.all():
            allowed = bool(decide(actor, permission, party))
            answers.add(allowed)
            assert (party.id in listed) == allowed
            assert all(tokens(actor) & wanted for wanted in audience(permission, party)) == allowed
    assert answers == {True, False}
