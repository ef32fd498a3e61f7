"""For whom one acts: a signed-in person acts for one of their organisations, chosen here and kept in the session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from shudu.identity import queries as identity
from shudu.policy.types import Actor, ShuduError, Text, Via, not_found

from .display import ours
from .kept import PARTY, came_from, entrance, keep, opened_for
from .language import is_chinese


@dataclass(frozen=True)
class Place:
    """An organisation one may act for."""

    id: str
    name: str
    chosen: bool


def places(request: HttpRequest) -> list[Place]:
    """Where the person is a member, the one acted for marked: the chosen one, else the first."""
    if not request.user.is_authenticated:
        return []
    known = getattr(request, "_places", None)
    if known is None:
        own = {row.party.id: row.party.name for row in identity.memberships(str(request.user.pk))}
        chosen = request.session.get(PARTY)
        chosen = chosen if chosen in own else next(iter(own), None)
        known = [Place(id_, name, id_ == chosen) for id_, name in own.items()]
        request._places = known  # type: ignore[attr-defined]  # read once per request
    return cast(list[Place], known)


def acting(request: HttpRequest) -> Actor | None:
    """The actor of this request; None for who has not signed in or belongs nowhere. Raises as `actor_for`."""
    if not hasattr(request, "_actor"):
        chosen = next((place.id for place in places(request) if place.chosen), None)
        actor = identity.actor_for(chosen, Via.PAGE, person=str(request.user.pk)) if chosen else None
        request._actor = actor  # type: ignore[attr-defined]
    return cast(Actor | None, request._actor)  # type: ignore[attr-defined]


View = Callable[..., HttpResponseBase]


def acts(view: View) -> View:
    """A page for somebody acting for an organisation: the view gets the actor after the request."""

    @wraps(view)
    @never_cache
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return entrance(request)
        actor = acting(request)
        if actor is None:
            return redirect("my_organisation")
        if request.method == "POST" and not _meant(request, actor):
            return _opened_for_another(request)
        return view(request, actor, *args, **kwargs)

    return cast(View, answer)


def _meant(request: HttpRequest, actor: Actor) -> bool:
    """Is the form of whom the session acts for now? Another tab may have turned to another organisation since.

    A form that says nothing is meant where there is no other organisation to mean.
    """
    person, party = opened_for(request)
    return (person, party) == (actor.person, actor.party) if party else len(places(request)) == 1


def _opened_for_another(request: HttpRequest) -> HttpResponse:
    """Nothing is done: said is for whom the form was opened and who acts now, and what was typed waits in its form."""
    person, party = opened_for(request)
    back = came_from(request)
    if person == str(request.user.pk):
        keep(request, back)
    opened = next((place for place in places(request) if place.id == party), None)
    response = render(request, "opened_for_another.html", {"opened": opened, "back": back}, status=409)
    if "HX-Request" in request.headers:  # asked for a part, answered with the page
        response.status_code = 200
        response["HX-Retarget"], response["HX-Reswap"] = "body", "innerHTML show:window:top"
    return response


def told(request: HttpRequest, text: Text) -> None:
    """Say this on the next page."""
    messages.success(request, text.zh if is_chinese() else text.en)


def see(name: str, *args: str) -> HttpResponse:
    """After something was done: look at this page, or path (303, so that reloading does nothing twice)."""
    response = redirect(name, *args)
    response.status_code = 303
    return response


@require_POST
@login_required
def choose(request: HttpRequest) -> HttpResponse:
    """Act for another of one's organisations; on to the home page, or back to the form that was opened for it."""
    chosen = request.POST.get("party", "")
    if chosen not in [place.id for place in places(request)]:
        raise not_found("机构", "organisation of yours", chosen)
    request.session[PARTY] = chosen
    return see(ours(request.POST.get("back", "/")))


def context(request: HttpRequest) -> dict[str, Any]:
    """For templates: whom one acts for, the others, and the roles held (which decide only what the menu shows)."""
    own = places(request)
    try:
        actor = acting(request)
    except ShuduError:
        actor = None
    roles = {str(role) for role in actor.roles} if actor else set()
    # The department in charge takes no part in orders; neither it nor an auditor has money. No empty pages for them.
    trades, holds_money = bool(roles - {"authority"}), bool(roles - {"authority", "auditor"})
    return {
        "trades": trades,
        "holds_money": holds_money,
        "places": own,
        "acting": next((place for place in own if place.chosen), None),
        "roles": roles,
    }
