"""The kinds of model this room runs, as the catalogue needs to know them."""

from __future__ import annotations

from shudu.catalog.types import ModelSpec, register_model_kind
from shudu.policy.types import Invalid

from . import scorecard


def _looks_like_json(data: bytes) -> bool:
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"


def _read_scorecard(data: bytes, file_name: str) -> ModelSpec:
    try:
        card = scorecard.parse(data)
    except Invalid as error:
        error.where = {"file": file_name, **error.where}
        raise
    return ModelSpec(
        kind="scorecard",
        name=card.name,
        inputs=tuple((one.column, one.kind) for one in card.inputs),
        output=(card.output.name, card.output.min, card.output.max),
        card=card.card.model_dump(),
    )


def register() -> None:
    register_model_kind("scorecard", _looks_like_json, _read_scorecard)
