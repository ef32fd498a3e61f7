"""Lists on the command line: a page at a time, newest first, and said when there is more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from shudu.policy.types import Text

from .session import Session

if TYPE_CHECKING:
    from django.db.models import QuerySet

T = TypeVar("T")
After = Annotated[str | None, typer.Option("--after", metavar="ID", help="Go on behind this one.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")]


def part(rows: QuerySet[Any], after: str | None, limit: int) -> list[Any]:
    """The rows of one page by id, newest first, and one more when there is more."""
    rows = rows.order_by("-pk")
    return list((rows.filter(pk__lt=after) if after else rows)[: limit + 1])


def show(
    current: Session,
    name: str,
    found: Sequence[T],
    limit: int,
    of: Callable[[T], dict[str, Any]],
    noun: Text,
) -> None:
    """One page; `next` is what to give `--after` for the following one, null on the last."""
    shown = [of(row) for row in found[:limit]]
    following = shown[-1]["id"] if len(found) > limit else None
    said = Text(f"{len(shown)} 项{noun.zh}。", f"{len(shown)} {noun.en}.")
    if following:
        said = Text(
            f"{len(shown)} 项{noun.zh}，还有更多：请加 --after {following}。",
            f"{len(shown)} {noun.en}, and there are more: add --after {following}.",
        )
    current.show({"id": None, name: shown, "next": following}, said)


def stamp(moment: datetime | None) -> str | None:
    """A moment as everywhere: RFC 3339 in UTC."""
    from shudu.policy import clock

    return clock.stamp(moment) if moment else None
