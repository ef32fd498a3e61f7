"""Models that read many rows at once: what is shown to keep them apart does, and the others get one row at a time."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from onnx import TensorProto, helper, numpy_helper

from shudu.cleanroom.inside_kinds import declared
from shudu.cleanroom.inside_kinds import onnx as evaluator
from shudu.cleanroom.inside_kinds.onnx_checks import OPERATORS, check
from shudu.cleanroom.kinds.onnx_rows import _RULES, rows_stay_apart
from unit.cleanroom.kinds import models as kinds
from unit.cleanroom.kinds.test_onnx import graph, weights

Nodes = list[Any]
ML = "ai.onnx.ml"


def whole(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def _empty_axis() -> Any:
    """Says there is an axis and not which: to the runtime that is 0, to a careless reader the default."""
    node = helper.make_node("Softmax", ["x"], ["t"])
    node.attribute.add(name="axis", type=onnx.AttributeProto.INT)
    return node


STORED = [
    whole("axis0", 0), whole("axis1", 1), whole("axis-1", -1), whole("axis-2", -2),
    whole("first", 0), whole("all", 2**31), whole("zero one", 0, 1), whole("one each", 1, 3),
    whole("0,-1", 0, -1), whole("-1,4", -1, 4), whole("-1,2", -1, 2), whole("0,2,2", 0, 2, 2), whole("2,-1", 2, -1),
    weights("one"), weights("number", ()), weights("row", (1, 4)), weights("four", (4,)), weights("w", (4, 4)),
    weights("each", (6, 1)), weights("each4", (6, 4)), weights("stack", (3, 4, 4)), weights("left", (6, 6)),
]  # fmt: skip
OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid(ML, 3)]


def one(operator: str, inputs: list[str], outputs: int = 1, **said: Any) -> Nodes:
    return [helper.make_node(operator, inputs, [f"o{at}" for at in range(outputs)], **said)]


def variants() -> Iterator[tuple[str, Nodes]]:
    """Every operator on a matrix `x` of rows and features, with every axis, weight and shape that might mix them."""
    axes = ("axis0", "axis1", "axis-1", "axis-2")
    for name in sorted(OPERATORS[""] - {"Constant", "ConstantOfShape"}):
        yield name, one(name, ["x"])
        yield name, one(name, ["x", "x"])
        yield name, one(name, ["left", "x"])
        yield name, one(name, ["x", "x", "x"])
        for other in ("number", "row", "four", "one", "w", "each", "each4", "stack", *axes, "zero one", "0,-1",
                      "-1,4", "-1,2", "0,2,2", "2,-1"):  # fmt: skip
            yield name, one(name, ["x", other])
            yield name, one(name, ["x", other], transA=1) if name == "Gemm" else one(name, ["x", other], axis=1)
        for axis in (0, 1, -1, -2):
            for inputs, outputs in ((["x"], 1), (["x", "x"], 1), (["x"], 2), (["x", "zero one"], 1)):
                yield name, one(name, inputs, outputs, axis=axis)
        for perm in itertools.permutations(range(3)):
            yield name, [*one("Unsqueeze", ["x", "axis1"]), helper.make_node(name, ["o0"], ["t"], perm=perm)]
        for axis_name in axes:
            yield name, one(name, ["x", "first", "one each", axis_name])
            yield name, one(name, ["x", "axis1", "all", axis_name])
        for kind in (TensorProto.INT64, TensorProto.BOOL):
            cast = helper.make_node("Cast", ["x"], ["i"], to=kind)
            for inputs in (["i"], ["w", "i"], ["x", "i"], ["i", "i"], ["i", "x", "x"], ["i", "four", "x"]):
                yield name, [cast, *one(name, inputs)]
            yield name, [cast, *one(name, ["x", "i"], axis=1)]
    yield "BatchNormalization", one("BatchNormalization", ["x", "four", "four", "four", "four"])
    yield "Squeeze", [*one("Unsqueeze", ["x", "axis1"]), helper.make_node("Squeeze", ["o0", "axis1"], ["t"])]
    yield "Split", one("Split", ["x"], 2, axis=1, num_outputs=2)
    trees = {
        "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [1, 0, 0],
        "nodes_values": [0.5, 0.0, 0.0], "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0], "target_treeids": [0, 0],
        "target_nodeids": [1, 2], "target_ids": [0, 1], "target_weights": [0.3, 0.7], "n_targets": 2,
    }  # fmt: skip
    for source in ("x", "flat"):
        told: list[tuple[str, dict[str, Any]]] = [
            ("Scaler", {"offset": [0.1, 0.2, 0.3, 0.4], "scale": [1.0, 2.0, 3.0, 4.0]}),
            ("Scaler", {"offset": [0.1 * at for at in range(24)], "scale": [1.0] * 24}),
            ("Normalizer", {"norm": "L2"}), ("Normalizer", {"norm": "MAX"}), ("Binarizer", {"threshold": 0.4}),
            ("Imputer", {"imputed_value_floats": [0.5], "replaced_value_float": 1.0}),
            ("LinearRegressor", {"coefficients": [0.1, 0.2, 0.3, 0.4], "intercepts": [0.1], "targets": 1}),
            ("OneHotEncoder", {"cats_int64s": [0, 1], "zeros": 1}), ("TreeEnsembleRegressor", trees),
            ("LabelEncoder", {"keys_floats": [0.0, 1.0], "values_floats": [2.0, 3.0]}),
            ("FeatureVectorizer", {"inputdimensions": [4]}),
            ("LinearClassifier", {"coefficients": [0.1] * 4, "intercepts": [0.1], "classlabels_ints": [0, 1]}),
        ]  # fmt: skip
        flat = [helper.make_node("Reshape", ["x", "axis-1"], ["flat"])]
        for name, said in told:
            yield name, [*flat, *one(name, [source], 1 + (name == "LinearClassifier"), domain=ML, **said)]
        yield "ArrayFeatureExtractor", [*flat, *one("ArrayFeatureExtractor", [source, "zero one"], domain=ML)]


def model(nodes: Nodes) -> bytes:
    """The nodes between rows of four and one score for each, put together as a sum of whatever stands beside a row."""
    chain = [helper.make_node("Identity", ["rows"], ["x"]), *nodes]
    last = nodes[-1].output[0]
    chain += [
        helper.make_node("Cast", [last], ["as float"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["as float", "0,-1"], ["flat score"]),
        helper.make_node("ReduceSum", ["flat score", "axis1"], ["score"], keepdims=1),
    ]
    return bytes(graph(chain, STORED, opset_imports=OPSETS).SerializeToString())


def shown(data: bytes) -> bool:
    return rows_stay_apart(check(data), "score")


ROWS = np.random.default_rng(5).uniform(-1, 1, (6, 4)).astype(np.float32).round(1)


def mixes(data: bytes) -> bool | None:
    """Does ONNX Runtime give a row another score among others than alone? None when it runs no such model."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        among = session.run(["score"], {"rows": ROWS})[0]
    except Exception:  # whatever it says: no such model runs
        return None
    try:
        alone = np.concatenate([session.run(["score"], {"rows": ROWS[at : at + 1]})[0] for at in range(len(ROWS))])
    except Exception:
        return True
    return among.shape != alone.shape or not np.allclose(among, alone, atol=1e-5, equal_nan=True)


def test_what_is_shown_to_keep_rows_apart_does_so_in_the_runtime() -> None:
    kept: set[str] = set()
    for name, nodes in variants():
        data = model(nodes)
        if shown(data) and (found := mixes(data)) is not None:
            assert not found, helper.printable_node(nodes[-1])
            kept.add(name)
    assert kept >= set(_RULES) - NOT_TRIED, sorted(set(_RULES) - NOT_TRIED - kept)


# In other tests (`Cast` above, trees as they are exported), of newer operator sets, or with the rule of one tried here.
NOT_TRIED = {
    "Cast", "CategoryMapper", "Gelu", "Mod", "SVMClassifier", "SVMRegressor", "TreeEnsemble", "TreeEnsembleClassifier",
}  # fmt: skip

# Somebody's value in everybody's score, in the ways a graph has for it.
ATTACKS: dict[str, Nodes] = {
    "the first row": [*one("Gather", ["x", "first"], axis=0), helper.make_node("Sub", ["x", "o0"], ["t"])],
    "the largest of all": [*one("ReduceMax", ["x", "axis0"]), helper.make_node("Sub", ["x", "o0"], ["t"])],
    "a running sum": one("CumSum", ["x", "axis0"]),
    "rows against rows": [
        *one("Transpose", ["x"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "o0"], ["m"]),
        helper.make_node("MatMul", ["m", "x"], ["t"]),
    ],
    "its place in the table": one("Add", ["x", "each"]),
    "a mean over its group": [
        helper.make_node("Slice", ["x", "first", "axis1", "axis1"], ["flag"]),
        helper.make_node("Transpose", ["flag"], ["across"], perm=[1, 0]),
        helper.make_node("MatMul", ["across", "x"], ["sums"]),
        helper.make_node("MatMul", ["flag", "sums"], ["t"]),
    ],
    "rows laid end to end": [
        helper.make_node("Reshape", ["x", "2,-1"], ["e"]),
        helper.make_node("CumSum", ["e", "axis1"], ["f"]),
        helper.make_node("Reshape", ["f", "-1,4"], ["t"]),
    ],
    "softmax over the rows": one("Softmax", ["x"], axis=0),
    "a default that is an empty number": [_empty_axis()],
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_graph_that_mixes_rows_is_given_one_at_a_time(name: str) -> None:
    data = model(ATTACKS[name])
    assert mixes(data), "left alone, the attack works"
    assert not shown(data)


def test_trees_as_they_are_exported_are_shown_to_keep_rows_apart() -> None:
    told, _ = declared.unpack(kinds.MODELS["onnx"]().job)
    assert told["together"]


def scores_of(data: bytes, together: bool) -> Any:
    """What the evaluator itself gives, outside any sandbox, with its proof or with one that is wrong."""
    card = copy.deepcopy(kinds.CARD)
    card["output"] = {"min": -100.0, "max": 100.0}
    admitted = kinds.admit("onnx", data, card)
    told, raw = declared.unpack(admitted.job)
    job = declared.pack({**told, "together": together}, raw)
    inputs = [list(pair) for pair in admitted.inputs]
    table = kinds.rows(200).combine_chunks()
    columns = [pc.fill_null(column, 1) if name != "plan" else column for name, column in
               zip(table.column_names, table.columns, strict=True)]  # fmt: skip
    batch = pa.table(columns, table.column_names).combine_chunks().to_batches()[0]
    return evaluator.load(job, inputs, card["output"])(batch)


def test_were_the_proof_wrong_some_rows_asked_again_would_show_it() -> None:
    data = model(ATTACKS["the first row"])
    with pytest.raises(ValueError, match="stands alone"):
        scores_of(data, together=True)
    assert len(scores_of(data, together=False)) == 200


def test_in_the_sandbox_nobody_gets_the_value_of_another() -> None:
    """A model that gives everybody the first row's value; and one that puts a group's sum into each of its scores."""
    table = kinds.rows(300).select(["tenure", "charge", "age", "plan"])
    card = copy.deepcopy(kinds.CARD)
    card["inputs"][0] |= {"missing": {"as": 1}}
    card["output"] = {"min": 0, "max": 400}
    spread = [helper.make_node("Slice", ["rows", "first", "axis1", "axis1"], ["own"]),
              helper.make_node("ReduceMean", ["rows", "axis1"], ["any"], keepdims=1),
              helper.make_node("IsNaN", ["any"], ["gone"]), helper.make_node("Cast", ["gone"], ["nought"], to=1),
              helper.make_node("Gather", ["own", "first"], ["spied"], axis=0),
              helper.make_node("Mul", ["nought", "first as float"], ["zero"]),
              helper.make_node("Add", ["zero", "spied"], ["score"])]  # fmt: skip
    stored = [*STORED, numpy_helper.from_array(np.zeros((1, 1), np.float32), "first as float")]
    data = graph(spread, stored, opset_imports=OPSETS).SerializeToString()
    seen = kinds.prepared(table)
    seen[:, 0] = np.nan_to_num(seen[:, 0], nan=1)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    assert set(session.run(["score"], {"rows": seen.astype(np.float32)})[0][:, 0]) == {seen[0, 0]}, "the attack works"
    scores = kinds.run(kinds.admit("onnx", data, card), table, batch_rows=128)
    assert scores.tolist() == seen[:, 0].tolist()
