"""PostgreSQL 12 and newer (and what speaks its protocol and SQL), by DuckDB's postgres_scanner over binary COPY.

One SELECT in a transaction that is REPEATABLE READ and READ ONLY. What binary COPY or DuckDB would bend leaves the
server as text: NUMERIC beyond 38 digits or without a precision, times, intervals, addresses, anything unknown.
"""

# ruff: noqa: S608 - names come through `name`, watermarks through `watermark`

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pyarrow as pa

from .port import Endpoint, Field, Limits, Since, Table, no_table, watermark
from .scanned import Scanned

_SSL = {"off": "disable", "require": "require", "verify": "verify-full"}
_PLAIN = {"smallint", "integer", "bigint", "real", "double precision", "boolean", "bytea", "oid"}
_TEXTS = {"text", "character varying", "character", "name", "citext"}
_MOMENTS = {"date", "timestamp without time zone", "timestamp with time zone"}
_TABLES = (
    "SELECT n.nspname || '.' || c.relname, (c.relkind IN ('v', 'm'))::int::text FROM pg_class c JOIN pg_namespace n ON"
    " n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT IN ('pg_catalog',"
    " 'information_schema', 'pg_toast') AND has_schema_privilege(n.oid, 'USAGE')"
    " AND has_any_column_privilege(c.oid, 'SELECT') ORDER BY 1"
)


def name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def text(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"


class PostgreSQL:
    def connect(self, endpoint: Endpoint, limits: Limits, driver: str) -> PostgreSQLSource:
        return PostgreSQLSource(endpoint, limits, driver)


class PostgreSQLSource:
    def __init__(self, endpoint: Endpoint, limits: Limits, driver: str) -> None:
        secret = {
            "HOST": endpoint.host,
            "PORT": str(endpoint.port),
            "DATABASE": endpoint.database,
            "USER": endpoint.user,
            "PASSWORD": endpoint.password,
            "SSLMODE": _SSL[endpoint.tls],
        }
        if endpoint.host.startswith("/"):
            del secret["SSLMODE"]
        if endpoint.tls == "verify":
            secret["SSLROOTCERT"] = endpoint.roots
        settings = {"pg_statement_timeout_millis": str(limits.seconds * 1_000)}
        self._there = Scanned("postgresql", "postgres", driver, secret, settings)

    def tables(self) -> list[Table]:
        return [Table(called, view == "1") for called, view in self._there.ask(_TABLES)]

    def fields(self, table: str) -> list[Field]:
        there = self.tables()
        if table not in {each.name for each in there}:
            raise no_table(table, there)
        schema, _, called = table.partition(".")
        found = self._there.ask(
            "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), t.typtype::text, t.typcategory::text FROM"
            " pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN"
            f" pg_type t ON t.oid = a.atttypid WHERE n.nspname = {text(schema)} AND c.relname = {text(called)} AND"
            " a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(c.oid, a.attnum, 'SELECT')"
            " ORDER BY a.attnum"
        )
        return [field(*row) for row in found]

    def read(self, table: str, fields: Sequence[Field], since: Since | None) -> Iterator[pa.RecordBatch]:
        schema, _, called = table.partition(".")
        asked = [f"{each.value} AS v{number}" for number, each in enumerate(fields)]
        asked += [f"({each.odd}) AS o{number}" for number, each in enumerate(fields) if each.odd]
        sql = f"SELECT {', '.join(asked)} FROM {name(schema)}.{name(called)}"
        if since is not None:
            sign = ">=" if since.inclusive else ">"
            value = f"CAST({watermark(since)} AS {since.field.declared})"
            sql += f" WHERE {name(since.field.name)} {sign} {value}"
        columns = [f"v{number} AS {name(each.name)}" for number, each in enumerate(fields)]
        columns += [f"o{number}" for number, each in enumerate(fields) if each.odd]
        yield from self._there.stream(sql, columns)

    def close(self) -> None:
        self._there.close()


def field(called: str, declared: str, typtype: str, category: str) -> Field:
    """How a column of this declared type is read."""
    c = name(called)
    base = re.sub(r"\([^)]*\)", "", declared)
    if base in _PLAIN:
        return Field(called, declared, c, orders=base in ("smallint", "integer", "bigint"))
    if base in _TEXTS:
        return Field(called, declared, f"{c}::text")
    if base in _MOMENTS:
        odd = f"NOT isfinite({c})"
        return Field(called, declared, f"CASE WHEN isfinite({c}) THEN {c} END", odd, orders=True)
    if size := re.fullmatch(r"numeric\((\d+),(-?\d+)\)", declared):
        precision, scale = int(size[1]), int(size[2])
        if precision <= 38 and 0 <= scale <= precision:
            odd = f"{c} = 'NaN'"
            return Field(called, declared, f"NULLIF({c}, 'NaN'::numeric)::{declared}", odd, orders=True)
    if category == "A" or typtype == "c":
        return Field(called, declared, f"to_json({c})::text")
    if declared in ("geometry", "geography") or declared.startswith(("geometry(", "geography(")):
        return Field(called, declared, f"ST_AsBinary({c})")
    return Field(called, declared, f"{c}::text")
