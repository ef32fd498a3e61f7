"""What comes into this room: announced uploads, batches with their headers, keys to sign them with."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from . import package as package
from . import refusals as refusals
from .header import BatchHeader as BatchHeader
from .header import Channel as Channel
from .header import Digest, FileName


class CreateUpload(BaseModel):
    """A file about to be sent in parts: its name, its size in bytes, and the digest it must have (hex)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: FileName
    size: Annotated[int, Field(ge=1, le=2**50)]
    sha256: Digest | None = None
    sm3: Digest | None = None

    @model_validator(mode="after")
    def _digested(self) -> CreateUpload:
        if self.sha256 is None and self.sm3 is None:
            raise ValueError("须声明 sha256 或 sm3 / it declares sha256 or sm3")
        return self


class RegisterKey(BaseModel):
    """A public key (`NAME+ID+KEY`, as `shudu package key` prints it) to sign batches with, valid for `days` days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verifier: Annotated[str, Field(min_length=1, max_length=400)]
    days: Annotated[int, Field(ge=1, le=1_100)] = 731
