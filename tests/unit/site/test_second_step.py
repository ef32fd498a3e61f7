"""The second step of signing in, from turning it on to a recovery code."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.test import Client

from .conftest import PASSWORD
from .test_pages import check_languages


def digits(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time())))))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_is_turned_on_asked_for_and_replaced_by_a_recovery_code(client: Client, member: str, language: str) -> None:
    client.get("/", {"lang": language})
    client.post("/sign-in/", {"login": member, "password": PASSWORD})

    page = client.get("/me/second-step/totp/activate/", follow=True)
    confirm, _ = page.redirect_chain[-1]
    assert confirm.startswith("/me/confirm/")
    page = client.post(confirm, {"password": PASSWORD}, follow=True).content.decode()
    secret = re.search(r"<code>([A-Z2-7]{16,})</code>", page)
    assert secret is not None
    assert "<svg" in page
    assert "data:" not in page
    response = client.post("/me/second-step/totp/activate/", {"code": digits(secret[1])}, follow=True)
    codes = re.findall(r"<li><code>([^<]+)</code></li>", response.content.decode())
    assert len(codes) == 10
    client.post("/sign-out/")

    response = client.post("/sign-in/", {"login": member, "password": PASSWORD})
    assert response["Location"].startswith("/me/second-step/authenticate/")
    assert client.get("/me/").status_code == 302
    response = client.post("/me/second-step/authenticate/", {"code": "000000"})
    assert response.status_code == 200
    assert 'role="alert"' in response.content.decode() or 'class="error"' in response.content.decode()
    assert client.get("/me/").status_code == 302
    client.post("/me/second-step/authenticate/", {"code": codes[0]})
    assert client.get("/me/").status_code == 200
    client.post("/me/confirm/", {"password": PASSWORD})
    for path in ("", "reauthenticate/", "recovery-codes/", "recovery-codes/generate/", "totp/deactivate/"):
        check_languages(client, f"/me/second-step/{path}")
