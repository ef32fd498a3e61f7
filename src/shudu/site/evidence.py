"""The log as C2SP `tlog-tiles` serves it: a checkpoint, tiles and entry bundles, each at one address."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from shudu.ledger import queries


@require_safe
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The latest signed tree head. Never cached: an old one would hide what was added since."""
    return _text(queries.checkpoint())


@require_safe
def key(request: HttpRequest) -> HttpResponse:
    """The verifier key; below it, a line each, those that signed before. Take it from a second place too before
    trusting it."""
    return _text("\n".join(queries.verifier_keys() or [queries.verifier_key()]) + "\n")


@require_safe
def tile(request: HttpRequest, place: str) -> HttpResponse:
    """A tile's hashes or a bundle's entries, at `tile/<level or entries>/<index>[.p/<width>]`."""
    content, full = queries.served(f"tile/{place}")
    kept = "public, max-age=31536000, immutable" if full else "public, max-age=300"
    return HttpResponse(content, content_type="application/octet-stream", headers={"Cache-Control": kept})


def _text(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})
