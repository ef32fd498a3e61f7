"""The pages themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shudu.identity.types import MemberRole
from shudu.ledger import queries as ledger
from shudu.policy.types import Conflict, NotFound, Role

from .catalogue import home_list, late_list


@dataclass(frozen=True)
class Head:
    """What a checkpoint says (C2SP `tlog-checkpoint`): whose log, how many entries, which root (base64)."""

    origin: str
    size: int
    root: str


@dataclass(frozen=True)
class Place:
    """One organisation, and what the person reading the page does in it."""

    id: str
    name: str
    code: str | None
    roles: list[Role]
    duties: list[MemberRole] = field(default_factory=list)


def head() -> Head | None:
    """The latest tree head, or None before the log is opened."""
    try:
        origin, size, root = ledger.checkpoint().split("\n")[:3]
    except (Conflict, NotFound):
        return None
    return Head(origin, int(size), root)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this is, what it is for, and how to check it."""
    context = {"head": head(), **home_list(request), **late_list(request)}
    return render(request, "home.html", context)


@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    """`ok` while the rows can be read. Says nothing else."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("unavailable\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")
