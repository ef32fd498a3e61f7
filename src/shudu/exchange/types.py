"""Typed inputs of ordering."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


def repeatable(code: str) -> bool:
    """May a run that failed with this code end otherwise the next time? What the release rules stopped cannot."""
    return not code.startswith("release.")


class PlaceOrder(BaseModel):
    """An order of an offer, for one purpose out of the shipped code table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    offer: str
    purpose: Annotated[str, Field(max_length=40)]
