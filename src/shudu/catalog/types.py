"""Typed inputs of publishing, the core fields of a catalogue entry, and what other rooms see of an asset."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_serializer, model_validator

from shudu.lake.types import Column, Evolution, Mode, Reading, Recipe
from shudu.policy import plain_text

from .corrections import register_code_lists
from .levels import LEVELS as LEVELS
from .levels import needs_encryption as needs_encryption
from .model_kinds import ModelSpec, refuse_model_files, register_model_kind

__all__ = [
    "LEVELS",
    "RESTORE",
    "CoreFields",
    "Corrected",
    "Evolution",
    "LanguageMap",
    "Mode",
    "ModelFields",
    "ModelSpec",
    "Offered",
    "Opinion",
    "PublishModel",
    "PublishTable",
    "PublishVersion",
    "Reading",
    "Recipe",
    "Result",
    "TableFields",
    "UpdateCycle",
    "VersionFields",
    "needs_encryption",
    "refuse_model_files",
    "register_code_lists",
    "register_model_kind",
]

LanguageMap = dict[str, str]


Title = Annotated[str, Field(max_length=200), AfterValidator(plain_text.clean)]


def _clean(text: str) -> str:
    return plain_text.clean_lines(text) if text else ""


Words = Annotated[str, Field(max_length=2_000), AfterValidator(_clean)]
Opinion = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(plain_text.clean_lines)]


def _languages(text: LanguageMap) -> LanguageMap:
    if wrong := [name for name in text if name not in ("zh", "en")]:
        raise ValueError(f"语言只有 zh 与 en，多了 {len(wrong)} 种 / languages are zh and en; {len(wrong)} are neither")
    return text


Cycle = Literal["1", "2", "3", "4", "5", "6", "7", "8", "9"]  # see `promises`


class CoreFields(BaseModel):
    """The thirteen core fields of 《政务信息资源目录编制指南（试行）》 that a publisher states.

    Name, code, provider, provider code, format and items are filled by the catalogue itself. Share type is a matter of
    departments: a company leaves it empty. Codes, never labels, are stored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_path: Words = ""  # 类/项/目/细目
    abstract: Annotated[dict[str, Words], AfterValidator(_languages)] = {}
    share_type: Literal["1", "2", "3"] | None = None  # 1 unconditional, 2 conditional, 3 not shared
    share_condition: Words = ""
    share_method: Literal["1", "2", "3"] | None = None  # 1 database, 2 download, 3 service
    open_flag: Literal["0", "1"] = "0"
    open_condition: Words = ""
    update_cycle: Cycle = "9"
    publish_date: date | None = None
    related_codes: Annotated[tuple[Title, ...], Field(max_length=200)] = ()

    @model_validator(mode="after")
    def _conditions(self) -> CoreFields:
        if self.share_type in ("2", "3") and not self.share_condition:
            raise ValueError(
                "有条件共享与不予共享须写明条件或依据 / sharing types 2 and 3 need a condition or a legal basis"
            )
        return self

    def gaps(self) -> tuple[str, ...]:
        """The mandatory fields still empty (缺项)."""
        asked: dict[str, object] = {"class_path": self.class_path, "abstract": self.abstract}
        if self.share_type in ("1", "2"):
            asked["share_method"] = self.share_method
        return tuple(name for name, value in asked.items() if not value)


class UpdateCycle(BaseModel):
    """Another promised update cycle of a table, in place of the one there was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    update_cycle: Cycle


class TableFields(BaseModel):
    """What a publisher says of a table. `key` is the column that names an entity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Title
    title_en: Title | None = None
    key: str | None = None
    level: str = "L2"
    origin: Literal["real", "real rows, synthetic key", "synthetic", "unstated"] = "unstated"
    core: CoreFields = CoreFields()
    # Whether every party that has signed in finds the entry; its content stays with its terms either way.
    findable: bool = False
    reading: Reading = Reading()


RESTORE = "restore"
KEEPS_ROWS = frozenset(
    {"append", "upsert", RESTORE}
)  # of the version it is based on  # of `Change.mode`: an old version once more


class _FromFile(BaseModel):
    """A request about a file on this machine: what it is about is the bytes, not the place they happen to lie at."""

    source: Path
    sha256: str | None = Field(default=None, exclude=True)  # hex, where a door has digested the bytes as they came

    @field_serializer("source")
    def _by_digest(self, source: Path) -> str:
        return f"sha256:{self.sha256 or _digest(source)} {source.name}"


def _digest(source: Path) -> str:
    """SHA-256 of a file, hex; "" for what is no readable file, which publishing then says in words."""
    try:
        # Without O_NONBLOCK a named pipe would hold us until somebody writes to it.
        with open(os.open(source, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            return hashlib.file_digest(file, "sha256").hexdigest() if regular else ""
    except (OSError, ValueError):
        return ""


class PublishTable(_FromFile, TableFields):
    """A file to publish as a table; `source` lies on this machine."""


class Corrected(_FromFile):
    """A correction list that comes back; `source` lies on this machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class VersionFields(BaseModel):
    """What a publisher says of a new version of a table.

    The recipe of the version before is used again unless `reading` holds one. With `remove_missing`, an upsert takes
    out the rows the file does not name. `expected` is the version this one is meant to follow.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Mode.REPLACE
    remove_missing: bool = False
    expected: Annotated[str, Field(max_length=64)] | None = None
    evolution: Evolution = Evolution()
    reading: Reading = Reading()

    @model_validator(mode="after")
    def _only_by_key(self) -> VersionFields:
        if self.remove_missing and self.mode != Mode.UPSERT:
            raise ValueError("只有按主键更新才能删去未出现的行 / only an upsert can remove rows the file does not name")
        return self


class PublishVersion(_FromFile, VersionFields):
    """A file to publish as a new version of the table `asset`; `source` lies on this machine."""

    asset: str


class ModelFields(BaseModel):
    """What a publisher says of a model. `inputs` are the columns it may see; they must be the model's own.

    `card` is the model card (docs/adding-a-model-kind.md) that every kind but the scorecard needs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Title | None = None
    title_en: Title | None = None
    inputs: tuple[str, ...]
    # A model is its owner's property: level 3 and above is stored encrypted.
    level: str = "L3"
    # Owners of data look for models, so a model's card is found unless its owner says otherwise; its file never is.
    findable: bool = True
    card: dict[str, Any] | None = None


class PublishModel(_FromFile, ModelFields):
    """A model file to publish; `source` lies on this machine."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What offers and runs need to know of an asset: one live version and its shape."""

    asset: str
    owner: str
    kind: str  # table or model
    level: str
    version: str
    title: LanguageMap
    columns: tuple[Column, ...]
    entity_key: str | None
    inputs: tuple[str, ...]
    model_sha256: str | None
    files: tuple[str, ...]  # SHA-256 of each stored file, hex


@dataclass(frozen=True, slots=True)
class Result:
    """What a run made, to be entered in the catalogue. `terms` are the onward terms, as JSON."""

    asset: str
    version: str
    owner: str
    title: LanguageMap
    files: tuple[dict[str, object], ...]
    columns: tuple[Column, ...]
    rows: int
    terms: dict[str, object]
    run: str
    # A released aggregate is re-graded (GB/T 43697 附录I): level 2, whatever its inputs were. Rows keep their level.
    level: str = "L2"
