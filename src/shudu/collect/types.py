"""What comes into this room: uploads, batches with their headers and keys, sources, and feeds from them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from shudu.catalog.types import Reading, TableFields, Title
from shudu.policy import plain_text

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


class Draft(BaseModel):
    """How far somebody has come with publishing an upload: how it is to be read, and what was typed, as it was typed.

    `choices` are the sheets, tables or files it has to be one of; `asset` the table it becomes a version of, "" for a
    new one; `made` the asset that came of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reading: Reading = Reading()
    fields: Annotated[
        dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=4_000)]], Field(max_length=20)
    ] = {}
    choices: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    asset: Annotated[str, Field(max_length=64)] = ""
    made: Annotated[str, Field(max_length=64)] = ""


class RegisterKey(BaseModel):
    """A public key (`NAME+ID+KEY`, as `shudu package key` prints it) to sign batches with, valid for `days` days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verifier: Annotated[str, Field(min_length=1, max_length=400)]
    days: Annotated[int, Field(ge=1, le=1_100)] = 731


Kind = Literal["mysql", "postgresql"]
Mode = Literal["replace", "upsert", "append"]
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}|/[A-Za-z0-9._/-]{1,100}")


def _host(text: str) -> str:
    if not _HOST.fullmatch(text) or ".." in text:
        raise ValueError("须是主机名、地址或套接字路径 / a host's name or address, or a socket's path")
    return text


Host = Annotated[str, Field(max_length=253), AfterValidator(_host)]
Word = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(plain_text.clean)]


class AddSource(BaseModel):
    """A database to read tables of. The password is kept sealed and never shown again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Title
    kind: Kind
    host: Host
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None  # None: the usual one of its kind
    database: Word
    user: Word
    password: Annotated[SecretStr, Field(max_length=1_000)] = SecretStr("")
    tls: Literal["off", "require", "verify"] = "verify"


class Survey(BaseModel):
    """What to look for in a source: its tables, or the columns of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Word | None = None


class Rule(BaseModel):
    """How a feed is refreshed.

    `replace` takes the whole table each time; `upsert` puts rows in by the key, those at and beyond the watermark where
    one is named, else all; `append` adds the rows beyond the watermark. `every_minutes` 0: only when somebody asks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = "replace"
    watermark: Word | None = None
    every_minutes: Annotated[int, Field(ge=0, le=527_040)] = 0


class OpenFeed(TableFields):
    """A table of a source to publish as an asset, and to refresh by a rule."""

    source: Annotated[str, Field(max_length=64)]
    table: Word
    columns: Annotated[tuple[Word, ...], Field(max_length=1_000)] = ()
    rule: Rule = Rule()

    @model_validator(mode="after")
    def _agrees(self) -> OpenFeed:
        if self.rule.mode == "upsert" and not self.key:
            raise ValueError("按主键更新须指明主键列 / upsert takes a key")
        if self.rule.mode == "append" and not self.rule.watermark:
            raise ValueError("追加须指明增量标记列 / append takes a watermark")
        if self.rule.mode == "replace" and self.rule.watermark:
            raise ValueError("整表替换不用增量标记 / replace takes no watermark")
        for needed in (self.key, self.rule.watermark):
            if needed and self.columns and needed not in self.columns:
                raise ValueError("所选的列须含主键与增量标记 / the columns must hold the key and the watermark")
        if 0 < self.rule.every_minutes < 5:
            raise ValueError("两次刷新至少相隔 5 分钟 / at least 5 minutes lie between two refreshes")
        return self

    def table_fields(self) -> dict[str, object]:
        """What the catalogue is told of the table, as JSON."""
        return self.model_dump(mode="json", include=set(TableFields.model_fields))
