"""Model cards: what comes beside a model file that cannot speak for itself. The classes are format shudu-model-card/1.

A scorecard holds its own; every other kind is published with one. The card declares the inputs, what becomes of values
the model was not made for, the range of the score, and what people must know before they use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from shudu.policy.types import Invalid, Text

from .admitted import Admitted
from .reading import Closed, Name, Words, column_twice, shape

MAX_INPUTS = 200
MAX_CODES = 1_000
_NOUN = Text("模型说明", "The model card")

Code = Annotated[str, StringConstraints(max_length=200)]


class Bilingual(Closed):
    """The same words in both languages."""

    zh: Words
    en: Words


class AsNumber(Closed):
    """What is missing counts as this number."""

    value: float = Field(alias="as")


class AsCode(Closed):
    """What is missing, or not in the list, counts as this code of the list."""

    value: Code = Field(alias="as")


class NumberInput(Closed):
    """A number. Values below `min` or above `max` are refused or moved to the nearer end; null is no bound."""

    column: Name
    kind: Literal["number"]
    min: float | None = None
    max: float | None = None
    outside: Literal["refuse", "clip"] = "refuse"
    missing: Literal["refuse", "pass"] | AsNumber = "refuse"


class CategoryInput(Closed):
    """A text out of a list of codes. A tree model gets its place in the list, counted from 0."""

    column: Name
    kind: Literal["category"]
    codes: list[Code] = Field(min_length=1, max_length=MAX_CODES)
    other: Literal["refuse"] | AsCode = "refuse"
    missing: Literal["refuse", "pass"] | AsCode = "refuse"


class Output(Closed):
    """The score's range. `tensor` and `index` say which of a model's outputs it is, where there are several."""

    name: Literal["score"] = "score"
    min: float
    max: float
    tensor: Name | None = None
    index: Annotated[int, Field(ge=0, le=10_000)] | None = None


class About(Closed):
    """What a buyer reads before ordering, and a provider before accepting."""

    task: Words | Bilingual
    trained_on: Words | Bilingual
    intended_use: Words | Bilingual
    limits: Words | Bilingual
    metrics: Words | Bilingual
    contact: Words | Bilingual


class Declared(Closed):
    """What every model says of itself, in a card beside it or in its own file."""

    name: Name
    inputs: list[Any]
    output: Any
    card: Closed

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the model reads, in the order it declares them."""
        return tuple(one.column for one in self.inputs)

    def admitted(self, kind: str, job: bytes) -> Admitted:
        """A model of that kind as it may run, once everything else about it is checked."""
        inputs = tuple((one.column, one.kind) for one in self.inputs)
        about = self.card.model_dump(exclude_none=True)
        return Admitted(kind, self.name, inputs, (self.output.min, self.output.max), about, job)


class ModelCard(Declared):
    """A whole card."""

    format: Literal["shudu-model-card/1"]
    inputs: list[Annotated[NumberInput | CategoryInput, Field(discriminator="kind")]] = Field(
        min_length=1, max_length=MAX_INPUTS
    )
    output: Output
    card: About

    def told(self) -> dict[str, Any]:
        """What the evaluator inside the sandbox is told of it (`inside_kinds.declared`)."""
        return self.model_dump(mode="json", by_alias=True, include={"inputs", "output"})


def parse(given: Mapping[str, Any] | None) -> ModelCard:
    """Check a card. Raises Invalid `model.card` when there is none, else `card.…` with the place in it."""
    if given is None:
        raise Invalid(
            "model.card",
            Text("这种模型须附模型说明（JSON）。", "A model of this kind needs a model card (JSON)."),
            Text(
                "请按 docs/adding-a-model-kind.md 填写后一并提交（命令行用 --card）。",
                "Write one after docs/adding-a-model-kind.md and submit it too (--card on the command line).",
            ),
        )
    try:
        card = ModelCard.model_validate(given)
    except ValidationError as error:
        raise shape(error, "card", _NOUN, "shudu-model-card/1") from None
    column_twice(card.columns, "card", _NOUN)
    for one in card.inputs:
        if isinstance(one, NumberInput):
            _check_number(one)
        else:
            _check_category(one)
    if not card.output.min < card.output.max:
        raise _invalid(
            "output_range",
            Text("output.min 必须小于 output.max。", "output.min must be below output.max."),
            Text("请改正取值范围。", "Correct the range."),
        )
    return card


def _check_number(one: NumberInput) -> None:
    low = float("-inf") if one.min is None else one.min
    high = float("inf") if one.max is None else one.max
    if low > high:
        raise _invalid(
            "input_range",
            Text(f"输入列“{one.column}”的 min 大于 max。", f"Input “{one.column}” has its min above its max."),
            Text("请改正取值范围。", "Correct the range."),
            column=one.column,
        )


def _check_category(one: CategoryInput) -> None:
    if len(set(one.codes)) < len(one.codes):
        raise _invalid(
            "code_twice",
            Text(f"输入列“{one.column}”的代码表有重复。", f"The codes of input “{one.column}” hold one twice."),
            Text("每个代码只写一次。", "Give each code once."),
            column=one.column,
        )
    for fate in (one.other, one.missing):
        if isinstance(fate, AsCode) and fate.value not in one.codes:
            raise _invalid(
                "other",
                Text(
                    f"输入列“{one.column}”把其他值当作的代码不在代码表中。",
                    f"Input “{one.column}” takes other values for a code that its list does not hold.",
                ),
                Text("as 须是 codes 中的一个。", "`as` must be one of `codes`."),
                column=one.column,
            )


def _invalid(code: str, message: Text, remedy: Text, **where: Any) -> Invalid:
    return Invalid(f"card.{code}", message, remedy, where)
