"""The data's owner decides about a held release in the browser; nobody else finds the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client, RequestFactory
from pydantic import SecretStr

from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishTable
from shudu.cleanroom import queries
from shudu.identity import actions as identity
from shudu.identity.types import MemberRole
from shudu.policy.types import Actor
from shudu.runs import queries as runs
from shudu.site.paging import stretch
from unit.agreements.conftest import Market, market
from unit.cleanroom.test_held import Held, held

from .conftest import PASSWORD
from .test_bad_input import HOSTILE_TITLE
from .test_pages import Page, check_policy

__all__ = ["held", "market"]
pytestmark = pytest.mark.django_db(transaction=True)


def client_of(operator: Actor, party: str, name: str) -> Client:
    identity.add_member(operator, party, name, MemberRole.ADMIN, password=SecretStr(PASSWORD))
    client = Client()
    assert client.login(username=name, password=PASSWORD)
    return client


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_owner_sees_the_table_and_refuses(held: Held, language: str, tmp_path: Path) -> None:
    owner = client_of(held.market.operator, held.market.provider.party, "owner")
    buyer = client_of(held.market.operator, held.market.buyer.party, "buyer")
    said = {"headers": {"accept-language": language}}
    listed = owner.get("/releases/", **said).content.decode()
    assert held.run in listed
    page = owner.get(f"/releases/{held.run}/", **said)
    assert page.status_code == 200
    assert "mean_score" in page.content.decode()
    assert buyer.get(f"/releases/{held.run}/").status_code == 404
    assert buyer.post(f"/releases/{held.run}/approve/", {"opinion": "x", "key": "k"}).status_code == 404
    assert owner.post(f"/releases/{held.run}/refuse/", {"opinion": "", "key": "k1"}).status_code == 400
    # What is typed is shown again when it cannot be taken, as text; of what is taken a digest stays.
    again = owner.post(f"/releases/{held.run}/refuse/", {"opinion": HOSTILE_TITLE * 60, "key": "k3"}, **said)
    assert again.status_code == 400
    typed = Page(again.content.decode())
    check_policy(typed)
    assert "img" not in {tag for tag, _ in typed.tags}
    assert owner.post(f"/releases/{held.run}/refuse/", {"opinion": "不可", "key": "k2"}).status_code == 303
    assert runs.run_row(held.run).state == "failed"
    assert held.run not in owner.get("/releases/").content.decode()


def test_a_long_list_is_shown_a_stretch_at_a_time(rf: RequestFactory) -> None:
    rows = list(range(250))
    seen, address = [], "?other=1"
    while address:
        part = stretch(rf.get(f"/{address}"), rows, limit=100)
        assert "other=1" in (part.after or "other=1")
        assert (part.first, part.last, part.total) == (len(seen) + 1, len(seen) + len(part.rows), 250)
        seen += part.rows
        address = part.after
    assert seen == rows
    assert stretch(rf.get(part.before), rows, limit=100).first == 101
    for odd in ("0", "-1", "251", "x", "٣", "9" * 40):
        assert stretch(rf.get("/", {"from": odd}), rows, limit=100).first == 1
    assert stretch(rf.get("/"), []).rows == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_owner_makes_the_rules_stricter(market: Market, language: str) -> None:
    owner = client_of(market.operator, market.provider.party, "owner")
    said = {"headers": {"accept-language": language}}
    page = owner.get("/releases/rules/", **said).content.decode()
    assert 'name="min_group"' in page
    assert owner.get("/releases/", **said).content.decode().count("/releases/rules/") == 1
    laxer = owner.post("/releases/rules/", {"min_group": "9", "max_rows": "50", "key": "k1"}, **said)
    assert laxer.status_code in (400, 409, 422)
    again = laxer.content.decode()
    assert 'id="error_min_group"' in again
    assert 'value="9"' in again, "what was typed is there to be corrected"
    assert 'value="50"' in again
    for wrong in ({"min_group": "viel"}, {"dominant_share": "2"}, {"min_group": "-3"}):
        answer = owner.post("/releases/rules/", {**wrong, "key": "k"}, **said)
        assert f'id="error_{next(iter(wrong))}"' in answer.content.decode(), wrong
    assert queries.own_rules(market.provider.party) is None
    for key in ("k2", "k2"):
        sent = {"min_group": " 20 ", "dominant_share": "0.8", "group_by": "region\nplan", "max_rows": "", "key": key}
        assert owner.post("/releases/rules/", sent, **said).status_code == 303
    row = queries.own_rules(market.provider.party)
    assert row is not None
    assert row.rules == {"min_group": 20, "dominant_share": 0.8, "group_by": ["plan", "region"]}
    shown = owner.get("/releases/rules/", **said).content.decode()
    assert 'value="20"' in shown
    assert "plan\nregion</textarea>" in shown
    assert owner.post("/releases/rules/", {"no_groups": "1", "group_by": "x", "key": "k3"}).status_code == 303
    assert queries.policy_of([market.provider.party]).group_by == frozenset()
    assert "checked" in owner.get("/releases/rules/").content.decode()
    assert client_of(market.operator, market.operator.party, "desk").get("/releases/rules/").status_code == 403


def test_a_table_of_many_columns_is_shown_a_stretch_at_a_time(market: Market, tmp_path: Path) -> None:
    file = tmp_path / "wide.csv"
    names = [f"c{at:04d}" for at in range(450)]
    file.write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n", "utf-8")
    asset = catalog.publish(market.provider, PublishTable(source=file, title="宽表")).id
    owner = client_of(market.operator, market.provider.party, "owner")

    def fields(address: str) -> str:
        page = owner.get(f"/assets/{asset}/{address}").content.decode()
        return page.partition('id="fields"')[2].partition("</section>")[0]

    assert "c0099" in fields("")
    assert "c0100" not in fields("")
    assert "c0449" in fields("?fields=401")
