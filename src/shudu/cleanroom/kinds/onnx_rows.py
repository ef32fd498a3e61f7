"""Whether an ONNX graph can be shown to score each row by itself, however many rows it is given at once.

A graph reads whole batches, so it could put one person's value into everybody's score. Here each tensor on the way to
the score is followed: `Rows` has the rows as its first dimension, and slice i of it depends on row i alone; `Fixed`
depends on no row. Whatever is not on the list below, or not in a form that is certain, is not shown, and such a model
is given one row at a time inside the sandbox, which is slower and needs no proof.

Sound because every rule keeps what it says of its inputs; that the rules follow the operators is tested against ONNX
Runtime itself. Source: the operator documents of ONNX 1.23, ONNX Runtime's kernels where those leave it open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

from shudu.cleanroom.inside_kinds.onnx_checks import ATTRIBUTE, Facts, Node, Unacceptable, integers
from shudu.cleanroom.inside_kinds.protobuf import VARINT, Field, Malformed, Schema, read, signed

_INT, _INTS = 2, 7
_SMALL = 4_096  # bytes of an attribute worth reading: axes and the like are a few numbers
_PLAIN: Schema = ATTRIBUTE | {8: Field("ints", VARINT, repeated=True)}
Dims = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """One slice for each row. `dims` are the sizes behind the first dimension, None where they are not known."""

    dims: Dims

    @property
    def rank(self) -> int:
        return 1 + len(self.dims)


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same for every batch. `values` where they are whole numbers, for those say where other operators act."""

    shape: tuple[int, ...] | None
    values: tuple[int, ...] | None = None


class NotShown(Exception):
    """Nothing is certain here."""


def rows_stay_apart(found: Facts, score: str) -> bool:
    """Does the output called `score` give each row what depends on that row alone, for sure?"""
    known: dict[str, Rows | Fixed] = {name: _fixed(tensor) for name, tensor in found.stored.items()}
    known |= {one.name: Rows(one.shape[1:]) for one in found.inputs}
    for node in _needed(found.nodes, score):
        try:
            given = [known[name] if name else None for name in node.inputs]
            known |= zip(node.outputs, _follow(node, given), strict=False)
        except (NotShown, KeyError, IndexError, Malformed, Unacceptable):
            return False
    return isinstance(known.get(score), Rows)


def _needed(nodes: Iterable[Node], score: str) -> list[Node]:
    """The nodes the score is made by, in order; ONNX Runtime runs no others."""
    wanted, found = {score}, []
    for node in reversed(tuple(nodes)):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            found.append(node)
    return found[::-1]


def _fixed(tensor: dict[str, Any]) -> Fixed:
    shape = tuple(tensor.get("dims", []))
    try:
        return Fixed(shape, tuple(integers(tensor)) if prod(shape) <= _SMALL else None)
    except Unacceptable:
        return Fixed(shape)


Given = list[Rows | Fixed | None]
Rule = Callable[[Node, Given], list[Rows | Fixed]]


def _follow(node: Node, given: Given) -> list[Rows | Fixed]:
    if not any(isinstance(one, Rows) for one in given):
        return _of_fixed(node, given)
    rule = _RULES.get(node.operator)
    if rule is None:
        raise NotShown
    return rule(node, given)


def _of_fixed(node: Node, given: Given) -> list[Rows | Fixed]:
    first = given[0] if given else None
    if node.operator in _EACH and isinstance(first, Fixed):
        return [first if node.operator == "Identity" else Fixed(first.shape)]
    return [Fixed(None)] * len(node.outputs)


def _attribute(node: Node, name: str) -> dict[str, Any] | None:
    """The attribute of that name, None when there is none. One that says too much, or is there twice, shows nothing."""
    found = [(data, read(data, ATTRIBUTE).get("name", b"")) for data in node.attributes]
    named = [data for data, said in found if bytes(said) == name.encode()]
    if not named:
        return None
    if len(named) > 1 or len(named[0]) > _SMALL:
        raise NotShown
    return read(named[0], _PLAIN)


def _number(node: Node, name: str, default: int | None = None) -> int:
    if (said := _attribute(node, name)) is None and default is not None:
        return default
    if said is None or said.get("type") != _INT or "i" not in said:
        raise NotShown
    return signed(said["i"])


def _numbers(node: Node, name: str) -> list[int] | None:
    if (said := _attribute(node, name)) is None:
        return None
    if said.get("type") != _INTS or "ints" not in said:
        raise NotShown
    return [signed(one) for one in said["ints"]]


def _axes(node: Node, given: Given, place: int) -> list[int]:
    """Where an operator acts: an attribute in older operator sets, an input in newer ones, never its default."""
    said = _numbers(node, "axes")
    if said is not None:
        return said
    source = given[place]
    if not isinstance(source, Fixed) or not source.values:
        raise NotShown
    return list(source.values)


def _behind(axes: Iterable[int], rank: int) -> list[int]:
    """The same axes counted from 0, none of them the rows'."""
    found = [one + rank if one < 0 else one for one in axes]
    if not all(0 < one < rank for one in found):
        raise NotShown
    return found


def _rows(one: Rows | Fixed | None, rank: int | None = None) -> Rows:
    if not isinstance(one, Rows) or (rank is not None and one.rank != rank):
        raise NotShown
    return one


def _shape(one: Rows | Fixed | None) -> tuple[int, ...]:
    if not isinstance(one, Fixed) or one.shape is None:
        raise NotShown
    return one.shape


def _all_fixed(given: Iterable[Rows | Fixed | None]) -> None:
    if any(isinstance(one, Rows) for one in given):
        raise NotShown


def _each(node: Node, given: Given) -> list[Rows | Fixed]:
    """Value by value; further inputs are settings."""
    _all_fixed(given[1:])
    return [_rows(given[0])]


def _like(node: Node, given: Given) -> list[Rows | Fixed]:
    return [_rows(given[0])]


def _together(node: Node, given: Given) -> list[Rows | Fixed]:
    """Value by value of several, aligned from the right: nothing but the rows may meet the rows."""
    rank = max(one.rank for one in given if isinstance(one, Rows))
    shapes: list[Dims] = []
    for one in given:
        if one is None:
            continue
        if isinstance(one, Rows):
            shapes.append(_rows(one, rank).dims)
            continue
        shape = _shape(one)
        if len(shape) > rank or (len(shape) == rank and shape[0] != 1):
            raise NotShown
        shapes.append(shape[1:] if len(shape) == rank else shape)
    return [Rows(tuple(_widest(shapes, place) for place in range(1 - rank, 0)))]


def _widest(shapes: list[Dims], place: int) -> int | None:
    sizes = {shape[place] for shape in shapes if len(shape) >= -place}
    return None if None in sizes else max(size for size in sizes if size is not None)


def _product(node: Node, given: Given) -> list[Rows | Fixed]:
    left, right = _rows(given[0]), given[1]
    if left.rank < 2:
        raise NotShown
    if isinstance(right, Rows):
        if right.rank != left.rank or left.rank < 3:
            raise NotShown
        return [Rows((*[None] * (left.rank - 3), left.dims[-2], right.dims[-1]))]
    shape = _shape(right)
    if len(shape) not in (1, 2):
        raise NotShown
    return [Rows((*left.dims[:-1], *shape[1:]))]


def _gemm(node: Node, given: Given) -> list[Rows | Fixed]:
    _rows(given[0], 2)
    shape = _shape(given[1])
    if _number(node, "transA", 0) or len(shape) != 2:
        raise NotShown
    made = Rows((shape[0 if _number(node, "transB", 0) else 1],))
    if len(given) > 2 and given[2] is not None:
        _together(node, [made, given[2]])
    return [made]


def _concat(node: Node, given: Given) -> list[Rows | Fixed]:
    parts = [_rows(one, _rows(given[0]).rank) for one in given]
    (axis,) = _behind([_number(node, "axis")], parts[0].rank)
    sizes = [one.dims[axis - 1] for one in parts]
    whole = None if None in sizes else sum(size for size in sizes if size is not None)
    return [Rows((*parts[0].dims[: axis - 1], whole, *parts[0].dims[axis:]))]


def _flatten(node: Node, given: Given) -> list[Rows | Fixed]:
    if _number(node, "axis", 1) != 1:
        raise NotShown
    return [Rows((_size(_rows(given[0]).dims),))]


def _size(dims: Dims) -> int | None:
    return None if None in dims else prod(one for one in dims if one is not None)


def _reshape(node: Node, given: Given) -> list[Rows | Fixed]:
    """A first 0 keeps the rows; a first -1 does if what is behind it stays as large as it was."""
    data, wanted = _rows(given[0]), given[1]
    if not isinstance(wanted, Fixed) or not wanted.values or _number(node, "allowzero", 0):
        raise NotShown
    first, *rest = wanted.values
    if first == -1 and all(one > 0 for one in rest) and prod(rest) == _size(data.dims):
        return [Rows(tuple(rest))]
    if first != 0:
        raise NotShown
    return [Rows(tuple(one if one > 0 else None for one in rest))]


def _squeeze(node: Node, given: Given) -> list[Rows | Fixed]:
    data = _rows(given[0])
    gone = _behind(_axes(node, given, 1), data.rank)
    return [Rows(tuple(size for at, size in enumerate(data.dims, 1) if at not in gone))]


def _unsqueeze(node: Node, given: Given) -> list[Rows | Fixed]:
    data, axes = _rows(given[0]), _axes(node, given, 1)
    new, sizes = set(_behind(axes, data.rank + len(axes))), iter(data.dims)
    return [Rows(tuple(1 if at in new else next(sizes) for at in range(1, data.rank + len(axes))))]


def _transpose(node: Node, given: Given) -> list[Rows | Fixed]:
    data = _rows(given[0])
    order = _numbers(node, "perm") or []
    if order[:1] != [0]:
        raise NotShown
    return [Rows(tuple(data.dims[at - 1] for at in order[1:]))]


def _slice(node: Node, given: Given) -> list[Rows | Fixed]:
    data = _rows(given[0])
    _all_fixed(given[1:])
    cut = _behind(_axes(node, given, 3), data.rank)
    return [Rows(tuple(None if at in cut else size for at, size in enumerate(data.dims, 1)))]


def _split(node: Node, given: Given) -> list[Rows | Fixed]:
    data = _rows(given[0])
    _all_fixed(given[1:])
    (axis,) = _behind([_number(node, "axis")], data.rank)
    return [Rows((*data.dims[: axis - 1], None, *data.dims[axis:]))] * len(node.outputs)


def _gather(node: Node, given: Given) -> list[Rows | Fixed]:
    data, places = given[0], given[1]
    if isinstance(data, Rows):
        (axis,) = _behind([_number(node, "axis", 0)], data.rank)
        return [Rows((*data.dims[: axis - 1], *_shape(places), *data.dims[axis:]))]
    if _number(node, "axis", 0) != 0:
        raise NotShown
    return [Rows((*_rows(places).dims, *_shape(data)[1:]))]


def _gather_elements(node: Node, given: Given) -> list[Rows | Fixed]:
    data, places = _rows(given[0]), _rows(given[1])
    _behind([_number(node, "axis", 0)], data.rank)
    return [_rows(places, data.rank)]


def _along(default: int) -> Rule:
    """Values of one row against each other; the shape stays."""

    def rule(node: Node, given: Given) -> list[Rows | Fixed]:
        data = _rows(given[0])
        axis = _number(node, "axis", default) if data.rank > 1 else 0
        _behind([axis], data.rank)
        if len(given) > 1:  # scale and bias
            _all_fixed(given[1:])
            _together(node, given)
        return [data]

    return rule


def _running(node: Node, given: Given) -> list[Rows | Fixed]:
    data, axis = _rows(given[0]), given[1]
    if not isinstance(axis, Fixed) or axis.values is None:
        raise NotShown
    _behind(axis.values, data.rank)
    return [data]


def _reduced(node: Node, given: Given) -> list[Rows | Fixed]:
    data = _rows(given[0])
    return [_without(data, _behind(_axes(node, given, 1), data.rank), _number(node, "keepdims", 1))]


def _found(node: Node, given: Given) -> list[Rows | Fixed]:
    data = _rows(given[0])
    return [_without(data, _behind([_number(node, "axis", 0)], data.rank), _number(node, "keepdims", 1))]


def _without(data: Rows, gone: list[int], keep: int) -> Rows:
    if keep:
        return Rows(tuple(1 if at in gone else size for at, size in enumerate(data.dims, 1)))
    return Rows(tuple(size for at, size in enumerate(data.dims, 1) if at not in gone))


def _batch_norm(node: Node, given: Given) -> list[Rows | Fixed]:
    data = _rows(given[0])
    _all_fixed(given[1:])
    if _number(node, "training_mode", 0) or data.rank < 2 or len(node.outputs) > 1:
        raise NotShown
    return [data]


def _features(width: Callable[[Node], Dims]) -> Rule:
    """Models over a matrix of rows and features; one dimension alone would be read as a single row."""

    def rule(node: Node, given: Given) -> list[Rows | Fixed]:
        for one in given:
            _rows(one, 2)
        return [Rows(width(node))]

    return rule


def _classes(node: Node, given: Given) -> list[Rows | Fixed]:
    for one in given:
        _rows(one, 2)
    return [Rows(()), Rows((None,))]


def _columns(node: Node, given: Given) -> list[Rows | Fixed]:
    return [_rows(given[0], 2)]


def _extracted(node: Node, given: Given) -> list[Rows | Fixed]:
    data = _rows(given[0])
    _all_fixed(given[1:])
    if data.rank < 2:
        raise NotShown
    return [Rows((*data.dims[:-1], None))]


def _one_hot(node: Node, given: Given) -> list[Rows | Fixed]:
    return [Rows((*_rows(given[0]).dims, None))]


_EACH = frozenset(
    """
    Abs Acos Acosh Asin Asinh Atan Atanh Binarizer BitwiseNot Cast CategoryMapper Ceil Celu Clip Cos Cosh Elu Erf Exp
    Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LabelEncoder LeakyRelu Log Mish Neg Not Reciprocal Relu Round
    Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh ThresholdedRelu
    """.split()
)
_RULES: dict[str, Rule] = {
    **dict.fromkeys(_EACH, _each),
    **dict.fromkeys(
        """
        Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul
        Or PRelu Pow Sub Sum Where Xor
        """.split(),
        _together,
    ),
    **dict.fromkeys(
        """
        ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
        ReduceSumSquare
        """.split(),
        _reduced,
    ),
    **dict.fromkeys(("ArgMax", "ArgMin"), _found),
    **dict.fromkeys(("Hardmax", "LayerNormalization", "LogSoftmax", "LpNormalization", "Softmax"), _along(-1)),
    **dict.fromkeys(("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier"), _classes),
    **dict.fromkeys(("Imputer", "Normalizer", "Scaler"), _columns),
    **dict.fromkeys(("TreeEnsemble", "TreeEnsembleRegressor"), _features(lambda node: (_number(node, "n_targets"),))),
    "LinearRegressor": _features(lambda node: (_number(node, "targets", 1),)),
    "SVMRegressor": _features(lambda node: (1,)),
    "FeatureVectorizer": _features(lambda node: (None,)),
    "ArrayFeatureExtractor": _extracted,
    "BatchNormalization": _batch_norm,
    "CastLike": _like,
    "Concat": _concat,
    "CumSum": _running,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Gemm": _gemm,
    "MatMul": _product,
    "OneHotEncoder": _one_hot,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
