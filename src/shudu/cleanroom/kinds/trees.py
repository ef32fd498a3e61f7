"""What a file of decision trees can be told beforehand: that every tree is one, and how far its scores reach."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shudu.policy.types import Invalid, Text

from .card import ModelCard

MAX_BYTES = 64 << 20
MAX_TREES = 20_000
MAX_CLASSES = 1_000


@dataclass(frozen=True, slots=True)
class Objective:
    """How the sum of the leaves becomes the score. Monotone, so that ends of a range map to ends; `lo`, `hi` clamp."""

    link: Callable[[float], float]
    softmax: bool = False


def identity(margin: float) -> float:
    return margin


def exponential(margin: float) -> float:
    """`math.exp` overflows with an error where the libraries give infinity; such a model is refused by its range."""
    return math.exp(margin) if margin < 700 else math.inf


def sigmoid(steepness: float = 1.0) -> Callable[[float], float]:
    """1 / (1 + exp(-steepness · margin))."""

    def link(margin: float) -> float:
        scaled = steepness * margin
        return 1 / (1 + math.exp(-scaled)) if scaled >= 0 else math.exp(max(scaled, -745)) / (1 + math.exp(scaled))

    return link


def reach(objective: Objective, low: float, high: float) -> tuple[float, float]:
    """The lowest and the highest score for sums of leaves between `low` and `high`."""
    if objective.softmax:
        return 0.0, 1.0
    ends = objective.link(low), objective.link(high)
    return min(ends), max(ends)


def leaves_of(left: Sequence[int], right: Sequence[int], is_leaf: Callable[[int], bool]) -> list[int] | None:
    """The leaves of a tree from node 0, in order met; None when a node is met twice or none of its children exists.

    `left` and `right` are the children by node. A file with a loop in it would keep its reader for ever.
    """
    seen: set[int] = set()
    found, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        if node in seen:
            return None
        seen.add(node)
        if is_leaf(node):
            found.append(node)
        elif 0 <= node < min(len(left), len(right)):
            waiting += (right[node], left[node])
        else:
            return None
    return found


def check_size(code: str, data: bytes) -> None:
    """Raises Invalid `….too_large`."""
    if len(data) > MAX_BYTES:
        raise invalid(
            code,
            "too_large",
            Text("模型文件超过 64 MB。", "The model file is larger than 64 MB."),
            Text("请减少树的数量。", "Use fewer trees."),
        )


def check_names(code: str, card: ModelCard, names: Sequence[str]) -> None:
    """The card's inputs are the model's features, in the model's order. Raises Invalid."""
    if names and list(card.columns) != list(names):
        shown = [one[:60] for one in names[:20]]
        raise invalid(
            code,
            "features",
            Text(
                f"模型说明的输入与模型文件的特征名不一致；模型文件为：{'、'.join(shown)}。",
                f"The card's inputs are not the model's features, which are: {', '.join(shown)}.",
            ),
            Text("请按模型文件的顺序改写 inputs。", "Write `inputs` in the model file's order."),
            features=shown,
        )


def check_range(code: str, card: ModelCard, found: tuple[float, float]) -> None:
    """The declared range covers what the trees can give. Raises Invalid."""
    low, high = found
    tiny = 1e-6 * max(1.0, abs(low), abs(high))  # the libraries add in single precision
    if not (card.output.min - tiny <= low and high <= card.output.max + tiny):
        raise invalid(
            code,
            "out_of_range",
            Text(
                f"评分超出声明范围：可能得分为 {low:g} 至 {high:g}，"
                f"声明为 {card.output.min:g} 至 {card.output.max:g}。",
                f"Scores reach from {low:g} to {high:g}, but {card.output.min:g} to {card.output.max:g} is declared.",
            ),
            Text(f"请把 output 改为至少涵盖 {low:g} 至 {high:g}。", f"Widen output to cover {low:g} to {high:g}."),
            reachable=[low, high],
        )


def check_index(code: str, card: ModelCard, classes: int) -> None:
    """A model of several classes says whose likelihood the score is. Raises Invalid."""
    index = card.output.index
    if (classes > 1 and index is None) or (index or 0) >= classes:
        raise invalid(
            code,
            "classes",
            Text(
                f"模型有 {classes} 个类别，须用 output.index 指明得分取哪一个。",
                f"The model has {classes} classes; output.index must say which one the score is.",
            ),
            Text(f"请填 0 至 {classes - 1}。", f"Give a number from 0 to {classes - 1}."),
        )


def broken(code: str, what: Text, **where: object) -> Invalid:
    """The file is not what its beginning says."""
    return invalid(
        code,
        "broken",
        Text(f"模型文件已损坏：{what.zh}。", f"The model file is damaged: {what.en}."),
        Text("请重新导出后提交。", "Export it anew and submit it again."),
        **where,
    )


def unknown_objective(code: str, name: str, known: Mapping[str, object]) -> Invalid:
    """The score's range cannot be told."""
    return invalid(
        code,
        "objective",
        Text(f"不接受目标函数“{name[:60]}”。", f"The objective “{name[:60]}” is not accepted."),
        Text(f"可用：{'、'.join(sorted(known))}。", f"Use one of: {', '.join(sorted(known))}."),
    )


def invalid(code: str, name: str, message: Text, remedy: Text, **where: object) -> Invalid:
    return Invalid(f"{code}.{name}", message, remedy, where)
