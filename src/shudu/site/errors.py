"""What went wrong, said on a page: what happened, and what to do. Needs no database and no session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from shudu.policy import storage
from shudu.policy.types import Conflict, Invalid, NotFound, Refused, ShuduError, Text, Unavailable

from .display import chosen

STATUS: dict[type[ShuduError], int] = {Invalid: 400, Refused: 403, NotFound: 404, Conflict: 409, Unavailable: 503}


class Explain:
    """Middleware: an error a room raised becomes a page that says it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        told = error if isinstance(error, ShuduError) else storage.said(error)
        if told is None:
            return None
        # A database that takes no writes cannot keep a session either: the page is drawn without one.
        return page(status_of(told), told.message, told.remedy, told, request if told is error else None, asked=request)


def status_of(error: ShuduError) -> int:
    """The HTTP status that says the same."""
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def page(
    status: int,
    message: Text,
    remedy: Text | None = None,
    error: ShuduError | None = None,
    request: HttpRequest | None = None,
    asked: HttpRequest | None = None,
) -> HttpResponse:
    """The one error page; a refusal says which rule refused and what would change it.

    Without `request` no session is opened; of `asked` only the cookie is read that says how pages are shown.
    """
    refusal = error if isinstance(error, Refused) else None
    told: dict[str, Any] = {"status": status, "message": message, "remedy": remedy, "refusal": refusal}
    if asked and not request:
        told["display"] = chosen(asked)
    content = render_to_string("error.html", told, request=request)
    return HttpResponse(content, status=status, headers={"Cache-Control": "no-store"})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return page(
        400,
        Text("这个请求读不懂。", "This request could not be read."),
        Text("请从首页重新开始。", "Start again from the home page."),
        asked=request,
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return page(
        403,
        Text("当前身份不能做这件事。", "This is not open to you as you are signed in."),
        Text("换一个有权的身份登录。", "Sign in as someone who may."),
        asked=request,
    )


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    return page(
        403,
        Text(
            "这张表单放得太久，或是从别的网站送来的，没有受理。",
            "This form was open too long or came from another site. It was not accepted.",
        ),
        Text("回到原来的页面，刷新后再提交一次。", "Go back, reload the page and send it again."),
        asked=request,
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return page(
        404,
        Text("这里没有这一页。", "There is no such page here."),
        Text("请核对网址，或从首页查找。", "Check the address, or start from the home page."),
        asked=request,
    )


def server_error(request: HttpRequest) -> HttpResponse:
    return page(
        500,
        Text("系统出了差错，这次请求没有完成。", "Something failed on our side. This request was not completed."),
        Text(
            "请稍后再试；仍不成功，请把发生的时间告诉运营机构。",
            "Try again shortly; if it fails again, tell the operating company when it happened.",
        ),
        asked=request,
    )
