"""LightGBM models as text: read with our own parser before anybody agrees to anything.

Source: GBDT::SaveModelToString and Tree::ToString of LightGBM 4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from shudu.cleanroom.inside_kinds.declared import pack
from shudu.policy.types import Text

from . import trees
from .admitted import Admitted
from .card import CategoryInput, ModelCard, parse
from .trees import Objective, broken, exponential, identity, invalid, sigmoid

_CODE = "lightgbm"
_PLAIN = Objective(identity)
_OBJECTIVES: dict[str, Objective] = {
    **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), _PLAIN),
    **dict.fromkeys(("poisson", "gamma", "tweedie"), Objective(exponential)),
    **dict.fromkeys(("binary", "cross_entropy"), Objective(sigmoid())),
    "multiclass": Objective(identity, softmax=True),
}


def recognises(data: bytes) -> bool:
    """The first line of every such file."""
    return data[:5] in (b"tree\n", b"tree\r")


def admit(data: bytes, card: Mapping[str, Any] | None) -> Admitted:
    """The model with its card, every tree of it walked. Raises Invalid `lightgbm.…`, `card.…` or `model.card`."""
    trees.check_size(_CODE, data)
    declared = parse(card)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise broken(_CODE, Text("不是 UTF-8 文本", "it is not text in UTF-8")) from None
    head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    header = _lines(head)
    names = header.get("feature_names", "").split(" ")
    classes = _whole(header, "num_tree_per_iteration")
    if not 1 <= classes <= trees.MAX_CLASSES or len(blocks) > trees.MAX_TREES or len(blocks) % classes:
        raise broken(_CODE, Text("树的数量不对", "the number of trees is wrong"))
    if _whole(header, "max_feature_idx") + 1 != len(names):
        raise broken(_CODE, Text("特征数量不对", "the number of features is wrong"))
    # The library finds trees by these sizes, we by their first lines: the two must be the same trees.
    sizes = [len(f"Tree={block}\n".encode()) for block in blocks]
    if "\r" in text or _wholes(header.get("tree_sizes", ""), len(blocks)) != sizes:
        raise broken(_CODE, Text("tree_sizes 与各树不符", "tree_sizes are not the sizes of its trees"))
    trees.check_names(_CODE, declared, names)
    trees.check_index(_CODE, declared, classes)
    _check_categories(text, declared)
    kind = _objective(header.get("objective", ""))
    ends = [_tree(_lines(block), number, len(names)) for number, block in enumerate(blocks)]
    chosen = ends[declared.output.index or 0 :: classes]
    low, high = sum(low for low, _ in chosen), sum(high for _, high in chosen)
    if "average_output" in header and chosen:
        low, high = low / len(chosen), high / len(chosen)
    trees.check_range(_CODE, declared, trees.reach(kind, low, high))
    return declared.admitted("lightgbm", pack({**declared.told(), "classes": classes}, data))


def _lines(block: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in block.split("\n"):
        name, _, value = line.partition("=")
        if name in found and name:
            raise broken(_CODE, Text(f"“{name[:40]}”重复", f"“{name[:40]}” is given twice"))
        found[name] = value
    return found


def _whole(lines: Mapping[str, str], name: str) -> int:
    value = lines.get(name, "")
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise broken(_CODE, Text(f"“{name}”不是数", f"“{name}” is not a number"))
    return int(value)


def _objective(said: str) -> Objective:
    name, *options = said.split(" ")
    found = _OBJECTIVES.get(name)
    if found is None:
        raise trees.unknown_objective(_CODE, name, _OBJECTIVES)
    for option in options:
        if option == "sqrt":
            # sign(x) · x²
            found = Objective(lambda margin: margin * abs(margin))
        if name == "binary" and option.startswith("sigmoid:"):
            found = Objective(sigmoid(_numbers(option.removeprefix("sigmoid:"), 1)[0]))
    return found


def _numbers(values: str, count: int) -> list[float]:
    try:
        found = [float(one) for one in values.split(" ")] if values else []
    except ValueError:
        found = []
    if len(found) != count or any(one != one or abs(one) == float("inf") for one in found):
        raise broken(_CODE, Text("一列数的个数或取值不对", "a row of numbers has the wrong length or values"))
    return found


def _wholes(values: str, count: int) -> list[int]:
    try:
        found = [int(one) for one in values.split(" ")] if values else []
    except ValueError:
        found = []
    if len(found) != count:
        raise broken(_CODE, Text("一列整数的个数不对", "a row of whole numbers has the wrong length"))
    return found


def _tree(lines: Mapping[str, str], number: int, features: int) -> tuple[float, float]:
    """The smallest and the largest leaf of a tree that is one. Raises Invalid."""
    if lines.get("is_linear", "0") != "0":
        raise invalid(
            _CODE,
            "linear",
            Text("不接受线性树。", "Linear trees are not accepted."),
            Text("请以 linear_tree=false 训练。", "Train with linear_tree=false."),
            tree=number,
        )
    leaves = _whole(lines, "num_leaves")
    values = _numbers(lines.get("leaf_value", ""), leaves)
    if leaves > 1:
        splits = leaves - 1
        left, right = (_wholes(lines.get(f"{side}_child", ""), splits) for side in ("left", "right"))
        used = _wholes(lines.get("split_feature", ""), splits)
        kinds = _wholes(lines.get("decision_type", ""), splits)
        cuts = lines.get("threshold", "").split(" ")
        met = trees.leaves_of(left, right, lambda node: node < 0)
        whole = met is not None and sorted(~node for node in met) == list(range(leaves))
        if not whole or len(cuts) != splits or not all(0 <= one < features for one in used):
            raise broken(_CODE, Text("树的结构不对", "a tree is not a tree"), tree=number)
        _check_sets(lines, [cut for cut, kind in zip(cuts, kinds, strict=True) if kind & 1], number)
    elif leaves < 1:
        raise broken(_CODE, Text("树没有叶子", "a tree has no leaf"), tree=number)
    return min(values), max(values)


def _check_sets(lines: Mapping[str, str], chosen: list[str], number: int) -> None:
    """Splits on categories point into `cat_boundaries`, and these into the bits of `cat_threshold`."""
    count = _whole(lines, "num_cat")
    if not chosen and not count:
        return
    bounds = _wholes(lines.get("cat_boundaries", ""), count + 1)
    bits = _wholes(lines.get("cat_threshold", ""), bounds[-1] if 0 <= bounds[-1] <= 1 << 22 else -1)
    rising = bounds[0] == 0 and all(a < b for a, b in pairwise(bounds))
    if (
        not rising
        or not all(one.isdigit() and int(one) < count for one in chosen)
        or not all(0 <= b < 1 << 32 for b in bits)
    ):
        raise broken(_CODE, Text("类别分裂不对", "a split on categories is wrong"), tree=number)


def _check_categories(text: str, card: ModelCard) -> None:
    """Where the model was trained on pandas categories, the card's lists of codes are the same ones in their order."""
    at = text.rfind("\npandas_categorical:")
    try:
        known = json.loads(text[at:].partition(":")[2].partition("\n")[0]) if at >= 0 else None
    except (ValueError, RecursionError):
        raise broken(_CODE, Text("pandas_categorical 不可读", "pandas_categorical cannot be read")) from None
    if not known:
        return
    lists = [one.codes for one in card.inputs if isinstance(one, CategoryInput)]
    if lists != [[str(code) for code in one] for one in known]:
        raise invalid(
            _CODE,
            "codes",
            Text(
                "模型说明的代码表与训练时的类别不一致。",
                "The card's codes are not the categories the model was trained on.",
            ),
            Text("请按训练时的次序填写 codes。", "Write `codes` in the order of training."),
        )
