"""The port to what shows stored versions to other engines, and the notes of what has yet to be shown.

A projection vouches for nothing: the Version rows do. What is noted is done by the worker, so publishing never waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .folders import make_durable_folder, sync
from .types import Shown, ShownTable

FOLDER = "iceberg"
CATALOG = "catalog.sqlite3"
_TAKEN = ".taken"


class Projection(Protocol):
    """Shows versions to other engines. Nothing of it is backed up; it can be made anew at any time."""

    def show(
        self, owner: str, asset: str, versions: Callable[[], Sequence[Shown]], properties: dict[str, str]
    ) -> dict[str, str]:
        """Show these versions of an asset, the oldest first, and nothing else of it; idempotent.

        `versions` is asked when nobody else is showing anything, so what is shown last is what was true last.
        Returns the versions it cannot show, each with the name of the column, or of the file, that is why.
        """
        ...

    def tables(self) -> list[ShownTable]:
        """Every table that is shown."""
        ...

    def clear(self) -> None:
        """Show nothing any more."""
        ...


@dataclass(frozen=True, slots=True)
class Notes:
    """Assets that have changed since they were last shown: an empty file for each, so that a kill loses none."""

    home: Path

    @property
    def _folder(self) -> Path:
        return self.home / FOLDER / "due"

    @property
    def fresh(self) -> bool:
        """Has nothing been shown here yet, as in a new home and in one restored from a backup?"""
        return not (self.home / FOLDER / CATALOG).exists()

    def add(self, asset: str) -> None:
        make_durable_folder(self._folder)
        (self._folder / asset).touch(mode=0o600)
        sync(self._folder)

    def each(self) -> Iterator[str]:
        """Take every note once; it is gone when the block that used it has ended without an error.

        A note made again meanwhile stays for the next time.
        """
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            taken = path if path.suffix == _TAKEN else path.with_name(path.name + _TAKEN)
            try:
                os.replace(path, taken)
            except FileNotFoundError:  # another worker was faster
                continue
            yield taken.name.removesuffix(_TAKEN)
            taken.unlink(missing_ok=True)
