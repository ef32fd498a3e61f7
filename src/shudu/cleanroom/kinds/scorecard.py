"""Scorecards: what a model file may say, checked before anybody agrees to anything.

A scorecard adds points: a base, and for each input the points of the bin or category its value lies in. It is data, not
code; still it is only ever evaluated inside the sandbox (`inside.py`). The classes below are format shudu-scorecard/1.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from shudu.policy.types import Invalid, Text

from .admitted import Admitted
from .card import MAX_INPUTS, Declared
from .reading import Closed, Name, Words, column_twice, read_json, shape

MAX_BYTES = 1_000_000
MAX_BINS = 1_000
_NOUN = Text("评分卡", "The scorecard")


class Bin(Closed):
    """The half-open interval [from, to); null means without bound on that side."""

    lower: float | None = Field(alias="from")
    upper: float | None = Field(alias="to")
    points: float


class NumberInput(Closed):
    """A number cut into bins that cover every number once."""

    column: Name
    kind: Literal["number"]
    bins: list[Bin] = Field(min_length=1, max_length=MAX_BINS)
    missing: float

    def reach(self) -> list[float]:
        return [self.missing, *(one.points for one in self.bins)]


class CategoryInput(Closed):
    """A text with points by value; any other text gets `other`."""

    column: Name
    kind: Literal["category"]
    points: dict[Annotated[str, StringConstraints(max_length=200)], float] = Field(min_length=1, max_length=MAX_BINS)
    other: float
    missing: float

    def reach(self) -> list[float]:
        return [self.missing, self.other, *self.points.values()]


class Output(Closed):
    """The one number a row gets, and the range it is promised to lie in."""

    name: Literal["score"]
    min: float
    max: float


class Card(Closed):
    """The model card: what a buyer reads before ordering."""

    task: Words
    trained_on: Words
    intended_use: Words
    limits: Words
    contact: Words
    metrics: Words | None = None


class Scorecard(Declared):
    """A whole model file."""

    format: Literal["shudu-scorecard/1"]
    base: float
    inputs: list[Annotated[NumberInput | CategoryInput, Field(discriminator="kind")]] = Field(
        min_length=1, max_length=MAX_INPUTS
    )
    output: Output
    card: Card

    def reachable(self) -> tuple[float, float]:
        """The lowest and highest score any row can get; exact, as it adds in the order the evaluator adds."""
        low = high = self.base
        for one in self.inputs:
            low, high = low + min(one.reach()), high + max(one.reach())
        return low, high


def parse(raw: bytes) -> Scorecard:
    """Read and check a model file. Raises Invalid, which names the place in it and what to change."""
    if len(raw) > MAX_BYTES:
        raise _invalid(
            "too_large",
            Text(f"评分卡文件超过 {MAX_BYTES:,} 字节。", f"The scorecard is larger than {MAX_BYTES:,} bytes."),
            Text("请减少分箱或类别后重新提交。", "Submit it again with fewer bins or categories."),
        )
    found = read_json(raw, "scorecard", _NOUN)
    try:
        card = Scorecard.model_validate(found)
    except ValidationError as error:
        raise shape(error, "scorecard", _NOUN, "shudu-scorecard/1") from None
    column_twice(card.columns, "scorecard", _NOUN)
    for one in card.inputs:
        if isinstance(one, NumberInput):
            _check_cover(one)
    _check_range(card)
    return card


def _check_cover(item: NumberInput) -> None:
    """Bins touch, rise, and reach from null to null, so that every number has exactly one."""
    edges = [one.lower for one in item.bins] + [item.bins[-1].upper]
    inner = edges[1:-1]
    touching = all(a.upper is not None and a.upper == b.lower for a, b in pairwise(item.bins))
    # The inner edges are numbers once the bins touch.
    rising = touching and all(a < b for a, b in pairwise(inner) if a is not None and b is not None)
    if not rising or edges[0] is not None or edges[-1] is not None:
        raise _invalid(
            "bins",
            Text(
                f"输入列“{item.column}”的分箱有空缺、重叠或次序颠倒。",
                f"The bins of input “{item.column}” leave a gap, overlap or are out of order.",
            ),
            Text(
                "分箱按从小到大排列，每箱的 from 等于上一箱的 to；第一箱的 from 与最后一箱的 to 写 null。",
                "Order the bins upwards, start each where the last one ends, and write null for the first `from` and "
                "the last `to`.",
            ),
            column=item.column,
        )


def _check_range(card: Scorecard) -> None:
    out, (low, high) = card.output, card.reachable()
    if not out.min < out.max:
        raise _invalid(
            "output_range",
            Text("评分卡的 output.min 必须小于 output.max。", "The scorecard's output.min must be below output.max."),
            Text("请改正取值范围。", "Correct the range."),
        )
    if not (out.min <= low and high <= out.max):
        raise _invalid(
            "out_of_range",
            Text(
                f"评分超出声明范围（out-of-range output）：可能得分为 {low:g} 至 {high:g}，"
                f"声明为 {out.min:g} 至 {out.max:g}。",
                f"Out-of-range output: scores reach from {low:g} to {high:g}, but {out.min:g} to {out.max:g} is "
                "declared.",
            ),
            Text(
                f"请把 output 改为至少涵盖 {low:g} 至 {high:g}，或调整分值。",
                f"Widen output to cover {low:g} to {high:g}, or change the points.",
            ),
            reachable=[low, high],
        )


def recognises(data: bytes) -> bool:
    """A JSON object; which other kinds that are JSON look for their own marks first."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"


def admit(data: bytes, card: Mapping[str, Any] | None) -> Admitted:
    """A whole scorecard; it is its own card. Raises Invalid."""
    if card is not None:
        raise _invalid(
            "own_card",
            Text("评分卡自带说明，无须另附模型说明。", "A scorecard holds its own card; another one is not taken."),
            Text("请只提交评分卡。", "Submit the scorecard alone."),
        )
    return parse(data).admitted("scorecard", data)


def _invalid(code: str, message: Text, remedy: Text, **where: Any) -> Invalid:
    return Invalid(f"scorecard.{code}", message, remedy, where)
