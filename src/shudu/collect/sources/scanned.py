"""Databases that a DuckDB extension reads: one connection in memory attaches the server and asks it in its own SQL.

The extension moves rows in C++ and streams them; what is asked is SQL of the server, so that no type is left to the
extension's taste. It comes with our own wheels and is loaded by path; nothing is fetched.
"""

# ruff: noqa: S608 - every name and text in the SQL is quoted by `literal` or by the adapter

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import duckdb
import pyarrow as pa

from shudu.lake.types import literal

from .port import failure

BATCH_ROWS = 16_384
MEMORY = "512MB"


class Scanned:
    """A server attached as `there`, read only."""

    def __init__(
        self, kind: str, type_: str, driver: str, secret: Mapping[str, str], settings: Mapping[str, str]
    ) -> None:
        self._kind, self._function = kind, f"{type_}_query"
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "threads": 1,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self._connection = duckdb.connect(":memory:", config=config)
        try:
            self._connection.execute(f"LOAD {literal(driver)}")
            self._connection.execute("SET TimeZone = 'UTC'")
            for name, value in settings.items():
                self._connection.execute(f"SET {name} = {literal(value)}")
            told = ", ".join(f"{name} {literal(value)}" for name, value in secret.items())
            self._connection.execute(f"CREATE SECRET way_in (TYPE {type_}, {told})")
            self._connection.execute(f"ATTACH '' AS there (TYPE {type_}, SECRET way_in, READ_ONLY)")
        except duckdb.Error as error:
            self.close()
            raise failure(kind, str(error)) from None

    def ask(self, sql: str) -> list[tuple[str, ...]]:
        """All rows of a small answer."""
        try:
            return self._connection.execute(f"SELECT * FROM {self._function}('there', {literal(sql)})").fetchall()
        except duckdb.Error as error:
            raise failure(self._kind, str(error)) from None

    def stream(self, sql: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of a large one; `columns` are what DuckDB makes of each."""
        chosen = f"SELECT {', '.join(columns)} FROM {self._function}('there', {literal(sql)})"
        try:
            yield from self._connection.execute(chosen).to_arrow_reader(BATCH_ROWS)
        except (duckdb.Error, pa.ArrowException, UnicodeError) as error:
            raise failure(self._kind, str(error)) from None

    def close(self) -> None:
        self._connection.close()
