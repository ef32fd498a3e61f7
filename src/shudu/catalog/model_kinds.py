"""Kinds of model the catalogue accepts. An upper room registers each: how to read a file and what it declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shudu.policy.types import Invalid, Text


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a model declares of itself. `inputs` pairs a column with the kind of value it takes (number, category)."""

    kind: str
    name: str
    inputs: tuple[tuple[str, str], ...]
    output: tuple[str, float, float]  # name, smallest, largest
    card: dict[str, Any]  # texts, or language maps


ModelReader = Callable[[bytes, Mapping[str, Any] | None, str], ModelSpec]
_readers: dict[str, tuple[Callable[[bytes], bool], ModelReader]] = {}
_refusals: list[Callable[[bytes, str], None]] = []


def register_model_kind(name: str, recognises: Callable[[bytes], bool], read: ModelReader) -> None:
    """`recognises` looks at the bytes; `read(bytes, card, file name)` validates all of it or raises `Invalid`."""
    _readers[name] = (recognises, read)


def refuse_model_files(refuse: Callable[[bytes, str], None]) -> None:
    """`refuse(bytes, file name)` raises `Invalid` for formats that are never taken; asked before any kind is."""
    _refusals.append(refuse)


def read_model(data: bytes, card: Mapping[str, Any] | None, file_name: str) -> ModelSpec:
    """Read a model file by the first kind that recognises it; anything else is refused in words."""
    for refuse in _refusals:
        refuse(data, file_name)
    for recognises, read in _readers.values():
        if recognises(data):
            return read(data, card, file_name)
    raise Invalid(
        "model.kind",
        Text("无法识别这种模型文件。", "This kind of model file is not accepted."),
        Text(
            f"目前接受：{'、'.join(sorted(_readers))}。pickle 等可执行格式一律不接受。",
            f"Accepted now: {', '.join(sorted(_readers))}. Pickle and other executable formats never are.",
        ),
        {"file": file_name},
    )
