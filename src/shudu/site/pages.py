"""The pages themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib.auth.decorators import login_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shudu.identity import queries as identity
from shudu.identity.types import MemberRole
from shudu.ledger import queries as ledger
from shudu.policy.types import Conflict, NotFound, Role


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
    return render(request, "home.html", {"head": head()})


@require_safe
@login_required
@never_cache
def my_organisation(request: HttpRequest) -> HttpResponse:
    """Whom one acts for, and as what."""
    own: dict[str, Place] = {}
    for row in identity.memberships(str(request.user.pk)):
        place = own.setdefault(
            row.party.id, Place(row.party.id, row.party.name, row.party.code, sorted(row.party.roles))
        )
        place.duties.append(MemberRole(row.role))
    return render(request, "my_organisation.html", {"places": list(own.values())})


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
