"""The store of this installation, and the observers that see each of its new tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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


def register_observer(name: str, factory: ObserverFactory) -> None:
    """Let an observer see every new table; what it finds stands in `Stored.observations[name]`. Call it in `ready`."""
    _observers[name] = factory


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
