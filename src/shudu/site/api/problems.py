"""What went wrong, as problem JSON (RFC 9457) in the caller's language: what happened, where, and what to do."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import BaseModel

from shudu.policy import storage
from shudu.policy.types import Conflict, Invalid, NotFound, Refused, ShuduError, Unavailable
from shudu.policy.wording import field_of, of

from ..language import is_chinese
from . import wording
from .limits import TooMany

log = logging.getLogger("shudu.api")
MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[ShuduError], int] = {Invalid: 422, Refused: 403, NotFound: 404, Conflict: 409, Unavailable: 503}
# Where HTTP has a word of its own for what happened.
BY_CODE = {
    "token.missing": 401,
    "token.unknown": 401,
    "token.revoked": 401,
    "token.expired": 401,
    "idempotency.missing": 400,
    "idempotency.key": 400,
    "request.unreadable": 400,
    "request.method": 405,
    "request.too_large": 413,
    "upload.too_large": 413,
    "upload.too_long": 413,
    "upload.media_type": 415,
    "upload.space": 507,
    "lake.space": 507,
    "home.space": 507,
    "publish.size": 413,
    "rate.exceeded": 429,
}


class ProblemReason(BaseModel):
    """One rule's answer in a decision."""

    rule: str
    allowed: bool
    message: str
    remedy: str | None = None


class ProblemField(BaseModel):
    """One field of the request that cannot be used."""

    field: str
    message: str


class Problem(BaseModel):
    """An error, in the language of `Accept-Language` (zh or en). `code` stays the same in every release of v1."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str | None = None
    where: dict[str, Any] | None = None
    reasons: list[ProblemReason] | None = None
    fields: list[ProblemField] | None = None


def answer(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer to any exception. What nobody foresaw is logged, and told without a word of what it was."""
    told = _told(error)
    if told is None:
        log.exception("%s %s met an error", request.method, request.resolver_match and request.resolver_match.route)
        return said(500, wording.FAULT)
    fields = error.errors if isinstance(error, ValidationError) else ()
    return said(status_of(told), told, fields)


def status_of(error: ShuduError) -> int:
    """The HTTP status of an error of ours."""
    return BY_CODE.get(error.code) or next(status for kind, status in STATUS.items() if isinstance(error, kind))


def said(status: int, error: ShuduError, fields: Iterable[Mapping[str, Any]] = ()) -> HttpResponse:
    """An error of ours as the problem it is."""
    language = "zh" if is_chinese() else "en"
    decision = error.decision if isinstance(error, Refused) else None
    problem = Problem(
        type=f"urn:shudu:problem:{error.code}",
        title=wording.TITLES[status].say(language),
        status=status,
        detail=error.message.say(language),
        code=error.code,
        remedy=error.remedy.say(language) if error.remedy else None,
        where=json.loads(json.dumps(dict(error.where), default=str)) or None,
        reasons=[
            ProblemReason(
                rule=reason.rule,
                allowed=reason.allowed,
                message=reason.message.say(language),
                remedy=reason.remedy.say(language) if reason.remedy else None,
            )
            for reason in decision.reasons
        ]
        if decision is not None
        else None,
        fields=[ProblemField(field=field_of(one), message=of(one).say(language)) for one in fields] or None,
    )
    content = json.dumps(problem.model_dump(exclude_none=True), ensure_ascii=False).encode("utf-8", "replace")
    headers = {"Cache-Control": "no-store", "Content-Language": "zh-CN" if language == "zh" else "en"}
    if status == 401:
        known = error.code != "token.missing"
        headers["WWW-Authenticate"] = 'Bearer realm="shudu"' + (', error="invalid_token"' if known else "")
    elif error.code == "token.scope":
        headers["WWW-Authenticate"] = 'Bearer realm="shudu", error="insufficient_scope"'
    elif isinstance(error, TooMany):
        headers["Retry-After"] = str(error.seconds)
    return HttpResponse(content, status=status, content_type=MEDIA_TYPE, headers=headers)


def _told(error: Exception) -> ShuduError | None:
    """An exception as an error of ours, or None for one that should not have been."""
    match error:
        case ShuduError():
            return error if type(error) is not ShuduError else None
        case AuthenticationError():
            return wording.NO_TOKEN
        case ValidationError():
            return wording.invalid(error.errors)
        case RequestDataTooBig():
            return wording.TOO_LARGE
        case HttpError(status_code=400) | SuspiciousOperation() | MultiPartParserError():
            return wording.UNREADABLE
        case Http404():
            return wording.NO_RESOURCE
        case OperationalError() if "locked" in str(error):
            return wording.BUSY
    return storage.said(error) if isinstance(error, Exception) else None
