"""The adapter to stored files: folders of Parquet and plain files under the home, read with DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet

from shudu.policy.types import Invalid

from . import arrival, combining, comparing, folders, handing, ingest, rechecking, swift
from .arrival import no_key
from .engine import connect, explained, one, parquet
from .handing import Handed, measured
from .keys import new_secret, seal, unseal
from .port import DataKeys as DataKeys
from .port import TableStore as TableStore
from .progress import MERGING, asked
from .reading import (
    as_stored,
    batches,
    check,
    copy_checked,
    is_encrypted_parquet,
    read_checked,
    replacing,
    selected,
    tables_of,
    taken,
    types_of,
    write_ipc,
)
from .rechecking import Sheet
from .types import (
    Base,
    Column,
    ColumnRecipe,
    Difference,
    Fault,
    Mode,
    ObserverFactory,
    Place,
    Reading,
    Recipe,
    Stored,
    StoredFile,
    Table,
    Understood,
    fields_in,
)
from .view import View


@dataclass(frozen=True)
class DuckDBStore:
    """`home` holds the folder `lake`; `keys` opens what is encrypted; `observers` see every new table."""

    home: Path
    keys: DataKeys
    observers: Mapping[str, ObserverFactory] = field(default_factory=dict)
    max_bytes: int = 5_120 << 20

    def write_csv(self, source: Path, place: Place, *, key: str | None, encrypted: bool = False) -> Stored:
        with ingest.held(source, self.max_bytes) as file, explained():
            opened = ingest.as_csv(file)
            if key is not None and key not in opened.names:
                raise no_key(key)
            with self._writing(place, encrypted) as (folder, connection):
                return swift.store(connection, opened, folder, place, key, self.observers, encrypted=encrypted)

    def land(
        self,
        source: Path,
        place: Place,
        reading: Reading,
        *,
        key: str | None,
        encrypted: bool = False,
        base: Base | None = None,
    ) -> Stored:
        with ingest.held(source, self.max_bytes) as file, explained():
            plan = swift.plan(file, reading)
            if plan.opened is not None:
                if key is not None and key not in plan.names:
                    raise no_key(key)
                try:
                    with self._writing(place, encrypted) as (folder, connection):
                        finish = self._onto(base, connection, folder, place, key, encrypted)
                        return swift.store(
                            connection,
                            plan.opened,
                            folder,
                            place,
                            key,
                            self._watching(base),
                            encrypted=encrypted,
                            plan=plan,
                            finish=finish,
                        )
                except (Invalid, ingest.Misfit) as error:
                    if not plan.again(error, file):
                        raise
            with self._writing(place, encrypted) as (folder, connection):
                finish = self._onto(base, connection, folder, place, key, encrypted)
                return arrival.store(
                    connection,
                    file,
                    plan.format,
                    reading,
                    folder,
                    place,
                    key,
                    self._watching(base),
                    encrypted=encrypted,
                    finish=finish,
                )

    def _watching(self, base: Base | None) -> Mapping[str, ObserverFactory]:
        """Who sees the file as it lands: nobody where it is only a part of the table, which is observed as a whole."""
        whole = base is None or (base.mode == Mode.REPLACE and base.evolution.empty)
        return self.observers if whole else {}

    def _onto(
        self,
        base: Base | None,
        connection: duckdb.DuckDBPyConnection,
        folder: Path,
        place: Place,
        key: str | None,
        encrypted: bool,
    ) -> arrival.Finish | None:
        """What makes the whole table of `base` and of the file just written; nothing where the file is the whole."""
        if base is None:
            return None
        if base.mode == Mode.REPLACE and base.evolution.empty:
            return lambda new, _: combining.renumber(
                connection, base, new, folder / "files", place, encrypted=encrypted
            )

        def finish(new: Stored, row_at: Callable[[int], int]) -> Stored:
            asked()(MERGING)
            old = self._unlocked(connection, base.table, combining.BASE_KEY)
            return combining.combine(
                connection, old, base, new, folder, place, key, self.observers, row_at, encrypted=encrypted
            )

        return finish

    def again(self, table: Table, place: Place, *, encrypted: bool = False) -> tuple[StoredFile, ...]:
        with explained(), self._writing(place, encrypted) as (folder, connection):
            old = self._unlocked(connection, table, combining.BASE_KEY)
            return combining.copied(connection, old, table, folder / "files", place, encrypted=encrypted)

    def compare(self, old: Table, new: Table, *, key: str | None, limit: int = 0) -> Difference:
        with explained(), folders.staging(self._lake) as folder:
            secret = self._secret_of(new)
            with connect(folder / "spill", secret=secret or new_secret()) as connection:
                before = self._unlocked(connection, old, combining.BASE_KEY)
                after = self._unlocked(connection, new, "after")
                return comparing.compare(connection, before.table, after.table, old.columns, new.columns, key, limit)

    def _secret_of(self, table: Table) -> bytes | None:
        encrypted = any(is_encrypted_parquet(self._path(file, table.place)) for file in table.files)
        return self.keys.secret(table.place) if encrypted else None

    def _unlocked(self, connection: duckdb.DuckDBPyConnection, table: Table, name: str) -> combining.Old:
        """A stored table that `connection` can read; its digests are checked."""
        paths = [self._path(file, table.place) for file in table.files]
        for path, file in zip(paths, table.files, strict=True):
            check(path, file)
        return combining.opened(connection, paths, table, self._secret_of(table), name)

    def preview(self, source: Path, reading: Reading, key: str | None = None) -> Understood:
        with (
            ingest.held(source, self.max_bytes) as file,
            explained(),
            folders.staging(self._lake) as folder,
            connect(folder / "spill", secret=new_secret()) as connection,
        ):
            return arrival.preview(connection, file, reading, folder, key)

    def sheet(self, source: Path, reading: Reading, most: int) -> Sheet:
        with ingest.held(source, self.max_bytes) as file, explained(), folders.staging(self._lake) as folder:
            return rechecking.sheet(file, reading, folder / "spill", most)

    def recheck(
        self,
        rows: Mapping[int, Sequence[str | None]],
        columns: Sequence[ColumnRecipe],
        key: str | None,
        files: Sequence[StoredFile],
        place: Place,
        view: View,
    ) -> dict[int, tuple[Fault, ...]]:
        with explained(), self._table(files, place) as (connection, table):
            shown, kept = selected(connection, table, view)
            there = f"(SELECT {shown} FROM {table} WHERE {kept})"  # noqa: S608 - quoted by `view`
            return rechecking.check(connection, rows, columns, key, there)

    @contextmanager
    def as_file(
        self, rows: Sequence[Sequence[str | None]], columns: Sequence[ColumnRecipe], empty: Sequence[Column] = ()
    ) -> Iterator[tuple[Path, Recipe]]:
        with folders.staging(self._lake) as folder:
            path = folder / "corrected.parquet"
            with connect() as connection:
                recipe = rechecking.write(connection, rows, columns, empty, path)
            yield path, recipe

    @contextmanager
    def _writing(self, place: Place, encrypted: bool) -> Iterator[tuple[Path, duckdb.DuckDBPyConnection]]:
        """A staging folder and an engine; the folder's `files` become the version when the block ends well."""
        if self._folder(place).exists():
            raise taken()
        secret = self.keys.create(place) if encrypted else None
        with folders.staging(self._lake) as folder:
            with connect(folder / "spill", secret=secret) as connection:
                yield folder, connection
            self._publish(folder, place)

    def write_files(
        self, files: Mapping[str, bytes], place: Place, *, encrypted: bool = False
    ) -> tuple[StoredFile, ...]:
        if not files:
            raise ValueError("a version has at least one file")
        for name in files:
            place.path_of(name)
        with explained():
            if self._folder(place).exists():
                return self._same(files, place, encrypted)
            secret = self.keys.create(place) if encrypted else None
            with folders.staging(self._lake) as folder:
                stored = []
                for name, content in files.items():
                    data = seal(secret, content, _context(place, name)) if secret else content
                    (folder / "files" / name).write_bytes(data)
                    stored.append(as_stored(place, name, data, content if secret else None))
                try:
                    folders.publish(self._lake, folder / "files", self._folder(place))
                except folders.Taken:
                    return self._same(files, place, encrypted)
            return tuple(stored)

    def read_table(self, files: Sequence[StoredFile], place: Place, view: View) -> pa.Table:
        with explained(), self._batches(files, place, view) as batches:
            return batches.read_all()

    def measure(
        self, files: Sequence[StoredFile], place: Place, aggregates: Mapping[str, str], view: View
    ) -> dict[str, Any]:
        with explained(), self._table(files, place) as (connection, table):
            shown, rows = selected(connection, table, view)
            seen = f"(SELECT {shown} FROM {table} WHERE {rows})"  # noqa: S608 - quoted by `view`
            answer = one(connection, f"SELECT {', '.join(aggregates.values())} FROM {seen}")  # noqa: S608 - ours
        return dict(zip(aggregates, answer, strict=True))

    def measure_groups(
        self,
        files: Sequence[StoredFile],
        place: Place,
        view: View,
        by: Sequence[str],
        each: Mapping[str, str],
        aggregates: Mapping[str, str],
    ) -> dict[str, Any]:
        with (
            explained(),
            folders.staging(self._lake) as folder,
            self._table(files, place, folder / "spill") as (connection, table),
        ):
            return measured(connection, table, view, by, each, aggregates)

    def export_ipc(self, files: Sequence[StoredFile], place: Place, view: View, target: Path) -> int:
        with explained(), self._batches(files, place, view) as batches:
            return write_ipc(batches, target)

    def hand_over(
        self, files: Sequence[StoredFile], place: Place, view: View, target: Place, *, encrypted: bool = False
    ) -> Handed:
        with explained(), self._table(files, place) as (connection, table):
            if self._folder(target).exists():
                raise taken()
            types = types_of(connection, table)  # before the rows: another query would end their stream
            reader = batches(connection, table, view)
            if encrypted:
                rows, contents = handing.in_memory(reader)
                stored = self.write_files(contents, target, encrypted=True)
            else:
                with folders.staging(self._lake) as folder:
                    rows, stored = handing.in_folder(reader, folder / "files", target)
                    self._publish(folder, target)
        return Handed(stored, handing.columns_of(reader, view, types), rows)

    def read_file(self, file: StoredFile, place: Place) -> bytes:
        with explained():
            data = read_checked(self._path(file, place), file)
            return self._opened(data, file, place)

    def copy_file(self, file: StoredFile, place: Place, target: Path) -> None:
        with explained(), replacing(target) as part:
            if file.plain_sha256 is None:
                copy_checked(self._path(file, place), file, part)
            else:
                part.write_bytes(self.read_file(file, place))

    def table_bytes(self, file: StoredFile, place: Place) -> bytes:
        with explained():
            path = self._path(file, place)
            check(path, file)
            if not is_encrypted_parquet(path):
                return path.read_bytes()
            with connect(secret=self.keys.secret(place)) as connection:
                sink = pa.BufferOutputStream()
                table = connection.execute(f"FROM {parquet([path], encrypted=True)}").to_arrow_table()
                pa.parquet.write_table(table, sink, compression="zstd")
                return bytes(sink.getvalue())

    def erase(self, place: Place) -> None:
        with explained():
            # The key first: if we are killed in between, what is left cannot be read, and the sweep removes it.
            self.keys.erase(place)
            folders.withdraw(self._lake, self._folder(place))

    def sweep(self, known: set[str], older_than: float = folders.GRACE) -> list[str]:
        with explained():
            removed = folders.sweep(self.home, known, older_than)
        for path in removed:
            _, owner, asset, *version = path.split("/")
            if version and owner != folders.STAGING:
                self.keys.destroy(Place(owner, asset, version[0]))
        # A writer makes its key first: one that was killed before its files took their place leaves a key alone.
        if not folders.writing(self._lake):
            kept = folders.kept(known)
            self.keys.forget(lambda place: str(place.folder) in kept or (self.home / place.folder).exists(), older_than)
        return removed

    @contextmanager
    def frozen(self, meanwhile: Callable[[Path], None]) -> Iterator[Path]:
        with folders.frozen(self._lake, meanwhile) as files:
            yield files

    @contextmanager
    def _batches(self, files: Sequence[StoredFile], place: Place, view: View) -> Iterator[pa.RecordBatchReader]:
        """What a view shows of a version's tables, streamed; every file's digest is checked before its first row."""
        with self._table(files, place) as (connection, table):
            yield batches(connection, table, view)

    @contextmanager
    def _table(
        self, files: Sequence[StoredFile], place: Place, spill: Path | None = None
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
        """A version's tables as one in SQL, of files whose digests were checked; `spill` takes what memory does not."""
        paths = [self._path(file, place) for file in files]
        for path, file in zip(paths, files, strict=True):
            check(path, file)
        if any(file.plain_sha256 for file in files):
            # Products that were encrypted as files are small: they are opened in memory.
            with connect() as connection:
                connection.register("opened", tables_of([self.read_file(file, place) for file in files]))
                yield connection, "opened"
            return
        encrypted = any(is_encrypted_parquet(path) for path in paths)
        with connect(spill, secret=self.keys.secret(place) if encrypted else None) as connection:
            yield connection, parquet(paths, encrypted=encrypted, fields=fields_in(files))

    def _same(self, files: Mapping[str, bytes], place: Place, encrypted: bool) -> tuple[StoredFile, ...]:
        """What lies at `place`, if it is exactly `files`: a step that is tried again finds its work done."""
        folder = self._folder(place)
        if {path.name for path in folder.iterdir()} != set(files):
            raise taken()
        stored = []
        for name, content in files.items():
            data = (folder / name).read_bytes()
            file = as_stored(place, name, data, content if encrypted else None)
            if self._opened(data, file, place) != content:
                raise taken()
            stored.append(file)
        return tuple(stored)

    def _opened(self, data: bytes, file: StoredFile, place: Place) -> bytes:
        if file.plain_sha256 is None:
            return data
        return unseal(self.keys.secret(place), data, _context(place, file.name))

    def _publish(self, staged: Path, place: Place) -> None:
        try:
            folders.publish(self._lake, staged / "files", self._folder(place))
        except folders.Taken:
            raise taken() from None

    @property
    def _lake(self) -> Path:
        return self.home / "lake"

    def _folder(self, place: Place) -> Path:
        return self.home / place.folder

    def _path(self, file: StoredFile, place: Place) -> Path:
        if file.path != str(place.path_of(file.name)):
            raise ValueError(f"{file.path!r} is not a file of {place}")
        return self.home / file.path


def _context(place: Place, name: str) -> tuple[str, ...]:
    return ("file", place.owner, place.asset, place.version, name)
