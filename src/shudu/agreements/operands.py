"""Every operand of the terms: its name, what it is called, and whether the machine enforces it or only the law does.

Enforced means: a use that breaks it does not happen here. Legal-only means: it is agreed and recorded, and whoever
breaks it answers for it, but no program can see it: what somebody does after reading a result, or with a copy already
handed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shudu.lake.types import PRESETS, Mask
from shudu.policy.clock import SHANGHAI
from shudu.policy.types import Text

from .codes import ACTIONS, BASES, METRICS, ON_REVOCATION, PURPOSES, RELEASES
from .spans import Span
from .terms import Every, Nothing, Onward, Release, Terms, Use, Window


@dataclass(frozen=True, slots=True)
class Operand:
    label: Text
    enforced: bool


OPERANDS: dict[str, Operand] = {
    "v": Operand(Text("版本号", "version"), True),
    "use.assignee": Operand(Text("使用方", "assignee"), True),
    "use.purposes": Operand(Text("用途", "purpose"), True),
    "use.bases": Operand(Text("合法性基础", "legal basis"), False),
    "use.actions": Operand(Text("使用方式", "action"), True),
    "use.columns": Operand(Text("数据列", "columns"), True),
    "use.masks": Operand(Text("遮盖的列", "masked columns"), True),
    "use.clear": Operand(Text("原样提供的个人信息列", "personal data shown as it is"), True),
    "use.rows": Operand(Text("数据行", "rows"), True),
    "use.models": Operand(Text("模型", "model"), True),
    "use.release": Operand(Text("放行规则", "release"), True),
    "use.runs": Operand(Text("次数", "runs"), True),
    "use.window": Operand(Text("期限", "window"), True),
    "onward.purposes": Operand(Text("结果的用途", "purpose of results"), False),
    "onward.actions": Operand(Text("结果的使用方式", "actions on results"), True),
    "onward.min_group": Operand(Text("结果的最小分组", "least group of results"), True),
    "onward.window": Operand(Text("结果的期限", "window of results"), True),
    "onward.on_revocation": Operand(Text("撤销后对结果的处理", "results on revocation"), False),
}


def label_of(operand: str) -> Text:
    """What an operand (or a part of one, such as `use.release.class`) is called; its own name when unknown."""
    known = OPERANDS.get(".".join(operand.split(".")[:2]))
    return known.label if known else Text(operand, operand)


def day_and_time(moment: datetime) -> str:
    """A moment as people in Chengdu say it, to the minute."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def window_words(window: Window) -> Text:
    """From when until when, in Beijing time."""
    if window.from_ is None and window.until is None:
        return Text("不限期", "without a time limit")
    zh, en = [], []
    if window.from_ is not None:
        zh.append(f"自 {day_and_time(window.from_)} 起")
        en.append(f"from {day_and_time(window.from_)}")
    if window.until is not None:
        zh.append(f"至 {day_and_time(window.until)} 止")
        en.append(f"until {day_and_time(window.until)}")
    return Text(f"{''.join(zh)}（北京时间）", f"{' '.join(en)} (Beijing time)")


def listed(names: frozenset[str] | Every) -> Text:
    """Names in order, or that all are meant."""
    if isinstance(names, Every):
        return Text("全部", "all")
    return Text("、".join(sorted(names)) or "无", ", ".join(sorted(names)) or "none")


def models_words(models: frozenset[str] | Every) -> Text:
    """Models by the beginning of their digests."""
    if isinstance(models, Every):
        return Text("不限", "any")
    return listed(frozenset(f"{digest[:12]}…" for digest in models))


def group_words(least: int) -> Text:
    """The least number of entities in a group."""
    return Text(f"每组至少 {least} 个主体", f"at least {least} entities per group")


def release_words(release: Release | None) -> Text:
    """What leaves, grouped how, in groups of how many."""
    if release is None:
        return Text("不放行结果", "no release of results")
    class_, least = RELEASES.label(release.class_), group_words(release.min_group)
    if release.label is None:
        groups = listed(release.group_by)
        what = Text(f"分组列 {groups.zh}", f"grouped by {groups.en}")
    else:
        metrics = METRICS.list(release.metrics)
        what = Text(f"{metrics.zh}，标签列 {release.label}", f"{metrics.en}, against the label {release.label}")
    look = Text("，逐次人工审核", ", each looked at by a person") if release.review else Text("", "")
    return Text(f"{class_.zh}，{what.zh}，{least.zh}{look.zh}", f"{class_.en}, {what.en}, {least.en}{look.en}")


def rows_words(rows: tuple[Span, ...]) -> Text:
    """Which columns narrow the rows. The values themselves may be somebody's data and are not repeated in words."""
    if not rows:
        return Text("全部", "all")
    return Text(
        f"按约定的取值范围（{'、'.join(span.column for span in rows)}）",
        f"within the agreed values of {', '.join(span.column for span in rows)}",
    )


_FEW = 6


def conditions_words(rows: tuple[Span, ...]) -> Text:
    """Which rows, with the values: for whoever may see the terms. No condition is on what identifies a person."""
    if not rows:
        return Text("全部", "all")
    said = [_span_words(span) for span in rows]
    return Text("，且".join(text.zh for text in said), ", and ".join(text.en for text in said))


def _span_words(span: Span) -> Text:
    name = span.column
    if span.null is not None:
        return Text(f"{name}无值", f"{name} has no value") if span.null else Text(f"{name}有值", f"{name} has a value")
    if span.in_ is not None:
        values = _values(span.in_)
        if len(span.in_) == 1:
            return Text(f"{name} = {values.zh}", f"{name} = {values.en}")
        return Text(f"{name}属于 {values.zh}", f"{name} in {values.en}")
    ends = [(sign, end) for sign, end in (("≥", span.from_), (">", span.above), ("≤", span.to), ("<", span.below))]
    zh = [f"{name} {sign} {end}" for sign, end in ends if end is not None]
    if span.except_ is not None:
        values = _values(span.except_)
        sign = "≠ " if len(span.except_) == 1 else None
        return Text(
            " 且 ".join([*zh, f"{name} {sign}{values.zh}" if sign else f"{name}不属于 {values.zh}"]),
            " and ".join([*zh, f"{name} {sign}{values.en}" if sign else f"{name} not in {values.en}"]),
        )
    return Text(" 且 ".join(zh), " and ".join(zh))


def _values(values: frozenset[int | float | str]) -> Text:
    first = [str(value) for value in sorted(values, key=lambda value: (isinstance(value, str), value))][:_FEW]
    more = len(values) - len(first)
    return Text(
        "、".join(first) + (f"等 {len(values)} 个值" if more else ""),
        ", ".join(first) + (f" and {more} more" if more else ""),
    )


def masks_words(masks: tuple[tuple[str, Mask], ...]) -> Text:
    """Which columns are masked, and how."""
    said = [(name, PRESETS[mask]) for name, mask in masks]
    return Text(
        "、".join(f"{name}（{preset.name.zh}）" for name, preset in said) or "无",
        ", ".join(f"{name} ({preset.name.en})" for name, preset in said) or "none",
    )


def plain_words(terms: Terms) -> list[tuple[Text, bool]]:
    """The terms as sentences, each with whether the machine enforces it (else it is legal-only)."""
    said = _use_words(terms.use)
    if isinstance(terms.onward, Nothing):
        closed = Text("结果：不得作任何使用。", "Results: may be put to no use.")
        return [*_marked(said), (closed, OPERANDS["onward.actions"].enforced)]
    return _marked({**said, **_onward_words(terms.onward)})


def onward_plain_words(onward: Onward | Nothing) -> list[tuple[Text, bool]]:
    """What may be done with a result, as sentences, each with whether the machine enforces it."""
    if isinstance(onward, Nothing):
        return [(Text("结果：不得作任何使用。", "Results: may be put to no use."), True)]
    return _marked(_onward_words(onward))


def _marked(said: dict[str, Text]) -> list[tuple[Text, bool]]:
    marked = []
    for name, words in said.items():
        operand = OPERANDS[name]
        english = operand.label.en[0].upper() + operand.label.en[1:]
        marked.append((Text(f"{operand.label.zh}：{words.zh}。", f"{english}: {words.en}."), operand.enforced))
    return marked


def _use_words(use: Use) -> dict[str, Text]:
    return {
        "use.assignee": Text(use.assignee, use.assignee) if use.assignee else Text("订购方", "whoever orders"),
        "use.purposes": PURPOSES.list(use.purposes),
        "use.bases": BASES.list(use.bases),
        "use.actions": ACTIONS.list(use.actions),
        "use.columns": listed(use.columns),
        "use.masks": masks_words(use.masks),
        "use.clear": listed(use.clear),
        "use.rows": conditions_words(use.rows),
        "use.models": models_words(use.models),
        "use.release": release_words(use.release),
        "use.runs": Text(f"至多 {use.runs} 次", f"at most {use.runs}") if use.runs else Text("不限次", "uncounted"),
        "use.window": window_words(use.window),
    }


def _onward_words(onward: Onward) -> dict[str, Text]:
    return {
        "onward.purposes": PURPOSES.list(onward.purposes),
        "onward.actions": ACTIONS.list(onward.actions),
        "onward.min_group": group_words(onward.min_group),
        "onward.window": window_words(onward.window),
        "onward.on_revocation": ON_REVOCATION.label(onward.on_revocation),
    }
