"""What is stored, where it lies, what a table's columns are, and who watches a table being written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Protocol

from .coltypes import literal as literal
from .coltypes import quoted as quoted
from .formats import DELIMITERS as DELIMITERS
from .formats import NAMES as NAMES
from .geodesy import SHIFTED as SHIFTED
from .kinds import SPELLED as SPELLED
from .masks import PRESETS as PRESETS
from .masks import Mask as Mask
from .masks import stricter as stricter
from .recipe import NO_HEADER as NO_HEADER
from .recipe import PLACED as PLACED
from .recipe import Aside as Aside
from .recipe import ColumnRecipe as ColumnRecipe
from .recipe import Evolution as Evolution
from .recipe import Fault as Fault
from .recipe import Note as Note
from .recipe import Reading as Reading
from .recipe import Recipe as Recipe
from .recipe import Report as Report
from .recipe import Understood as Understood
from .spellings import SPELLINGS as SPELLINGS
from .view import EVERYTHING as EVERYTHING
from .view import Condition as Condition
from .view import Op as Op
from .view import View as View
from .view import typed as typed

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


Fields = tuple[tuple[int, str, str], ...]


class Sensitivity(StrEnum):
    """Why a column needs care, the strongest first. None on a column means that nothing was found."""

    DIRECT_IDENTIFIER = "direct_identifier"
    SENSITIVE = "sensitive"
    PERSONAL = "personal"


# Of a column like this a value, or two, says who somebody is; of a sensitive one, what there is to know of them.
IDENTIFYING = frozenset({Sensitivity.DIRECT_IDENTIFIER, Sensitivity.PERSONAL})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a version's files lie: the owner comes first, so a tenant's files share one prefix."""

    owner: str
    asset: str
    version: str

    def __post_init__(self) -> None:
        for part in (self.owner, self.asset, self.version):
            if not _ID.fullmatch(part):
                raise ValueError(f"{part!r} cannot name a folder")

    @property
    def folder(self) -> PurePosixPath:
        """The version's folder, relative to the home."""
        return PurePosixPath("lake", self.owner, self.asset, self.version)

    def path_of(self, name: str) -> PurePosixPath:
        """A file of this version, relative to the home. Raises ValueError for a name that could leave the folder."""
        if not _FILE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a stored file")
        return self.folder / name


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One stored file. `path` is relative to the home; `bytes` and `sha256` are of the bytes as they lie on disk.

    `plain_sha256` stands only on a file that is kept encrypted and handed out decrypted. `fields` stands on a table's
    file that is older than its version's columns: (field id, name, type) of each, as it is to be read.
    """

    name: str
    path: str
    bytes: int
    sha256: str
    rows: int | None = None
    plain_sha256: str | None = None
    fields: Fields | None = None

    @property
    def delivered_sha256(self) -> str:
        """The digest of what `read_file` and `copy_file` hand out; receipts name this one."""
        return self.plain_sha256 or self.sha256

    def to_json(self) -> dict[str, Any]:
        told = asdict(self)
        if told["fields"] is None:
            del told["fields"]  # rows of before know nothing of it, and most after neither
        return told

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> StoredFile:
        fields = value.get("fields")
        return cls(**{**value, "fields": tuple((int(a), str(b), str(c)) for a, b, c in fields) if fields else None})


@dataclass(frozen=True, slots=True)
class Column:
    """A column: name in NFC, DuckDB type, whether any row lacks a value, and a `Sensitivity` if one was found.

    `field` is the id by which its files know it whatever it is called; None: its position, from 1 (`field_ids`).
    """

    name: str
    type: str
    nullable: bool
    sensitivity: str | None = None
    field: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Column:
        return cls(**value)


def fields_of(columns: Sequence[Column]) -> Fields:
    """How files of any age are read as these columns."""
    return tuple((number, each.name, each.type) for number, each in zip(field_ids(columns), columns, strict=True))


def fields_in(files: Sequence[StoredFile]) -> Fields | None:
    """How these files of one version are to be read, where some are older than its columns."""
    return next((file.fields for file in files if file.fields), None)


def field_ids(columns: Sequence[Column]) -> tuple[int, ...]:
    """The field id of each column."""
    return tuple(column.field or position for position, column in enumerate(columns, 1))


@dataclass(frozen=True, slots=True)
class Table:
    """A stored table: where its version lies, its files in order, its columns."""

    place: Place
    files: tuple[StoredFile, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A live version as it is to be shown: its table, its number, and when it was published."""

    table: Table
    number: int
    created: datetime


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table as it is shown: whose, of which asset, where its metadata lies, and the snapshot of each version."""

    owner: str
    asset: str
    metadata: str
    snapshots: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """How two tables differ, in rows. With a key `changed` counts rows, and `columns` in how many each column changed;
    without one a changed row is one removed and one added. `rows` holds the first of them, where asked for: what
    happened, the row as it was, and as it is."""

    added: int
    removed: int
    changed: int
    unchanged: int
    columns: Mapping[str, int]
    rows: tuple[tuple[str, dict[str, str | None], dict[str, str | None]], ...] = ()


class Mode(StrEnum):
    """What a new version does with the rows of the one before."""

    REPLACE = "replace"
    APPEND = "append"
    UPSERT = "upsert"


@dataclass(frozen=True, slots=True)
class Base:
    """The version a new one is made from, and how. `remove_missing`: what the new file does not name goes (upsert).

    `next_field` is the first field id no version of this table ever used.
    """

    table: Table
    mode: Mode
    remove_missing: bool = False
    evolution: Evolution = field(default_factory=Evolution)
    next_field: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """How a version differs from its base, in rows; None where nobody counted."""

    mode: str  # a `Mode`, or restore
    base: str
    added: int | None = None
    changed: int | None = None
    unchanged: int | None = None
    removed: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Stored:
    """A table as it was stored, with the digest of the file it came from and what the observers found.

    `recipe` and `report` (JSON of `Recipe` and `Report`) say how the file was read and what became of its rows;
    `side_files` lie beside the table for its owner alone: the rejected rows.
    """

    files: tuple[StoredFile, ...]
    columns: tuple[Column, ...]
    rows: int
    source_sha256: str
    source_bytes: int
    observations: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    side_files: tuple[StoredFile, ...] = ()
    change: Change | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "files": [file.to_json() for file in self.files],
            "side_files": [file.to_json() for file in self.side_files],
            "columns": [column.to_json() for column in self.columns],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Stored:
        files = tuple(StoredFile.from_json(file) for file in value["files"])
        columns = tuple(Column.from_json(column) for column in value["columns"])
        side = tuple(StoredFile.from_json(file) for file in value.get("side_files", ()))
        change = Change(**value["change"]) if value.get("change") else None
        return cls(**{**value, "files": files, "columns": columns, "side_files": side, "change": change})


@dataclass(frozen=True, slots=True)
class Observation:
    """What an observer found: JSON for the record, and the columns it found to need care."""

    value: dict[str, Any]
    sensitivity: Mapping[str, Sensitivity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cells:
    """A question about cells: `holds` is SQL over `$c`, a text that is not NULL, and may be NULL, meaning no."""

    columns: tuple[str, ...]
    holds: str


class Observer(Protocol):
    """Sees one new table before it is published.

    `aggregates` maps names to SQL aggregates over the table's columns; all observers' are computed in one scan.
    `ranges` maps names to `min` and `max` of columns as they stand, which files tell of themselves without a scan.
    `distinct` maps names to columns whose different values, NULL aside, are to be counted: exactly where the lake finds
    them few, approximately (HyperLogLog) where not.
    `cells` asks how many cells of some columns of text fulfil a condition; the lake counts them where that is cheapest.
    `groups` names columns of which it would rather see every different value, with its number of rows, than the rows:
    where there are few (the lake's `FEW`) it is told before reading begins, else it may read.
    `reads` names the columns whose values it (still) wants to see, in batches, in the order of the rows: it may shrink
    while the table is read, and reading ends when nobody wants more.
    """

    @property
    def aggregates(self) -> Mapping[str, str]: ...

    @property
    def ranges(self) -> Mapping[str, str]: ...

    @property
    def distinct(self) -> Mapping[str, str]: ...

    @property
    def cells(self) -> Mapping[str, Cells]: ...

    @property
    def groups(self) -> frozenset[str]: ...

    def grouped(self, name: str, rows: Mapping[Any, int]) -> None:
        """All different values of a column it named, NULL aside, each with the number of its rows."""
        ...

    @property
    def reads(self) -> frozenset[str]: ...

    def observe(self, batch: Any) -> None:
        """One `pyarrow.RecordBatch`, holding at least the columns that `reads` named at first."""
        ...

    def result(self, aggregates: Mapping[str, Any]) -> Observation:
        """What was found; `aggregates` holds what was asked for, distinct and cells too, and `rows`; with a key also
        `empty` and `distinct`."""
        ...


ObserverFactory = Callable[[tuple[Column, ...], str | None], Observer]
"""Makes an observer for a table with these columns and this key."""
