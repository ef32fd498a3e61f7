"""May this use? `evaluate` answers with one reason per operand: what was asked, what is permitted, what would help.

Pure: it reads no row and counts nothing (counts are reservations of `accounts`). What it does not know, it denies.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from shudu.lake.types import Mask, stricter
from shudu.policy.types import Decision, Reason, Text

from .codes import ACTIONS, BASES, PURPOSES, Basis, Purpose, UseAction
from .operands import (
    OPERANDS,
    day_and_time,
    group_words,
    listed,
    masks_words,
    models_words,
    release_words,
    rows_words,
    window_words,
)
from .reading import from_json
from .spans import Span, conjunction, rows_inside
from .terms import RELEASING, Every, Nothing, Onward, Release, Terms, Use, Window


class Concluded(Protocol):
    """What `ProposedUse.computing` reads of an agreement's row."""

    assignee: str
    terms: Any


@dataclass(frozen=True, slots=True)
class ProposedUse:
    """One use as somebody means to make it. Codes are plain text here, so that an unknown one is denied with reasons.

    `masks`: under which presets it takes columns; any other column it takes as it is. `clear`: those of them that hold
    personal data. `rows` empty: all rows. `model`: the digest of the model run, if one is. `runs`: how many runs this
    use takes.
    """

    party: str
    purpose: str
    bases: frozenset[str]
    actions: frozenset[str]
    columns: frozenset[str] = frozenset()
    masks: tuple[tuple[str, Mask], ...] = ()
    clear: frozenset[str] = frozenset()
    rows: tuple[Span, ...] = ()
    model: str | None = None
    release: Release | None = None
    runs: int = 1

    @classmethod
    def whole(cls, terms: Terms, *, party: str, purpose: str) -> ProposedUse:
        """The fullest single use the terms speak of, by this party for this purpose."""
        use = terms.use
        return cls(
            party=party,
            purpose=purpose,
            bases=frozenset(use.bases),
            actions=frozenset(use.actions),
            columns=frozenset() if isinstance(use.columns, Every) else use.columns,
            masks=use.masks,
            clear=use.clear,
            rows=use.rows,
            model=None if isinstance(use.models, Every) else min(use.models),
            release=use.release,
        )

    @classmethod
    def computing(cls, agreement: Concluded, purpose: str) -> ProposedUse:
        """One clean-room run by the agreement's assignee on exactly the agreed columns, released as agreed."""
        terms = from_json(agreement.terms)
        whole = cls.whole(terms, party=agreement.assignee, purpose=purpose)
        delivered = whole.actions & {UseAction.DELIVER_DERIVED}
        release = whole.release if delivered else None
        return replace(whole, actions=frozenset({UseAction.COMPUTE, *delivered}), release=release)

    @classmethod
    def handing_over(cls, agreement: Concluded, purpose: str) -> ProposedUse:
        """One delivery of rows to the agreement's assignee, as the agreement shows them."""
        whole = cls.whole(from_json(agreement.terms), party=agreement.assignee, purpose=purpose)
        return replace(whole, actions=frozenset({UseAction.DOWNLOAD}))


def evaluate(terms: Terms | Nothing, proposed: ProposedUse, now: datetime) -> Decision:
    """Is `proposed` permitted at `now` (aware)? Every operand gives its reason; refusals come first."""
    if isinstance(terms, Nothing):
        return _nothing()
    use = terms.use
    judged = (
        _assignee(use, proposed),
        _purpose("use.purposes", use.purposes, proposed.purpose),
        _bases(use, proposed),
        _actions("use.actions", use.actions, proposed.actions),
        _columns(use, proposed),
        _masks(use, proposed),
        _clear(use, proposed),
        _rows(use, proposed),
        _model(use, proposed),
        _release(use, proposed),
        _runs(use, proposed),
        _window("use.window", use.window, now),
    )
    return Decision.every([Decision(reason.allowed, (reason,)) for reason in judged])


def evaluate_onward(
    onward: Onward | Nothing, *, action: str, purpose: str | None = None, min_group: int | None = None, now: datetime
) -> Decision:
    """May results be put to this use at `now`? A purpose or group that is not stated is not judged.

    The purpose of a result already handed over is legal-only (`operands`): where nobody states one, none is refused.
    """
    if isinstance(onward, Nothing):
        return _nothing()
    judged = [_actions("onward.actions", onward.actions, {action}), _window("onward.window", onward.window, now)]
    if purpose is not None:
        judged.append(_purpose("onward.purposes", onward.purposes, purpose))
    if min_group is not None:
        judged.append(_min_group(onward, min_group))
    return Decision.every([Decision(reason.allowed, (reason,)) for reason in judged])


def _nothing() -> Decision:
    return Decision.deny(
        "terms.nothing",
        Text("各方的使用条件没有交集，不许可任何使用。", "The terms have nothing in common: no use is permitted."),
        Text("请与各提供方议定一致的使用条件。", "Agree on terms that have something in common."),
    )


def _judge(operand: str, allowed: bool, asked: Text, permitted: Text, remedy: Text) -> Reason:
    label = OPERANDS[operand].label
    english = label.en[0].upper() + label.en[1:]
    rule = operand.replace("use.", "terms.")
    if allowed:
        message = Text(
            f"{label.zh}在许可之内：本次为{asked.zh}，许可为{permitted.zh}。",
            f"{english} permitted: asked for {asked.en}; the terms permit {permitted.en}.",
        )
        return Reason(rule, True, message)
    message = Text(
        f"{label.zh}超出许可：本次为{asked.zh}，许可为{permitted.zh}。",
        f"{english} not permitted: asked for {asked.en}; the terms permit {permitted.en}.",
    )
    return Reason(rule, False, message, remedy)


def _assignee(use: Use, proposed: ProposedUse) -> Reason:
    permitted = Text(use.assignee, use.assignee) if use.assignee else Text("任何订购方", "whoever orders")
    return _judge(
        "use.assignee",
        bool(proposed.party) and use.assignee in (None, proposed.party),
        Text(proposed.party or "未写明", proposed.party or "nobody named"),
        permitted,
        Text("请由协议的使用方发起，或另行订立协议。", "Let the assignee start it, or conclude your own."),
    )


def _purpose(operand: str, permitted: frozenset[Purpose], asked: str) -> Reason:
    return _judge(
        operand,
        asked in permitted,
        PURPOSES.label(asked),
        PURPOSES.list(permitted),
        Text("请选用许可的用途，或请提供方另行上架。", "State a permitted purpose, or ask for another offer."),
    )


def _bases(use: Use, proposed: ProposedUse) -> Reason:
    return _judge(
        "use.bases",
        bool(proposed.bases) and proposed.bases <= frozenset[Basis | str](use.bases),
        BASES.list(proposed.bases),
        BASES.list(use.bases),
        Text("请依据许可的合法性基础使用。", "Rest the use on one of the permitted legal bases."),
    )


def _actions(operand: str, permitted: frozenset[UseAction], asked: Iterable[str]) -> Reason:
    wanted = frozenset(asked)
    return _judge(
        operand,
        bool(wanted) and wanted <= frozenset[UseAction | str](permitted),
        ACTIONS.list(wanted),
        ACTIONS.list(permitted),
        Text("请改用许可的使用方式，或请提供方另行上架。", "Use it in a permitted way, or ask for another offer."),
    )


def _columns(use: Use, proposed: ProposedUse) -> Reason:
    allowed = isinstance(use.columns, Every) or proposed.columns <= use.columns
    return _judge(
        "use.columns",
        allowed,
        listed(proposed.columns),
        listed(use.columns),
        Text("请去掉许可之外的列。", "Leave out the columns that are not permitted."),
    )


def _masks(use: Use, proposed: ProposedUse) -> Reason:
    asked = dict(proposed.masks)
    bare = [
        (name, mask)
        for name, mask in use.masks
        if name in proposed.columns and stricter(mask, asked.get(name)) is not asked.get(name)
    ]
    names = listed(frozenset(name for name, _ in bare))
    return _judge(
        "use.masks",
        not bare,
        masks_words(proposed.masks),
        masks_words(use.masks),
        Text(f"请按约定遮盖这些列：{names.zh}。", f"Take these columns masked as agreed: {names.en}."),
    )


def _clear(use: Use, proposed: ProposedUse) -> Reason:
    return _judge(
        "use.clear",
        proposed.clear <= use.clear,
        listed(proposed.clear),
        listed(use.clear),
        Text("请遮盖未约定原样提供的列。", "Take the columns masked that are not agreed to be shown as they are."),
    )


def _rows(use: Use, proposed: ProposedUse) -> Reason:
    asked = conjunction(proposed.rows)
    beyond = rows_inside(asked, use.rows) if asked is not None else []
    narrower = Text(
        f"请将取值范围收窄到约定之内：{'、'.join(beyond)}。", f"Narrow the values to those agreed: {', '.join(beyond)}."
    )
    impossible = Text("所列条件不可能同时成立，请修改。", "No row can satisfy these conditions together: change them.")
    return _judge(
        "use.rows",
        asked is not None and not beyond,
        rows_words(proposed.rows),
        rows_words(use.rows),
        impossible if asked is None else narrower,
    )


def _model(use: Use, proposed: ProposedUse) -> Reason:
    allowed = isinstance(use.models, Every) or proposed.model in use.models
    return _judge(
        "use.models",
        allowed,
        models_words(frozenset({proposed.model})) if proposed.model else Text("不用模型", "no model"),
        models_words(use.models),
        Text("请使用约定的模型版本；模型变更须重新上架。", "Run the agreed model; a changed one needs a new offer."),
    )


def _release(use: Use, proposed: ProposedUse) -> Reason:
    wanted, permitted = proposed.release, use.release
    if wanted is None:
        allowed = not proposed.actions & RELEASING
    else:
        allowed = (
            bool(proposed.actions & RELEASING)
            and permitted is not None
            and wanted.class_ is permitted.class_
            and wanted.group_by <= permitted.group_by
            and wanted.min_group >= permitted.min_group
            and wanted.label == permitted.label
            and wanted.metrics <= permitted.metrics
            and wanted.review >= permitted.review
        )
    return _judge(
        "use.release",
        allowed,
        release_words(wanted),
        release_words(permitted),
        Text("请按约定的放行类别、分组列与最小分组放行。", "Release by the agreed class, groups and least group size."),
    )


def _runs(use: Use, proposed: ProposedUse) -> Reason:
    return _judge(
        "use.runs",
        proposed.runs >= 1 and (use.runs is None or proposed.runs <= use.runs),
        Text(f" {proposed.runs} 次", f"{proposed.runs}"),
        Text("不限次", "any number") if use.runs is None else Text(f"至多 {use.runs} 次", f"at most {use.runs}"),
        Text("请减少次数，或另行订立协议。", "Ask for fewer runs, or conclude another agreement."),
    )


def _window(operand: str, window: Window, now: datetime) -> Reason:
    ended = window.until is not None and now > window.until
    return _judge(
        operand,
        window.holds(now),
        Text(f" {day_and_time(now)}（北京时间）", f"{day_and_time(now)} (Beijing time)"),
        window_words(window),
        Text("期限已过，请另行订立协议。", "It has ended: conclude a new agreement.")
        if ended
        else Text("期限未到，请届时再试。", "It has not begun: try again then."),
    )


def _min_group(onward: Onward, asked: int) -> Reason:
    return _judge(
        "onward.min_group",
        asked >= onward.min_group,
        group_words(asked),
        group_words(onward.min_group),
        Text("请放大分组。", "Use larger groups."),
    )
