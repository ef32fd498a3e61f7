"""Reading JSON that strangers wrote: closed shapes, nothing twice, and findings told by their place in the file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from shudu.policy.types import Invalid, Text

Name = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1, max_length=200, pattern=r"\S")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=4_000, pattern=r"\S")]


class Closed(BaseModel):
    """Nothing unknown, nothing converted, no NaN and no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def read_json(raw: bytes, code: str, noun: Text) -> Any:
    """What the bytes say. Raises Invalid `<code>.not_json`, `.key_twice` or `.not_finite`."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = sorted(name[:200] for name, times in Counter(name for name, _ in pairs).items() if times > 1)[:5]
            raise Invalid(
                f"{code}.key_twice",
                Text(f"JSON 对象中键重复：{'、'.join(twice)}。", f"A JSON object has a key twice: {', '.join(twice)}."),
                Text("每个键只保留一个。", "Keep one of each."),
                {"keys": twice},
            )
        return found

    def no_constant(name: str) -> float:
        raise Invalid(
            f"{code}.not_finite",
            Text(f"JSON 不允许 {name}，数值须有限。", f"{name} is not JSON; numbers are finite."),
            Text("请改为有限数值。", "Write a finite number."),
        )

    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=once, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a plain ValueError
        line = getattr(error, "lineno", None)
        raise Invalid(
            f"{code}.not_json",
            Text(
                f"{noun.zh}文件不是 UTF-8 编码的 JSON" + (f"（第 {line} 行）。" if line else "。"),
                f"{noun.en} is not JSON in UTF-8" + (f" (line {line})." if line else "."),
            ),
            Text("请用 JSON 工具检查后重新提交。", "Check the file with a JSON tool and submit it again."),
            {"row": line} if line else {},
        ) from None


def column_twice(columns: Sequence[str], code: str, noun: Text) -> None:
    """Raises Invalid `<code>.column_twice` when an input column is listed twice."""
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        names = "、".join(twice), ", ".join(twice)
        raise Invalid(
            f"{code}.column_twice",
            Text(f"{noun.zh}的输入列重复：{names[0]}。", f"{noun.en} lists an input column twice: {names[1]}."),
            Text("每一列只写一个输入。", "Give each column one input."),
            {"columns": twice},
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
# Pydantic names the arm of a union in the path; the file has no such step.
_ARMS = ("number", "category", "[key]", "Bilingual", "AsNumber", "AsCode")


def shape(error: ValidationError, code: str, noun: Text, form: str) -> Invalid:
    """Pydantic's findings in our words: where in the file, and what is wrong there; at most five of them."""
    found: dict[str, Text] = {}
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        steps = [step for step in one["loc"] if step not in _ARMS and not str(step).startswith(_PYDANTIC)]
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{str(step)[:60]}" for step in steps).lstrip(".")
        found.setdefault(place or "$", _FAULTS.get(one["type"], _FAULT))
    first = list(found.items())[:5]
    zh = "；".join(f"{place} {fault.zh}" for place, fault in first)
    en = "; ".join(f"{place} {fault.en}" for place, fault in first)
    return Invalid(
        f"{code}.shape",
        Text(f"{noun.zh}不符合格式：{zh}。", f"{noun.en} does not follow its format: {en}."),
        Text(f"请按 {form} 的格式改正所列之处。", f"Correct these places after format {form}."),
        {"fields": [place for place, _ in first]},
    )


_PYDANTIC = ("constrained-", "literal[", "function-")
