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


@dataclass(frozen=True)
class Stretch(Generic[ROW]):
    """Some of a list that has an order of its own, from its row `first` on (1 is the first of all), and the rest."""

    rows: Sequence[ROW]
    first: int
    total: int
    before: str = ""
    after: str = ""

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


def stretch(request: HttpRequest, rows: Sequence[ROW], name: str = "from", limit: int = SHOWN) -> Stretch[ROW]:
    """`limit` rows from the one the address names; what is no row of the list means its first."""
    given = asked(request, name)
    at = int(given) - 1 if given.isascii() and given.isdecimal() and len(given) < 9 else 0
    at = at if 0 <= at < len(rows) else 0
    others = {one: value for one, value in request.GET.items() if one != name}

    def address(number: int) -> str:
        return "?" + urlencode({**others, name: number})

    before = address(max(at - limit, 0) + 1) if at else ""
    after = address(at + limit + 1) if at + limit < len(rows) else ""
    return Stretch(rows[at : at + limit], at + 1, len(rows), before, after)
