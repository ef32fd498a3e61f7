"""Apache Iceberg tables that show stored versions to other engines: metadata alone, over the Parquet that lies here.

A table's metadata is made of its live versions each time, so nothing is doubled by being shown twice and a lost or
damaged catalogue is made anew. Each version is one snapshot over the files in that version's own folder (decision
0011): erasing a version leaves the others whole, and showing the rest anew removes every mention of it. Manifests hold
paths, digests of nothing and counts; no bound of a column, so no value of a row ever stands outside the lake.

Apache Iceberg table spec, format version 2; the catalogue is PyIceberg's SqlCatalog, which is Iceberg's JDBC catalogue.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet
from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table.metadata import TableMetadataV2
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.typedef import Record
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    TimestamptzType,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shudu.policy.types import Text, Unavailable

from . import folders
from .projection import CATALOG, FOLDER
from .types import Column, Shown, ShownTable, field_ids

if TYPE_CHECKING:
    import pyarrow as pa

_FORMAT: Final = 2
_TYPES: dict[str, IcebergType] = {
    "BOOLEAN": BooleanType(),
    "TINYINT": IntegerType(),
    "SMALLINT": IntegerType(),
    "INTEGER": IntegerType(),
    "BIGINT": LongType(),
    "FLOAT": FloatType(),
    "DOUBLE": DoubleType(),
    "DATE": DateType(),
    "TIMESTAMP": TimestampType(),
    "TIMESTAMP WITH TIME ZONE": TimestamptzType(),
    "VARCHAR": StringType(),
    "BLOB": BinaryType(),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
# What a file holds, and what a reader of the spec may be told it is: the same, or a promotion the spec allows.
_HOLDS: dict[str, tuple[type[IcebergType], ...]] = {
    "bool": (BooleanType,),
    "int8": (IntegerType, LongType),
    "int16": (IntegerType, LongType),
    "int32": (IntegerType, LongType),
    "int64": (LongType,),
    "float": (FloatType, DoubleType),
    "double": (DoubleType,),
    "date32[day]": (DateType,),
    "timestamp[us]": (TimestampType,),
    "timestamp[us, tz=UTC]": (TimestamptzType,),
    "string": (StringType,),
    "binary": (BinaryType,),
}


class NotShowable(Exception):
    """A version no reader of the spec could read right; its argument is the column, or the file, at fault."""


@dataclass(frozen=True)
class IcebergProjection:
    """The tables of a home, in its folder `iceberg`, with a catalogue of their own in SQLite."""

    home: Path

    def show(
        self, owner: str, asset: str, versions: Callable[[], Sequence[Shown]], properties: dict[str, str]
    ) -> dict[str, str]:
        refused: dict[str, str] = {}
        with self._alone():
            made = _Made(self.home, owner, asset)
            for version in versions():
                try:
                    made.add(version)
                except NotShowable as error:
                    refused[version.table.place.version] = str(error)
            if made.snapshots:
                told = {"shudu.not-shown": " ".join(refused)} if refused else {}
                self._point(owner, asset, made.write({**properties, **told}))
            else:
                self._point(owner, asset, None)
            made.clear()
        return refused

    def tables(self) -> list[ShownTable]:
        found = []
        with self._catalog() as catalog:
            for namespace in sorted(catalog.list_namespaces()):
                for owner, asset in sorted(catalog.list_tables(namespace)):
                    table = catalog.load_table((owner, asset))
                    shown = {str(one.summary and one.summary["shudu.version"]): one for one in table.snapshots()}
                    snapshots = {version: each.snapshot_id for version, each in shown.items()}
                    found.append(ShownTable(owner, asset, table.metadata_location, snapshots))
        return found

    def clear(self) -> None:
        with self._alone():
            for path in (self.home / FOLDER).iterdir():
                if path.name in (CATALOG, f"{CATALOG}-journal"):
                    path.unlink()
                elif path.is_dir() and path.name.startswith("pty_"):
                    shutil.rmtree(path)

    @contextmanager
    def _catalog(self) -> Iterator[SqlCatalog]:
        """The catalogue, made at its first use. Raises Unavailable `projection.damaged`."""
        folder = self.home / FOLDER
        try:
            catalog = SqlCatalog("shudu", uri=f"sqlite:///{folder / CATALOG}", warehouse=_uri(folder))
            try:
                yield catalog
            finally:
                catalog.close()
        except (SQLAlchemyError, FileNotFoundError, ValueError):  # no database, no metadata, or none that can be read
            raise Unavailable(
                "projection.damaged",
                Text("供外部引擎读取的目录无法使用。", "The catalogue for other engines cannot be used."),
                Text("请运行 shudu iceberg rebuild 重建。", "Make it anew with `shudu iceberg rebuild`."),
            ) from None

    def _point(self, owner: str, asset: str, metadata: Path | None) -> None:
        """Let the catalogue name this metadata, or nothing: one statement, so that a reader sees the old or the new."""
        with self._catalog() as catalog, Session(catalog.engine) as session:
            name = {"catalog_name": catalog.name, "table_namespace": owner, "table_name": asset}
            if metadata is not None:
                session.merge(IcebergTables(**name, metadata_location=_uri(metadata), previous_metadata_location=None))
            elif (row := session.get(IcebergTables, tuple(name.values()))) is not None:
                session.delete(row)
            session.commit()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One projector at a time in a home; the lock ends with its process."""
        folder = self.home / FOLDER
        folders.make_durable_folder(folder)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class _Made:
    """The metadata of one table while it is made."""

    def __init__(self, home: Path, owner: str, asset: str) -> None:
        self.home, self.io = home, PyArrowFileIO()
        self.identity = f"{owner}.{asset}"
        self.location = home / FOLDER / owner / asset
        self.folder = self.location / "metadata"
        self.schemas: list[Schema] = []
        self.snapshots: list[dict[str, Any]] = []  # as the metadata spells them
        self.kept: set[str] = set()

    def add(self, version: Shown) -> None:
        """One more snapshot. Its manifest is written once: the name says what is in it. Raises NotShowable."""
        schema = self._schema(version.table.columns)
        parent = self.snapshots[-1] if self.snapshots else None
        told = json.dumps([str(self.home), [file.to_json() for file in version.table.files], schema.model_dump_json()])
        stem = f"{version.table.place.version}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
        snapshot_id = _number(version.table.place.version)
        manifest, listed = self.folder / f"{stem}-m0.avro", self.folder / f"snap-{stem}.avro"
        if not listed.exists():
            self._write(version, schema, snapshot_id, manifest, listed)
        self.kept |= {manifest.name, listed.name}
        moment = int(version.created.timestamp() * 1000)
        told_of = {
            "operation": Operation.OVERWRITE if parent else Operation.APPEND,
            "shudu.version": version.table.place.version,
            "shudu.number": str(version.number),
            "total-records": str(sum(file.rows or 0 for file in version.table.files)),
            "total-data-files": str(len(version.table.files)),
        }
        snapshot = {
            "snapshot-id": snapshot_id,
            "parent-snapshot-id": parent["snapshot-id"] if parent else None,
            "sequence-number": version.number,
            # A history goes forward, whatever the machine's clock did.
            "timestamp-ms": max(moment, parent["timestamp-ms"] + 1) if parent else moment,
            "manifest-list": _uri(listed),
            "summary": told_of,
            "schema-id": schema.schema_id,
        }
        self.snapshots.append(snapshot)

    def write(self, properties: dict[str, str]) -> Path:
        """The table's metadata as a file, durable; named by its content."""
        newest = self.snapshots[-1]
        tags = {
            f"v{one['sequence-number']}": {"snapshot-id": one["snapshot-id"], "type": "tag"} for one in self.snapshots
        }
        metadata = TableMetadataV2.model_validate(
            {
                "location": _uri(self.location),
                "table-uuid": uuid.uuid5(uuid.NAMESPACE_URL, self.identity),
                "last-updated-ms": newest["timestamp-ms"],
                "last-column-id": max(schema.highest_field_id for schema in self.schemas),
                "schemas": self.schemas,
                "current-schema-id": newest["schema-id"],
                "partition-specs": [UNPARTITIONED_PARTITION_SPEC],
                "default-spec-id": UNPARTITIONED_PARTITION_SPEC.spec_id,
                "last-partition-id": UNPARTITIONED_PARTITION_SPEC.last_assigned_field_id,
                "sort-orders": [UNSORTED_SORT_ORDER],
                "default-sort-order-id": UNSORTED_SORT_ORDER.order_id,
                "properties": properties,
                "current-snapshot-id": newest["snapshot-id"],
                "snapshots": self.snapshots,
                "snapshot-log": [{key: one[key] for key in ("snapshot-id", "timestamp-ms")} for one in self.snapshots],
                "refs": {MAIN_BRANCH: {"snapshot-id": newest["snapshot-id"], "type": "branch"}, **tags},
                "last-sequence-number": newest["sequence-number"],
            }
        )
        digest = hashlib.sha256(metadata.model_dump_json().encode()).hexdigest()[:12]
        path = self.folder / f"{newest['sequence-number']:05}-{digest}.metadata.json"
        ToOutputFile.table_metadata(metadata, self.io.new_output(_uri(path)), overwrite=True)
        folders.sync(path)
        folders.sync(self.folder)
        self.kept.add(path.name)
        return path

    def clear(self) -> None:
        """Remove what the metadata no longer names: versions erased or withdrawn, and metadata of before."""
        if not self.snapshots:
            shutil.rmtree(self.location, ignore_errors=True)
            with suppress(OSError):  # not empty
                self.location.parent.rmdir()
            return
        for path in self.folder.iterdir():
            if path.name not in self.kept:
                path.unlink()

    def _schema(self, columns: Sequence[Column]) -> Schema:
        """These columns by their field ids; the same columns are the same schema."""
        fields = []
        for number, column in zip(field_ids(columns), columns, strict=True):
            decimal = _DECIMAL.fullmatch(column.type)
            type_ = DecimalType(int(decimal[1]), int(decimal[2])) if decimal else _TYPES.get(column.type)
            if type_ is None:
                raise NotShowable(column.name)
            fields.append(NestedField(number, column.name, type_, required=False))
        for schema in self.schemas:
            if list(schema.fields) == fields:
                return schema
        self.schemas.append(Schema(*fields, schema_id=len(self.schemas)))
        return self.schemas[-1]

    def _write(self, version: Shown, schema: Schema, snapshot_id: int, manifest: Path, listed: Path) -> None:
        """The manifest, then the list that names it: where the list lies, both are whole."""
        files = [_data_file(self.home / file.path, file.rows or 0, file.bytes, schema) for file in version.table.files]
        folders.make_durable_folder(self.folder)
        writer = write_manifest(
            _FORMAT, UNPARTITIONED_PARTITION_SPEC, schema, self.io.new_output(_uri(manifest)), snapshot_id, "deflate"
        )
        manifest.unlink(missing_ok=True)  # of a write that was killed
        with writer:
            for file in files:
                writer.add(
                    ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, data_file=file)
                )
        folders.sync(manifest)
        fresh = listed.with_suffix(".new")
        with write_manifest_list(
            _FORMAT, self.io.new_output(_uri(fresh)), snapshot_id, None, version.number, "deflate"
        ) as names:
            names.add_manifests([writer.to_manifest_file()])
        folders.sync(fresh)
        os.replace(fresh, listed)
        folders.sync(self.folder)


def _data_file(path: Path, rows: int, size: int, schema: Schema) -> DataFile:
    """A stored file as a manifest names it, without statistics. Raises NotShowable.

    A file whose columns carry no ids would be accepted by every reader and read as nothing but NULL.
    """
    try:
        there = {_field_id(field): field for field in pyarrow.parquet.read_schema(path)}
    except (FileNotFoundError, pyarrow.ArrowInvalid):
        raise NotShowable(path.name) from None  # one bad file keeps no other version from being shown, or taken back
    for field in schema.fields:
        if field.field_id in there and not _promotes(there[field.field_id].type, field.field_type):
            raise NotShowable(field.name)
    if None in there:
        raise NotShowable(there[None].name)
    file = DataFile.from_args(
        _table_format_version=_FORMAT,
        content=DataFileContent.DATA,
        file_path=_uri(path),
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=rows,
        file_size_in_bytes=size,
    )
    file.spec_id = UNPARTITIONED_PARTITION_SPEC.spec_id
    return file


def _field_id(field: pa.Field) -> int | None:
    number = (field.metadata or {}).get(b"PARQUET:field_id")
    return int(number) if number is not None else None


def _promotes(held: pa.DataType, told: IcebergType) -> bool:
    if pyarrow.types.is_decimal(held):
        return isinstance(told, DecimalType) and told.scale == held.scale and told.precision >= held.precision
    return isinstance(told, _HOLDS.get(str(held), ()))


def _number(version: str) -> int:
    """A snapshot's id, 63 bits of a version's."""
    return int.from_bytes(hashlib.sha256(version.encode()).digest()[:8], "big") >> 1 or 1


def _uri(path: Path) -> str:
    return f"file://{path}"
