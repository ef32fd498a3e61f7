"""The pages of the main job: both languages, who may, how many queries, and what another party's ids give."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import get_resolver, reverse
from openpyxl import load_workbook
from pydantic import SecretStr

from shudu.accounts import actions as accounts
from shudu.identity import actions as identity
from shudu.identity.types import CreateParty, MemberRole
from shudu.policy.types import Actor, Role
from shudu.runs.worker import settle, spread_news

from .conftest import PASSWORD
from .test_pages import check_languages

EXAMPLE = Path(__file__).parents[3] / "docs" / "example"
NAMES = {
    "provider": "竹枝数据有限公司",
    "modeller": "梭影模型有限公司",
    "buyer": "锦帆金融有限公司",
    "stranger": "路人有限公司",
}
TITLE = "客户名单"
MODEL = "流失评分"
HAN_NAMES = (" · 交付结果", "业务库", "来源表", *NAMES.values(), "蓉州数据运营有限公司", "审计中心", TITLE, MODEL)
TERMS = {
    "group_by": ["contract"],
    "purposes": ["research", "statistics"],
    "bases": ["contract"],
    "runs": "3",
    "until": "2035-12-31",
    "price": "1200.01",
    "provider": "60",
    "modeller": "30",
    "platform": "10",
    "min_group": "10",
}


@dataclass
class Town:
    """Everybody signed in, and the ids of what was made."""

    clients: dict[str, Client] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def post(self, who: str, name: str, *args: str, status: int = 303, **form: Any) -> str:
        """Send a form; answers with where it leads."""
        answer = self.clients[who].post(reverse(name, args=args), form)
        assert answer.status_code == status, answer.content.decode()
        return str(answer.headers.get("Location", ""))

    def get(self, who: str, name: str, *args: str) -> Any:
        return self.clients[who].get(reverse(name, args=args))


def sign_in(username: str) -> Client:
    client = Client()
    assert client.post("/sign-in/", {"login": username, "password": PASSWORD}).status_code == 302
    return client


def last_of(address: str) -> str:
    return address.rstrip("/").rsplit("/", 1)[1]


@pytest.fixture
def town(log: None, operator: Actor) -> Town:
    """The main job, done by nobody but readers of pages and the worker."""
    town = Town()
    for who, name in NAMES.items():
        party = identity.create_party(operator, CreateParty(name=name))
        town.ids[who] = party.id
        identity.add_member(operator, party.id, who, MemberRole.ADMIN, password=SecretStr(PASSWORD))
    auditor = identity.create_party(operator, CreateParty(name="审计中心", roles=frozenset({Role.AUDITOR})))
    for who, party_id in {"operator": operator.party, "auditor": auditor.id}.items():
        identity.add_member(operator, party_id, who, MemberRole.ADMIN, password=SecretStr(PASSWORD))
    accounts.deposit(operator, town.ids["buyer"], 1_000_000)
    town.clients = {who: sign_in(who) for who in (*NAMES, "operator", "auditor")}

    table = SimpleUploadedFile("customers.csv", (EXAMPLE / "customers.csv").read_bytes())
    place = town.post(
        "provider",
        "publish",
        file=table,
        title=TITLE,
        entity_key="customer_no",
        origin="synthetic",
        level="L2",
        key="k",
    )
    town.ids["asset"] = last_of(place)
    card = SimpleUploadedFile("card.json", (EXAMPLE / "scorecard.json").read_bytes())
    town.ids["model"] = last_of(
        town.post("modeller", "publish_model", file=card, inputs="tenure，contract", title=MODEL, key="k")
    )
    return town


def offered(town: Town) -> Town:
    # Until the two are offered together, neither owner sees the other's entry.
    from shudu.agreements import actions
    from shudu.agreements.types import DraftOffer
    from shudu.identity import queries as parties

    wanted = DraftOffer(
        data=town.ids["asset"],
        model=town.ids["model"],
        group_by=("contract",),
        purposes=["research", "statistics"],  # type: ignore[arg-type]
        bases=["contract"],  # type: ignore[arg-type]
        runs=3,
        until="2035-12-31",  # type: ignore[arg-type]
        price_fen=120_001,
        split={"provider": 60, "modeller": 30, "platform": 10},
    )
    town.ids["offer"] = actions.draft(parties.actor_for(town.ids["provider"]), wanted).id
    for who in ("provider", "modeller"):
        town.post(who, "offer_accept", town.ids["offer"], key="a")
    return town


def with_rows_aside(town: Town, folder: Path) -> None:
    """A version of which two rows were put aside."""
    from shudu.catalog import actions, queries
    from shudu.catalog.types import PublishTable, Reading
    from shudu.identity import queries as parties

    file = folder / "amiss.csv"
    file.write_text("编号,数量\n1,2\n3\n4,5,6\n", "utf-8")
    order = PublishTable(source=file, title="有误的表", title_en="Amiss", reading=Reading(tolerant=True))
    version = queries.latest(actions.publish(parties.actor_for(town.ids["provider"]), order).id)
    assert version is not None
    town.ids["aside"] = version.id


def with_files_kept(town: Town) -> None:
    """Two files that were uploaded and looked at: of a table, and of the next version of one."""
    files = [SimpleUploadedFile("kept.csv", (EXAMPLE / "customers.csv").read_bytes()) for _ in range(2)]
    town.ids["upload"] = last_of(town.post("provider", "publish", file=files[0], do="look", key="kept"))
    place = town.post("provider", "asset_update", town.ids["asset"], file=files[1], do="look", key="next")
    town.ids["next"] = last_of(place)


def with_a_feed(town: Town) -> None:
    """A database of the provider's, and a feed of which the first reading has not begun."""
    from dataclasses import replace

    from django.conf import settings
    from django.test import override_settings

    from shudu.collect import actions
    from shudu.collect.types import AddSource, OpenFeed
    from shudu.identity import queries as parties

    actor = parties.actor_for(town.ids["provider"])
    where: dict[str, Any] = {"host": "db.example.cn", "database": "d", "user": "u", "tls": "off"}
    with override_settings(OPTIONS=replace(settings.OPTIONS, source_hosts="db.example.cn:3306")):
        town.ids["source"] = actions.add_source(actor, AddSource(name="业务库", kind="mysql", **where)).id
    town.ids["feed"] = actions.open_feed(actor, OpenFeed(source=town.ids["source"], table="t", title="来源表")).id


@pytest.fixture
def done(town: Town, tmp_path: Path) -> Town:
    offered(town)
    with_rows_aside(town, tmp_path)
    with_files_kept(town)
    with_a_feed(town)
    order = last_of(town.post("buyer", "offer_order", town.ids["offer"], purpose="research", key="o"))
    run = last_of(town.post("buyer", "order_run", order, key="r"))
    settle(run)
    while spread_news():
        pass
    from shudu.exchange import queries as exchange
    from shudu.runs import queries as runs

    output = runs.output_of(run)
    assert output is not None
    agreement = exchange.agreements_of(order)[0]
    town.ids |= {"order": order, "run": run, "result": output.asset, "agreement": agreement}
    return town


PAGES: list[tuple[str, str, Callable[[Town], list[str]]]] = [
    ("buyer", "home", lambda town: []),
    ("buyer", "search", lambda town: []),
    ("provider", "asset", lambda town: [town.ids["asset"]]),
    ("buyer", "asset", lambda town: [town.ids["result"]]),
    ("provider", "asset_update", lambda town: [town.ids["asset"]]),
    ("provider", "asset_update_upload", lambda town: [town.ids["asset"], town.ids["next"]]),
    ("provider", "publish", lambda town: []),
    ("provider", "publish_upload", lambda town: [town.ids["upload"]]),
    ("modeller", "publish_model", lambda town: []),
    ("provider", "batches", lambda town: []),
    ("provider", "sources", lambda town: []),
    ("provider", "source_new", lambda town: []),
    ("provider", "source", lambda town: [town.ids["source"]]),
    ("provider", "feed", lambda town: [town.ids["feed"]]),
    ("buyer", "offers", lambda town: []),
    ("buyer", "offer", lambda town: [town.ids["offer"]]),
    ("provider", "offer_new", lambda town: []),
    ("provider", "offer_rows", lambda town: []),
    ("buyer", "orders", lambda town: []),
    ("buyer", "order", lambda town: [town.ids["order"]]),
    ("buyer", "agreements", lambda town: []),
    ("provider", "agreement", lambda town: [town.ids["agreement"]]),
    ("buyer", "run", lambda town: [town.ids["run"]]),
    ("buyer", "result", lambda town: [town.ids["result"]]),
    ("buyer", "receipt", lambda town: ["run.closed", town.ids["run"]]),
    ("buyer", "verify", lambda town: []),
    ("buyer", "ledger", lambda town: []),
    ("buyer", "statement", lambda town: []),
    ("buyer", "tokens", lambda town: []),
    ("operator", "desk", lambda town: []),
    ("provider", "releases", lambda town: []),
    ("modeller", "release_rules", lambda town: []),
    ("provider", "corrections", lambda town: []),
    ("provider", "correction", lambda town: [town.ids["aside"]]),
    ("auditor", "audit", lambda town: []),
]
FRAGMENTS = {"search"}
MOST_QUERIES = 40
MOST_BYTES = 100_000  # of HTML; with the style sheet and scripts still far below 200 KB compressed


def test_every_page_speaks_both_languages_and_asks_little(
    done: Town, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for who, name, args in PAGES:
        path = reverse(name, args=args(done))
        with django_assert_max_num_queries(MOST_QUERIES):
            response = done.clients[who].get(path)
        assert response.status_code == 200, (name, response.content.decode()[:2000])
        assert len(response.content) < MOST_BYTES, name
        assert "script" not in response.headers["Content-Security-Policy"]  # nothing beyond default-src 'self'
        assert response.headers["Content-Security-Policy"].startswith("default-src 'self';")
        if name not in FRAGMENTS:
            check_languages(done.clients[who], path, HAN_NAMES)


OPENED_BY_NOBODY_ELSE = {
    "asset_id": "result", "order_id": "order", "agreement_id": "agreement", "run_id": "run", "version_id": "aside",
    "upload_id": "upload",
    "source_id": "source", "feed_id": "feed",
}  # fmt: skip


def test_another_partys_ids_give_404_at_every_address(done: Town) -> None:
    """Generated from the URL map: every address with an id in it, asked for by a stranger, with GET and with POST."""
    asked = 0
    for names, pattern in get_resolver("shudu.site.urls").reverse_dict.lists():
        if not isinstance(names, str):
            continue
        route, parameters = pattern[0][0][0]
        kwargs = {one: done.ids[OPENED_BY_NOBODY_ELSE[one]] for one in parameters if one in OPENED_BY_NOBODY_ELSE}
        if names in ("receipt", "receipt_file"):
            kwargs = {"event": "run.closed", "subject": done.ids["run"]}
        if not kwargs or set(kwargs) != set(parameters):
            continue
        path = reverse(names, kwargs=kwargs)
        statuses = {done.clients["stranger"].get(path).status_code, done.clients["stranger"].post(path).status_code}
        assert statuses <= {404, 405}, (route, statuses)
        assert 404 in statuses, (route, statuses)
        signed_out = Client().get(path)
        assert signed_out.status_code in (302, 405), route
        asked += 1
    assert asked >= 10


def test_what_one_may_not_do_is_explained(done: Town) -> None:
    answer = done.clients["buyer"].get("/desk/", headers={"accept-language": "zh"})
    assert answer.status_code == 403
    assert "为什么不能？" in answer.content.decode()
    assert done.get("buyer", "audit").status_code == 403
    done.post("auditor", "publish", status=400, title=TITLE)  # no file
    table = SimpleUploadedFile("t.csv", b"a,b\n1,2\n")
    refused = done.clients["auditor"].post("/publish/", {"file": table, "title": TITLE, "key": "x"})
    assert refused.status_code == 403
    assert "asset.publish" in refused.content.decode() or "Why not?" in refused.content.decode()


def test_a_form_sent_twice_does_the_thing_once(town: Town) -> None:
    offered(town)
    places = {town.post("buyer", "offer_order", town.ids["offer"], purpose="research", key="same") for _ in range(2)}
    assert len(places) == 1


def test_what_is_wrong_with_a_form_stands_beside_it(town: Town) -> None:
    table = SimpleUploadedFile("t.csv", b"a,b\n1,2\n")
    form = {"file": table, "title": TITLE, "entity_key": "no_such", "key": "w"}
    answer = town.clients["provider"].post("/publish/", form, headers={"accept-language": "zh"})
    assert answer.status_code in (400, 409)
    page = answer.content.decode()
    assert 'role="alert"' in page
    assert f'value="{TITLE}"' in page


def test_hostile_titles_stay_text(town: Town) -> None:
    title = "<script>alert(1)</script>“𠮷”"
    table = SimpleUploadedFile("t.csv", b"a,b\n1,2\n")
    place = town.post("provider", "publish", file=table, title=title, key="h")
    for path in (place, "/", "/search/?q=script"):
        page = town.clients["provider"].get(path).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page
        assert "𠮷" in page


def test_search_finds_titles_as_one_types(town: Town) -> None:
    found = town.clients["provider"].get("/search/", {"q": "客户"}).content.decode()
    assert TITLE in found
    assert "<html" not in found
    assert TITLE not in town.clients["provider"].get("/search/", {"q": "没有这个"}).content.decode()
    assert TITLE not in Client().get("/search/", {"q": "客户"}).content.decode()
    assert TITLE not in town.clients["stranger"].get("/search/", {"q": "客户"}).content.decode()


def test_the_builder_shows_what_a_buyer_will_see(town: Town) -> None:
    offered(town)  # now each sees the other's entry
    chosen = {"data": town.ids["asset"], "model": town.ids["model"]}
    page = town.clients["provider"].get("/offers/new/", chosen).content.decode()
    assert 'value="contract"' in page
    assert 'value="customer_no"' not in page  # nobody groups by the key
    form = {**TERMS, **chosen, "key": "b"}
    shown = town.clients["provider"].post("/offers/new/", {**form, "preview": "1"}, headers={"hx-request": "true"})
    assert shown.status_code == 200
    assert "1,200.01" in shown.content.decode()
    assert "<html" not in shown.content.decode()
    place = town.post("provider", "offer_new", **form)
    assert re.search(r"/offers/ofr_", place)
    unclear = town.clients["provider"].post("/offers/new/", {**form, "price": "teuer", "key": "c"})
    assert unclear.status_code == 400


def test_the_builder_masks_a_column_to_group_by(town: Town) -> None:
    offered(town)
    form = {**TERMS, "data": town.ids["asset"], "model": town.ids["model"], "masks": "contract = whole\n", "key": "m"}
    shown = town.clients["provider"].post("/offers/new/", {**form, "preview": "1"}, headers={"accept-language": "zh"})
    assert "遮盖" in shown.content.decode().partition('id="preview"')[2]
    assert "contract = whole\n</textarea>" in shown.content.decode()
    from shudu.agreements import queries

    line, _ = queries.lines(last_of(town.post("provider", "offer_new", **form)))
    assert queries.terms_of(line).use.masks == (("contract", "whole"),)  # type: ignore[union-attr]
    for wrong in ("tenure=whole", "contract=nothing", "contract"):
        answer = town.clients["provider"].post("/offers/new/", {**form, "masks": wrong, "key": wrong})
        assert answer.status_code == 400, wrong


def test_a_download_is_a_delivery_every_time(done: Town) -> None:
    bodies = {done.clients["buyer"].post(reverse("result_csv", args=[done.ids["result"]])).content for _ in range(2)}
    assert len(bodies) == 1
    page = done.get("buyer", "result", done.ids["result"]).content.decode()
    assert page.count("product.csv</code></a>") == 2


def test_a_token_is_shown_once_and_can_be_revoked(town: Town) -> None:
    page = town.clients["buyer"].post("/me/tokens/issue/", {"scope": "read", "days": "7", "key": "t"}).content.decode()
    assert re.search(r"shudu_[\w-]+", page)
    listed = town.get("buyer", "tokens").content.decode()
    assert not re.search(r"shudu_\w{20}", listed)
    (token,) = set(re.findall(r"tok_\w{26}", listed))
    town.post("buyer", "token_revoke", token, key="v")
    answer = town.clients["stranger"].post(reverse("token_revoke", args=[token]), {"key": "z"})
    assert answer.status_code in (403, 404)


def test_one_acts_for_an_organisation_of_ones_own_only(town: Town) -> None:
    town.post("buyer", "act", party=town.ids["provider"], status=404)
    town.post("buyer", "act", party=town.ids["buyer"])
    for back, leads in (("/publish/?a=1", "/publish/?a=1"), ("//evil.example", "/"), ("https://evil.example/", "/")):
        assert town.post("buyer", "act", party=town.ids["buyer"], back=back) == leads


def test_display_is_kept_in_a_cookie_and_leads_back(client: Client, db: None) -> None:
    answer = client.post("/display/", {"set": "theme-dark", "back": "/verify/"})
    assert (answer.status_code, answer["Location"]) == (303, "/verify/")
    assert 'data-theme="dark"' in client.get("/").content.decode()
    assert client.post("/display/", {"set": "size-large", "back": "//evil.example"})["Location"] == "/"
    assert 'data-theme="dark" data-size="large"' in client.get("/").content.decode()


def test_the_auditor_finds_uses_and_takes_them_along(done: Town) -> None:
    asked = {"asset": done.ids["asset"], "party": NAMES["buyer"], "since": "2020-01-01", "until": "2035-01-01"}
    assert done.ids["run"] in done.clients["auditor"].get("/audit/", asked).content.decode()
    sheet = done.clients["auditor"].get("/audit/", {**asked, "as": "csv"})
    assert sheet["Content-Type"].startswith("text/csv")
    assert done.ids["run"] in b"".join(sheet.streaming_content).decode()  # type: ignore[attr-defined]
    book = done.clients["auditor"].get("/audit/", {**asked, "as": "xlsx"})
    rows = list(load_workbook(BytesIO(book.content)).active.iter_rows(values_only=True))  # type: ignore[union-attr]
    assert rows[0][0] in ("run", "任务")
    assert {(row[0], row[4], row[6]) for row in rows[1:]} == {
        (done.ids["run"], NAMES["buyer"], title) for title in (TITLE, MODEL)
    }
    for since, until in (("0001-01-01", "9999-12-31"), ("0001-01-01", "2035-01-01")):
        ever = done.clients["auditor"].get("/audit/", {**asked, "since": since, "until": until})
        assert done.ids["run"] in ever.content.decode(), (since, until)
    never = done.clients["auditor"].get("/audit/", {**asked, "until": "0001-01-01", "since": "0001-01-01"})
    assert done.ids["run"] not in never.content.decode()
    other = {**asked, "party": NAMES["stranger"]}
    assert done.ids["run"] not in done.clients["auditor"].get("/audit/", other).content.decode()


def test_two_owners_without_a_credit_code_both_publish(town: Town) -> None:
    places = set()
    for who in ("provider", "buyer"):
        table = SimpleUploadedFile("t.csv", b"a,b\n1,2\n")
        places.add(town.post(who, "publish", file=table, title=TITLE, key="u"))
    assert len(places) == 2
