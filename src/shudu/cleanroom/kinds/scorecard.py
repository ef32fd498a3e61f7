"""Scorecards: what a model file may say, checked before anybody agrees to anything.

A scorecard adds points: a base, and for each input the points of the bin or category its value lies in. It is data, not
code; still it is only ever evaluated inside the sandbox (`inside.py`). The classes below are format shudu-scorecard/1.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shudu.policy.types import Invalid, Text

MAX_BYTES = 1_000_000
MAX_INPUTS = 200
MAX_BINS = 1_000

Name = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1, max_length=200, pattern=r"\S")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=4_000, pattern=r"\S")]


class Closed(BaseModel):
    """Nothing unknown, nothing converted, no NaN and no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


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


class Scorecard(Closed):
    """A whole model file."""

    format: Literal["shudu-scorecard/1"]
    name: Name
    base: float
    inputs: list[Annotated[NumberInput | CategoryInput, Field(discriminator="kind")]] = Field(
        min_length=1, max_length=MAX_INPUTS
    )
    output: Output
    card: Card

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the model reads, in the order it declares them."""
        return tuple(one.column for one in self.inputs)

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
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a plain ValueError
        line = getattr(error, "lineno", None)
        raise _invalid(
            "not_json",
            Text(
                "评分卡文件不是 UTF-8 编码的 JSON" + (f"（第 {line} 行）。" if line else "。"),
                "The scorecard is not JSON in UTF-8" + (f" (line {line})." if line else "."),
            ),
            Text("请用 JSON 工具检查后重新提交。", "Check the file with a JSON tool and submit it again."),
            **({"row": line} if line else {}),
        ) from None
    try:
        card = Scorecard.model_validate(found)
    except ValidationError as error:
        raise _shape(error) from None
    _check_columns_once(card)
    for one in card.inputs:
        if isinstance(one, NumberInput):
            _check_cover(one)
    _check_range(card)
    return card


def _check_columns_once(card: Scorecard) -> None:
    twice = sorted({name for name in card.columns if card.columns.count(name) > 1})
    if twice:
        names = "、".join(twice), ", ".join(twice)
        raise _invalid(
            "column_twice",
            Text(f"评分卡的输入列重复：{names[0]}。", f"The scorecard lists an input column twice: {names[1]}."),
            Text("每一列只写一个输入。", "Give each column one input."),
            columns=twice,
        )


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


class Column(Protocol):
    """What a column of a table tells of itself."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...


# The names DuckDB, SQL and Arrow give to numbers and texts, without their parameters.
_NUMBERS = frozenset(
    """
    bigint decimal decimal128 decimal256 double double_precision float float16 float32 float4 float64 float8 halffloat
    hugeint int int1 int128 int16 int2 int32 int4 int64 int8 integer long number numeric real short signed smallint
    tinyint ubigint uhugeint uint16 uint32 uint64 uint8 uinteger usmallint utinyint
    """.split()
)
_TEXTS = frozenset("bool boolean bpchar char enum large_string large_utf8 string string_view text utf8 varchar".split())


def kind_of(type_name: str) -> str | None:
    """`number` or `category` for a column type, None for a type no input can read (dates, lists, blobs …)."""
    name = type_name.strip().lower()
    if name.startswith("dictionary<values=string"):  # how Arrow writes DuckDB's ENUM
        return "category"
    if "[" in name:  # DuckDB's lists
        return None
    name = name.split("(")[0].replace(" ", "_").strip("_")
    return "number" if name in _NUMBERS else "category" if name in _TEXTS else None


def check_columns(model: Scorecard, columns: Iterable[Column]) -> None:
    """The table has every column the model reads, of the right kind. Raises Invalid naming those that are not."""
    kinds = {one.name: kind_of(one.type) for one in columns}
    unknown = [one.column for one in model.inputs if one.column not in kinds]
    if unknown:
        raise _invalid(
            "unknown_columns",
            Text(f"数据中没有模型需要的列：{'、'.join(unknown)}。", f"The data has no column {', '.join(unknown)}."),
            Text("请核对评分卡与数据的列名。", "Compare the column names of scorecard and data."),
            columns=unknown,
        )
    wrong = [one.column for one in model.inputs if kinds[one.column] != one.kind]
    if wrong:
        raise _invalid(
            "column_kind",
            Text(
                f"列的类型与模型不符（数值或文本）：{'、'.join(wrong)}。",
                f"The model expects another kind (number or text) of column {', '.join(wrong)}.",
            ),
            Text("请改评分卡中的 kind，或另选数据。", "Change `kind` in the scorecard, or choose other data."),
            columns=wrong,
        )


def _invalid(code: str, message: Text, remedy: Text, **where: Any) -> Invalid:
    return Invalid(f"scorecard.{code}", message, remedy, where)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = sorted(name[:200] for name, times in Counter(name for name, _ in pairs).items() if times > 1)[:5]
        raise _invalid(
            "key_twice",
            Text(f"JSON 对象中键重复：{'、'.join(twice)}。", f"A JSON object has a key twice: {', '.join(twice)}."),
            Text("每个键只保留一个。", "Keep one of each."),
            keys=twice,
        )
    return found


def _no_constant(name: str) -> float:
    raise _invalid(
        "not_finite",
        Text(f"JSON 不允许 {name}，数值须有限。", f"{name} is not JSON; numbers are finite."),
        Text("请改为有限数值。", "Write a finite number."),
    )


_FAULTS = {
    "extra_forbidden": Text("不认识的字段", "unknown field"),
    "missing": Text("缺少此项", "is missing"),
    "finite_number": Text("数值须有限", "must be finite"),
    "too_long": Text("条目过多", "has too many entries"),
    "too_short": Text("至少要有一项", "needs at least one entry"),
    "string_too_long": Text("文字过长", "is too long"),
    "string_too_short": Text("不能为空", "must not be empty"),
    "string_pattern_mismatch": Text("不能为空", "must not be empty"),
}
_FAULT = Text("类型或取值不对", "has the wrong type or value")


def _shape(error: ValidationError) -> Invalid:
    """Pydantic's findings in our words: where in the file, and what is wrong there; at most five of them."""
    found = []
    for one in error.errors(include_url=False, include_input=False, include_context=False)[:5]:
        # Pydantic names the arm of a union in the path; the file has no such step.
        steps = [step for step in one["loc"] if step not in ("number", "category", "[key]")]
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{str(step)[:60]}" for step in steps).lstrip(".")
        found.append((place or "$", _FAULTS.get(one["type"], _FAULT)))
    zh = "；".join(f"{place} {fault.zh}" for place, fault in found)
    en = "; ".join(f"{place} {fault.en}" for place, fault in found)
    return _invalid(
        "shape",
        Text(f"评分卡不符合格式：{zh}。", f"The scorecard does not follow its format: {en}."),
        Text("请按 shudu-scorecard/1 的格式改正所列之处。", "Correct these places after format shudu-scorecard/1."),
        fields=[place for place, _ in found],
    )
