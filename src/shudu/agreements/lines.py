"""Composing an offer's two lines: what the data's owner permits, and what the model's owner permits.

The data line names exactly the columns one run binds: the model's inputs, the columns to group by, and the entity key.
The sandbox sees the inputs only; key and groups stay with trusted code, so the key may be neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shudu.catalog.types import Offered
from shudu.lake.types import Mask, Sensitivity
from shudu.policy.types import Invalid, Text

from .codes import Basis, OnRevocation, Purpose, UseAction
from .terms import ALL, Onward, Release, Terms, Use, Window, make, shown
from .types import DraftOffer, DraftTable, TableRows
from .where import spans_of

# Statistical disclosure control: at least ten entities in a released group, fifty where it is grouped by something
# sensitive (docs: clean room, release rules).
LEAST_GROUP = 10
LEAST_SENSITIVE_GROUP = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One line before it has a row: `role` is `data` or `model`."""

    role: str
    asset: str
    version: str
    assigner: str
    terms: Terms


def compose(draft: DraftOffer, data: Offered, model: Offered, until: datetime) -> tuple[Line, Line]:
    """The data line and the model line of an offer that ends at `until` (UTC); `Invalid` names what is amiss."""
    _check_kind("data", data, "table", Text("数据", "data"))
    _check_kind("model", model, "model", Text("模型", "model"))
    key = _key(data)
    _check_columns(draft, data, model, key)
    digest = _digest(model)
    min_group = least_group(draft, data)
    window = Window(from_=None, until=until)
    onward = Onward(
        purposes=draft.purposes,
        actions=frozenset({UseAction.READ, UseAction.DOWNLOAD}),
        min_group=min_group,
        # What was paid for does not close when the offer does.
        window=Window(from_=None, until=None),
        on_revocation=OnRevocation.STAND,
    )
    on_data = Use(
        assignee=None,
        purposes=draft.purposes,
        bases=draft.bases,
        actions=frozenset({UseAction.COMPUTE, UseAction.DELIVER_DERIVED}),
        columns=frozenset({*model.inputs, *trusted(draft), key}),
        masks=tuple(sorted(draft.masks.items())),
        clear=frozenset(),
        rows=spans_of(draft.where, data.columns, key),
        models=frozenset({digest}),
        release=Release(
            class_=draft.release,
            group_by=frozenset(draft.group_by),
            min_group=min_group,
            label=draft.label,
            metrics=draft.metrics,
            review=draft.review,
        ),
        runs=draft.runs,
        window=window,
    )
    on_model = on_data.model_copy(
        update={
            "actions": frozenset({UseAction.COMPUTE}),
            "columns": frozenset(),
            "masks": (),
            "rows": (),
            "release": None,
        }
    )
    return (
        Line("data", data.asset, data.version, data.owner, make(on_data, onward)),
        Line("model", model.asset, model.version, model.owner, make(on_model, onward)),
    )


def use_of_rows(
    draft: TableRows, data: Offered, purposes: frozenset[Purpose], bases: frozenset[Basis], runs: int, window: Window
) -> Use:
    """To read and download these rows, shown so; `Invalid` names what is amiss."""
    _check_kind("data", data, "table", Text("数据", "data"))
    known = [column.name for column in data.columns]
    names = draft.columns or tuple(known)
    if unknown := sorted({*names, *draft.masks, *draft.clear} - set(known)):
        raise _columns(
            "offer.columns",
            unknown,
            Text("数据中没有这些列", "The data has no such columns"),
            Text("请核对列名。", "Check the names."),
        )
    if beyond := sorted((draft.masks.keys() | draft.clear) - set(names) | (draft.masks.keys() & draft.clear)):
        raise _columns(
            "offer.masked",
            beyond,
            Text("这些列未提供，或既遮盖又原样提供", "Not given at all, or both masked and shown as they are"),
            Text("每列只选一种。", "Choose one for each column."),
        )
    personal = {column.name for column in data.columns if column.sensitivity is not None}
    masks = dict.fromkeys(personal - draft.clear, Mask.WHOLE) | draft.masks
    return Use(
        assignee=None,
        purposes=purposes,
        bases=bases,
        actions=frozenset({UseAction.READ, UseAction.DOWNLOAD}),
        **shown(names, masks, draft.clear),
        rows=spans_of(draft.where, data.columns, data.entity_key),
        models=ALL,
        release=None,
        runs=runs,
        window=window,
    )


def compose_table(draft: DraftTable, data: Offered, until: datetime) -> Line:
    """The only line of an offer that hands rows over; raises as `use_of_rows`."""
    window = Window(from_=None, until=until)
    use = use_of_rows(draft, data, draft.purposes, draft.bases, draft.runs, window)
    onward = Onward(
        purposes=draft.purposes,
        actions=frozenset({UseAction.READ, UseAction.DOWNLOAD}),
        min_group=1,
        window=Window(from_=None, until=None),
        on_revocation=OnRevocation.WITHDRAWN,
    )
    return Line("data", data.asset, data.version, data.owner, make(use, onward))


def trusted(draft: DraftOffer) -> tuple[str, ...]:
    """The columns that only trusted code reads besides the key: what is grouped by, or the label."""
    return (*draft.group_by, *([draft.label] if draft.label else []))


def least_group(draft: DraftOffer, data: Offered) -> int:
    """The least group the offer releases: as drafted, raised where a column to group or filter by is."""
    if draft.min_group < LEAST_GROUP:
        raise Invalid(
            "offer.min_group",
            Text(f"最小分组不得低于 {LEAST_GROUP}。", f"The least group is never below {LEAST_GROUP}."),
            Text(f"请填写 {LEAST_GROUP} 或更大的数。", f"Give {LEAST_GROUP} or more."),
            {"field": "min_group"},
        )
    named = {*trusted(draft), *(each.column for each in draft.where)}
    sensitive = any(column.sensitivity is not None for column in data.columns if column.name in named)
    return max(draft.min_group, LEAST_SENSITIVE_GROUP) if sensitive else draft.min_group


def _check_kind(field: str, offered: Offered, kind: str, label: Text) -> None:
    if offered.kind != kind:
        raise Invalid(
            "offer.kind",
            Text(f"{offered.asset} 不能作为{label.zh}一方。", f"{offered.asset} cannot stand on the {label.en} line."),
            Text("数据一方须为数据表，模型一方须为模型。", "The data line takes a table, the model line a model."),
            {"field": field, "asset": offered.asset},
        )


def _key(data: Offered) -> str:
    if data.entity_key is None:
        raise Invalid(
            "offer.no_key",
            Text(
                "该数据没有声明主体标识列，无法按主体计数，不能上架计算。",
                "This table declares no entity key, so its entities cannot be counted and it cannot be offered.",
            ),
            Text("请以 --key 声明标识列后重新发布。", "Publish it again with --key naming that column."),
            {"asset": data.asset},
        )
    return data.entity_key


def _digest(model: Offered) -> str:
    if model.model_sha256 is None:
        raise Invalid(
            "offer.no_model_digest",
            Text("该模型没有登记摘要，不能锁定版本。", "This model has no recorded digest, so it cannot be pinned."),
            Text("请重新发布模型。", "Publish the model again."),
            {"asset": model.asset},
        )
    return model.model_sha256


def _check_columns(draft: DraftOffer, data: Offered, model: Offered, key: str) -> None:
    known = {column.name for column in data.columns}
    if repeated := sorted({name for name in draft.group_by if draft.group_by.count(name) > 1}):
        raise _columns(
            "offer.group_by_repeated",
            repeated,
            Text("分组列重复", "Grouped by twice"),
            Text("每列只写一次。", "Name each column once."),
        )
    if unknown := sorted({*model.inputs, *trusted(draft)} - known):
        raise _columns(
            "offer.columns",
            unknown,
            Text("数据中没有这些列", "The data has no such columns"),
            Text(
                "请改选分组列，或选用输入列与数据相符的模型。",
                "Group by other columns, or choose a model that fits the data.",
            ),
        )
    if key in draft.group_by:
        raise _columns(
            "offer.group_by_key",
            [key],
            Text("不能按主体标识列分组", "Results cannot be grouped by the entity key"),
            Text("请去掉该列：每组须含多个主体。", "Leave it out: a group holds many entities."),
        )
    if key in model.inputs:
        raise _columns(
            "offer.input_key",
            [key],
            Text("模型不得以主体标识列为输入", "A model may not take the entity key as an input"),
            Text("请选用不含该列的模型。", "Choose a model without it."),
        )
    if draft.label is not None and draft.label in {key, *model.inputs}:
        raise _columns(
            "offer.label",
            [draft.label],
            Text(
                "标签列不能是主体标识列，也不能是模型的输入",
                "The label can be neither the entity key nor an input of the model",
            ),
            Text("请选模型看不到的列。", "Choose a column that the model does not see."),
        )
    if not_grouped := sorted(set(draft.masks) - set(draft.group_by)):
        raise _columns(
            "offer.masked",
            not_grouped,
            Text("只有分组列可以遮盖", "Only a column to group by can be masked"),
            Text(
                "模型的输入、标签和主体标识须为原值：遮盖之后算出的结果看似正确而实为错误。",
                "Inputs, label and key are taken as they are: a result of masked ones would look right and be wrong.",
            ),
        )
    named = {*model.inputs, *trusted(draft)}
    identifying = [
        column.name
        for column in data.columns
        if column.name in named and column.sensitivity == Sensitivity.DIRECT_IDENTIFIER
    ]
    if identifying:
        raise _columns(
            "offer.identifier",
            identifying,
            Text(
                "直接标识个人的列不得作为模型输入或分组列",
                "Neither input nor group may be a column that identifies a person by itself",
            ),
            Text(
                "请选用不含这些列的模型和分组列；否则可凭号码查出某人在哪一组。",
                "Choose a model and groups without them: a number known beforehand would tell which group its owner is"
                " in.",
            ),
        )


def _columns(code: str, names: list[str], message: Text, remedy: Text) -> Invalid:
    return Invalid(
        code,
        Text(f"{message.zh}：{'、'.join(names)}。", f"{message.en}: {', '.join(names)}."),
        remedy,
        {"columns": names},
    )
