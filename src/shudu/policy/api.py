"""What every room's `api.py` is written with: the call, one page of a list, an upload, and both languages in JSON.

Who calls, the idempotency key and uploads are put on the call by the API root (`site.api`); no resource reads a header.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

from django.core.files.uploadedfile import UploadedFile
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from . import clock
from .types import Actor, Text

ROW = TypeVar("ROW", bound=Model)
T = TypeVar("T")
LARGEST_PAGE = 200


class Call(HttpRequest):
    """A request that has passed authentication. `idempotency_key` is empty on reading calls only; `head` when nothing
    but the headers is asked for."""

    auth: Actor
    idempotency_key: str
    head: bool


class Upload(UploadedFile):  # type: ignore[type-arg]  # generic to the type checker only
    """A file as it came in: complete, private, gone when the call ends. `sha256` (hex) is of its bytes."""

    path: Path
    sha256: str


class Said(BaseModel):
    """A sentence in both languages."""

    zh: str
    en: str

    @classmethod
    def of(cls, text: Text) -> Said:
        return cls(zh=text.zh, en=text.en)


Moment = Annotated[
    datetime,
    PlainSerializer(clock.stamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "title": "Moment"}),
]


class Parameters(BaseModel):
    """What an address may ask behind its `?`, and nothing else: a name written wrong is refused, never passed over."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any, info: ValidationInfo) -> Any:
        # Ninja hands on only the names it knows; the others are in the request alone.
        asked = info.context["request"].GET if info.context else {}
        known = ", ".join(cls.model_fields)
        unknown = [
            InitErrorDetails(
                type=PydanticCustomError("parameter_unknown", "Unknown; known are {known}", {"known": known}),
                loc=(name,),
                input=None,
            )
            for name in asked
            if name not in cls.model_fields
        ]
        if unknown:
            raise ValidationError.from_exception_data(cls.__name__, unknown)
        return given


class Paging(Parameters):
    """Which part of a list: the newest rows first, `after` the last one already seen."""

    after: Annotated[str, Field(pattern=r"^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$")] | None = None
    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = 50


class Page(BaseModel, Generic[T]):
    """Part of a list. The `Link` header with `rel="next"` leads to the next part; without one, this is the last."""

    items: list[T]


def page(call: HttpRequest, response: HttpResponse, paging: Paging, rows: QuerySet[ROW]) -> list[ROW]:
    """The rows of one page, newest first, by id: rows made meanwhile never repeat or hide one. Nothing is counted."""
    if paging.after:
        rows = rows.filter(pk__lt=paging.after)
    found = list(rows.order_by("-pk")[: paging.limit + 1])
    return link(call, response, paging.limit, found, lambda row: str(row.pk))


def link(call: HttpRequest, response: HttpResponse, limit: int, found: Sequence[T], id_of: Any) -> list[T]:
    """The first `limit` of what was found, and a link behind the last of them when there is more."""
    shown = list(found[:limit])
    if len(found) > limit:
        query = {**call.GET.dict(), "after": id_of(shown[-1]), "limit": str(limit)}
        response["Link"] = f'<{call.path}?{urlencode(query)}>; rel="next"'
    return shown


def named(zh: str, en: str, *, example: dict[str, Any] | None = None, **extra: Any) -> dict[str, Any]:
    """An operation's name in both languages: `@router.get(…, **named(…))`.

    `example` is a request to begin with, capitals standing for what the caller fills in; `extra` goes into the
    operation's OpenAPI entry as it is.
    """
    shown = {"x-example": example} if example else {}
    return {"summary": en, "openapi_extra": {"x-summary-zh": zh, **shown, **extra}}
