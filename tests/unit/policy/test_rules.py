"""The three forms of a rule — one row, a query, search tokens — give one answer."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from unittest import mock

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.policy import rules
from shudu.policy.models import Handled, Outbox
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Role, Text

NOW = datetime(2026, 3, 2, tzinfo=UTC)
PARTIES = ["pty_a", "pty_b", "pty_c"]
STATES = ["open", "closed", "draft"]
READ = Permission.ASSET_READ
SAID = Text("仅限相关主体。", "Only a related party.")

# A row: whose it is, in which state, and who else is related to it (here: named as a handler of it).
ROWS = st.lists(
    st.tuples(st.sampled_from(PARTIES), st.sampled_from(STATES), st.sets(st.sampled_from(PARTIES))), max_size=6
)
RULES = st.one_of(
    st.just(rules.Owner("subject")),
    st.sets(st.sampled_from(list(Role)), min_size=1).map(lambda roles: rules.Holder(frozenset(roles))),
    st.sets(st.sampled_from(STATES), min_size=1).map(lambda states: rules.Open("event", tuple(sorted(states)))),
    st.just(
        rules.Related(
            lambda party: Handled.objects.filter(handler=party).values("outbox"),
            lambda row: row.handled_set.values_list("handler", flat=True),
            "related",
            SAID,
        )
    ),
)
ACTORS = st.builds(Actor, st.sampled_from(["", "pty_stranger", *PARTIES]), st.frozensets(st.sampled_from(list(Role))))


@pytest.mark.django_db
@settings(max_examples=150, deadline=None)
@given(rows=ROWS, grants=st.lists(RULES, max_size=3), vetoes=st.lists(RULES, max_size=2), actor=ACTORS)
def test_a_decision_a_list_and_a_search_agree(
    rows: list[tuple[str, str, set[str]]], grants: list[rules.Rule], vetoes: list[rules.Rule], actor: Actor
) -> None:
    with (
        mock.patch.multiple(rules, _grants=defaultdict(list), _vetoes=defaultdict(list), _kept={}),
        transaction.atomic(),
    ):
        rules.grant(READ, *grants)
        rules.veto(READ, *vetoes)
        made = [
            Outbox.objects.create(subject=who, event=state, version=1, fields={}, time=NOW) for who, state, _ in rows
        ]
        for row, (_, _, related) in zip(made, rows, strict=True):
            for party in related:
                Handled.objects.create(outbox=row, handler=party, time=NOW)

        decided = {row.pk for row in made if rules.decide(actor, READ, row)}
        listed = list(rules.visible(actor, READ, Outbox.objects.all()).values_list("pk", flat=True))
        found = {row.pk for row in made if all(rules.tokens(actor) & needed for needed in rules.audience(READ, row))}
        transaction.set_rollback(True)
    assert sorted(decided) == sorted(listed)
    assert decided == found


@pytest.mark.usefixtures("no_rules")
def test_what_nobody_granted_is_refused_with_words() -> None:
    decision = rules.decide(Actor("pty_a", frozenset(Role)), READ)
    assert not decision
    assert decision.refusal is not None
    assert decision.refusal.message.zh
    assert decision.refusal.remedy is not None


@pytest.mark.usefixtures("no_rules")
def test_a_veto_beats_every_grant() -> None:
    rules.grant(READ, rules.holders(*Role))
    rules.veto(READ, rules.Open("event", ("open",)))
    everyone = Actor("pty_a", frozenset(Role))
    assert rules.decide(everyone, READ, Outbox(event="open"))
    decision = rules.decide(everyone, READ, Outbox(event="closed"))
    assert decision.refusal is not None
    assert decision.refusal.rule == "asset.read.open"
