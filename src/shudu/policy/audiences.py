"""Audiences kept in rows: lists and counts under rules read one index, however many tables the rules look at.

`rules.keep(permission, table)` says where. The room that changes what a rule looks at calls `write` for the rows
concerned, within the same action, so a kept audience is as old as the rows it was made from; what ends by the clock
is kept with its last moment and compared when it is read. `rules.lasting` says what to keep, so nothing here decides
anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL

from . import clock, rules
from .models import Audience
from .permissions import Permission
from .types import Actor

ROW = TypeVar("ROW", bound=Model)
_LOOKS = 3  # along the index; for what is rarer still, asking row by row is no dearer than the search itself
_WIDER = 8  # each look that finds too little is followed by one so many times as far


def write(permission: Permission, rows: QuerySet[Any]) -> int:
    """Keep what the rules say now of these rows; returns for how many that was something new."""
    table = rules.kept(permission)
    if table is None:
        raise RuntimeError(f"no audiences are kept for {permission}")
    book: Any = table._default_manager  # `row` is a key of its own kind in each such table
    changed = 0
    for row in rows.select_for_update().order_by("pk"):  # locked: of two at once, the second sees the first
        wanted = rules.lasting(permission, row)
        kept = book.filter(row=row)
        if dict(kept.values_list("token", "until")) != wanted:
            kept.delete()
            book.bulk_create([book.model(row=row, token=token, until=until) for token, until in wanted.items()])
            changed += 1
    return changed


def newest(
    actor: Actor, permission: Permission, rows: QuerySet[ROW], *, limit: int, before: str | None = None
) -> list[ROW]:
    """The first `limit` of `rows` the actor may, the highest key first, of those below `before`: what
    `rules.visible` would list, at a cost that does not grow with what there is.

    It looks along the actor's part of the index, farther each time `rows` (which may be filtered) held too few of it.
    """
    table = rules.kept(permission)
    rows = rows.order_by("-pk")
    if table is None or rules.unrestricted(actor, permission):
        rows = rules.visible(actor, permission, rows)
        return list((rows.filter(pk__lt=before) if before else rows)[:limit])
    if spared := rules.spared(actor, permission):
        rows = rows.filter(spared)
    found: list[ROW] = []
    reach = limit
    for _ in range(_LOOKS):
        sql, values = _along(table, actor, before, reach)
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
    table = rules.kept(permission)
    spared = rules.spared(actor, permission)
    if table is None or spared or rules.unrestricted(actor, permission):
        return rules.visible(actor, permission, rows).count()
    name, now = connection.ops.quote_name(table._meta.db_table), _moment(table)
    brought = _tokens(actor)
    with connection.cursor() as cursor:
        mine = f"SELECT token, COUNT(*) FROM {name} WHERE token IN ({_marks(brought)}) AND until >= %s GROUP BY token"  # noqa: S608 - our own names
        cursor.execute(mine, [*brought, now])
        (widest, total), *others = sorted(cursor.fetchall(), key=lambda pair: -pair[1]) or [("", 0)]
        counted = [widest]
        for token, _ in others:  # each row once: of a narrower token, those that no wider one has
            cursor.execute(
                f"SELECT COUNT(*) FROM {name} a WHERE token = %s AND until >= %s AND NOT EXISTS (SELECT 1 FROM {name} b"  # noqa: S608
                f" WHERE b.token IN ({_marks(counted)}) AND b.row_id = a.row_id AND b.until >= %s)",
                [token, now, *counted, now],
            )
            total += cursor.fetchone()[0]
            counted.append(token)
    return int(total)


def _along(table: type[Audience], actor: Actor, before: str | None, limit: int) -> tuple[str, list[Any]]:
    """The keys open to the actor, the highest first. Each part of the union is read in the index's own order."""
    name = connection.ops.quote_name(table._meta.db_table)
    part = f"SELECT row_id AS place FROM {name} WHERE token = %s AND until >= %s"  # noqa: S608 - our own names
    part += " AND row_id < %s" if before else ""
    now, brought = _moment(table), _tokens(actor)
    values = [value for token in brought for value in ([token, now, before] if before else [token, now])]
    return f"{' UNION '.join([part] * len(brought))} ORDER BY place DESC LIMIT {limit:d}", values


def _tokens(actor: Actor) -> list[str]:
    return sorted(rules.tokens(actor))


def _marks(values: Sequence[str]) -> str:
    return ", ".join(["%s"] * len(values))


def _moment(table: type[Audience]) -> Any:
    return table._meta.get_field("until").get_db_prep_value(clock.now(), connection)
