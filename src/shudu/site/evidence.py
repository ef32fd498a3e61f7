"""The log as C2SP `tlog-tiles` asks for it: a checkpoint, tiles and entry bundles under canonical paths."""

from __future__ import annotations

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from shudu.ledger import queries

# Groups of three digits, all but the last behind an `x`; no leading group of zeros; a partial tile says how wide.
_INDEX = re.compile(r"(?:x(?!000/)\d{3}/(?:x\d{3}/)*)?\d{3}")
_PATH = re.compile(rf"(?P<index>{_INDEX.pattern})(?:\.p/(?P<width>[1-9]\d{{0,2}}))?")
TILE_WIDTH = 256
HIGHEST_LEVEL = 63


def tile_path(text: str) -> tuple[int, int | None]:
    """Index and width (None: a full tile) of `x001/x234/067` or `x001/x234/067.p/17`. Raises Http404 for any other form."""
    found = _PATH.fullmatch(text)
    width = int(found["width"]) if found and found["width"] else None
    if found is None or (width is not None and width >= TILE_WIDTH):
        raise Http404
    return int(found["index"].replace("x", "").replace("/", "")), width


@require_safe
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The latest signed tree head. Whoever caches it would hide a fork."""
    return _text(queries.checkpoint())


@require_safe
def key(request: HttpRequest) -> HttpResponse:
    """The verifier key. Take it from a second place too before trusting it."""
    return _text(queries.verifier_key() + "\n")


@require_safe
def tile(request: HttpRequest, level: int, index: str) -> HttpResponse:
    number, width = tile_path(index)
    # `<int:level>` also matches 00: one tile, one address.
    if level > HIGHEST_LEVEL or f"/tile/{level}/" not in request.path:
        raise Http404
    return _bytes(queries.tile(level, number, width), width)


@require_safe
def entries(request: HttpRequest, index: str) -> HttpResponse:
    number, width = tile_path(index)
    return _bytes(queries.entry_bundle(number, width), width)


def _text(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def _bytes(content: bytes, width: int | None) -> HttpResponse:
    # A full tile never changes. A partial one does not either, but is superseded; keep it for as long as a reader needs.
    kept = "public, max-age=31536000, immutable" if width is None else "public, max-age=300"
    return HttpResponse(content, content_type="application/octet-stream", headers={"Cache-Control": kept})
