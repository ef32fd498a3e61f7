"""Which rows: a conjunction of spans, each a set or an interval of one column's values.

Numbers compare with numbers and text with text (by code point, so ISO dates in text compare as dates); a number is
never inside an interval of text. A missing value is inside no set and no interval, as in SQL: only `null` speaks of
it. Every span holds at least one value: an empty one is not written down, it is NOTHING.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_serializer,
    model_validator,
)

# Canonical JSON (RFC 8785) has only doubles: beyond this an integer would not come back as itself.
LARGEST_INTEGER = 2**53 - 1


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _plain(value: int | float | str) -> int | float | str:
    if isinstance(value, str):
        return _nfc(value)
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    if value == int(value):
        value = int(value)
        if abs(value) > LARGEST_INTEGER:
            raise ValueError("an integer beyond 2^53-1")
    return value


Value = Annotated[StrictInt | StrictFloat | StrictStr, AfterValidator(_plain)]
Given = int | float | str
Name = Annotated[StrictStr, Field(min_length=1, max_length=200), AfterValidator(_nfc)]


def _sort_key(value: int | float | str) -> tuple[bool, Any]:
    return isinstance(value, str), value


class Span(BaseModel):
    """What one column may hold, in one of these forms:

    `{"column": c, "in": [v …]}`            one of these values
    `{"column": c, "from": low, "to": high}` an interval; `above` and `below` in their place leave the end itself out,
                                            a missing end is open; `"except": [v …]` takes single values out of it
    `{"column": c, "except": [v …]}`        any value but these
    `{"column": c, "null": true}`           no value at all; with false: any value
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    column: Name
    in_: frozenset[Value] | None = Field(default=None, validation_alias="in", min_length=1)
    from_: Value | None = Field(default=None, validation_alias="from")
    to: Value | None = None
    above: Value | None = None
    below: Value | None = None
    except_: frozenset[Value] | None = Field(default=None, validation_alias="except", min_length=1)
    null: StrictBool | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Span:
        interval = self._ends() or self.except_ is not None
        if (self.in_ is not None) + interval + (self.null is not None) != 1:
            raise ValueError("a set of values, or an interval, or whether there is a value")
        if (self.from_ is not None and self.above is not None) or (self.to is not None and self.below is not None):
            raise ValueError("an interval has one lower and one upper end")
        low, high = self.low, self.high
        if (
            low is not None
            and high is not None
            and (not _at_most(low[0], high[0]) or (low[0] == high[0] and (low[1] or high[1])))
        ):
            raise ValueError("the interval's ends are of two kinds or the wrong way round")
        return self

    @model_serializer
    def _json(self) -> dict[str, Any]:
        if self.null is not None:
            return {"column": self.column, "null": self.null}
        if self.in_ is not None:
            return {"column": self.column, "in": sorted(self.in_, key=_sort_key)}
        ends: dict[str, Any] = {}
        if self._ends():
            ends["from" if self.above is None else "above"] = self.from_ if self.above is None else self.above
            ends["to" if self.below is None else "below"] = self.to if self.below is None else self.below
        if self.except_ is not None:
            ends["except"] = sorted(self.except_, key=_sort_key)
        return {"column": self.column, **ends}

    def _ends(self) -> bool:
        return any(end is not None for end in (self.from_, self.to, self.above, self.below))

    @property
    def low(self) -> End | None:
        """The lower end, and whether it is left out itself."""
        return (self.above, True) if self.above is not None else None if self.from_ is None else (self.from_, False)

    @property
    def high(self) -> End | None:
        """The upper end, and whether it is left out itself."""
        return (self.below, True) if self.below is not None else None if self.to is None else (self.to, False)

    def holds(self, value: Given | None) -> bool:
        """Is this value inside? None: no value."""
        if value is None or self.null is not None:
            return (value is None) == bool(self.null)
        if self.in_ is not None:
            return value in self.in_
        return self._between(value) and value not in (self.except_ or ())

    def _between(self, value: Given) -> bool:
        low, high = self.low, self.high
        return (low is None or (_at_most(low[0], value) and not (low[1] and low[0] == value))) and (
            high is None or (_at_most(value, high[0]) and not (high[1] and high[0] == value))
        )


End = tuple[Given, bool]


def _at_most(low: Any, high: Any) -> bool:
    return isinstance(low, str) == isinstance(high, str) and low <= high


def _is_text(span: Span) -> bool | None:
    """Is it an interval of text, or of numbers? None: of either."""
    end = span.low or span.high
    return None if end is None else isinstance(end[0], str)


def _span(column: str, low: End | None, high: End | None, but: frozenset[Given]) -> Span | None:
    """The interval in its one form, or None when it holds nothing: one meaning, one form, one digest.

    A value taken out at an end moves the end; one that is not inside is not mentioned; an interval of one value is that
    value; without ends and exceptions it is "any value".
    """
    if low is not None and high is not None:
        if not _at_most(low[0], high[0]) or (low[0] == high[0] and (low[1] or high[1])):
            return None
        if low[0] == high[0]:
            return None if low[0] in but else Span(column=column, in_=frozenset({low[0]}))
    low = (low[0], True) if low is not None and low[0] in but else low
    high = (high[0], True) if high is not None and high[0] in but else high
    ends: dict[str, Any] = {}
    if low is not None:
        ends["above" if low[1] else "from_"] = low[0]
    if high is not None:
        ends["below" if high[1] else "to"] = high[0]
    if ends:
        whole = Span(column=column, **ends)
        but = frozenset(value for value in but if whole.holds(value))
    if but:
        ends["except_"] = but
    return Span(column=column, **ends) if ends else Span(column=column, null=False)


def _canonical(span: Span) -> Span | None:
    if span.in_ is not None or span.null is not None:
        return span
    return _span(span.column, span.low, span.high, span.except_ or frozenset())


def inside(inner: Span, outer: Span) -> bool:
    """Does every value of canonical span `inner` lie in canonical `outer` (of the same column)?"""
    if inner.null or outer.null:
        return inner.null == outer.null
    if inner.in_ is not None:
        return all(outer.holds(value) for value in inner.in_)
    if outer.null is False:
        return True
    if outer.in_ is not None or (_is_text(outer) is not None and _is_text(inner) != _is_text(outer)):
        return False
    low = outer.low is None or (inner.low is not None and _tighter(inner.low, outer.low, max) == inner.low)
    high = outer.high is None or (inner.high is not None and _tighter(inner.high, outer.high, min) == inner.high)
    return low and high and not any(inner.holds(value) for value in outer.except_ or ())


def _tighter(a: End, b: End, choose: Callable[[Any, Any], Any]) -> End:
    if a[0] == b[0]:
        return (a[0], a[1] or b[1])
    return a if choose(a[0], b[0]) == a[0] else b


def common(a: Span, b: Span) -> Span | None:
    """The values in both canonical spans of one column, canonical, or None when there are none."""
    if a.null or b.null:
        return a if a.null == b.null else None
    if a.in_ is None and b.in_ is not None:
        a, b = b, a
    if a.in_ is not None:
        both = frozenset(value for value in a.in_ if b.holds(value))
        return Span(column=a.column, in_=both) if both else None
    if None not in (_is_text(a), _is_text(b)) and _is_text(a) != _is_text(b):
        return None
    low, high = a.low or b.low, a.high or b.high
    if a.low is not None and b.low is not None:
        low = _tighter(a.low, b.low, max)
    if a.high is not None and b.high is not None:
        high = _tighter(a.high, b.high, min)
    return _span(a.column, low, high, (a.except_ or frozenset()) | (b.except_ or frozenset()))


def conjunction(spans: Iterable[Span]) -> tuple[Span, ...] | None:
    """All spans at once in canonical form — one per column, sorted — or None when no row could satisfy them."""
    merged: dict[str, Span] = {}
    for each in spans:
        span = _canonical(each)
        both = common(merged[each.column], span) if span and each.column in merged else span
        if both is None:
            return None
        merged[each.column] = both
    return tuple(merged[column] for column in sorted(merged))


def rows_inside(inner: tuple[Span, ...], outer: tuple[Span, ...]) -> list[str]:
    """The columns on which `inner` reaches beyond `outer`; empty when every row of `inner` is one of `outer`."""
    own = {span.column: span for span in inner}
    return [span.column for span in outer if span.column not in own or not inside(own[span.column], span)]


def _all_at_once(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    merged = conjunction(spans)
    if merged is None:
        raise ValueError("no row could satisfy these conditions together")
    return merged


Rows = Annotated[tuple[Span, ...], AfterValidator(_all_at_once)]
