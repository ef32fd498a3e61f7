"""Long lists on pages: some rows at a time, from a key on, so that no page grows with what there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import IntegerField, Model, QuerySet
from django.http import Http404, HttpRequest

ROW = TypeVar("ROW")
MODEL = TypeVar("MODEL", bound=Model)
SHOWN = 50


@dataclass(frozen=True)
class Listed(Generic[ROW]):
    """What one page shows of a list, and the addresses that show more of it ("" where there is none)."""

    rows: list[ROW]
    older: str = ""
    newest: str = ""


def asked(request: HttpRequest, name: str = "after") -> str:
    """The key the address names: rows behind it are wanted."""
    return request.GET.get(name, "")[:64]


def listed(
    request: HttpRequest, found: Sequence[ROW], key: str = "pk", name: str = "after", limit: int = SHOWN
) -> Listed[ROW]:
    """The first `limit` of what was found behind the key; one row more tells that there are more.

    What else the address says stays in it, so two lists of one page are paged each by itself.
    """
    others = {one: value for one, value in request.GET.items() if one != name}
    shown = list(found[:limit])
    older = "?" + urlencode({**others, name: getattr(shown[-1], key)}) if len(found) > limit else ""
    return Listed(shown, older, "?" + urlencode(others) if asked(request, name) else "")


def newest(
    request: HttpRequest, rows: QuerySet[MODEL], key: str = "pk", name: str = "after", limit: int = SHOWN
) -> Listed[MODEL]:
    """A page of rows, the highest key first, behind the one the address names. A key that is a number must be one."""
    if after := asked(request, name):
        field = rows.model._meta.pk if key == "pk" else rows.model._meta.get_field(key)
        if isinstance(field, IntegerField) and not (after.isascii() and after.isdecimal() and len(after) < 16):
            raise Http404
        rows = rows.filter(**{f"{key}__lt": after})
    return listed(request, list(rows.order_by(f"-{key}")[: limit + 1]), key, name, limit)
