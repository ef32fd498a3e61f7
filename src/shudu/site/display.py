"""How pages are shown: light or dark, large, high contrast. Kept in a cookie, so it needs no script and no sign-in."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

CHOICES = {"theme": ("light", "dark"), "contrast": ("more",), "size": ("large",)}
COOKIE = "display"
YEAR = 365 * 24 * 60 * 60


def chosen(request: HttpRequest) -> dict[str, str]:
    """What the reader chose; without a choice the system's setting decides."""
    parts = dict(part.split("-", 1) for part in request.COOKIES.get(COOKIE, "").split(".") if "-" in part)
    return {name: parts[name] for name, values in CHOICES.items() if parts.get(name) in values}


def context(request: HttpRequest) -> dict[str, dict[str, str]]:
    """For templates."""
    return {"display": chosen(request)}


def ours(path: str) -> str:
    """A path that leads nowhere but to a page of ours; the home page in place of any other."""
    return path if path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None) else "/"


@require_POST
def change(request: HttpRequest) -> HttpResponse:
    """One choice made or unmade; back to where one was."""
    kept = chosen(request)
    name, _, value = request.POST.get("set", "").partition("-")
    if name in CHOICES:
        kept.pop(name, None)
        if value in CHOICES[name]:
            kept[name] = value
    response = redirect(ours(request.POST.get("back", "/")))
    response.status_code = 303
    value = ".".join(f"{name}-{value}" for name, value in kept.items())
    secure = settings.SESSION_COOKIE_SECURE
    response.set_cookie(COOKIE, value, max_age=YEAR, secure=secure, httponly=True, samesite="Lax")
    return response
