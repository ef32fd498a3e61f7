"""What an ONNX file may not hold, each in a file of its own, refused outside and once more inside the sandbox."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from shudu.cleanroom.inside_kinds import onnx_checks
from shudu.cleanroom.inside_kinds.onnx_checks import Unacceptable, check
from shudu.cleanroom.sandbox import Limits, SandboxError
from shudu.policy.types import Invalid
from unit.cleanroom.kinds import models as kinds


def graph(nodes: list[Any], initializers: list[Any] = (), **more: Any) -> onnx.ModelProto:  # type: ignore[assignment]
    """A model from `rows` (rows, 4) to `score` (rows, 1)."""
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
        list(initializers),
    )
    opsets = more.pop("opset_imports", [helper.make_opsetid("", 17)])
    return helper.make_model(made, ir_version=10, opset_imports=opsets, **more)


def weights(name: str = "w", shape: tuple[int, ...] = (4, 1)) -> onnx.TensorProto:
    return numpy_helper.from_array(np.full(shape, 0.1, np.float32), name)


def linear() -> onnx.ModelProto:
    return graph(
        [helper.make_node("MatMul", ["rows", "w"], ["m"]), helper.make_node("Sigmoid", ["m"], ["score"])], [weights()]
    )


def external(**said: str) -> onnx.ModelProto:
    """Weights that lie elsewhere, in one of the ways to say so."""
    model = linear()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    for key, value in said.items():
        if key == "by_location_only":
            tensor.data_location = TensorProto.EXTERNAL
        else:
            tensor.external_data.add(key=key, value=value)
            if "quietly" not in said:
                tensor.data_location = TensorProto.EXTERNAL
    return model


def in_attribute() -> onnx.ModelProto:
    tensor = external(location="weights.bin").graph.initializer[0]
    return graph(
        [helper.make_node("Constant", [], ["w"], value=tensor), helper.make_node("MatMul", ["rows", "w"], ["score"])]
    )


def function() -> onnx.ModelProto:
    inner = [helper.make_node("Loop", ["a", "", "a"], ["b"])]
    made = helper.make_function("", "Smuggle", ["a"], ["b"], inner, [helper.make_opsetid("", 17)])
    return graph([helper.make_node("Smuggle", ["rows"], ["score"])], functions=[made])


def looping(operator: str) -> onnx.ModelProto:
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "body", [], [])
    name = {"If": "then_branch", "Loop": "body", "Scan": "body"}[operator]
    return graph([helper.make_node(operator, ["rows"], ["score"], **{name: body})])


def smuggled_subgraph() -> onnx.ModelProto:
    """A subgraph as an attribute nobody asks for, of an operator that is allowed."""
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "body", [], [])
    return graph([helper.make_node("Identity", ["rows"], ["score"], body=body)])


def sixteen_gigabytes() -> onnx.ModelProto:
    shape = numpy_helper.from_array(np.array([1 << 16, 1 << 16], np.int64), "shape")
    return graph([helper.make_node("ConstantOfShape", ["shape"], ["score"])], [shape])


def shape_of_rows() -> onnx.ModelProto:
    return graph([helper.make_node("Shape", ["rows"], ["s"]), helper.make_node("ConstantOfShape", ["s"], ["score"])])


def hollow() -> onnx.ModelProto:
    """A tensor that says it is larger than what is stored of it."""
    model = linear()
    model.graph.initializer[0].dims[:] = [1 << 20, 1 << 20]
    return model


def negative() -> onnx.ModelProto:
    model = linear()
    model.graph.initializer[0].dims[:] = [-4, -1]
    return model


def sparse() -> onnx.ModelProto:
    model = linear()
    values = numpy_helper.from_array(np.ones(1, np.float32), "s")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    return model


def named_twice() -> onnx.ModelProto:
    return graph([helper.make_node("Identity", ["rows"], ["score"]), helper.make_node("Neg", ["rows"], ["score"])])


HOSTILE: dict[str, tuple[Any, str]] = {
    "absolute path": (lambda: external(location="/etc/passwd"), "external"),
    "up and out": (lambda: external(location="../../secret"), "external"),
    "link beside it": (lambda: external(location="link"), "external"),
    "memory marker": (lambda: external(location="*/_ORT_MEM_ADDR_/*", offset="4096", length="16"), "external"),
    "without saying so": (lambda: external(location="weights.bin", quietly="yes"), "external"),
    "by location only": (lambda: external(by_location_only="yes"), "external"),
    "in an attribute": (in_attribute, "external"),
    "another domain": (
        lambda: graph(
            [helper.make_node("EPContext", ["rows"], ["score"], domain="com.microsoft")],
            opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
        ),
        "domain",
    ),
    "another domain, not imported": (
        lambda: graph([helper.make_node("EPContext", ["rows"], ["score"], domain="com.microsoft")]),
        "domain",
    ),
    "training domain": (
        lambda: graph([], opset_imports=[helper.make_opsetid("ai.onnx.preview.training", 1)]),
        "domain",
    ),
    "function": (function, "functions"),
    "random": (lambda: graph([helper.make_node("RandomNormalLike", ["rows"], ["score"])]), "operator"),
    "unknown operator": (lambda: graph([helper.make_node("ReadFile", ["rows"], ["score"])]), "operator"),
    "string splitting": (lambda: graph([helper.make_node("StringSplit", ["rows"], ["score"])]), "operator"),
    "If": (lambda: looping("If"), "loops"),
    "Loop": (lambda: looping("Loop"), "loops"),
    "Scan": (lambda: looping("Scan"), "loops"),
    "subgraph in passing": (smuggled_subgraph, "loops"),
    "16 GB": (sixteen_gigabytes, "shape"),
    "size known when it runs": (shape_of_rows, "shape_unknown"),
    "hollow tensor": (hollow, "shape"),
    "negative shape": (negative, "shape"),
    "sparse": (sparse, "vendor"),
    "old IR": (lambda: _with(linear(), ir_version=2), "version"),
    "new IR": (lambda: _with(linear(), ir_version=14), "version"),
    "new opset": (lambda: graph([], opset_imports=[helper.make_opsetid("", 99)]), "version"),
    "no nodes": (lambda: graph([]), "nodes"),
    "too many nodes": (
        lambda: graph([helper.make_node("Neg", ["rows"], [f"n{at}"]) for at in range(onnx_checks.MAX_NODES + 1)]),
        "nodes",
    ),
    "a name twice": (named_twice, "malformed"),
}


def _with(model: onnx.ModelProto, **fields: Any) -> onnx.ModelProto:
    for name, value in fields.items():
        setattr(model, name, value)
    return model


@pytest.mark.parametrize("name", HOSTILE)
def test_what_an_onnx_file_may_not_hold(name: str) -> None:
    make, code = HOSTILE[name]
    data = make().SerializeToString()
    with pytest.raises(Unacceptable) as found:
        check(data)
    assert found.value.code == code
    with pytest.raises(Invalid) as said:
        kinds.admit("onnx", data, kinds.CARD)
    assert said.value.code == f"onnx.{code}"
    assert said.value.message.zh
    assert said.value.remedy


def test_what_is_refused_outside_is_refused_inside_too() -> None:
    """A file that got past admission, here because it is put in the place of another, never reaches the library."""
    from dataclasses import replace

    from shudu.cleanroom.inside_kinds.declared import pack, unpack

    good = kinds.admit("onnx", linear().SerializeToString(), _card())
    told, _ = unpack(good.job)
    bad = replace(good, job=pack(told, external(location="/in/data").SerializeToString()))
    with pytest.raises(SandboxError) as caught:
        kinds.run(bad, kinds.rows(10))
    assert caught.value.code == "model.failed"
    assert b"Unacceptable: external" in caught.value.owner_log


def _card() -> kinds.Card:
    found = {**kinds.CARD, "inputs": [dict(item) for item in kinds.CARD["inputs"]]}
    return {**found, "output": {"min": 0, "max": 1}}


def test_every_field_of_the_wire_is_known_or_refused() -> None:
    """No second copy of a field, nothing unknown, nothing cut short: other parsers cannot see another model in it."""
    good = linear().SerializeToString()
    assert [one.operator for one in check(good).nodes] == ["MatMul", "Sigmoid"]
    for spoiled in (good + b"\xfa\x07\x00", good + b"\x08\x0a", good[:-1], good + b"\x08\x8a\x00", good + b"\x0b"):
        with pytest.raises(Unacceptable) as found:
            check(spoiled)
        assert found.value.code == "malformed"


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 10_000))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_spoiled_files_end_in_a_refusal_or_in_a_model(at: int, byte: int, cut: int) -> None:
    data = bytearray(linear().SerializeToString())
    data[at % len(data)] = byte
    spoiled = bytes(data[: len(data) - cut % 50])
    with contextlib.suppress(Unacceptable):
        assert check(spoiled).nodes


def test_words_for_every_code() -> None:
    from shudu.cleanroom.kinds.onnx import SAID

    assert {code for _, code in HOSTILE.values()} <= set(SAID)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"output": {"min": 0, "max": 1, "tensor": "nothing"}}, "onnx.output"),
        ({"output": {"min": 0, "max": 1, "index": 3}}, "onnx.output"),
        ({"inputs": kinds.CARD["inputs"][:3]}, "onnx.inputs"),
    ],
)
def test_a_card_that_does_not_fit(change: kinds.Card, code: str) -> None:
    with pytest.raises(Invalid) as found:
        kinds.admit("onnx", linear().SerializeToString(), {**kinds.CARD, **change})
    assert found.value.code == code


def test_columns_as_tensors_of_their_own() -> None:
    """Numbers and texts by name, each (rows, 1) or (rows,), as pipelines are exported."""
    table = kinds.rows(300)
    made = helper.make_graph(
        [
            helper.make_node("LabelEncoder", ["plan"], ["p"], domain="ai.onnx.ml",
                             keys_strings=kinds.PLANS, values_floats=[0.1, 0.2, 0.3]),
            helper.make_node("Reshape", ["tenure", "flat"], ["t"]),
            helper.make_node("Div", ["t", "hundred"], ["d"]),
            helper.make_node("Add", ["p", "d"], ["score"]),
        ],
        "g",
        [
            helper.make_tensor_value_info("plan", TensorProto.STRING, [None]),
            helper.make_tensor_value_info("tenure", TensorProto.DOUBLE, [None, 1]),
        ],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None])],
        [
            numpy_helper.from_array(np.array([-1], np.int64), "flat"),
            numpy_helper.from_array(np.float32(100), "hundred"),
        ],
    )  # fmt: skip
    made.node.insert(2, helper.make_node("Cast", ["t"], ["f"], to=TensorProto.FLOAT))
    made.node[3].input[0] = "f"
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    data = helper.make_model(made, ir_version=10, opset_imports=opsets).SerializeToString()
    inputs = [
        {"column": "tenure", "kind": "number", "missing": {"as": 5}},
        {"column": "plan", "kind": "category", "codes": kinds.PLANS, "other": {"as": "𠮷"}, "missing": {"as": "month"}},
    ]
    model = kinds.admit("onnx", data, {**kinds.CARD, "inputs": inputs, "output": {"min": 0, "max": 2}})
    scores = kinds.run(model, table.select(["tenure", "plan"]), batch_rows=77)
    points = dict(zip(kinds.PLANS, (0.1, 0.2, 0.3), strict=True))
    wanted = [
        points.get(row["plan"] or ("month" if row["plan"] is None else ""), 0.3)
        + (5 if row["tenure"] is None else row["tenure"]) / 100
        for row in table.to_pylist()
    ]
    assert np.abs(scores - np.array(wanted)).max() < 1e-6


def slow(nodes: int) -> bytes:
    """Within every cap of admission, and hours of work: a long chain of large products."""
    chain = [helper.make_node("MatMul", ["rows", "a"], ["m0"])]
    chain += [helper.make_node("MatMul", [f"m{at}", "b"], [f"m{at + 1}"]) for at in range(nodes)]
    chain += [helper.make_node("ReduceMean", [f"m{nodes}"], ["score"], axes=[1], keepdims=1)]
    return graph(chain, [weights("a", (4, 1_024)), weights("b", (1_024, 1_024))]).SerializeToString()


def wide() -> bytes:
    """Within every cap, and more memory than there is: each row against each of a million numbers."""
    nodes = [
        helper.make_node("MatMul", ["rows", "a"], ["m"]),
        helper.make_node("Exp", ["m"], ["e"]),
        helper.make_node("ReduceMean", ["e"], ["score"], axes=[1], keepdims=1),
    ]
    return graph(nodes, [weights("a", (4, 1_000_000))]).SerializeToString()


def test_endless_work_ends_at_the_clock() -> None:
    model = kinds.admit("onnx", slow(5_000), _card())
    with pytest.raises(SandboxError) as caught:
        kinds.run(model, kinds.rows(5_000), limits=Limits(memory_mb=768, wall_seconds=3.0))
    assert caught.value.code == "model.timeout"


def test_a_memory_bomb_ends_at_its_limit() -> None:
    model = kinds.admit("onnx", wide(), _card())
    with pytest.raises(SandboxError) as caught:
        kinds.run(model, kinds.rows(5_000))
    assert caught.value.code == "model.memory"


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (helper.make_node("Log", ["n"], ["score"]), "model.output"),  # NaN
        (helper.make_node("Exp", ["rest"], ["score"]), "model.out_of_range"),
    ],
)
def test_scores_that_are_none(node: Any, code: str) -> None:
    nodes = [
        helper.make_node("MatMul", ["rows", "w"], ["m"]),
        helper.make_node("IsNaN", ["m"], ["gone"]),
        helper.make_node("Where", ["gone", "one", "m"], ["p"]),
        helper.make_node("Abs", ["p"], ["rest"]),
        helper.make_node("Neg", ["rest"], ["n"]),
        node,
    ]
    data = graph(nodes, [weights(), numpy_helper.from_array(np.float32(1), "one")]).SerializeToString()
    with pytest.raises(SandboxError) as caught:
        kinds.run(kinds.admit("onnx", data, _card()), kinds.rows(50))
    assert caught.value.code == code


def test_another_number_of_scores_than_rows() -> None:
    nodes = [
        helper.make_node("MatMul", ["rows", "w"], ["m"]),
        helper.make_node("Concat", ["m", "m"], ["score"], axis=0),
    ]
    model = kinds.admit("onnx", graph(nodes, [weights()]).SerializeToString(), _card())
    with pytest.raises(SandboxError) as caught:
        kinds.run(model, kinds.rows(50))
    assert caught.value.code == "model.output"
