"""A table arrives by way of a reader: read apart, rows wrong put aside, written, observed, and described as stored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from shudu.policy.types import Invalid, Text

from . import landing
from .engine import one, parquet
from .formats import HEAD_BYTES, misnamed, recognise
from .ingest import Held
from .progress import WRITING, asked, following, share_checked
from .reading import file_sha256
from .recipe import Note, Reading, Understood
from .types import Column, Fields, Observation, ObserverFactory, Place, Stored, StoredFile
from .watch import repeating, watch

TABLE = "data.parquet"
REJECTED = "rejected.parquet"
PREVIEW_ROWS = 10_000
Finish = Callable[[Stored, Callable[[int], int]], Stored]
"""What is done to a table once it is written, in the same staging folder; it may ask in which row of the file a row of
the table stood."""


def format_of(file: Held, reading: Reading) -> tuple[str, tuple[Note, ...]]:
    """The format of a file by its content, and a word when its name says another. Raises Invalid."""
    format_ = recognise(os.pread(file.handle, HEAD_BYTES, 0))
    note = misnamed(file.name, format_) if format_ != "zip" else None
    return format_, (note,) if note else ()


def store(
    connection: duckdb.DuckDBPyConnection,
    file: Held,
    format_: str,
    reading: Reading,
    folder: Path,
    place: Place,
    key: str | None,
    observers: Mapping[str, ObserverFactory],
    *,
    encrypted: bool,
    finish: Finish | None = None,
) -> Stored:
    """Read, type, write and observe a file of any format in a staging folder."""

    def row_at(index: int) -> int:
        return landing.row_at(connection, index)

    format_, notes = format_of(file, reading)
    landed = landing.read(connection, file.handle, file.name, format_, reading, folder / "spill")
    landed = replace(landed, notes=(*notes, *landed.notes))
    if key is not None and key not in [column.name for column in landed.recipe.columns]:
        raise no_key(key)
    landing.put_aside(connection, landed, reading, key)
    asked()(WRITING)
    target, aside = folder / "files" / TABLE, folder / "files" / REJECTED
    columns, report = landing.write(connection, landed, target, aside, encrypted=encrypted)
    weight = target.stat().st_size * 4 / max(report.rows_out, 1)
    stored = described(
        connection,
        place,
        columns,
        report.rows_out,
        key,
        observers,
        [target],
        row_at=row_at,
        row_bytes=max(weight, file.status.st_size / max(report.rows_in, 1)),
        encrypted=encrypted,
    )
    with file.path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    file.check_unchanged()
    side: tuple[StoredFile, ...] = ()
    if aside.exists():
        rejected: int = one(connection, "SELECT count(*) FROM rejected")[0]
        side = (stored_file(place, aside, rejected),)
    stored = replace(
        stored,
        source_sha256=digest,
        source_bytes=file.status.st_size,
        recipe=landed.recipe.model_dump(mode="json"),
        report=report.model_dump(mode="json"),
        side_files=side,
    )
    return finish(stored, row_at) if finish else stored


def described(
    connection: duckdb.DuckDBPyConnection,
    place: Place,
    columns: tuple[Column, ...],
    rows: int,
    key: str | None,
    observers: Mapping[str, ObserverFactory],
    targets: Sequence[Path],
    *,
    row_at: Callable[[int], int],
    row_bytes: float,
    encrypted: bool,
    fields: Fields | None = None,
) -> Stored:
    """Read back what was written to `targets`, show it to the observers, and say what is stored.

    Raises Invalid for a key that is none.
    """
    table = parquet(targets, encrypted=encrypted, options=", file_row_number = true", fields=fields)
    key_column = next((column for column in columns if column.name == key), None)
    counts = [rows]
    if len(targets) > 1:
        each = (parquet([target], encrypted=encrypted) for target in targets)
        counts = [one(connection, f"SELECT count(*) FROM {one_file}")[0] for one_file in each]  # noqa: S608 - ours
    with following(connection, share_checked):
        # Where names changed, a file's own are not the table's; of what is encrypted nothing is told without the key.
        hinted = frozenset() if encrypted or fields else repeating(connection, targets)
        found = watch(
            connection, table, columns, rows, key_column, row_at, observers, row_bytes=row_bytes, hinted=hinted
        )
    sensitive = _sensitive(found)
    return Stored(
        files=tuple(stored_file(place, target, each) for target, each in zip(targets, counts, strict=True)),
        columns=tuple(replace(column, sensitivity=sensitive.get(column.name)) for column in columns),
        rows=rows,
        source_sha256="",
        source_bytes=0,
        observations={name: each.value for name, each in found.items()},
    )


def preview(
    connection: duckdb.DuckDBPyConnection, file: Held, reading: Reading, folder: Path, key: str | None = None
) -> Understood:
    """What would be understood of a file, by its first rows. A `key` the file has no column for is not asked about."""
    format_, notes = format_of(file, reading)
    landed = landing.read(connection, file.handle, file.name, format_, reading, folder / "spill", limit=PREVIEW_ROWS)
    sample = landing.sample(connection, landed)
    names = [column.name for column in landed.recipe.columns]
    # Counted as a tolerant reading would, so that a strict one is told of all that would stop it.
    counting = reading.model_copy(update={"tolerant": True})
    landing.put_aside(connection, landed, counting, key if key in names else None)
    return Understood(
        recipe=landed.recipe,
        notes=(*notes, *landed.notes),
        sample=sample,
        rows=landed.rows,
        whole=landed.rows < PREVIEW_ROWS,
        aside=landing.asides(connection),
        fixed=tuple(name for name, decided in zip(names, landed.decided, strict=True) if decided is None),
    )


def _sensitive(found: Mapping[str, Observation]) -> dict[str, str]:
    return {name: kind.value for each in found.values() for name, kind in each.sensitivity.items()}


def stored_file(place: Place, path: Path, rows: int | None) -> StoredFile:
    """A file that was written, with its digest."""
    return StoredFile(path.name, str(place.path_of(path.name)), path.stat().st_size, file_sha256(path), rows)


def no_key(key: str) -> Invalid:
    return Invalid(
        "publish.key",
        Text(f"表头中没有名为“{key}”的列，无法作为主键。", f"The header has no column “{key}” to be the key."),
        Text("请核对列名（区分大小写）。", "Check the column's name (case counts)."),
        {"column": key},
    )
