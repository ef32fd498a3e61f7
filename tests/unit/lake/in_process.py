"""The readers without the process around them, for tests that read hundreds of files.

Only the walls are missing: the same readers read the same open file, and what they say takes the same way on. What the
walls hold is tested in test_odd_files and tests/crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from shudu.lake.readers import choice
from shudu.lake.readers.port import Finish, Request, schema
from shudu.lake.recipe import Note, Reading, Recipe
from shudu.policy.types import ShuduError


class Beside:
    """What `apart.begun` hands over, of a reader in this process."""

    def __init__(self, request: Request) -> None:
        self._reader, earlier = choice.open_reader(request)
        self.recipe: Recipe
        self.recipe, notes = self._reader.understand()
        self.notes: tuple[Note, ...] = (*earlier, *notes)
        self._stopped: ShuduError | None = None
        batches: list[pa.RecordBatch] = []
        try:
            # Here and now: the engine would take them in a thread of its own, in which no SQLite file may be read.
            batches.extend(self._reader.batches())
        except ShuduError as error:
            self._stopped = error
        self.rows = pa.RecordBatchReader.from_batches(schema(self._reader.types), batches)

    def finish(self) -> Finish:
        if self._stopped is not None:
            raise self._stopped
        return self._reader.finish()


@contextmanager
def begun(
    handle: int, name: str, format_: str, reading: Reading, work: Path, *, limit: int | None = None
) -> Iterator[Beside]:
    """In the place of `apart.begun`."""
    yield Beside(Request(Path(f"/proc/self/fd/{handle}"), name, format_, reading, work, limit))
