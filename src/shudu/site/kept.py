"""Who was signed out in the middle of a form, or turned to another organisation meanwhile, finds what was typed again.

Only what the fields held, for half an hour, for the person the form was opened for; files and passwords are not kept.
A form whose token does not fit is never kept: another site may have sent it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from django.contrib import messages
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from shudu.policy import clock
from shudu.policy.types import Text

from .language import is_chinese

KEPT = "kept"
PARTY = "party"  # of the session: for whom its person acts
SECONDS = 30 * 60
MOST = 32 * 1024  # characters
_NOT = frozenset({"csrfmiddlewaretoken", "key", "opened_for", "preview", "password"})
RETURNED = Text(
    "刚才填的内容没有提交。已为您填回，请核对后再提交；文件须重新选择，密码须重新填写。",
    "What you filled in was not sent. It is back in the form: check it and send it again; files have to be chosen and "
    "passwords typed anew.",
)


def opened_for(request: HttpRequest) -> tuple[str, str]:
    """The person and the organisation a form says it was opened for (`{% opened_for %}`); empty if it says nothing."""
    person, _, party = request.POST.get("opened_for", "").partition(".")
    return person, party


def keep(request: HttpRequest, place: str) -> None:
    """What the form on the page `place` brought, until its person is there again."""
    person, party = opened_for(request)
    fields = {name: several for name, several in request.POST.lists() if name not in _NOT}
    if person and fields and len(str(fields)) <= MOST:
        of = {"person": person, "party": party, "at": clock.now().timestamp()}
        request.session[KEPT] = {"page": urlsplit(place).path, "fields": fields, **of}


@receiver(user_logged_in)
def _signed_in(request: HttpRequest, user: Any, **_: Any) -> None:
    """A browser several people use keeps nothing for the next of them; who opened the form acts as it was opened."""
    kept: dict[str, Any] = request.session.get(KEPT) or {}
    if kept and kept.get("person") != str(user.pk):
        del request.session[KEPT]
    elif kept:
        request.session[PARTY] = kept["party"]


def entrance(request: HttpRequest) -> HttpResponse:
    """The way to sign in and back to where one was; what a form brought is kept for then."""
    reading = request.method in ("GET", "HEAD")
    place = request.get_full_path() if reading else came_from(request)
    if not reading:
        keep(request, place)
    if "HX-Request" in request.headers:
        # A part of a page cannot show the sign-in: the whole page goes there.
        place = _here(request, request.headers.get("HX-Current-URL", ""))
        return HttpResponse(status=204, headers={"HX-Redirect": _sign_in(place)})
    response = redirect(_sign_in(place))
    response.status_code = 302 if reading else 303
    return response


def values(request: HttpRequest) -> QueryDict:
    """What a form is filled with: what was just sent, else what was typed before signing in again, once."""
    if request.method == "POST":
        return request.POST
    kept: dict[str, Any] = request.session.get(KEPT) or {}
    if kept.get("page") != request.path:
        return QueryDict()
    del request.session[KEPT]
    if clock.now().timestamp() - kept["at"] > SECONDS:
        return QueryDict()
    back = QueryDict(mutable=True)
    for name, several in kept["fields"].items():
        back.setlist(name, several)
    messages.warning(request, RETURNED.zh if is_chinese() else RETURNED.en)
    return back


def came_from(request: HttpRequest) -> str:
    """The page a form was on."""
    return _here(request, request.headers.get("Referer", ""))


def _sign_in(place: str) -> str:
    return f"{reverse('account_login')}?{urlencode({'next': place})}"


def _here(request: HttpRequest, address: str) -> str:
    """The path and query of an address of ours; the home page for any other."""
    parts = urlsplit(address)
    if parts.netloc != request.get_host():
        return reverse("home")
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
