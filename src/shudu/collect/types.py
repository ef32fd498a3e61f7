"""What comes into this room: announced uploads."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shudu.policy import plain_text

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _file_name(text: str) -> str:
    name = plain_text.clean(text)
    if "/" in name or "\\" in name or name.strip(". ") == "":
        raise ValueError("须为文件名，不含路径 / it is the name of a file, without a path")
    return name


FileName = Annotated[str, Field(max_length=200), AfterValidator(_file_name)]


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
