"""The kinds of database there is an adapter for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from .port import Adapter


@dataclass(frozen=True, slots=True)
class Kind:
    """An adapter by name alone, so that a page that lists them loads no driver. `extension` is DuckDB's, if any."""

    module: str
    adapter: str
    port: int
    extension: str = ""


KINDS = {
    "mysql": Kind("mysql", "MySQL", 3306, "mysql_scanner"),
    "postgresql": Kind("postgresql", "PostgreSQL", 5432, "postgres_scanner"),
}


def adapter(kind: str) -> Adapter:
    """The adapter itself, loaded now."""
    found = KINDS[kind]
    made: Adapter = getattr(import_module(f".{found.module}", __package__), found.adapter)()
    return made
