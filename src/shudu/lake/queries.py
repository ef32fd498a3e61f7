"""The store of this installation, and the observers that see each of its new tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from . import evolving
from .actions import StoredDataKeys
from .keys import Keyring
from .keys import seal as seal
from .keys import unseal as unseal
from .progress import reported_to as reported_to
from .projection import Notes
from .types import Evolution, ObserverFactory, Recipe

if TYPE_CHECKING:
    from .projection import Projection
    from .store import TableStore


def evolved(recipe: Recipe, evolution: Evolution) -> Recipe:
    """How a file with evolved columns is read, from how one with the columns before was."""
    return evolving.recipe(recipe, evolution)


_observers: dict[str, ObserverFactory] = {}
_with_values: set[str] = set()


def register_observer(name: str, factory: ObserverFactory, *, with_values: bool = False) -> None:
    """Let an observer see every new table; what it finds stands in `Stored.observations[name]`. Call it in `ready`.

    `with_values`: what it finds holds values of the table, so it goes when the table does.
    """
    _observers[name] = factory
    if with_values:
        _with_values.add(name)


def without_values(observations: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What may outlive the table that was observed: counts."""
    return {name: found for name, found in observations.items() if name not in _with_values}


def keyring() -> Keyring:
    """The key-encryption keys of this installation, in its folder of keys beside the home."""
    return Keyring(settings.OPTIONS.keys)


def store() -> TableStore:
    """The store in this home. What it reads and writes with is loaded at its first use: few pages need it."""
    from .store import DuckDBStore

    options = settings.OPTIONS
    return DuckDBStore(settings.HOME, data_keys(), dict(_observers), options.max_upload_mb << 20)


def projection() -> Projection:
    """What shows this home's tables to other engines. What it is written with is loaded at its first use."""
    from .iceberg import IcebergProjection

    return IcebergProjection(settings.HOME)


def notes() -> Notes:
    """Which assets have yet to be shown there."""
    return Notes(settings.HOME)


def data_keys() -> StoredDataKeys:
    """The data keys of this installation, for what a room seals by itself."""
    return StoredDataKeys(keyring())


def extension(name: str) -> Path:
    """Where the installed wheel of a DuckDB extension keeps its file. Raises Unavailable when it is not installed."""
    from .engine import extension

    return extension(name)
