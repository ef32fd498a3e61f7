"""Terms as a closed, versioned schema: what a use may be (`use`) and what may be done with its results (`onward`).

Every operand stands in the JSON, open ones as `null` or "all": a forgotten operand is an error, not a permission.
A value that would permit nothing at all is not written as an empty set; it is NOTHING.
The operations on terms are in `evaluation` (may this use?) and `order` (which terms are stricter?).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import rfc8785
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    StringConstraints,
    Tag,
    model_validator,
)

from shudu.lake.types import Mask
from shudu.policy import clock

from .codes import Basis, Metric, OnRevocation, Purpose, ReleaseClass, UseAction
from .spans import Name, Rows

VERSION: Final = 3

# What leaves a clean room leaves by one of these actions, and then a release class says how.
RELEASING: Final = frozenset({UseAction.DELIVER_DERIVED, UseAction.SCORE_OWN_LIST})


class Every(StrEnum):
    """The special value of an operand that does not narrow: all columns, any model."""

    ALL = "all"


class Nothing(StrEnum):
    """The special value that permits nothing: where two terms have nothing in common."""

    NOTHING = "nothing"


ALL: Final = Every.ALL
NOTHING: Final = Nothing.NOTHING


def _is_word(value: Any) -> str:
    return "word" if isinstance(value, str) else "given"


def _moment(value: Any) -> Any:
    if not isinstance(value, str | datetime):
        raise ValueError("a moment is written as RFC 3339 text")
    return value


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a moment outside the calendar") from error


def _sorted(values: Iterable[str] | Every) -> Any:
    return str(values) if isinstance(values, Every) else sorted(str(value) for value in values)


_SetText = PlainSerializer(_sorted)
_Whole = Annotated[Every, Tag("word")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", strict=True)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment), AfterValidator(_utc), PlainSerializer(clock.stamp)]
Purposes = Annotated[frozenset[Purpose], Field(min_length=1), _SetText]
Actions = Annotated[frozenset[UseAction], Field(min_length=1), _SetText]
Columns = Annotated[Annotated[frozenset[Name], Tag("given")] | _Whole, Discriminator(_is_word), _SetText]
Models = Annotated[
    Annotated[frozenset[Digest], Field(min_length=1), Tag("given")] | _Whole, Discriminator(_is_word), _SetText
]


def _pairs(value: Any) -> Any:
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


def _once(pairs: tuple[tuple[str, Mask], ...]) -> tuple[tuple[str, Mask], ...]:
    if len({column for column, _ in pairs}) != len(pairs):
        raise ValueError("a column masked twice")
    return tuple(sorted(pairs))


# In JSON an object: preset by column.
Masks = Annotated[
    tuple[tuple[Name, Mask], ...],
    BeforeValidator(_pairs),
    AfterValidator(_once),
    PlainSerializer(lambda pairs: {column: str(mask) for column, mask in pairs}),
]
Count = Annotated[int, Field(ge=1, le=2**53 - 1, strict=True)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Window(_Closed):
    """From when until when, both included; an open end is None."""

    from_: Moment | None = Field(validation_alias="from", serialization_alias="from")
    until: Moment | None

    @model_validator(mode="after")
    def _in_order(self) -> Window:
        if self.from_ is not None and self.until is not None and self.from_ > self.until:
            raise ValueError("it ends before it begins")
        return self

    def holds(self, moment: datetime) -> bool:
        """Is this moment inside?"""
        return (self.from_ is None or self.from_ <= moment) and (self.until is None or moment <= self.until)


class Release(_Closed):
    """What may leave: the class, the columns it may be grouped by, and the least number of entities per group.

    Class B leaves `metrics` of the scores against `label`, a column the model does not see. With `review` a person of
    the assigner's looks at every release before it leaves.
    """

    class_: ReleaseClass = Field(validation_alias="class", serialization_alias="class")
    group_by: Annotated[frozenset[Name], _SetText]
    min_group: Count
    label: Name | None
    metrics: Annotated[frozenset[Metric], _SetText]
    review: Annotated[bool, Field(strict=True)]

    @model_validator(mode="after")
    def _metrics_with_their_class(self) -> Release:
        measured = self.label is not None and bool(self.metrics) and not self.group_by
        if measured != (self.class_ is ReleaseClass.B) or (not measured and (self.label or self.metrics)):
            raise ValueError("class B names a label and metrics and no groups, any other class neither")
        return self


class Use(_Closed):
    """What a use may be. `assignee` None: whoever orders. `runs` None: uncounted. `rows` empty: all rows.

    `masks` says under which preset a column is shown; `clear` names columns that are shown as they are although they
    hold personal data: any other such column is masked as its kind usually is, for whoever reads or downloads rows.
    `models` given means that every use runs one of these models; `release` is there exactly with a releasing action.
    """

    assignee: Annotated[str, Field(min_length=1, max_length=64)] | None
    purposes: Purposes
    bases: Annotated[frozenset[Basis], Field(min_length=1), _SetText]
    actions: Actions
    columns: Columns
    masks: Masks
    clear: Annotated[frozenset[Name], _SetText]
    rows: Rows
    models: Models
    release: Release | None
    runs: Count | None
    window: Window

    @model_validator(mode="after")
    def _masks_of_its_columns(self) -> Use:
        masked = {column for column, _ in self.masks}
        if masked & self.clear:
            raise ValueError("a column both masked and clear")
        if not isinstance(self.columns, Every) and not masked | self.clear <= self.columns:
            raise ValueError("a mask on a column that is not permitted")
        return self

    @model_validator(mode="after")
    def _release_with_its_action(self) -> Use:
        if (self.release is not None) != bool(self.actions & RELEASING):
            raise ValueError("a release class and an action that releases come together or not at all")
        return self


class Onward(_Closed):
    """What may be done with results. It names no columns: a derived asset has its own."""

    purposes: Purposes
    actions: Actions
    min_group: Count
    window: Window
    on_revocation: OnRevocation


_OnwardOrNothing = Annotated[Annotated[Onward, Tag("given")] | Annotated[Nothing, Tag("word")], Discriminator(_is_word)]


class Terms(_Closed):
    """What one assigner permits for one asset. `onward` NOTHING: results may be put to no use at all."""

    v: Literal[3]
    use: Use
    onward: _OnwardOrNothing


class Carried(_Closed):
    """What a derived asset carries of its inputs' terms: their onward part, under the same version number."""

    v: Literal[3]
    onward: _OnwardOrNothing


def shown(columns: Iterable[str] | Every, masks: dict[str, Mask], clear: Iterable[str]) -> dict[str, Any]:
    """The operands of a use that say how columns are shown, in their one form: nothing of columns it has not."""
    names = columns if isinstance(columns, Every) else frozenset(columns)
    kept = {name: mask for name, mask in masks.items() if isinstance(names, Every) or name in names}
    plain = frozenset(clear) - masks.keys()
    return {
        "columns": names,
        "masks": tuple(sorted(kept.items())),
        "clear": plain if isinstance(names, Every) else plain & names,
    }


def make(use: Use, onward: Onward | Nothing) -> Terms:
    """Terms of the present version."""
    return Terms(v=VERSION, use=use, onward=onward)


def for_assignee(terms: Terms, party: str) -> Terms:
    """The same terms with the assignee filled in, as an agreement holds them."""
    return terms.model_copy(update={"use": terms.use.model_copy(update={"assignee": party})})


def to_json(terms: Terms) -> dict[str, Any]:
    """Plain JSON with every set sorted: equal terms give equal JSON."""
    return terms.model_dump(mode="json", by_alias=True)


def onward_to_json(onward: Onward | Nothing) -> dict[str, Any]:
    """`{"v": 2, "onward": …}`: what a derived asset's row holds, NOTHING included."""
    return Carried(v=VERSION, onward=onward).model_dump(mode="json", by_alias=True)


def terms_sha256(terms: Terms) -> str:
    """SHA-256 (hex) of the canonical JSON (RFC 8785) of the terms."""
    return hashlib.sha256(rfc8785.dumps(to_json(terms))).hexdigest()
