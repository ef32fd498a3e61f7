"""The organisation one acts for: who it is, its tokens, its money."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from shudu.accounts import queries as accounts
from shudu.accounts.actions import MONEY
from shudu.identity import actions, queries
from shudu.identity.types import IssueToken, MemberRole, Scope
from shudu.policy.types import Actor, ShuduError, Text

from .acting import acts, see, told
from .errors import status_of
from .forms import again, key_of, new_key, typed, whole
from .kept import values
from .pages import Place
from .paging import SHOWN, asked, listed, newest


@require_safe
@login_required
@never_cache
def mine(request: HttpRequest) -> HttpResponse:
    """Whom one acts for, and as what."""
    own: dict[str, Place] = {}
    for row in queries.memberships(str(request.user.pk)):
        roles = sorted(row.party.roles)
        place = own.setdefault(row.party.id, Place(row.party.id, row.party.name, row.party.code, roles))
        place.duties.append(MemberRole(row.role))
    return render(request, "my_organisation.html", {"mine": list(own.values())})


@require_safe
@acts
def tokens(request: HttpRequest, actor: Actor) -> HttpResponse:
    return _tokens(request, actor)


def _tokens(request: HttpRequest, actor: Actor, error: ShuduError | None = None, secret: str = "") -> HttpResponse:
    page = newest(request, queries.token_rows(actor, actor.party))
    context = {"page": page, "values": values(request), "secret": secret}
    context |= again(error) if error else {"key": new_key()}
    return render(request, "tokens.html", context, status=status_of(error) if error else 200)


@require_POST
@acts
def issue(request: HttpRequest, actor: Actor) -> HttpResponse:
    """A new token; its secret is shown on this answer only."""
    try:
        scope = Scope.WRITE if request.POST.get("scope") == "write" else Scope.READ
        days = whole(request.POST.get("days", "90"), "days")
        order = typed(IssueToken, party=actor.party, scopes=frozenset({scope}), days=days)
        token = actions.issue_token(actor, order, idempotency_key=key_of(request))
    except ShuduError as error:
        return _tokens(request, actor, error)
    return _tokens(request, actor, secret=token.secret or "")


@require_POST
@acts
def revoke(request: HttpRequest, actor: Actor, token_id: str) -> HttpResponse:
    actions.revoke_token(actor, token_id, idempotency_key=key_of(request))
    told(request, Text("令牌已撤销。", "The token is revoked."))
    return see("tokens")


@require_safe
@acts
def statement(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Every transfer that touched the organisation's money, newest first."""
    accounts.require_readable(actor, actor.party)
    found = accounts.newest(actor.party, MONEY, SHOWN + 1, before=asked(request) or None)
    page = listed(request, found, "transfer")
    purposes = accounts.purposes(line.reference for line in page.rows)
    orders = {reference: purpose.rpartition(" ")[2] for reference, purpose in purposes.items()}
    shown = {"page": page, "balance": accounts.balance(actor.party, MONEY), "orders": orders}
    return render(request, "statement.html", shown)
