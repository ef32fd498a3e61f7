"""The API root: every room's resources under one authentication, one way to say errors, one way to answer."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from ninja import NinjaAPI
from ninja.operation import Operation
from ninja.renderers import JSONRenderer

from shudu.accounts import api as accounts
from shudu.agreements import api as agreements
from shudu.catalog import api as catalog
from shudu.cleanroom import api as cleanroom
from shudu.collect import api as collect
from shudu.exchange import api as exchange
from shudu.govern import api as govern
from shudu.identity import api as identity
from shudu.ledger import api as ledger
from shudu.policy.api import Call
from shudu.runs import api as runs

from . import problems, wording
from .authentication import Bearer
from .parsing import Strict
from .uploads import discard


class _Renderer(JSONRenderer):
    json_dumps_params = {"ensure_ascii": False}


class Root(NinjaAPI):
    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        return problems.answer(request, exc)

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__


api = Root(
    title="数都 Shudu",
    version="1",
    description=(
        "一座城市的数据：描述、共享、交易，并留下存证。金额以分为单位，时间为 UTC。\n\n"
        "A city's data: described, shared and traded, with proof. Amounts are in 分 (fen), times in UTC."
    ),
    docs_url=None,
    openapi_url=None,
    urls_namespace="api-v1",
    auth=Bearer(),
    renderer=_Renderer(),
    parser=Strict(),
)
for prefix, router in {
    "/me": identity.me,
    "/parties": identity.parties,
    "/tokens": identity.tokens,
    "/accounts": accounts.accounts,
    "/assets": catalog.assets,
    "/versions": catalog.versions,
    "/models": catalog.models,
    "/sources": collect.sources,
    "/feeds": collect.feeds,
    "/offers": agreements.offers,
    "/orders": exchange.orders,
    "/agreements": agreements.agreements,
    "/runs": runs.runs,
    "/results": runs.results,
    "/corrections": catalog.corrections,
    "/releases": cleanroom.releases,
    "/uploads": collect.uploads,
    "/batches": collect.batches,
    "/packages": collect.packages,
    "/signing-keys": collect.keys,
    "/ledger": ledger.log,
}.items():
    api.add_router(prefix, router)
api.add_router("/assets", govern.quality)
api.add_router("/runs", exchange.runs)
api.add_router("/receipts", ledger.receipts, auth=Bearer(reads=True))


def guarded(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A view of the API whose every answer is in the API's form: errors as problems, ETags, nothing left behind."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # A HEAD is the GET it stands for, without what follows the headers. Views that record something look at it.
        head = request.method == "HEAD"
        cast(Call, request).head = head
        request.method = "GET" if head else request.method
        try:
            if "\0" in request.path:  # no id holds it, and not every database takes it in a question
                raise Http404
            response = view(request, *args, **kwargs)
        except Exception as error:
            response = problems.answer(request, error)
        finally:
            discard(request)
        if response.status_code == 405:
            allowed = response.headers["Allow"].replace("GET", "GET, HEAD")
            response = problems.said(405, wording.NO_METHOD)
            response.headers["Allow"] = allowed
        response = _conditional(request, response)
        if head and isinstance(response, HttpResponse):
            response.headers["Content-Length"] = response.headers.get("Content-Length", str(len(response.content)))
            response.content = b""
        return response

    return answer


def _conditional(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """A representation gets a strong ETag; whoever has it already is told so."""
    patch_vary_headers(response, ("Authorization", "Accept-Language"))
    response.headers.setdefault("Cache-Control", "private, no-cache")
    kept = "no-store" not in response.headers["Cache-Control"]
    if request.method != "GET" or response.status_code != 200 or not kept or not isinstance(response, HttpResponse):
        return response
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response.headers["ETag"] = etag
    asked = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" not in asked and etag not in (one.removeprefix("W/") for one in asked):
        return response
    unchanged = HttpResponse(status=304)
    for name in ("ETag", "Cache-Control", "Vary", "Link"):
        if name in response.headers:
            unchanged.headers[name] = response.headers[name]
    del unchanged.headers["Content-Type"]
    return unchanged
