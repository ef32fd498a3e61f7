"""The port to stored files: what rooms ask of wherever tables and files are kept, and of whoever keeps their keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from . import folders
from .handing import Handed
from .rechecking import Sheet
from .types import (
    Base,
    Column,
    ColumnRecipe,
    Difference,
    Fault,
    Place,
    Reading,
    Recipe,
    Stored,
    StoredFile,
    Table,
    Understood,
)
from .view import View


class DataKeys(Protocol):
    """Where the data keys of encrypted versions are kept."""

    def create(self, place: Place) -> bytes: ...
    def secret(self, place: Place) -> bytes: ...
    def erase(self, place: Place) -> None: ...
    def destroy(self, place: Place) -> None: ...
    def forget(self, there: Callable[[Place], bool], older_than: float) -> None: ...


class TableStore(Protocol):
    """Stored versions: each is written once and whole, durable before it is acknowledged, and never changed."""

    def write_csv(self, source: Path, place: Place, *, key: str | None, encrypted: bool = False) -> Stored:
        """Store a CSV (UTF-8, header, commas) as a table.

        Raises Invalid `publish.file`, `.empty`, `.size`, `.format` (with the row at fault) or `.key`, Conflict
        `publish.changed` or `lake.exists`, Unavailable `lake.space` or `lake.memory`; then nothing is stored.
        """
        ...

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
        """Store a file of any format as a table, with the recipe it was read by and a report on its rows.

        With a `base`, the table is the base's with the file's rows added or put in the place of those with their key
        (`Mode`); recipe, report and side files are the new file's, all else is of the whole.

        Raises what `write_csv` does, and Invalid with the row and the column at fault for what the reading does not
        allow; then nothing is stored. Rows put aside lie in a side file: rows in = rows out + rejected.
        """
        ...

    def again(self, table: Table, place: Place, *, encrypted: bool = False) -> tuple[StoredFile, ...]:
        """Store the same table once more, as the version at `place`; raises Conflict as `read_table` does."""
        ...

    def compare(self, old: Table, new: Table, *, key: str | None, limit: int = 0) -> Difference:
        """How two tables differ in rows, and up to `limit` of those rows. Raises Conflict as `read_table` does."""
        ...

    def preview(self, source: Path, reading: Reading, key: str | None = None) -> Understood:
        """What would be understood of a file, by its first rows; nothing is stored. Raises Invalid as `land` does,
        but counts what does not fit its column or the `key` instead of raising."""
        ...

    def sheet(self, source: Path, reading: Reading, most: int) -> Sheet:
        """All rows of a small file as text; nothing is stored. Raises Invalid as `land` does in strict reading."""
        ...

    def recheck(
        self,
        rows: Mapping[int, Sequence[str | None]],
        columns: Sequence[ColumnRecipe],
        key: str | None,
        files: Sequence[StoredFile],
        place: Place,
        view: View,
    ) -> dict[int, tuple[Fault, ...]]:
        """What is wrong with rows of text that would join the stored table, by their number; what fits is not named."""
        ...

    def as_file(
        self, rows: Sequence[Sequence[str | None]], columns: Sequence[ColumnRecipe], empty: Sequence[Column] = ()
    ) -> AbstractContextManager[tuple[Path, Recipe]]:
        """Rows of text as a file, with columns more in which they have no value, and the recipe by which it is read
        digit for digit; gone when the block ends."""
        ...

    def write_files(
        self, files: Mapping[str, bytes], place: Place, *, encrypted: bool = False
    ) -> tuple[StoredFile, ...]:
        """Store files as they are; the same again at the same place changes nothing, others raise Conflict."""
        ...

    def read_table(self, files: Sequence[StoredFile], place: Place, view: View) -> Any:
        """What the view shows as a `pyarrow.Table`, rows in the order they were stored."""
        ...

    def measure(
        self, files: Sequence[StoredFile], place: Place, aggregates: Mapping[str, str], view: View
    ) -> dict[str, Any]:
        """One answer to each of these SQL aggregates over what the view shows, by name, all in one scan."""
        ...

    def measure_groups(
        self,
        files: Sequence[StoredFile],
        place: Place,
        view: View,
        by: Sequence[str],
        each: Mapping[str, str],
        aggregates: Mapping[str, str],
    ) -> dict[str, Any]:
        """Group what the view shows `by` columns (a missing value is one too; by none: one group, or none of no rows),
        take the SQL aggregates `each` of every group, and answer each of `aggregates` over those."""
        ...

    def export_ipc(self, files: Sequence[StoredFile], place: Place, view: View, target: Path) -> int:
        """Write exactly what the view shows to an uncompressed Arrow IPC file; returns the rows."""
        ...

    def hand_over(
        self, files: Sequence[StoredFile], place: Place, view: View, target: Place, *, encrypted: bool = False
    ) -> Handed:
        """Store what the view shows as a version of its own at `target`, as CSV and as Parquet.

        Raises Conflict `lake.exists` where something lies, Invalid `delivery.size`; then nothing is stored.
        """
        ...

    def read_file(self, file: StoredFile, place: Place) -> bytes:
        """The content of a file, its digest checked. Raises Conflict `lake.damaged` when it is not what was stored."""
        ...

    def copy_file(self, file: StoredFile, place: Place, target: Path) -> None:
        """Copy a file's content to `target`, replacing it whole or not at all; checks as `read_file` does."""
        ...

    def table_bytes(self, file: StoredFile, place: Place) -> bytes:
        """A stored table as a plain Parquet file, whatever it is stored as; for small ones: it is held in memory."""
        ...

    def erase(self, place: Place) -> None:
        """Destroy a version's data key and remove its files; idempotent. Call it once the tombstone has committed."""
        ...

    def sweep(self, known: set[str], older_than: float = folders.GRACE) -> list[str]:
        """Remove what a crash left behind, with its data keys, and return it: folders nobody has touched for
        `older_than` seconds, of which neither the path nor that of a file (both relative to the home) is `known`."""
        ...

    def frozen(self, meanwhile: Callable[[Path], None]) -> AbstractContextManager[Path]:
        """A folder that shows every published file at its path below `lake`, as of one moment, until the block ends.

        `meanwhile(folder)` runs at that moment and may write into `folder`: a copy of the rows made there agrees with
        the files. Publishing and erasing wait for it, reading does not.
        """
        ...
