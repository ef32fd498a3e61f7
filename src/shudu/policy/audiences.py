"""Audiences kept in rows: lists under rules read one index, however many tables the rules look at, and counts read a
few kept numbers, however many rows there are.

`rules.keep(permission, tokens, sizes)` says where. The room that changes what a rule looks at calls `write` for the
rows concerned, within the same action, so a kept audience is as old as the rows it was made from; what ends by the
clock is kept with its last moment and compared when it is read. `rules.lasting` says what to keep, so nothing here
decides anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet, Sum
from django.db.models.expressions import RawSQL

from . import clock, rules
from .models import Audience, AudienceSize
from .permissions import Permission
from .types import Actor

ROW = TypeVar("ROW", bound=Model)
Span = tuple[str, datetime, datetime]
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_LOOKS = 3  # along the index; for what is rarer still, asking row by row is no dearer than the search itself
_WIDER = 8  # each look that finds too little is followed by one so many times as far


def write(permission: Permission, rows: QuerySet[Any]) -> int:
    """Keep what the rules say now of these rows; returns for how many that was something new."""
    keeping = rules.kept(permission)
    if keeping is None:
        raise RuntimeError(f"no audiences are kept for {permission}")
    book: Any = keeping.tokens._default_manager  # `row` is a key of its own kind in each such table
    changed = 0
    change: Counter[Span] = Counter()
    for row in rows.select_for_update().order_by("pk"):  # locked: of two at once, the second sees the first
        wanted = rules.lasting(permission, row)
        kept = book.filter(row=row)
        before = dict(kept.values_list("token", "until"))
        if before != wanted:
            kept.delete()
            book.bulk_create([book.model(row=row, token=token, until=until) for token, until in wanted.items()])
            change.update(spans(wanted))
            change.subtract(spans(before))
            changed += 1
    _resize(keeping.sizes, change)
    return changed


def spans(kept: Mapping[str, datetime]) -> Iterator[Span]:
    """A row's tokens, each with its last moment, as (token, after, until) that do not overlap for any one actor: at
    every moment a row counts under the widest of its tokens that still holds. Who brings a token brings all wider
    ones, so the sizes of an actor's tokens add up, and nobody has to compare rows."""
    after = _EVER
    for token in (rules.PUBLIC, rules.SIGNED_IN):
        if kept.get(token, after) > after:
            yield token, after, kept[token]
            after = kept[token]
    for token, until in kept.items():
        if token not in (rules.PUBLIC, rules.SIGNED_IN) and until > after:
            if not token.startswith("party:"):
                raise RuntimeError(f"{token} is neither wider nor narrower than a party's token: it cannot be counted")
            yield token, after, until


def _resize(sizes: type[AudienceSize], change: Mapping[Span, int]) -> None:
    """Add to the sizes kept. In one order, so that two who do this at once wait instead of blocking each other."""
    changes = sorted((span, number) for span, number in change.items() if number)
    if not changes:
        return
    name = connection.ops.quote_name(sizes._meta.db_table)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {name} AS kept (token, after, until, rows) VALUES (%s, %s, %s, %s)"  # noqa: S608 - our own names
            " ON CONFLICT (token, until, after) DO UPDATE SET rows = kept.rows + excluded.rows",
            [(token, _stored(after), _stored(until), number) for (token, after, until), number in changes],
        )
    sizes._default_manager.filter(token__in={token for (token, _, _), _ in changes}, rows=0).delete()


def newest(
    actor: Actor, permission: Permission, rows: QuerySet[ROW], *, limit: int, before: str | None = None
) -> list[ROW]:
    """The first `limit` of `rows` the actor may, the highest key first, of those below `before`: what
    `rules.visible` would list, at a cost that does not grow with what there is.

    It looks along the actor's part of the index, farther each time `rows` (which may be filtered) held too few of it.
    """
    keeping = rules.kept(permission)
    rows = rows.order_by("-pk")
    if keeping is None or rules.unrestricted(actor, permission):
        rows = rules.visible(actor, permission, rows)
        return list((rows.filter(pk__lt=before) if before else rows)[:limit])
    if spared := rules.spared(actor, permission):
        rows = rows.filter(spared)
    found: list[ROW] = []
    reach = limit
    for _ in range(_LOOKS):
        sql, values = _along(keeping.tokens, actor, before, reach)
        found += rows.filter(pk__in=RawSQL(sql, values))[: limit - len(found)]  # noqa: S611 - our own names
        if len(found) == limit:
            return found
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*), MIN(place) FROM ({sql}) AS seen", values)  # noqa: S608 - our own names
            seen, before = cursor.fetchone()
        if seen < reach:
            return found
        reach *= _WIDER
    rest = rows.filter(pk__lt=before).filter(rules.where(actor, permission))
    return [*found, *rest[: limit - len(found)]]


def count(actor: Actor, permission: Permission, rows: QuerySet[Any]) -> int:
    """How many rows the actor may; `rows` is all there are."""
    keeping = rules.kept(permission)
    brought = rules.tokens(actor)
    alone = bool(actor.party) and rules.SIGNED_IN not in brought  # a party without any role: what is wider is not its
    if keeping is None or alone or rules.spared(actor, permission) or rules.unrestricted(actor, permission):
        return rules.visible(actor, permission, rows).count()
    now = clock.now()
    sizes = keeping.sizes._default_manager.filter(token__in=brought, until__gte=now, after__lt=now)
    return sizes.aggregate(total=Sum("rows"))["total"] or 0


def _along(table: type[Audience], actor: Actor, before: str | None, limit: int) -> tuple[str, list[Any]]:
    """The keys open to the actor, the highest first. Each part of the union is read in the index's own order."""
    name = connection.ops.quote_name(table._meta.db_table)
    part = f"SELECT row_id AS place FROM {name} WHERE token = %s AND until >= %s"  # noqa: S608 - our own names
    part += " AND row_id < %s" if before else ""
    now, brought = _stored(clock.now()), _tokens(actor)
    values = [value for token in brought for value in ([token, now, before] if before else [token, now])]
    return f"{' UNION '.join([part] * len(brought))} ORDER BY place DESC LIMIT {limit:d}", values


def _tokens(actor: Actor) -> list[str]:
    return sorted(rules.tokens(actor))


def _stored(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)
