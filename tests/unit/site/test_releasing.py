"""The data's owner decides about a held release in the browser; nobody else finds the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from pydantic import SecretStr

from shudu.identity import actions as identity
from shudu.identity.types import MemberRole
from shudu.policy.types import Actor
from shudu.runs import queries as runs
from unit.agreements.conftest import market
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
