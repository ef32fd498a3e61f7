"""What people and browsers do: twice, late, in two tabs, with the wrong token, with hostile or very long words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import Resolver404, get_resolver, resolve, reverse
from pydantic import SecretStr

from frozen import FrozenClock
from shudu.agreements.models import Offer
from shudu.catalog.models import Asset as AssetRow
from shudu.exchange.models import Order
from shudu.identity import actions as identity
from shudu.identity.models import Token
from shudu.identity.types import CreateParty, MemberRole
from shudu.policy.events import ACTOR_FIELDS, LEAVES, Event
from shudu.policy.types import Actor
from shudu.site import words
from shudu.site.api import limits

from . import test_market_pages as market
from .conftest import PASSWORD
from .test_market_pages import PAGES, Town, done, offered, town
from .test_pages import Page, check_policy

__all__ = ["done", "town"]

# Text, attribute, script, style and address positions; what templates, spreadsheets and terminals would act on.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus=alert(1) autofocus x='",
    "</title><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}{% url 'home' %}",
    "=HYPERLINK(1)",
    "<!--",
    "&lt;b&gt;",
)
HOSTILE_TITLE = "𠮷" + "".join(HOSTILE)[:170]
LONG_TITLE = "𠮷" * 200


def csv_file(content: bytes = b"a,b\n1,2\n") -> SimpleUploadedFile:
    return SimpleUploadedFile("t.csv", content)


class Forms(HTMLParser):
    """The forms of a page: where each goes and what it holds."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag == "form":
            self.forms.append({**named, "names": set(), "values": {}, "buttons": 0})
        elif self.forms and named.get("name") and tag in ("input", "select", "button", "textarea"):
            self.forms[-1]["names"].add(named["name"])
            self.forms[-1]["values"][named["name"]] = named.get("value")
        if self.forms and tag == "button" and named.get("type", "submit") == "submit":
            self.forms[-1]["buttons"] += 1


def test_signed_out_in_the_middle_of_a_form_nothing_typed_is_lost(town: Town, clock: FrozenClock) -> None:
    page, typed = "http://testserver/publish/", {"title": "写到一半", "entity_key": "客户号", "level": "L3"}
    typed["opened_for"] = opened_for(town, "provider")
    client = Client()
    answer = client.post("/publish/", {**typed, "file": csv_file(), "key": "k"}, headers={"referer": page})
    assert (answer.status_code, answer["Location"]) == (303, "/sign-in/?next=%2Fpublish%2F")
    assert "刚才填的没有提交" in client.get(answer["Location"], headers={"accept-language": "zh"}).content.decode()
    answer = client.post(answer["Location"], {"login": "provider", "password": PASSWORD})
    assert answer["Location"] == "/publish/"
    back = client.get("/publish/", headers={"accept-language": "zh"}).content.decode()
    for shown in ('value="写到一半"', 'value="客户号"', '<option value="L3" selected>', "已为您填回"):
        assert shown in back
    again = client.get("/publish/").content.decode()  # once
    assert "写到一半" not in again
    late = Client()
    late.post("/publish/", typed, headers={"referer": page})
    clock.advance(minutes=31)
    late.post("/sign-in/", {"login": "provider", "password": PASSWORD})
    assert "写到一半" not in late.get("/publish/").content.decode()


def opened_for(town: Town, who: str) -> str:
    """What the forms on a page of theirs say of whom they were opened for."""
    forms = Forms(town.clients[who].get("/publish/").content.decode()).forms
    return next(str(form["values"]["opened_for"]) for form in forms if "opened_for" in form["names"])


def test_what_was_typed_is_for_its_own_person_only(town: Town, operator: Actor) -> None:
    """On a browser several people use, the next one finds nothing; the first one acts again for whom the form was."""
    second = identity.create_party(operator, CreateParty(name="第二家数据有限公司"))
    identity.add_member(operator, second.id, "provider", MemberRole.ADMIN)
    identity.add_member(operator, town.ids["provider"], "colleague", MemberRole.ADMIN, password=SecretStr(PASSWORD))
    page, title = "http://testserver/publish/", "本人填的"
    town.post("provider", "act", party=second.id)
    form = {"title": title, "level": "L3", "opened_for": opened_for(town, "provider")}
    assert form["opened_for"].endswith(second.id)
    for who, finds in (("colleague", False), ("buyer", False), ("provider", True)):
        browser = Client()
        browser.post("/publish/", form, headers={"referer": page})
        browser.post("/sign-in/", {"login": who, "password": PASSWORD})
        back = browser.get("/publish/").content.decode()
        assert (title in back, second.id in back) == (finds, finds), who
        browser.logout()
        browser.post("/sign-in/", {"login": "provider", "password": PASSWORD})
        assert title not in browser.get("/publish/").content.decode(), who
    unsigned = Client()
    unsigned.post("/publish/", {"title": title}, headers={"referer": page})
    unsigned.post("/sign-in/", {"login": "provider", "password": PASSWORD})
    assert title not in unsigned.get("/publish/").content.decode(), "nobody knows whose it was"


def test_two_tabs_two_organisations(town: Town, operator: Actor) -> None:
    """A form opened for one organisation is never sent as another; nothing typed in it is lost."""
    buyer, provider = town.ids["buyer"], town.ids["provider"]
    identity.add_member(operator, buyer, "provider", MemberRole.ADMIN)
    town.post("provider", "act", party=provider)
    client, page, zh = town.clients["provider"], "http://testserver/publish/", {"accept-language": "zh"}
    form = {"title": "供方的表", "level": "L3", "key": "a", "opened_for": opened_for(town, "provider")}
    town.post("provider", "act", party=buyer)  # the other tab
    before = AssetRow.objects.count()
    for mark in (form["opened_for"], "", f"{form['opened_for']}x"):
        sent = {**form, "opened_for": mark, "file": csv_file()}
        answer = client.post("/publish/", sent, headers={"referer": page, **zh})
        assert answer.status_code == 409, mark
        check_policy(Page(answer.content.decode()))
    tokens = client.post(
        "/me/tokens/issue/", {"key": "b", "days": "9", "opened_for": form["opened_for"]}, headers={"referer": page}
    )
    assert (tokens.status_code, Token.objects.count()) == (409, 0)
    assert AssetRow.objects.count() == before
    told = client.post("/publish/", {**form, "file": csv_file()}, headers={"referer": page, **zh}).content.decode()
    assert f"这张表单是代表{market.NAMES['provider']}打开的，现在代表的是{market.NAMES['buyer']}，没有受理" in told
    way = next(one for one in Forms(told).forms if {"back", "party"} <= one["names"])
    assert (way["action"], way["values"]["back"], way["values"]["party"]) == ("/me/act/", "/publish/", provider)
    assert town.post("provider", "act", party=provider, back=way["values"]["back"]) == "/publish/"
    back = client.get("/publish/", headers=zh).content.decode()
    assert 'value="供方的表"' in back
    assert "已为您填回" in back
    made = town.post("provider", "publish", **{**form, "file": csv_file()})
    assert AssetRow.objects.get(pk=made.rstrip("/").rsplit("/", 1)[1]).owner == provider
    town.post("provider", "act", party=buyer)
    part = client.post(
        "/offers/rows/", {"preview": "1", "opened_for": form["opened_for"]}, headers={"hx-request": "true"}
    )
    assert (part.status_code, part["HX-Retarget"]) == (200, "body")


def test_a_page_that_asks_by_itself_leads_to_the_sign_in(done: Town) -> None:
    run = done.ids["run"]
    here = f"http://testserver/runs/{run}/"
    answer = Client().get(f"{here}progress/", headers={"hx-request": "true", "hx-current-url": here})
    assert answer.status_code == 204
    assert answer["HX-Redirect"] == f"/sign-in/?next=%2Fruns%2F{run}%2F"
    away = Client().get(f"{here}progress/", headers={"hx-request": "true", "hx-current-url": "https://evil.example/"})
    assert away["HX-Redirect"] == "/sign-in/?next=%2F"


def test_a_form_changed_and_sent_again_is_another_request(town: Town) -> None:
    client = town.clients["provider"]
    town.post("provider", "publish", file=csv_file(), title="甲", key="once")
    form = {"file": csv_file(), "title": "乙", "key": "once"}
    answer = client.post("/publish/", form, headers={"accept-language": "zh"})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "这张表单已经交过一次" in page
    key = re.search(r'name="key" value="(\w+)"', page)
    assert key
    assert key[1] != "once"
    town.post("provider", "publish", file=csv_file(), title="乙", key=key[1])


def test_two_tabs(town: Town) -> None:
    """Both show the same buttons; the second press is told how things stand, and does nothing."""
    offered(town)
    offer = town.ids["offer"]
    for verb in ("offer_accept", "offer_withdraw"):
        if verb == "offer_withdraw":
            town.post("provider", verb, offer, key="tab 1")
        answer = town.clients["provider"].post(reverse(verb, args=[offer]), {"key": f"tab 2 {verb}"})
        assert answer.status_code == 409, verb
        assert 'role="alert"' in answer.content.decode()
    assert Offer.objects.get(pk=offer).state == "withdrawn"


def test_who_asks_for_pages_without_end_is_told_when_to_come_back(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OPTIONS", replace(settings.OPTIONS, pages_per_minute=60))
    monkeypatch.setattr(limits, "limiter", limits.Limiter(lambda: 7.0))
    busy, other, stranger = town.clients["buyer"], town.clients["provider"], Client()
    for _ in range(10):
        assert busy.get("/offers/").status_code == 200
        assert stranger.get("/sign-in/").status_code == 200
    for client, path in ((busy, "/offers/"), (stranger, "/sign-in/")):
        answer = client.get(path, headers={"accept-language": "zh"})
        assert (answer.status_code, answer["Retry-After"]) == (429, "1")
        check_policy(Page(answer.content.decode()))
    assert other.get("/offers/").status_code == 200, "each person has their own"
    assert busy.get("/healthz").status_code == 200


def test_going_back_finds_a_fresh_form(town: Town) -> None:
    """A page with a form is never kept by the browser, so that its key is not sent for two different things."""
    offered(town)
    place = reverse("offer", args=[town.ids["offer"]])
    keys = set()
    for _ in range(2):
        page = town.clients["buyer"].get(place)
        assert "no-store" in page["Cache-Control"]
        keys.update(re.findall(r'name="key" value="(\w+)"', page.content.decode()))
    assert len(keys) == 2
    town.post("buyer", "offer_order", town.ids["offer"], purpose="research", key="back")
    town.post("buyer", "offer_order", town.ids["offer"], purpose="research", key="back")
    assert Order.objects.count() == 1


def test_a_wrong_token_does_nothing_and_is_said_kindly(town: Town) -> None:
    offered(town)
    client = Client(enforce_csrf_checks=True)
    client.cookies = town.clients["buyer"].cookies
    for token in ("", "x" * 64):
        place = reverse("offer_order", args=[town.ids["offer"]])
        form = {"purpose": "research", "key": "k", "csrfmiddlewaretoken": token}
        answer = client.post(place, form, headers={"accept-language": "zh"})
        assert answer.status_code == 403
        assert "没有受理" in answer.content.decode()
    assert Order.objects.count() == 0


@pytest.mark.parametrize("title", [HOSTILE_TITLE, LONG_TITLE], ids=["hostile", "long"])
def test_whatever_one_writes_stays_text_on_every_page(
    title: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market, "TITLE", title)
    monkeypatch.setattr(market, "MODEL", title)
    monkeypatch.setitem(market.NAMES, "buyer", title[:100])
    world: Town = request.getfixturevalue("done")
    seen = 0
    for who, name, args in PAGES:
        path = reverse(name, args=args(world))
        for language in ("zh", "en"):
            content = world.clients[who].get(path, {"lang": language}).content.decode()
            if name == "search":
                content = f"<body>{content}</body>"
            page = Page(content)
            check_policy(page)
            tags = {tag for tag, _ in page.tags}
            assert "img" not in tags, name
            assert not any("autofocus" in one for _, one in page.tags), name
            assert "{{7*7}}" in content or "7*7" not in content, name  # no template reads it twice
            seen += "𠮷" in content
    assert seen > 20
    sheet = world.clients["auditor"].get("/audit/", {"as": "csv"})
    assert b"\n=" not in b"".join(sheet.streaming_content)  # type: ignore[attr-defined]


def test_hostile_words_come_back_into_their_field_as_text(town: Town) -> None:
    for name, text in (("publish", HOSTILE_TITLE), ("publish_model", HOSTILE_TITLE)):
        answer = town.clients["provider"].post(reverse(name), {"title": text, "inputs": text, "key": "k"})
        assert answer.status_code == 400
        page = Page(answer.content.decode())
        check_policy(page)
        fields = {one.get("name"): one.get("value") for tag, one in page.tags if tag == "input"}
        assert fields["title"] == text
    for field in ("asset", "party", "since", "until"):
        answer = town.clients["auditor"].get("/audit/", {field: HOSTILE_TITLE})
        assert answer.status_code in (400, 404), field
        check_policy(Page(answer.content.decode()))
    check_policy(Page(town.clients["provider"].get("/", {"q": HOSTILE_TITLE}).content.decode()))
    answer = town.clients["provider"].post("/offers/new/", {"price": HOSTILE_TITLE, "data": HOSTILE_TITLE})
    check_policy(Page(answer.content.decode()))


# Forms of a person, or of a browser; every other one is sent as the organisation it was opened for.
NOBODYS = {"/display/", "/me/act/", "/sign-out/", "/me/password/"}


def test_every_form_works_without_scripts(done: Town) -> None:
    """Each has a place to go that takes its method, its token and a button; nothing hangs on a script alone."""
    checked = 0
    for who, name, args in PAGES:
        content = done.clients[who].get(reverse(name, args=args(done))).content.decode()
        for form in Forms(content).forms:
            if "data-verify" in form:  # computed in the browser; beside it stands the way without scripts
                assert "<noscript>" in content
                continue
            assert form["buttons"], (name, form)
            place = form.get("action") or reverse(name, args=args(done))
            assert _taken(place), (name, place)
            if form.get("method") == "post":
                assert "csrfmiddlewaretoken" in form["names"], (name, form)
                assert "opened_for" in form["names"] or place in NOBODYS, (name, form)
            checked += 1
    assert checked > 50


def _taken(place: str) -> bool:
    try:
        return bool(resolve(place.split("?")[0]))
    except Resolver404:
        return False


# Not pages: files, tiles, parts of pages, and what answers to a POST alone.
_NO_PAGE = {
    "static",
    "health",
    "checkpoint",
    "ledger_key",
    "ledger_tile",
    "receipt_file",
    "progress",
    "run_progress",
    "display",
    "correction_file",
}
_POSTS = re.compile(
    r"act$|_(accept|approve|withdraw|order|refuse|run|cancel|revoke|issue|csv|parquet|restart|restore|promise|survey|refresh|close)$"
)
_SIGNING_IN = re.compile(r"^(account|mfa)_")  # in test_pages and test_second_step


def names() -> Iterator[str]:
    found = {name for name in get_resolver("shudu.site.urls").reverse_dict if isinstance(name, str)}
    yield from sorted(name for name in found - _NO_PAGE if not _POSTS.search(name) and not _SIGNING_IN.search(name))


def test_every_page_is_on_the_list_of_pages() -> None:
    """A page that is not in `PAGES` is looked at by no test. (A held release is in test_releasing, what a
    version changed in test_batches_page, the parts and the form that the worker's answers fill in test_database_pages.)
    """
    elsewhere = {"my_organisation", "release", "asset_changes", "feed_new", "feed_progress", "source_contents"}
    assert set(names()) - {name for _, name, _ in PAGES} <= elsewhere


def test_signing_in_leads_nowhere_else(town: Town) -> None:
    client = Client()
    answer = client.post("/sign-in/?next=https://evil.example/", {"login": "buyer", "password": PASSWORD})
    assert answer["Location"] == "/"


def test_every_recorded_field_and_event_has_a_word() -> None:
    """A receipt shows what was recorded in words, whatever event comes to be recorded next."""
    assert {name for leaf in LEAVES.values() for name in (*leaf.fields, *ACTOR_FIELDS)} <= set(words.FIELDS)
    assert set(Event) <= set(words.EVENTS)
