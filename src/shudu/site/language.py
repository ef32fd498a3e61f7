"""Which of the two languages a page speaks: `?lang=`, else the cookie that sets, else Accept-Language, else Chinese."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

LANGUAGES = {"zh": "zh-hans", "en": "en"}  # as asked for, as Django names it
TAGS = {"zh-hans": "zh-CN", "en": "en"}  # as the page's `lang` says it
YEAR = 365 * 24 * 60 * 60


def negotiate(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: the request is answered in its language; a language asked for is remembered."""

    def answer(request: HttpRequest) -> HttpResponse:
        asked = LANGUAGES.get(request.GET.get("lang", ""))
        language = asked or translation.get_language_from_request(request)
        with translation.override(language if language in TAGS else settings.LANGUAGE_CODE):
            response = get_response(request)
            tag = TAGS[translation.get_language() or settings.LANGUAGE_CODE]
        if response.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Language", tag)
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
        if asked:
            secure = settings.SESSION_COOKIE_SECURE
            name = settings.LANGUAGE_COOKIE_NAME
            response.set_cookie(name, asked, max_age=YEAR, secure=secure, httponly=True, samesite="Lax")
        return response

    return answer


def context(request: HttpRequest) -> dict[str, str]:
    """For templates: this page's address in the other language, its other parameters kept."""
    return {"other_language": address(request, "en" if is_chinese() else "zh")}


def address(request: HttpRequest, language: str) -> str:
    """This page's path in `language` (`zh` or `en`)."""
    query = request.GET.copy()
    query["lang"] = language
    return f"{request.path}?{query.urlencode()}"


def is_chinese() -> bool:
    """Whether the page being made is in Chinese."""
    return (translation.get_language() or settings.LANGUAGE_CODE).startswith("zh")
