"""XGBoost models as JSON or UBJSON: read with our own parsers before anybody agrees to anything.

Source: the model schema of XGBoost 3 (doc/model.schema).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from shudu.cleanroom.inside_kinds.declared import pack
from shudu.policy.types import Text

from . import trees, ubjson
from .admitted import Admitted
from .card import CategoryInput, ModelCard, parse
from .trees import Objective, broken, exponential, identity, invalid, sigmoid

_CODE = "xgboost"
_OBJECTIVES: dict[str, Objective] = {
    **dict.fromkeys(("binary:logistic", "reg:logistic"), Objective(sigmoid())),
    **dict.fromkeys(
        ("reg:squarederror", "reg:squaredlogerror", "reg:absoluteerror", "reg:pseudohubererror", "binary:logitraw"),
        Objective(identity),
    ),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie"), Objective(exponential)),
    "multi:softprob": Objective(identity, softmax=True),
}
# The objective's own scale → the sum of leaves it starts from.
_MARGINS = {
    **dict.fromkeys(("binary:logistic", "reg:logistic", "binary:logitraw"), "logit"),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie"), "log"),
}


def recognises(data: bytes) -> bool:
    """A JSON or UBJSON object that begins with XGBoost's first key."""
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    return data[:2] in (b"{L", b"{i", b"{U", b"{l") or (text[:1] == b"{" and text[1:60].lstrip()[:9] == b'"learner"')


def admit(data: bytes, card: Mapping[str, Any] | None) -> Admitted:
    """The model with its card, every tree of it walked. Raises Invalid `xgboost.…`, `card.…` or `model.card`."""
    trees.check_size(_CODE, data)
    declared = parse(card)
    try:
        classes, ends = _check(_read(data), declared)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise broken(_CODE, Text("不符合 XGBoost 的结构", "it has not the shape of an XGBoost model")) from error
    trees.check_range(_CODE, declared, ends)
    return declared.admitted("xgboost", pack({**declared.told(), "classes": classes}, data))


def _read(data: bytes) -> dict[str, Any]:
    if data[:2] in (b"{L", b"{i", b"{U", b"{l"):
        found = ubjson.loads(data)
    else:
        try:
            found = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
        except RecursionError:
            raise ValueError("too deep") from None
    return dict(found["learner"])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def _check(learner: dict[str, Any], card: ModelCard) -> tuple[int, tuple[float, float]]:
    """The number of classes, and how far the scores reach."""
    name, booster = str(learner["objective"]["name"]), learner["gradient_booster"]
    objective = _OBJECTIVES.get(name)
    if objective is None:
        raise trees.unknown_objective(_CODE, name, _OBJECTIVES)
    if booster["name"] != "gbtree":
        raise invalid(
            _CODE,
            "booster",
            Text(
                f"不接受 booster“{str(booster['name'])[:40]}”。",
                f"Booster “{str(booster['name'])[:40]}” is not accepted.",
            ),
            Text("请使用 gbtree。", "Use gbtree."),
        )
    settings = learner["learner_model_param"]
    features, classes = int(settings["num_feature"]), max(1, int(settings["num_class"]))
    if int(settings.get("num_target", "1")) != 1 or features != len(card.inputs) or classes > trees.MAX_CLASSES:
        raise ValueError("another number of features, classes or targets")
    names = [str(one) for one in learner.get("feature_names", [])]
    trees.check_names(_CODE, card, names)
    trees.check_index(_CODE, card, classes)
    _check_kinds(learner.get("feature_types", []), card)
    model = booster["model"]
    if len(model["trees"]) > trees.MAX_TREES or len(model["tree_info"]) != len(model["trees"]):
        raise ValueError("the number of trees is wrong")
    ends = [_tree(tree, features) for tree in model["trees"]]
    chosen = [end for end, of in zip(ends, model["tree_info"], strict=True) if of == (card.output.index or 0)]
    start = _start(name, settings["base_score"], classes, card.output.index or 0)
    low, high = start + sum(low for low, _ in chosen), start + sum(high for _, high in chosen)
    return classes, trees.reach(objective, low, high)


def _start(name: str, said: str, classes: int, index: int) -> float:
    """The margin every row starts from; the file gives it on the objective's own scale, for one class or for each."""
    scores = [float(one) for one in said.strip("[]").split(",")]
    score = scores[index] if len(scores) == classes else scores[0]
    if not math.isfinite(score):
        raise ValueError("base_score is not finite")
    if _MARGINS.get(name) == "logit":
        return -math.log(1 / score - 1)
    return math.log(score) if _MARGINS.get(name) == "log" else score


def _check_kinds(types: Sequence[str], card: ModelCard) -> None:
    for one, kind in zip(card.inputs, types, strict=False):
        if isinstance(one, CategoryInput) != (kind == "c"):
            raise invalid(
                _CODE,
                "feature_type",
                Text(
                    f"输入列“{one.column}”的类型（数值或类别）与模型文件不一致。",
                    f"Input “{one.column}” is of another kind (number or category) in the model file.",
                ),
                Text("请改正模型说明的 kind。", "Correct `kind` in the card."),
                column=one.column,
            )


def _tree(tree: dict[str, Any], features: int) -> tuple[float, float]:
    """The smallest and the largest leaf of a tree that is one."""
    left, right = tree["left_children"], tree["right_children"]
    values, used = tree["split_conditions"], tree["split_indices"]
    size = len(left)
    if {len(right), len(values), len(used)} != {size} or int(tree["tree_param"].get("size_leaf_vector", "1")) > 1:
        raise ValueError("a tree's rows are not equally long")
    if not all(0 <= feature < features for feature in used):
        raise ValueError("a tree uses a feature that is not there")
    starts, lengths, total = tree["categories_segments"], tree["categories_sizes"], len(tree["categories"])
    if any(start < 0 or length < 0 or start + length > total for start, length in zip(starts, lengths, strict=True)):
        raise ValueError("a tree's categories are not there")
    leaves = trees.leaves_of(left, right, lambda node: 0 <= node < size and left[node] == -1)
    if not leaves:
        raise ValueError("a tree is not a tree")
    found = [float(values[leaf]) for leaf in leaves]
    if not all(map(math.isfinite, found)):
        raise ValueError("a leaf is not finite")
    return min(found), max(found)
