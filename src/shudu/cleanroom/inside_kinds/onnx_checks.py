"""What an ONNX file may hold, checked outside before it is stored and inside before ONNX Runtime sees it.

One file of plain operators: no data outside of it, no functions, no subgraphs, nothing of any vendor. A model that
passes can still be slow or large; that is what the sandbox's limits are for. Standard library only.
Source: onnx.proto of ONNX 1.23.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

from shudu.cleanroom.inside_kinds.protobuf import I32, LEN, VARINT, Field, Malformed, Schema, read, signed

FLOAT, INT32, INT64, STRING, DOUBLE = 1, 6, 7, 8, 11
MAX_BYTES = 64 << 20
MAX_NODES = 10_000
MAX_ELEMENTS = 1 << 24  # of a tensor that is made, not stored: 128 MB at most
MAX_RANK = 8
IR = range(3, 14)
DOMAINS = {"": range(7, 27), "ai.onnx": range(7, 27), "ai.onnx.ml": range(1, 6)}

# Nothing random, nothing that loops, branches or stores, nothing whose output has a size that only values tell.
OPERATORS = {
    "": frozenset(
        """
        Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh BatchNormalization BitwiseAnd BitwiseNot BitwiseOr
        BitwiseXor Cast CastLike Ceil Celu Clip Concat Constant ConstantOfShape Cos Cosh CumSum Div Elu Equal Erf Exp
        Flatten Floor Gather GatherElements GatherND Gelu Gemm Greater GreaterOrEqual HardSigmoid HardSwish Hardmax
        Identity IsInf IsNaN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul Max
        Mean MeanVarianceNormalization Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal ReduceL1 ReduceL2 ReduceLogSum
        ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round Selu
        Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tan Tanh
        ThresholdedRelu Transpose Unsqueeze Where Xor
        """.split()
    ),
    "ai.onnx.ml": frozenset(
        """
        ArrayFeatureExtractor Binarizer CategoryMapper FeatureVectorizer Imputer LabelEncoder LinearClassifier
        LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsemble TreeEnsembleClassifier
        TreeEnsembleRegressor
        """.split()
    ),
}
# Bytes of one element, for types whose stored size is checked.
_SIZES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}


class Unacceptable(ValueError):
    """A reason to refuse a file: a code of `kinds.onnx.SAID`, and the place in it."""

    def __init__(self, code: str, place: str = "") -> None:
        super().__init__(f"{code} {place}".strip())
        self.code, self.place = code, place[:200]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output: its element type, and its shape with None where the file leaves it open."""

    name: str
    type: int
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One operator, what it reads and gives by name (an empty name is none), and its attributes as they lie there."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[memoryview, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What an accepted file declares. `stored` are the tensors that lie in it, by name, as `read` gives them."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    stored: dict[str, dict[str, Any]]


def _text(name: str, *, repeated: bool = False) -> Field:
    return Field(name, LEN, repeated=repeated)


_MODEL: Schema = {
    1: Field("ir_version", VARINT),
    5: Field("model_version", VARINT),
    8: _text("opset_import", repeated=True),
    2: _text("producer_name"),
    3: _text("producer_version"),
    4: _text("domain"),
    6: _text("doc_string"),
    7: _text("graph"),
    14: _text("metadata_props", repeated=True),
    20: _text("training_info", repeated=True),
    25: _text("functions", repeated=True),
    26: _text("configuration", repeated=True),
}
_OPSET: Schema = {1: _text("domain"), 2: Field("version", VARINT)}
_GRAPH: Schema = {
    1: _text("node", repeated=True),
    2: _text("name"),
    5: _text("initializer", repeated=True),
    10: _text("doc_string"),
    11: _text("input", repeated=True),
    12: _text("output", repeated=True),
    13: _text("value_info", repeated=True),
    14: _text("quantization_annotation", repeated=True),
    15: _text("sparse_initializer", repeated=True),
    16: _text("metadata_props", repeated=True),
}
_NODE: Schema = {
    1: _text("input", repeated=True),
    2: _text("output", repeated=True),
    3: _text("name"),
    4: _text("op_type"),
    5: _text("attribute", repeated=True),
    6: _text("doc_string"),
    7: _text("domain"),
    8: _text("overload"),
    9: _text("metadata_props", repeated=True),
    10: _text("device_configurations", repeated=True),
}
ATTRIBUTE: Schema = {
    1: _text("name"),
    2: Field("f", I32),
    3: Field("i", VARINT),
    4: _text("s"),
    5: _text("t"),
    6: _text("g"),
    7: Field("floats", I32, repeated=True, run=rb"(?:\x3d.{4})+"),
    8: Field("ints", VARINT, repeated=True, run=rb"(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])+"),
    9: _text("strings", repeated=True),
    10: _text("tensors", repeated=True),
    11: _text("graphs", repeated=True),
    13: _text("doc_string"),
    14: _text("tp"),
    15: _text("type_protos", repeated=True),
    20: Field("type", VARINT),
    21: _text("ref_attr_name"),
    22: _text("sparse_tensor"),
    23: _text("sparse_tensors", repeated=True),
}
_TENSOR: Schema = {
    1: Field("dims", VARINT, repeated=True),
    2: Field("data_type", VARINT),
    3: _text("segment"),
    4: Field("float_data", I32, repeated=True),
    5: Field("int32_data", VARINT, repeated=True),
    6: _text("string_data", repeated=True),
    7: Field("int64_data", VARINT, repeated=True),
    8: _text("name"),
    9: _text("raw_data"),
    10: Field("double_data", 1, repeated=True),
    11: Field("uint64_data", VARINT, repeated=True),
    12: _text("doc_string"),
    13: _text("external_data", repeated=True),
    14: Field("data_location", VARINT),
    16: _text("metadata_props", repeated=True),
}
_VALUE: Schema = {1: _text("name"), 2: _text("type"), 3: _text("doc_string"), 4: _text("metadata_props", repeated=True)}
_TYPE: Schema = {1: _text("tensor"), 4: _text("sequence"), 5: _text("map"), 6: _text("denotation"), 7: _text("opaque")}
_TYPE |= {8: _text("sparse"), 9: _text("optional")}
_TENSOR_TYPE: Schema = {1: Field("elem_type", VARINT), 2: _text("shape")}
_SHAPE: Schema = {1: _text("dim", repeated=True)}
_DIMENSION: Schema = {1: Field("value", VARINT), 2: _text("param"), 3: _text("denotation")}


def check(data: bytes) -> Facts:
    """Everything about the file that can be told without running it. Raises Unacceptable."""
    if len(data) > MAX_BYTES:
        raise Unacceptable("too_large")
    try:
        return _model(memoryview(data))
    except Malformed as error:
        raise Unacceptable("malformed", str(error)) from None


def _model(data: memoryview) -> Facts:
    model = read(data, _MODEL)
    for name in ("functions", "training_info", "configuration"):
        if name in model:
            raise Unacceptable("functions" if name == "functions" else "vendor", name)
    if model.get("ir_version") not in IR:
        raise Unacceptable("version", f"IR {model.get('ir_version')}")
    for one in model.get("opset_import", []):
        opset = read(one, _OPSET)
        domain = _said(opset.get("domain"))
        if domain not in DOMAINS:
            raise Unacceptable("domain", domain)
        if opset.get("version") not in DOMAINS[domain]:
            raise Unacceptable("version", f"{domain or 'ai.onnx'} {opset.get('version')}")
    if "graph" not in model:
        raise Unacceptable("malformed", "no graph")
    return _graph(read(model["graph"], _GRAPH))


def _graph(graph: dict[str, Any]) -> Facts:
    for name in ("sparse_initializer", "quantization_annotation"):
        if name in graph:
            raise Unacceptable("vendor", name)
    nodes = graph.get("node", [])
    if not 0 < len(nodes) <= MAX_NODES:
        raise Unacceptable("nodes", str(len(nodes)))
    constants: dict[str, dict[str, Any]] = {}
    for one in graph.get("initializer", []):
        tensor = _tensor(one)
        constants[_said(tensor.get("name"))] = tensor
    inputs = [each for each in map(_value, graph.get("input", [])) if each.name not in constants]
    made = {*constants, *(each.name for each in inputs)}
    if len(made) < len(graph.get("initializer", [])) + len(inputs):
        raise Unacceptable("malformed", "a name is given twice")
    found = tuple(_node(read(one, _NODE), number, constants, made) for number, one in enumerate(nodes))
    return Facts(tuple(inputs), tuple(map(_value, graph.get("output", []))), found, constants)


def _node(node: dict[str, Any], number: int, constants: dict[str, dict[str, Any]], made: set[str]) -> Node:
    operator, domain = _said(node.get("op_type")), _said(node.get("domain"))
    place = f"{operator} (node {number})"
    if domain not in DOMAINS:
        raise Unacceptable("domain", f"{domain} {place}")
    if operator not in OPERATORS["ai.onnx.ml" if domain == "ai.onnx.ml" else ""]:
        raise Unacceptable("loops" if operator in ("If", "Loop", "Scan") else "operator", place)
    if "overload" in node or "device_configurations" in node:
        raise Unacceptable("vendor", place)
    attributes = [_attribute(one, place) for one in node.get("attribute", [])]
    for name in map(_said, node.get("output", [])):
        if name and name in made:
            raise Unacceptable("malformed", f"{name} is given twice")
        made.add(name)
    if operator == "Constant":
        for attribute in attributes:
            if "t" in attribute:
                constants[_said(node["output"][0]) if node.get("output") else ""] = attribute["t"]
    if operator == "ConstantOfShape":
        source = constants.get(_said(node["input"][0]) if node.get("input") else "")
        if source is None:
            raise Unacceptable("shape_unknown", place)
        shape = integers(source)
        if len(shape) > MAX_RANK or min(shape, default=0) < 0 or prod(shape) > MAX_ELEMENTS:
            raise Unacceptable("shape", place)
    reads, gives = (tuple(map(_said, node.get(name, []))) for name in ("input", "output"))
    return Node(operator, reads, gives, tuple(node.get("attribute", [])))


def _attribute(data: memoryview, place: str) -> dict[str, Any]:
    attribute = read(data, ATTRIBUTE)
    if "g" in attribute or "graphs" in attribute:
        raise Unacceptable("loops", place)
    for name in ("ref_attr_name", "sparse_tensor", "sparse_tensors", "tp", "type_protos"):
        if name in attribute:
            raise Unacceptable("functions" if name == "ref_attr_name" else "vendor", f"{name} {place}")
    for one in attribute.get("tensors", []):
        _tensor(one)
    if "t" in attribute:
        attribute["t"] = _tensor(attribute["t"])
    return attribute


def _tensor(data: memoryview) -> dict[str, Any]:
    """A stored tensor, all of it in the file, and as much of it as its shape says."""
    tensor = read(data, _TENSOR)
    name = _said(tensor.get("name"))
    if "external_data" in tensor or tensor.get("data_location", 0) != 0 or "segment" in tensor:
        raise Unacceptable("external", name)
    shape, kind = tensor.get("dims", []), tensor.get("data_type")
    if len(shape) > MAX_RANK or any(one >> 63 for one in shape) or kind not in _SIZES | {STRING: 0}:
        raise Unacceptable("shape", name)
    if "raw_data" in tensor:
        held, size = len(tensor["raw_data"]), prod(shape) * _SIZES.get(kind, 0)
    else:
        lists = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")
        held = sum(_count(tensor.get(one, []), one) for one in lists)
        size = prod(shape)
    if held != size:
        raise Unacceptable("shape", name)
    return tensor


def _count(values: list[Any], name: str) -> int:
    if name in ("float_data", "double_data"):  # packed, or one by one
        return sum(map(len, values)) // (4 if name == "float_data" else 8)
    return len(values)


def integers(tensor: dict[str, Any]) -> list[int]:
    """The values of a stored tensor of whole numbers. Raises Unacceptable for any other."""
    if tensor.get("data_type") != INT64:
        raise Unacceptable("shape", _said(tensor.get("name")))
    if "raw_data" in tensor:
        raw = bytes(tensor["raw_data"])
        return [int.from_bytes(raw[at : at + 8], "little", signed=True) for at in range(0, len(raw), 8)]
    return [signed(one) for one in tensor.get("int64_data", [])]


def _value(data: memoryview) -> Tensor:
    value = read(data, _VALUE)
    name = _said(value.get("name"))
    kind = read(value["type"], _TYPE) if "type" in value else {}
    if set(kind) - {"denotation"} != {"tensor"}:
        raise Unacceptable("not_a_tensor", name)
    tensor = read(kind["tensor"], _TENSOR_TYPE)
    shape: list[int | None] = []
    for one in read(tensor["shape"], _SHAPE).get("dim", []) if "shape" in tensor else []:
        shape.append(read(one, _DIMENSION).get("value"))
    if len(shape) > MAX_RANK or any(one is not None and one >> 31 for one in shape):
        raise Unacceptable("shape", name)
    return Tensor(name, tensor.get("elem_type", 0), tuple(shape))


def _said(data: memoryview | None) -> str:
    try:
        return bytes(data or b"").decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("a name is not UTF-8") from None
