"""What every answer carries, and how many one may ask for."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from . import errors
from .api import limits

Answer = Callable[[HttpRequest], HttpResponse]

# No inline style or script anywhere, nothing from elsewhere, no framing, forms go home only.
POLICY = "; ".join(
    [
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


def content_security_policy(get_response: Answer) -> Answer:
    """Middleware: the strict content security policy, and no device features."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
        return response

    return answer


def paced(get_response: Answer) -> Answer:
    """Middleware: pages are counted by who asks. The API counts its own; static files and the log's tiles are cheap and
    cached, and the supervisor asks for the health."""
    free = ("/api/", "/static/", "/ledger/tile/", "/healthz")

    def answer(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(free):
            try:
                limits.count_page(request)
            except limits.TooMany as error:
                response = errors.page(429, error.message, error.remedy)
                response.headers["Retry-After"] = str(error.seconds)
                return response
        return get_response(request)

    return answer
