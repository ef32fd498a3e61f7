"""Typed inputs of ordering."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class PlaceOrder(BaseModel):
    """An order of an offer, for one purpose out of the shipped code table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    offer: str
    purpose: str
