"""What was handed in: one's batches, accepted and refused, and where each stands."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from shudu.catalog import queries as catalog
from shudu.collect import queries
from shudu.collect.types import refusals
from shudu.identity import queries as identity
from shudu.policy.types import Actor

from .acting import acts
from .paging import newest


@require_safe
@acts
def batches(request: HttpRequest, actor: Actor) -> HttpResponse:
    """One's own, newest first; of a refused one why, and what to do."""
    page = newest(request, queries.batches(actor))
    context = {
        "page": page,
        "reasons": {code.value: words for code, words in refusals.WORDS.items()},
        "titles": catalog.titles(row.asset for row in page.rows if row.asset),
        "names": identity.names(row.owner for row in page.rows),
        "party": actor.party,
    }
    return render(request, "batches.html", context)
