"""Which terms are stricter: `covers` orders them, `meet` gives the stricter of two, total, with NOTHING below all.

Laws (property-tested): meet is commutative, associative and idempotent; a covers meet(a, b); a use is permitted by
meet(a, b) exactly when a and b both permit it; when a covers b, whatever b permits a permits.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, TypeVar

from shudu.lake.types import stricter

from .codes import OnRevocation, ReleaseClass
from .spans import conjunction, rows_inside
from .terms import (
    NOTHING,
    RELEASING,
    Every,
    Nothing,
    Onward,
    Release,
    Terms,
    Use,
    Window,
    make,
    shown,
)

T = TypeVar("T")
Set = frozenset[str] | Every


def covers(a: Terms | Nothing, b: Terms | Nothing) -> bool:
    """Does `a` permit all that `b` permits, in use and onward?"""
    if isinstance(b, Nothing):
        return True
    if isinstance(a, Nothing):
        return False
    return use_covers(a.use, b.use) and onward_covers(a.onward, b.onward)


def use_covers(a: Use, b: Use) -> bool:
    """The `use` part of `covers`."""
    return (
        (a.assignee is None or a.assignee == b.assignee)
        and a.purposes >= b.purposes
        and a.bases >= b.bases
        and a.actions >= b.actions
        and _set_covers(a.columns, b.columns)
        and _shown_covers(a, b)
        and not rows_inside(b.rows, a.rows)
        and _set_covers(a.models, b.models)
        and _release_covers(a.release, b.release)
        and (a.runs is None or (b.runs is not None and b.runs <= a.runs))
        and _window_covers(a.window, b.window)
    )


def onward_covers(a: Onward | Nothing, b: Onward | Nothing) -> bool:
    """The `onward` part of `covers`."""
    if isinstance(b, Nothing):
        return True
    if isinstance(a, Nothing):
        return False
    return (
        a.purposes >= b.purposes
        and a.actions >= b.actions
        and a.min_group <= b.min_group
        and _window_covers(a.window, b.window)
        and a.on_revocation.strictness <= b.on_revocation.strictness
    )


def meet(a: Terms | Nothing, b: Terms | Nothing) -> Terms | Nothing:
    """The stricter of both, operand by operand; NOTHING when no use could satisfy both."""
    if isinstance(a, Nothing) or isinstance(b, Nothing):
        return NOTHING
    use = use_meet(a.use, b.use)
    return NOTHING if isinstance(use, Nothing) else make(use, onward_meet(a.onward, b.onward))


def use_meet(a: Use, b: Use) -> Use | Nothing:
    """The `use` part of `meet`."""
    if a.assignee is not None and b.assignee is not None and a.assignee != b.assignee:
        return NOTHING
    actions, release = a.actions & b.actions, _release_meet(a.release, b.release)
    if release is None:
        actions -= RELEASING
    elif not actions & RELEASING:
        release = None
    models = _set_meet(a.models, b.models)
    rows, window = conjunction((*a.rows, *b.rows)), _window_meet(a.window, b.window)
    purposes, bases = a.purposes & b.purposes, a.bases & b.bases
    if not (purposes and bases and actions and models) or rows is None or window is None:
        return NOTHING
    return Use(
        assignee=a.assignee or b.assignee,
        purposes=purposes,
        bases=bases,
        actions=actions,
        **_shown_meet(a, b),
        rows=rows,
        models=models,
        release=release,
        runs=_least(a.runs, b.runs),
        window=window,
    )


def onward_meet(a: Onward | Nothing, b: Onward | Nothing) -> Onward | Nothing:
    """The `onward` part of `meet`: what a result made from both may be used for."""
    if isinstance(a, Nothing) or isinstance(b, Nothing):
        return NOTHING
    purposes, actions, window = a.purposes & b.purposes, a.actions & b.actions, _window_meet(a.window, b.window)
    if not (purposes and actions) or window is None:
        return NOTHING
    return Onward(
        purposes=purposes,
        actions=actions,
        min_group=max(a.min_group, b.min_group),
        window=window,
        on_revocation=max(a.on_revocation, b.on_revocation, key=_strictness),
    )


def onward_of(parts: Iterable[Onward | Nothing]) -> Onward | Nothing:
    """What a result made from several inputs carries: the meet of all. Of no inputs: NOTHING, never everything."""
    listed = list(parts)
    return reduce(onward_meet, listed) if listed else NOTHING


def _strictness(code: OnRevocation) -> int:
    return code.strictness


def _set_covers(a: Set, b: Set) -> bool:
    if isinstance(a, Every):
        return True
    return not isinstance(b, Every) and a >= b


def _set_meet(a: Set, b: Set) -> Set:
    if isinstance(a, Every):
        return b
    return a if isinstance(b, Every) else a & b


def _shown_covers(a: Use, b: Use) -> bool:
    """Does `b` show no column less masked than `a` does, and none clear that `a` does not?"""
    theirs = dict(b.masks)
    asked = [(name, mask) for name, mask in a.masks if isinstance(b.columns, Every) or name in b.columns]
    return b.clear <= a.clear and all(stricter(mask, theirs.get(name)) is theirs.get(name) for name, mask in asked)


def _shown_meet(a: Use, b: Use) -> dict[str, Any]:
    ours, theirs = dict(a.masks), dict(b.masks)
    masks = {name: each for name in {*ours, *theirs} if (each := stricter(ours.get(name), theirs.get(name)))}
    return shown(_set_meet(a.columns, b.columns), masks, a.clear & b.clear)


def _release_covers(a: Release | None, b: Release | None) -> bool:
    if a is None or b is None:
        return b is None
    return (
        a.class_ is b.class_
        and a.group_by >= b.group_by
        and a.min_group <= b.min_group
        and a.label == b.label
        and a.metrics >= b.metrics
        and a.review <= b.review
    )


def _release_meet(a: Release | None, b: Release | None) -> Release | None:
    if a is None or b is None or a.class_ is not b.class_ or a.label != b.label:
        return None
    metrics = a.metrics & b.metrics
    if a.class_ is ReleaseClass.B and not metrics:
        return None
    return Release(
        class_=a.class_,
        group_by=a.group_by & b.group_by,
        min_group=max(a.min_group, b.min_group),
        label=a.label,
        metrics=metrics,
        review=a.review or b.review,
    )


def _window_covers(a: Window, b: Window) -> bool:
    begins = a.from_ is None or (b.from_ is not None and a.from_ <= b.from_)
    ends = a.until is None or (b.until is not None and b.until <= a.until)
    return begins and ends


def _window_meet(a: Window, b: Window) -> Window | None:
    begins = [moment for moment in (a.from_, b.from_) if moment is not None]
    ends = [moment for moment in (a.until, b.until) if moment is not None]
    first, last = max(begins, default=None), min(ends, default=None)
    if first is not None and last is not None and first > last:
        return None
    return Window(from_=first, until=last)


def _least(a: int | None, b: int | None) -> int | None:
    return min((count for count in (a, b) if count is not None), default=None)
