"""Stricter rules a party declares for itself: never laxer than the house, on record, and the strictest of all wins."""

from __future__ import annotations

from dataclasses import fields
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.cleanroom import actions, queries
from shudu.cleanroom.house_policy import declared, parse
from shudu.cleanroom.release_policy import DEFAULTS, REASONS, ReleasePolicy, is_larger_stricter, strictest
from shudu.cleanroom.types import JUDGED_BY_ROWS, RULES, OwnRules, rules_of
from shudu.policy.models import Outbox
from shudu.policy.types import Invalid, Refused, Unavailable
from shudu.runs import queries as runs
from unit.agreements.conftest import Market, market
from unit.cleanroom.conftest import HouseRules

from .test_house_policy import LAXER, STRICTER, laxer_in, ordered, written

__all__ = ["market"]
OWN = st.fixed_dictionaries({}, optional=STRICTER)


def asked(**rules: Any) -> OwnRules:
    return OwnRules.model_validate(rules)


def test_each_rule_has_a_name_a_reason_and_a_field() -> None:
    assert set(RULES) == set(REASONS) == set(OwnRules.model_fields)


@given(house=OWN, owners=st.dictionaries(st.sampled_from(["pty_a", "pty_b"]), OWN))
def test_the_strictest_of_the_house_and_every_declaration_wins(
    house: dict[str, Any], owners: dict[str, dict[str, Any]]
) -> None:
    each = [declared(asked(**rules).named()) for rules in owners.values()]
    policy = reduce(strictest, each, reduce(strictest, parse(written(house, {}), []), DEFAULTS))
    alone = [DEFAULTS, *parse(written(house, {}), []), *each]
    assert [laxer_in(policy, one) for one in alone] == [[]] * len(alone)
    # And what one declares is what one wrote in the file.
    for name, rules in owners.items():
        assert declared(asked(**rules).named()) == parse(written({}, {name: rules}), [name])[-1]


@pytest.mark.django_db
@pytest.mark.parametrize("name", LAXER)
def test_a_laxer_rule_is_refused_by_name(market: Market, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        actions.restrict(market.provider, asked(**{name: LAXER[name]}))
    assert (caught.value.code, caught.value.where["field"]) == ("release.laxer", name)
    assert "宽松" in caught.value.message.zh
    assert RULES[name].en in caught.value.message.en
    assert queries.own_rules(market.provider.party) is None


@pytest.mark.django_db
def test_laxer_is_measured_by_what_the_house_has_now(market: Market, house_rules: HouseRules) -> None:
    house_rules("[house]\nmin_group = 30\ngroup_by = ['region', 'plan']\n")
    for rules in ({"min_group": 29}, {"group_by": ["region", "year"]}):
        with pytest.raises(Invalid) as caught:
            actions.restrict(market.provider, asked(**rules))
        assert caught.value.code == "release.laxer"
    actions.restrict(market.provider, asked(min_group=31, group_by=["region"]))
    # The house becomes stricter than what was declared, and holds; then it loosens, and the declaration does.
    house_rules("[house]\nmin_group = 40\n")
    assert queries.policy_of([market.provider.party]).min_group == 40
    house_rules("")
    assert queries.policy_of([market.provider.party]).min_group == 31
    house_rules("[house]\nmin_group = 9\n")
    with pytest.raises(Unavailable):
        actions.restrict(market.provider, asked(min_group=31))


@pytest.mark.django_db
def test_the_newest_declaration_holds_and_each_is_on_record(market: Market) -> None:
    before = queries.policy_of([market.provider.party])
    first = actions.restrict(market.provider, asked(min_group=20, dominant_share=0.5, group_by=["plan"]))
    assert queries.policy_of([market.provider.party]) == strictest(
        before, declared({"min_group": 20, "dominant_share": 0.5, "group_by": ["plan"]})
    )
    found = {rule.name: (rule.house, rule.own, rule.holds) for rule in queries.rules(market.provider)}
    assert found["min_group"] == (10, 20, 20)
    assert found["group_by"] == (None, ["plan"], frozenset({"plan"}))
    assert found["max_rows"] == (1000, None, 1000)
    actions.restrict(market.provider, asked())
    assert queries.policy_of([market.provider.party]) == before
    told = Outbox.objects.filter(event="release.restricted").order_by("pk")
    assert [row.fields["party"] for row in told] == [market.provider.party] * 2
    assert told[0].fields["rules_sha256"] == first.sha256 != told[1].fields["rules_sha256"]
    # Neither others' releases nor what others see of their own change.
    actions.restrict(market.provider, asked(min_group=50))
    assert queries.policy_of([market.modeller.party]) == before
    with pytest.raises(Refused):
        actions.restrict(market.operator, asked(min_group=50))
    with pytest.raises(Refused):
        queries.rules(market.operator)


@pytest.mark.django_db
def test_a_modeller_moves_no_threshold_of_anothers_rows(market: Market) -> None:
    """Else it learns, run by run, on which side of it a group's size or share lies, until it knows the figure."""
    data, model = market.provider.party, market.modeller.party
    every = {name: 1_000 if is_larger_stricter(name) else 1 for name in RULES} | {
        "dominant_share": 0.1, "carrier_fraction": 0.9, "group_by": ["region"],
    }  # fmt: skip
    actions.restrict(market.modeller, asked(**every))
    alone, both = queries.policy_of([data]), queries.policy_of([data], [model])
    moved = {one.name for one in fields(DEFAULTS) if getattr(alone, one.name) != getattr(both, one.name)}
    assert moved == set(RULES) - JUDGED_BY_ROWS
    assert queries.policy_of([model], [model]) == declared(asked(**every).named()), "its own data is its own"


@pytest.mark.django_db(transaction=True)
def test_a_real_run_keeps_to_what_its_owners_declared(market: Market) -> None:
    from shudu.accounts import actions as accounts

    accounts.deposit(market.operator, market.buyer.party, 1_000_000)
    actions.restrict(market.provider, asked(min_group=20))
    actions.restrict(market.modeller, asked(min_group=25, dominant_share=0.01, significant_digits=2, max_text=1))
    actions.restrict(market.buyer, asked(min_group=1_000))
    run = ordered(market)
    assert runs.output_of(run.id) is not None, run.error
    evidence = queries.evidence(queries.release_row(run.id))
    assert evidence is not None
    assert b'"min_group": 20' in evidence
    actions.restrict(market.provider, asked(group_by=[]))
    refused = ordered(market)
    assert refused.error["code"] == "release.withheld"
    assert queries.checks(queries.release_row(refused.id))[-1]["name"] == "group_by"


@pytest.mark.parametrize(
    "line", ["min_groups=20", "min_group=", "min_group=2.5", "dominant_share=much", "=3", "min_group"]
)
def test_what_is_written_as_no_rule_is_refused(line: str) -> None:
    name, _, value = line.partition("=")
    with pytest.raises(Invalid) as caught:
        rules_of([(name, value)])
    assert caught.value.code == "release.rule"
    with pytest.raises(Invalid):
        rules_of([("max_rows", "3"), ("max_rows", "4")])


def test_rules_are_read_as_people_write_them() -> None:
    read = OwnRules(**rules_of([("min_group", "20"), ("dominant_share", "0.8"), ("group_by", "区域, plan\n区域")]))
    assert read.named() == {"min_group": 20, "dominant_share": 0.8, "group_by": ["plan", "区域"]}
    assert OwnRules(**rules_of([("group_by", "")])).named() == {"group_by": []}
    assert isinstance(declared(read.named()), ReleasePolicy)
