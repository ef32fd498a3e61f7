"""The kinds of model this room runs: each a file that reads it here, and one that evaluates it inside the sandbox.

`KINDS` is the registry of the readers, `evaluators.EVALUATORS` that of what runs inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from shudu.catalog.types import ModelSpec, refuse_model_files, register_model_kind
from shudu.policy.types import Invalid

from . import refused
from .admitted import Admitted

Card = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Kind:
    """How the bytes of a kind are recognised, and how a file of it is admitted or refused, with its card."""

    recognises: Callable[[bytes], bool]
    admit: Callable[[bytes, Card], Admitted]


def _kind(name: str) -> Kind:
    """The kind whose reader is the module of this name, loaded with the first model: some weigh much."""

    def recognises(data: bytes) -> bool:
        return bool(import_module(f"{__name__}.{name}").recognises(data))

    def admit(data: bytes, card: Card) -> Admitted:
        found: Admitted = import_module(f"{__name__}.{name}").admit(data, card)
        return found

    return Kind(recognises, admit)


# Asked in this order: a mark of its own before a mere form, like "a JSON object".
KINDS = {name: _kind(name) for name in ("lightgbm", "xgboost", "scorecard", "sql", "onnx")}


def _read(kind: str, data: bytes, card: Card, file_name: str) -> ModelSpec:
    try:
        found = KINDS[kind].admit(data, card)
    except Invalid as error:
        error.where = {"file": file_name, **error.where}
        raise
    return ModelSpec(found.kind, found.name, found.inputs, ("score", *found.range), dict(found.card))


def register() -> None:
    """Tell the catalogue."""

    def reader(name: str) -> Callable[[bytes, Card, str], ModelSpec]:
        return lambda data, card, file_name: _read(name, data, card, file_name)

    refuse_model_files(refused.refuse)
    for name, kind in KINDS.items():
        register_model_kind(name, kind.recognises, reader(name))
