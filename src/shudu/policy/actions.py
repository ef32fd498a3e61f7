"""`@action`: the only way anything is written.

    door → typed input → action → rule → one transaction {rows, idempotency key with its result, outbox} → door

An action must ask `require(actor, its permission, row)` and call `record(subject, fields)` once; one that forgets
either does not commit. Functions marked `@part_of_action` write on behalf of the action that calls them and refuse to
run alone. Heavy work (files) goes into `prepare`, which runs before the transaction opens.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.apps import apps
from django.db import DataError, transaction

from . import clock, locks
from .events import ACTOR_FIELDS, LEAVES, Event
from .models import IdempotencyKey, Outbox
from .permissions import Permission
from .rules import decide, refuse_unless
from .types import Actor, Conflict, Invalid, Text

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class _Frame:
    permission: Permission
    event: Event
    asked: bool = False
    subject: str = ""
    fields: dict[str, Any] | None = None
    silent: bool = False


_frames: ContextVar[tuple[_Frame, ...]] = ContextVar("frames", default=())


def require(actor: Actor, permission: Permission, row: Any = None) -> None:
    """Raise `Refused` unless the rules allow it; marks the running action as authorised."""
    refuse_unless(decide(actor, permission, row))
    frames = _frames.get()
    if frames and frames[-1].permission == permission:
        frames[-1].asked = True


def record(subject: str, fields: dict[str, Any]) -> None:
    """Say what the running action did: the fields of its event, exactly those listed in `events.LEAVES`."""
    frame = _frames.get()[-1]
    expected = LEAVES[frame.event].fields
    if set(fields) != set(expected):
        raise RuntimeError(f"{frame.event} records {sorted(expected)}, not {sorted(fields)}")
    if frame.fields is not None:
        raise RuntimeError(f"{frame.event} was recorded twice in one action")
    frame.subject, frame.fields = subject, fields


def record_nothing() -> None:
    """Say that there is nothing to record: the work was done already, or the action it called has recorded it."""
    _frames.get()[-1].silent = True


def action(
    permission: Permission, event: Event, *, prepare: Callable[..., Any] | None = None
) -> Callable[[Callable[Concatenate[Actor, P], R]], Callable[..., R]]:
    """Make a function an action; the result must be a model row.

    The decorated function takes one more argument, `idempotency_key`: the same key with the same request returns the
    first result, with another request raises `Conflict`. With `prepare`, `prepare(actor, *args, **kwargs)` runs first,
    outside the transaction, and its result arrives as `prepared=`. An action that calls another hands `prepared` over.
    """

    def decorate(function: Callable[Concatenate[Actor, P], R]) -> Callable[..., R]:
        name = f"{function.__module__.removeprefix('shudu.').removesuffix('.actions')}.{function.__name__}"

        @functools.wraps(function)
        def act(actor: Actor, *args: Any, idempotency_key: str | None = None, **kwargs: Any) -> R:
            request = _digest(args, kwargs) if idempotency_key else ""
            if prepare is not None and "prepared" not in kwargs:  # or another action has prepared it as part of its own
                if idempotency_key and (done := _replay(actor, name, idempotency_key, request)) is not None:
                    return done  # type: ignore[no-any-return]
                kwargs["prepared"] = prepare(actor, *args, **kwargs)
            try:
                with transaction.atomic():
                    if idempotency_key:
                        locks.alone(f"{actor.party} {name} {idempotency_key}")
                        if (done := _replay(actor, name, idempotency_key, request)) is not None:
                            return done  # type: ignore[no-any-return]
                    frame = _Frame(permission, event)
                    token = _frames.set((*_frames.get(), frame))
                    try:
                        result = function(actor, *args, **kwargs)
                    finally:
                        _frames.reset(token)
                    _finish(actor, name, frame)
                    if idempotency_key:
                        _remember(actor, name, idempotency_key, request, result)
            except DataError as error:
                raise _does_not_fit() from error
            return result

        return act

    return decorate


def _does_not_fit() -> Invalid:
    """PostgreSQL holds a text to its column's length and an integer to its size, where SQLite takes any."""
    return Invalid(
        "input.size",
        Text("有一项内容过长，或数值过大。", "One of the values is too long or too large."),
        Text("请缩短后重试。", "Shorten it and try again."),
    )


def part_of_action(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a write that only an action may call: the caller authorises it and records it."""

    @functools.wraps(function)
    def part(*args: P.args, **kwargs: P.kwargs) -> R:
        if not _frames.get():
            raise RuntimeError(f"{function.__qualname__} writes only as part of an action")
        return function(*args, **kwargs)

    return part


def _finish(actor: Actor, name: str, frame: _Frame) -> None:
    if not frame.asked:
        raise RuntimeError(f"{name} never asked for {frame.permission}")
    if frame.silent:
        return
    if frame.fields is None:
        raise RuntimeError(f"{name} never recorded {frame.event}")
    own = dict(zip(ACTOR_FIELDS, (actor.party, actor.via.value), strict=True))
    Outbox.objects.create(
        event=frame.event.value,
        version=LEAVES[frame.event].version,
        subject=frame.subject,
        fields={**frame.fields, **own},
        time=clock.now(),
    )


def _digest(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    text = json.dumps([args, kwargs], sort_keys=True, default=_plain, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, set | frozenset):  # in an order of its own in every process
        return sorted(str(each) for each in value)
    return str(value)


def _replay(actor: Actor, name: str, key: str, request: str) -> Any:
    row = IdempotencyKey.objects.filter(party=actor.party, action=name, key=key).first()
    if row is None:
        return None
    if row.request_sha256 != request:
        raise Conflict(
            "idempotency.reused",
            Text("这个幂等键已用于另一项请求。", "This idempotency key was already used for a different request."),
            Text("请为新请求换一个键。", "Use a new key for a new request."),
        )
    return apps.get_model(row.model).objects.get(pk=row.result)


def _remember(actor: Actor, name: str, key: str, request: str, result: Any) -> None:
    IdempotencyKey.objects.create(
        party=actor.party,
        action=name,
        key=key,
        request_sha256=request,
        model=result._meta.label,
        result=str(result.pk),
        time=clock.now(),
    )
