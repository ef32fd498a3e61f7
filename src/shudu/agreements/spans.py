"""Which rows: a conjunction of spans, each a set or an interval of one column's values.

Numbers compare with numbers and text with text (by code point, so ISO dates in text compare as dates); a number is
never inside an interval of text. Every span holds at least one value: an empty one is not written down, it is NOTHING.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
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
Name = Annotated[StrictStr, Field(min_length=1, max_length=200), AfterValidator(_nfc)]


def _sort_key(value: int | float | str) -> tuple[bool, Any]:
    return isinstance(value, str), value


class Span(BaseModel):
    """`{"column": c, "in": [v …]}` or `{"column": c, "from": low, "to": high}`, both ends included, one may be open."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    column: Name
    in_: frozenset[Value] | None = Field(default=None, validation_alias="in", min_length=1)
    from_: Value | None = Field(default=None, validation_alias="from")
    to: Value | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Span:
        if (self.in_ is None) == (self.from_ is None and self.to is None):
            raise ValueError("either a set of values or an interval with at least one end")
        if self.from_ is not None and self.to is not None and not _at_most(self.from_, self.to):
            raise ValueError("the interval's ends are of two kinds or the wrong way round")
        return self

    @model_serializer
    def _json(self) -> dict[str, Any]:
        if self.in_ is not None:
            return {"column": self.column, "in": sorted(self.in_, key=_sort_key)}
        return {"column": self.column, "from": self.from_, "to": self.to}

    def holds(self, value: int | float | str) -> bool:
        """Is this value inside?"""
        if self.in_ is not None:
            return value in self.in_
        return (self.from_ is None or _at_most(self.from_, value)) and (self.to is None or _at_most(value, self.to))


def _at_most(low: Any, high: Any) -> bool:
    return isinstance(low, str) == isinstance(high, str) and low <= high


def _is_text(span: Span) -> bool:
    return isinstance(span.from_ if span.from_ is not None else span.to, str)


def _canonical(span: Span) -> Span:
    """An interval of one value is that value: one meaning, one form, one digest."""
    if span.from_ is not None and span.from_ == span.to:
        return Span(column=span.column, in_=frozenset({span.from_}))
    return span


def inside(inner: Span, outer: Span) -> bool:
    """Does every value of canonical span `inner` lie in `outer` (of the same column)?"""
    if inner.in_ is not None:
        return all(outer.holds(value) for value in inner.in_)
    if outer.in_ is not None or _is_text(inner) != _is_text(outer):
        return False
    low = outer.from_ is None or (inner.from_ is not None and _at_most(outer.from_, inner.from_))
    high = outer.to is None or (inner.to is not None and _at_most(inner.to, outer.to))
    return low and high


def common(a: Span, b: Span) -> Span | None:
    """The values in both spans of one column, or None when there are none."""
    if a.in_ is None and b.in_ is not None:
        a, b = b, a
    if a.in_ is not None:
        both = frozenset(value for value in a.in_ if b.holds(value))
        return Span(column=a.column, in_=both) if both else None
    if _is_text(a) != _is_text(b):
        return None
    lows: list[Any] = [end for end in (a.from_, b.from_) if end is not None]
    highs: list[Any] = [end for end in (a.to, b.to) if end is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low > high:
        return None
    return _canonical(Span(column=a.column, from_=low, to=high))


def conjunction(spans: Iterable[Span]) -> tuple[Span, ...] | None:
    """All spans at once in canonical form — one per column, sorted — or None when no row could satisfy them."""
    merged: dict[str, Span] = {}
    for span in map(_canonical, spans):
        both = common(merged[span.column], span) if span.column in merged else span
        if both is None:
            return None
        merged[span.column] = both
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
