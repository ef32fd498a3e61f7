"""Where the API is. Only loaded with the pages' addresses, so the command line never waits for it."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from . import document, problems, reference, wording
from .root import api, guarded


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document."""
    return HttpResponse(document.text(), content_type="application/json")


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Where everything is, for whoever finds the API first."""
    base = request.path
    told = {
        "name": "数都 Shudu",
        "version": "1",
        "documentation": f"{base}docs",
        "openapi": f"{base}openapi.json",
        "resources": [f"{base}{noun}" for noun in reference.GROUPS],
    }
    links = f'<{base}docs>; rel="service-doc", <{base}openapi.json>; rel="service-desc"'
    content = json.dumps(told, ensure_ascii=False)
    return HttpResponse(content, content_type="application/json", headers={"Link": links})


@csrf_exempt
def nothing(request: HttpRequest) -> HttpResponse:
    """Whatever else is asked for under the API."""
    return problems.said(404, wording.NO_RESOURCE)


def _resources() -> list[URLPattern]:
    found = [pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern) and pattern.name != "api-root"]
    for pattern in found:
        pattern.callback = guarded(pattern.callback)
    return found


urlpatterns = [
    path("", guarded(index), name="api_root"),
    path("openapi.json", guarded(openapi), name="openapi"),
    path("docs", reference.page, name="api_reference"),
    *_resources(),
    re_path(r"", nothing),
]
