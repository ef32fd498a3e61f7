"""Where an overdue asset is seen: its page, its owner's home, the desk, the API's list; and where it is no longer."""

from __future__ import annotations

from pathlib import Path

from django.test import Client
from django.urls import reverse
from pydantic import SecretStr

from frozen import FrozenClock
from shudu.catalog import actions
from shudu.catalog.types import CoreFields, PublishTable, PublishVersion
from shudu.identity import actions as identity
from shudu.identity import queries as parties
from shudu.identity.types import CreateParty, IssueToken, MemberRole, Scope
from shudu.policy.types import Actor

from .conftest import PASSWORD


def member_of(operator: Actor, party: str, username: str) -> Client:
    identity.add_member(operator, party, username, MemberRole.ADMIN, password=SecretStr(PASSWORD))
    client = Client()
    client.post("/sign-in/", {"login": username, "password": PASSWORD})
    return client


def test_it_is_seen_at_every_door_until_a_version_comes(
    log: None, operator: Actor, clock: FrozenClock, tmp_path: Path
) -> None:
    source = tmp_path / "daily.csv"
    source.write_text("id,n\n1,2\n", encoding="utf-8")
    owner = parties.actor_for(identity.create_party(operator, CreateParty(name="锦江数据有限公司")).id)
    order = PublishTable(source=source, title="每日客流", core=CoreFields(update_cycle="2"), findable=True)
    row = actions.publish(owner, order)
    clock.advance(days=3)
    other = parties.actor_for(identity.create_party(operator, CreateParty(name="蜀汉路公司")).id)
    secret = identity.issue_token(owner, IssueToken(party=owner.party, scopes=frozenset({Scope.READ}))).secret
    assert secret
    own, desk = member_of(operator, owner.party, "lin"), member_of(operator, operator.party, "op")
    stranger = member_of(operator, other.party, "wang")
    page = reverse("asset", args=[row.id])

    def read(client: Client, path: str, language: str = "zh") -> str:
        return str(client.get(path, query_params={"lang": language}).content.decode())

    def listed() -> list[tuple[str, str, bool]]:
        answer = Client().get("/api/v1/assets?overdue=true", headers={"Authorization": f"Bearer {secret}"})
        return [(one["id"], one["due"], one["overdue"]) for one in answer.json()["items"]]

    assert listed() == [(row.id, "2026-03-03T15:59:59.999999Z", True)]
    assert "新版本应在 2026-03-03 当日结束前发布" in read(own, page)
    assert "请发布新版本；" in read(own, page)
    assert "请向锦江数据有限公司核实" in read(stranger, page)
    assert "请发布新版本；" not in read(stranger, page)
    assert "a new version was due by the end of 2026-03-03" in read(own, page, "en")
    assert "您的更新逾期" in read(own, "/")
    assert "Yours that are overdue" in read(own, "/", "en")
    assert "您的更新逾期" not in read(stranger, "/")
    assert "每日客流" in stranger.get("/?overdue=1").content.decode()
    # A search among what is overdue stays there, with and without scripts.
    late = own.get("/?overdue=1").content.decode()
    assert 'hx-get="/search/?overdue=1"' in late
    assert '<input type="hidden" name="overdue" value="1">' in late
    nothing = own.get("/search/?overdue=1&q=没有").content.decode()
    assert "Nothing found among what is overdue" in nothing
    assert "每日客流" in own.get("/search/?overdue=1&q=每日").content.decode()
    assert "1 overdue." in read(desk, "/desk/", "en")
    assert "更新逾期 1 项" in read(desk, "/desk/")
    source.write_text("id,n\n1,3\n", encoding="utf-8")
    actions.publish_version(owner, PublishVersion(asset=row.id, source=source))
    assert listed() == []
    assert "更新逾期" not in read(own, page)
    assert "下一版本至 2026-03-06 当日" in read(own, page)
    assert "更新逾期" not in read(own, "/")
    assert "每日客流" not in own.get("/?overdue=1").content.decode()
    assert "更新逾期 0 项" in read(desk, "/desk/")
    # Its owner promises another cycle; nobody else finds where.
    promise = reverse("asset_promise", args=[row.id])
    assert '<option value="2" selected>' in read(own, page)
    assert stranger.post(promise, {"update_cycle": "4", "key": "p"}).status_code in (403, 404)
    assert own.post(promise, {"update_cycle": "4", "key": "p"})["Location"] == page
    assert '<option value="4" selected>' in read(own, page)
    assert "下一版本至 2026-04-05 当日" in read(own, page)
    assert own.post(promise, {"update_cycle": "0", "key": "q"}).status_code == 400
    assert "承诺的更新周期" not in read(stranger, page)
