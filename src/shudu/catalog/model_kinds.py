"""Kinds of model the catalogue accepts. An upper room registers each: how to read a file and what it declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shudu.policy.types import Invalid, Text


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a model declares of itself. `inputs` pairs a column with the kind of value it takes (number, category)."""

    kind: str
    name: str
    inputs: tuple[tuple[str, str], ...]
    output: tuple[str, float, float]  # name, smallest, largest
    card: dict[str, str]


ModelReader = Callable[[bytes, str], ModelSpec]
_readers: dict[str, tuple[Callable[[bytes], bool], ModelReader]] = {}


def register_model_kind(name: str, recognises: Callable[[bytes], bool], read: ModelReader) -> None:
    """`recognises` looks at the bytes; `read(bytes, file name)` validates all of it or raises `Invalid`."""
    _readers[name] = (recognises, read)


def read_model(data: bytes, file_name: str) -> ModelSpec:
    """Read a model file by whichever kind recognises it; anything else is refused in words."""
    for recognises, read in _readers.values():
        if recognises(data):
            return read(data, file_name)
    raise Invalid(
        "model.kind",
        Text("无法识别这种模型文件。", "This kind of model file is not accepted."),
        Text(
            f"目前接受：{'、'.join(sorted(_readers))}（JSON）。pickle 等可执行格式一律不接受。",
            f"Accepted now: {', '.join(sorted(_readers))} (JSON). Pickle and other executable formats never are.",
        ),
        {"file": file_name},
    )
