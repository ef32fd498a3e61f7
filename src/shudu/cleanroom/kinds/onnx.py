"""ONNX models: what `inside_kinds.onnx_checks` finds, said in words, and compared with the model's card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shudu.cleanroom.inside_kinds import onnx_checks
from shudu.cleanroom.inside_kinds.declared import pack
from shudu.cleanroom.inside_kinds.onnx_checks import DOUBLE, FLOAT, INT32, INT64, STRING, Facts, Tensor, Unacceptable
from shudu.cleanroom.inside_kinds.protobuf import Malformed, varint
from shudu.policy.types import Invalid, Text

from .admitted import Admitted
from .card import ModelCard, parse
from .onnx_rows import rows_stay_apart

SAID = {
    "domain": Text("含有标准以外的算子域", "it uses operators of another domain than the standard ones"),
    "external": Text("数据存放在文件之外", "some of its data lies outside the file"),
    "functions": Text("含有自定义函数", "it defines functions of its own"),
    "loops": Text("含有循环或分支（子图）", "it holds loops or branches (subgraphs)"),
    "malformed": Text("不是完好的 ONNX 文件", "it is not a sound ONNX file"),
    "nodes": Text("节点数量不对", "it has no nodes, or too many"),
    "not_a_tensor": Text("有输入或输出不是张量", "an input or output of it is not a tensor"),
    "operator": Text("含有不允许的算子", "it uses an operator that is not allowed"),
    "shape": Text("有张量的形状过大或与内容不符", "a tensor of it is too large, or not as large as it says"),
    "shape_unknown": Text("有张量的大小要到运行时才知道", "the size of a tensor shows only when it runs"),
    "too_large": Text("文件超过 64 MB", "it is larger than 64 MB"),
    "vendor": Text("含有不允许的扩展内容", "it holds extensions that are not allowed"),
    "version": Text("IR 或算子集版本不受支持", "its IR or operator set version is not supported"),
}
_TYPES = {"number": (FLOAT, DOUBLE, INT32, INT64), "category": (FLOAT, DOUBLE, INT32, INT64, STRING)}


def recognises(data: bytes) -> bool:
    """Begins as a ModelProto does: with its IR version, which every exporter writes first, or another of its fields."""
    try:
        key, at = varint(memoryview(data[:16]), 0)
        return key in (0x08, 0x12, 0x1A, 0x3A, 0x42) and len(data) > 16 and varint(memoryview(data[:32]), at)[0] >= 0
    except Malformed:
        return False


def admit(data: bytes, card: Mapping[str, Any] | None) -> Admitted:
    """The model with its card. Raises Invalid `onnx.…`, `card.…` or `model.card`."""
    try:
        found = onnx_checks.check(data)
    except Unacceptable as error:
        said = SAID[error.code]
        raise Invalid(
            f"onnx.{error.code}",
            Text(f"不接受这个 ONNX 模型：{said.zh}。", f"This ONNX model is not accepted: {said.en}."),
            Text(
                "请用标准算子重新导出为单个文件；允许的算子见 docs/adding-a-model-kind.md。",
                "Export it anew as one file of standard operators; docs/adding-a-model-kind.md lists those allowed.",
            ),
            {"place": error.place} if error.place else {},
        ) from None
    declared = parse(card)
    _check_inputs(found, declared)
    output = _output(found, declared)
    told = declared.told()
    told["output"] |= {"tensor": output.name}
    told["together"] = rows_stay_apart(found, output.name)
    return declared.admitted("onnx", pack(told, data))


def _check_inputs(found: Facts, card: ModelCard) -> None:
    """All inputs in one matrix of numbers, or each in a tensor of its name; the number of rows is left open."""
    for tensor in found.inputs:
        if not 1 <= len(tensor.shape) <= 2 or tensor.shape[0] is not None:
            raise _invalid(
                "rows",
                Text(
                    f"输入张量“{tensor.name}”的第一维（行数）必须可变。",
                    f"The first dimension (rows) of input “{tensor.name}” must be left open.",
                ),
                Text("导出时第一维写 None。", "Export it with None as the first dimension."),
            )
    width = len(card.inputs)
    if len(found.inputs) == 1 and len(found.inputs[0].shape) == 2 and found.inputs[0].shape[1] == width:
        tensors = dict.fromkeys(card.columns, found.inputs[0])
        if found.inputs[0].type == STRING and width > 1:
            tensors = {}
    else:
        tensors = {one.name: one for one in found.inputs if len(one.shape) == 1 or one.shape[1] in (1, None)}
    if set(tensors) != set(card.columns):
        names = [one.name for one in found.inputs]
        raise _invalid(
            "inputs",
            Text(
                f"模型说明的输入与模型的输入张量不符：{'、'.join(names)[:400]}。",
                f"The card's inputs do not fit the model's input tensors: {', '.join(names)[:400]}.",
            ),
            Text(
                "模型须有一个列数与 inputs 相同的数值矩阵，或每列一个同名张量。",
                "The model takes one matrix of numbers as wide as `inputs`, or one tensor for each column by its name.",
            ),
        )
    for one in card.inputs:
        tensor = tensors[one.column]
        exact = tensor.type not in (FLOAT, DOUBLE)
        if tensor.type not in _TYPES[one.kind] or (exact and one.missing == "pass"):
            raise _invalid(
                "input_type",
                Text(
                    f"输入列“{one.column}”的声明与张量“{tensor.name}”的类型不符；只有浮点张量能接收缺失值。",
                    f"What is declared of input “{one.column}” does not fit the type of tensor “{tensor.name}”; only "
                    "floating point takes missing values.",
                ),
                Text("请改正模型说明，或重新导出模型。", "Correct the card, or export the model anew."),
                column=one.column,
            )


def _output(found: Facts, card: ModelCard) -> Tensor:
    """The output that is the score: the one the card names, else the only one of floating point."""
    floats = [one for one in found.outputs if one.type in (FLOAT, DOUBLE)]
    named = [one for one in found.outputs if one.name == card.output.tensor] if card.output.tensor else floats
    if len(named) == 1 and len(named[0].shape) <= 2:
        width = named[0].shape[1] if len(named[0].shape) == 2 else 1
        index = card.output.index
        if width is None or (width == 1 and index in (None, 0)) or (index is not None and index < width):
            return named[0]
    raise _invalid(
        "output",
        Text(
            f"须用 output.tensor 与 output.index 指明得分取自哪个输出；模型的输出：{_shown(found)}。",
            f"output.tensor and output.index must say which output the score is; the model has: {_shown(found)}.",
        ),
        Text("请改正模型说明。", "Correct the card."),
    )


def _shown(found: Facts) -> str:
    return ", ".join(f"{one.name}{list(one.shape)}" for one in found.outputs)[:400]


def _invalid(code: str, message: Text, remedy: Text, **where: Any) -> Invalid:
    return Invalid(f"onnx.{code}", message, remedy, where)
