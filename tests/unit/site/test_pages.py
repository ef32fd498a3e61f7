"""Every page, in both languages: complete, safe by its headers, and usable by those who may."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver

from .conftest import PASSWORD

HAN = re.compile(r"[\u4e00-\u9fff]")
# A sentence in English: three Latin words in a row that are not code.
ENGLISH = re.compile(r"[A-Za-z]{2,}[a-z]* +[a-z]{2,} +[a-z]{2,}")
OPEN_PAGES = ["/", "/sign-in/", "/no-such-page/"]
MEMBER_PAGES = ["/me/", "/me/password/", "/me/second-step/", "/me/confirm/", "/sign-out/"]


class Page(HTMLParser):
    """What a reader meets: text by language, and everything that could break the content security policy."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.texts: list[tuple[str, str]] = []
        self.languages: list[tuple[str, str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.skip = 0
        self.feed(content)

    VOID = frozenset({"meta", "link", "input", "br", "wbr", "img", "hr", "path", "rect"})

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.tags.append((tag, named))
        if tag not in self.VOID:
            parent = self.languages[-1][1] if self.languages else ""
            self.languages.append((tag, named.get("lang") or parent))
            self.skip += tag in ("code", "pre")
        for name in ("aria-label", "alt", "title", "placeholder"):
            if named.get(name):
                self.texts.append((named.get("lang") or self.languages[-1][1], str(named[name])))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            opened, _ = self.languages.pop()
            assert opened == tag, f"<{opened}> is closed by </{tag}>"
            self.skip -= tag in ("code", "pre")

    def handle_data(self, data: str) -> None:
        if not self.skip and data.strip():
            self.texts.append((self.languages[-1][1], data.strip()))

    def in_language(self, language: str) -> str:
        return "\n".join(text for said, text in self.texts if said == language)


def read(client: Client, path: str, language: str) -> Page:
    response = client.get(f"{path}{'&' if '?' in path else '?'}lang={language}")
    return Page(response.content.decode())


@pytest.fixture
def signed_in(client: Client, member: str) -> Client:
    response = client.post("/sign-in/", {"login": member, "password": PASSWORD})
    assert response.status_code == 302
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("path", OPEN_PAGES)
@pytest.mark.parametrize("opened", [False, True])
def test_open_pages_are_whole_in_both_languages(
    client: Client, request: pytest.FixtureRequest, path: str, opened: bool
) -> None:
    if opened:
        request.getfixturevalue("log")
    check_languages(client, path)


@pytest.mark.parametrize("path", MEMBER_PAGES)
def test_members_pages_are_whole_in_both_languages(signed_in: Client, path: str) -> None:
    check_languages(signed_in, path)


@pytest.mark.django_db
def test_a_page_that_is_not_there_is_shown_as_its_reader_chose(client: Client) -> None:
    client.cookies["display"] = "size-large.theme-dark"
    assert 'data-theme="dark" data-size="large"' in client.get("/no-such-page/").content.decode()


def test_a_new_password_is_asked_for_in_our_words(signed_in: Client) -> None:
    chinese, english = read(signed_in, "/me/password/", "zh"), read(signed_in, "/me/password/", "en")
    assert "至少 12 个字符" in chinese.in_language("zh-CN")
    assert "你" not in chinese.in_language("zh-CN")
    assert "New password once more" in english.in_language("en")


def test_facts_on_a_line_stand_an_em_apart_in_english_too(signed_in: Client) -> None:
    content = signed_in.get("/me/?lang=en").content.decode()
    assert '</a><span class="gap"> </span><a' in content
    assert "\u3000" not in content  # narrow as any space where English is set in a Chinese face


def check_languages(client: Client, path: str, names: tuple[str, ...] = ()) -> None:
    chinese = read(client, path, "zh")
    english = read(client, path, "en")
    assert HAN.search(chinese.in_language("zh-CN"))
    assert not ENGLISH.search(chinese.in_language("zh-CN"))
    named = english.in_language("en")
    for name in names:
        named = named.replace(name, "")
    assert named
    assert not HAN.search(named)
    for page in (chinese, english):
        tags = [tag for tag, _ in page.tags]
        assert tags.count("h1") == 1
        assert tags.count("main") == 1
        check_policy(page)
        check_labels(page)


def check_policy(page: Page) -> None:
    """Nothing that a strict policy would block or that reaches elsewhere."""
    for tag, attributes in page.tags:
        assert tag not in ("style", "iframe", "object")
        assert tag != "script" or str(attributes.get("src", "")).startswith("/static/"), attributes
        for name, value in attributes.items():
            assert name != "style", f"<{tag}> has a style of its own"
            assert not name.startswith("on")
            if name in ("src", "href", "action") and tag != "svg":
                assert str(value).startswith(("/", "#", "?")), value


def check_labels(page: Page) -> None:
    """Every field that is shown has a label, every link and button a text."""
    labelled = {attributes.get("for") for tag, attributes in page.tags if tag == "label"}
    for tag, attributes in page.tags:
        if tag in ("input", "select", "textarea") and attributes.get("type") != "hidden":
            assert attributes.get("id") in labelled, attributes


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "cookie", "accepted", "spoken"),
    [
        ("", "", "", "zh-CN"),
        ("", "", "fr-FR", "zh-CN"),
        ("", "", "en-US,en;q=0.9", "en"),
        ("", "", "zh-TW", "zh-CN"),
        ("", "en", "zh-CN", "en"),
        ("zh", "en", "en", "zh-CN"),
        ("en", "", "zh-CN", "en"),
        ("xx", "", "zh-CN", "zh-CN"),
    ],
)
def test_the_language_asked_for_comes_before_the_remembered_and_the_browsers(
    client: Client, asked: str, cookie: str, accepted: str, spoken: str
) -> None:
    if cookie:
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = cookie
    headers = {"accept-language": accepted} if accepted else {}
    response = client.get("/", {"lang": asked} if asked else {}, headers=headers)
    assert f'<html lang="{spoken}">' in response.content.decode()
    assert response["Content-Language"] == spoken
    assert "Accept-Language" in response["Vary"]
    assert (settings.LANGUAGE_COOKIE_NAME in response.cookies) == (asked in ("zh", "en"))


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/sign-in/", "/nowhere", "/healthz", "/ledger/checkpoint"])
def test_every_answer_carries_the_safety_headers(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.usefixtures("log")
def test_the_home_page_shows_the_latest_checkpoint(client: Client) -> None:
    origin, size, root = client.get("/ledger/checkpoint").content.decode().split("\n")[:3]
    content = client.get("/").content.decode()
    for shown in (origin, f"<dd>{size}</dd>", root):
        assert shown in content


def test_members_pages_are_closed_to_strangers(client: Client, db: None) -> None:
    for path in [*MEMBER_PAGES, "/me/second-step/totp/activate/", "/me/second-step/recovery-codes/"]:
        response = client.get(path)
        assert response.status_code == 302, path
        assert response["Location"].split("?")[0] in ("/sign-in/", "/"), path


def test_there_is_nothing_to_sign_up_to(client: Client, db: None) -> None:
    for path in ("/sign-up/", "/signup/", "/accounts/signup/", "/me/signup/", "/sign-in/signup/"):
        assert client.get(path).status_code == 404
    names = {name for name in get_resolver().reverse_dict if isinstance(name, str)}
    assert not {name for name in names if re.search(r"signup|reset|email|phone|webauthn", name)}


def test_a_wrong_password_is_said_in_words_and_lets_nobody_in(client: Client, member: str) -> None:
    for language, said in (("zh-CN", HAN), ("en", re.compile("password"))):
        answer = {"login": member, "password": "wrong"}
        response = client.post("/sign-in/", answer, headers={"accept-language": language})
        page = Page(response.content.decode())
        assert said.search(page.in_language(language))
        assert client.get("/me/").status_code == 302


def test_guessing_is_slowed_down(client: Client, member: str) -> None:
    for number in range(12):
        client.post("/sign-in/", {"login": member, "password": f"guess {number}"})
    response = client.post("/sign-in/", {"login": member, "password": PASSWORD})
    assert response.status_code in (200, 429)
    assert client.get("/me/").status_code == 302


def test_a_member_sees_the_organisation_and_its_roles(signed_in: Client) -> None:
    chinese = read(signed_in, "/me/", "zh").in_language("zh-CN")
    for shown in ("锦江数据有限公司", "数据提供方", "模型提供方", "需方", "管理员"):
        assert shown in chinese
    english = read(signed_in, "/me/", "en").in_language("en")
    for shown in ("provider", "modeller", "buyer", "administrator"):
        assert shown in english
    assert signed_in.get("/me/").headers["Cache-Control"].startswith("max-age=0, no-cache, no-store")


def test_signing_out_ends_it(signed_in: Client) -> None:
    assert signed_in.post("/sign-out/").status_code == 302
    assert signed_in.get("/me/").status_code == 302


def test_a_form_from_elsewhere_is_refused_in_words(member: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    response = strict.post("/sign-in/", {"login": member, "password": PASSWORD}, headers={"accept-language": "zh"})
    assert response.status_code == 403
    assert "没有受理" in response.content.decode()


@pytest.mark.django_db
def test_unknown_hosts_are_refused(client: Client) -> None:
    response = client.get("/", headers={"host": "elsewhere.example"})
    assert response.status_code == 400
    assert "elsewhere" not in response.content.decode()


def test_a_fault_of_ours_is_a_page_too(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    from shudu.ledger import queries

    def broken() -> str:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(queries, "checkpoint", broken)
    careful = Client(raise_request_exception=False)
    response = careful.get("/", headers={"accept-language": "zh"})
    assert response.status_code == 500
    assert "系统出了差错" in response.content.decode()
    assert "secret detail" not in response.content.decode()


@pytest.mark.django_db
def test_static_files_keep_for_ever_under_their_digest(client: Client) -> None:
    addresses = re.findall(r'"(/static/[^"]+)"', client.get("/").content.decode())
    assert len(addresses) == 3
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200
        assert "immutable" in response["Cache-Control"]
    assert client.get(addresses[0])["Content-Type"] == "text/css; charset=utf-8"
    assert client.get("/static/shudu.css").status_code == 404
    assert client.get("/static/shudu.000000000000.css").status_code == 404


@pytest.mark.django_db
def test_health_is_one_word(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert "no-store" in response["Cache-Control"]
