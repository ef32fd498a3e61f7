"""Conditions on rows as people write them, typed against a table and made into spans; and spans as the lake reads them.

`tenure >= 12`, `region in 成都, 眉山`, `since between 2026-01-01 and 2026-06-30`, `fee is not null`. Words and columns
are told apart here; nothing of it ever reaches the engine as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

from shudu.lake.types import IDENTIFYING, Column, Condition, Mask, Op, typed
from shudu.policy.types import Invalid, Text

from .spans import Name, Span, conjunction

MOST_CONDITIONS = 20
MOST_VALUES = 1_000
BETWEEN = "between"
_SPELLED = {"≠": "!=", "<>": "!=", "==": "=", "≤": "<=", "≥": ">=", "＝": "=", "＜": "<", "＞": ">"}
_LINE = re.compile(
    r'(?:"(?P<quoted>[^"]+)"\s*|(?P<plain>.+?))'
    r"(?:(?P<null>\bis\s+(?:not\s+)?null)$"
    r"|(?:\s(?P<word>in|between)\s|(?P<sign>!=|<>|<=|>=|==|[=≠≤≥<>＝＜＞]))(?P<rest>.+)$)",
    re.IGNORECASE | re.DOTALL,
)


class Where(BaseModel):
    """One condition on one column: `op` is `=`, `!=`, `in`, `<`, `<=`, `>`, `>=`, `between`, `is null`, `is not null`.

    `values`: as many as the operator takes. Text is read as the column's type.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: Name
    op: str
    values: Annotated[tuple[StrictInt | StrictFloat | StrictStr, ...], Field(max_length=MOST_VALUES)] = ()


def _read(given: object) -> object:
    return parsed(given) if isinstance(given, str) else given


def _checked(where: Where) -> Where:
    least, most = _COUNTS.get(where.op, (1, 0))
    if not least <= len(where.values) <= most:
        raise _unreadable()
    return where


_COUNTS = {op.value: (1, 1) for op in Op} | {
    Op.IN.value: (1, MOST_VALUES),
    BETWEEN: (2, 2),
    Op.NULL.value: (0, 0),
    Op.NOT_NULL.value: (0, 0),
}
# A condition as an object, or as a line of text.
Condition_ = Annotated[Where, BeforeValidator(_read, json_schema_input_type=Where | str), AfterValidator(_checked)]


def parsed(line: str) -> Where:
    """A condition out of a line. Raises Invalid `rows.written`."""
    # White space is stripped here: between two lazy parts, a pattern would try every place it could belong to.
    found = _LINE.fullmatch(line.strip()) if len(line) <= 20_000 else None
    if found is None:
        raise _unreadable()
    column = (found["quoted"] or found["plain"]).strip()
    if found["null"]:
        return Where(column=column, op=" ".join(found["null"].lower().split()))
    if not found["rest"].strip():
        raise _unreadable()
    sign, rest = (found["word"] or found["sign"]).lower(), found["rest"].strip()
    if sign == Op.IN:
        values = [part.strip() for part in re.split(r"[,，、]", rest)]
    elif sign == BETWEEN:
        values = [part.strip() for part in re.split(r"\s(?:and|至)\s", rest, flags=re.IGNORECASE)]
    else:
        values = [rest]
    return _checked(Where(column=column, op=_SPELLED.get(sign, sign), values=tuple(values)))


def spans_of(where: Iterable[Where], columns: Sequence[Column], key: str | None) -> tuple[Span, ...]:
    """The conditions as terms hold them, every value of its column's type.

    Raises Invalid: `rows.column` for a column there is not, `rows.identifier` for one that tells people apart (a cohort
    is never chosen by who is in it), `rows.value` and `rows.type` as the lake does, `rows.empty` where no row could be.
    """
    types = {column.name: column for column in columns}
    spans = []
    for each in where:
        column = types.get(each.column)
        if column is None:
            raise Invalid(
                "rows.column",
                Text(f"数据中没有“{each.column}”列。", f"The data has no column “{each.column}”."),
                Text("请核对列名。", "Check the name."),
                {"column": each.column},
            )
        if column.name == key or column.sensitivity in IDENTIFYING:
            raise Invalid(
                "rows.identifier",
                Text(
                    f"不能按标识个人的列（“{column.name}”）筛选行：人群不得按其中是谁来选。",
                    f"Rows cannot be chosen by “{column.name}”, which tells people apart: a cohort is never chosen by"
                    " who is in it.",
                ),
                Text("请换用其他列。", "Use another column."),
                {"column": column.name},
            )
        spans.append(_span(each, [typed(column.name, value, column.type) for value in _values(each, column)]))
    merged = conjunction(spans)
    if merged is None:
        raise Invalid(
            "rows.empty",
            Text("所列条件不可能同时成立，没有行可用。", "No row can satisfy these conditions together."),
            Text("请修改条件。", "Change them."),
        )
    return merged


def _values(where: Where, column: Column) -> tuple[int | float | str, ...]:
    if column.type == "VARCHAR":
        return tuple(str(value) for value in where.values)
    return where.values


def _span(where: Where, values: list[int | float | str]) -> Span:
    column = where.column
    if where.op in (Op.NULL, Op.NOT_NULL):
        return Span(column=column, null=where.op == Op.NULL)
    if where.op in (Op.EQ, Op.IN):
        return Span(column=column, in_=frozenset(values))
    if where.op == Op.NE:
        return Span(column=column, except_=frozenset(values))
    if where.op == BETWEEN:
        if values[0] > values[1]:  # type: ignore[operator]  # both are of the column's type
            raise _unreadable()
        return Span(column=column, from_=values[0], to=values[1])
    ends: dict[str, Any] = {_ENDS[Op(where.op)]: values[0]}
    return Span(column=column, **ends)


_ENDS = {Op.GE: "from_", Op.LE: "to", Op.GT: "above", Op.LT: "below"}


def conditions(rows: Iterable[Span]) -> tuple[Condition, ...]:
    """Spans as the lake reads them."""
    return tuple(each for span in rows for each in _conditions(span))


def _conditions(span: Span) -> Iterable[Condition]:
    if span.null is not None:
        yield Condition(span.column, Op.NULL if span.null else Op.NOT_NULL)
    if span.in_ is not None:
        yield Condition(span.column, Op.IN, tuple(sorted(span.in_, key=lambda value: (isinstance(value, str), value))))
    ends = {Op.GE: span.from_, Op.GT: span.above, Op.LE: span.to, Op.LT: span.below}
    yield from (Condition(span.column, op, (end,)) for op, end in ends.items() if end is not None)
    for value in sorted(span.except_ or (), key=lambda value: (isinstance(value, str), value)):
        yield Condition(span.column, Op.NE, (value,))


def masks_of(given: Iterable[str]) -> dict[str, Mask]:
    """`column=preset`, each column once."""
    masks: dict[str, Mask] = {}
    for each in given:
        column, preset = (part.strip() for part in each.rpartition("=")[::2])
        if not column or column in masks or preset not in list(Mask):
            raise Invalid(
                "offer.mask",
                Text(f"遮盖的写法不正确：{each}。", f"A mask is not written right: {each}."),
                Text(
                    f"写成 列=方式，每列一次；方式有：{'、'.join(Mask)}。",
                    f"Write column=preset, each column once; presets are: {', '.join(Mask)}.",
                ),
                {"field": "masks"},
            )
        masks[column] = Mask(preset)
    return masks


def _unreadable() -> Invalid:
    return Invalid(
        "rows.written",
        Text("筛选条件的写法不正确。", "A condition on rows is not written right."),
        Text(
            "例如“tenure >= 12”“region in 成都, 眉山”“since between 2026-01-01 and 2026-06-30”“n is null”。",
            "Such as “tenure >= 12”, “region in 成都, 眉山”, “since between 2026-01-01 and 2026-06-30” or “n is null”.",
        ),
        {"field": "where"},
    )
