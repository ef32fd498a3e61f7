"""News travels upwards: rooms subscribe to events, the worker delivers each at least once."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable

from django.db import transaction
from django.db.models import F, Max

from . import clock
from .events import Event, upcast
from .models import Handled, Outbox

log = logging.getLogger("shudu.outbox")
Handler = Callable[[Outbox], None]
_handlers: dict[str, list[tuple[str, Handler]]] = defaultdict(list)


def on(event: Event) -> Callable[[Handler], Handler]:
    """Subscribe a function to an event. Its writes and the note that it ran commit together."""

    def subscribe(handler: Handler) -> Handler:
        _handlers[event].append((f"{handler.__module__}.{handler.__name__}".removeprefix("shudu."), handler))
        return handler

    return subscribe


def dispatch(limit: int = 100) -> int:
    """Deliver up to `limit` waiting events in order; returns how many. Safe to run in several processes at once.

    A handler that fails leaves its event waiting, behind those that have failed less often: none blocks the rest.
    """
    delivered = 0
    waiting = Outbox.objects.filter(dispatched=False).order_by("attempts", "id")
    for number in list(waiting.values_list("id", flat=True)[:limit]):
        try:
            delivered += _deliver(number)
        except Exception as error:
            Outbox.objects.filter(id=number).update(attempts=F("attempts") + 1)
            log.error("event %d was not handled and will be tried again: %s", number, error)
            log.debug("its traceback", exc_info=True)
    return delivered


def waiting(subject: str) -> int | None:
    """How often the delivery of a subject's news has failed, at most; None when all of it is delivered."""
    rows = Outbox.objects.filter(subject=subject, dispatched=False)
    found = rows.aggregate(tries=Max("attempts"))["tries"]
    return None if found is None else int(found)


def _deliver(number: int) -> bool:
    with transaction.atomic():
        row = Outbox.objects.select_for_update().filter(id=number, dispatched=False).first()
        if row is None:
            return False
        row.fields = upcast(Event(row.event), row.version, row.fields)
        for name, handler in _handlers[row.event]:
            _, first = Handled.objects.get_or_create(outbox=row, handler=name, defaults={"time": clock.now()})
            if first:
                handler(row)
        row.dispatched = True
        row.save(update_fields=["dispatched"])
    return True
