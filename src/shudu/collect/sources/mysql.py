"""MySQL 5.7 and newer and MariaDB, by DuckDB's mysql_scanner.

One SELECT: under InnoDB a snapshot of its own. The session is UTC and utf8mb4, whatever character set the table has, so
a table in GBK arrives as it reads. Dates such as 0000-00-00 and 2026-02-00, which no calendar holds, are read as no
value and counted; DECIMAL beyond 38 digits, TIME (which may exceed a day), SET, BIT and JSON leave the server as text.
"""

# ruff: noqa: S608 - names come through `name`, watermarks through `watermark`

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence

import pyarrow as pa

from shudu.policy.types import Unavailable

from .port import Endpoint, Field, Limits, Since, Table, failure, no_table, watermark
from .scanned import Scanned

_SSL = {"off": "disabled", "require": "required", "verify": "verify_identity"}
_INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint", "year"}
_REALS = {"float", "double"}
_BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
_SHAPES = {
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection",
}  # fmt: skip


def name(text: str) -> str:
    return "`" + text.replace("`", "``") + "`"


def text(words: str) -> str:
    return "'" + words.replace("\\", "\\\\").replace("'", "''") + "'"


class MySQL:
    def connect(self, endpoint: Endpoint, limits: Limits, driver: str) -> MySQLSource:
        return MySQLSource(endpoint, limits, driver)


class MySQLSource:
    def __init__(self, endpoint: Endpoint, limits: Limits, driver: str) -> None:
        secret = {
            "HOST": endpoint.host,
            "PORT": str(endpoint.port),
            "DATABASE": endpoint.database,
            "USER": endpoint.user,
            "PASSWORD": endpoint.password,
            "SSL_MODE": _SSL[endpoint.tls],
        }
        if endpoint.tls == "verify":
            secret["SSL_CA"] = endpoint.roots
        local = endpoint.host.startswith("/")
        if local:
            # The extension tries 127.0.0.1 where a socket let it not in: at a port where nobody hears the password.
            secret |= {"HOST": "localhost", "PORT": "1", "SOCKET": endpoint.host, "SSL_MODE": "disabled"}
        settings = {
            "mysql_session_time_zone": "+00:00",
            "mysql_tinyint1_as_boolean": "false",
            "mysql_query_timeout_max_ms": str(limits.seconds * 1_000),
        }
        try:
            self._there = Scanned("mysql", "mysql", driver, secret, settings)
        except Unavailable as error:
            # Of two tries it tells the second one's fate alone.
            if local and error.code == "source.unreachable" and _answers(endpoint.host):
                raise failure("mysql", "access denied for user") from None
            raise

    def tables(self) -> list[Table]:
        found = self._there.ask(
            "SELECT CAST(table_name AS CHAR), CAST(table_type = 'VIEW' AS CHAR) FROM information_schema.tables"
            " WHERE table_schema = database() ORDER BY table_name"
        )
        return [Table(called, view == "1") for called, view in found]

    def fields(self, table: str) -> list[Field]:
        there = self.tables()
        if table not in {each.name for each in there}:
            raise no_table(table, there)
        found = self._there.ask(
            "SELECT CAST(column_name AS CHAR), CAST(column_type AS CHAR) FROM information_schema.columns"
            f" WHERE table_schema = database() AND table_name = {text(table)} ORDER BY ordinal_position"
        )
        return [field(*row) for row in found]

    def read(self, table: str, fields: Sequence[Field], since: Since | None) -> Iterator[pa.RecordBatch]:
        asked = [f"{each.value} AS v{number}" for number, each in enumerate(fields)]
        asked += [f"({each.odd}) AS o{number}" for number, each in enumerate(fields) if each.odd]
        sql = f"SELECT {', '.join(asked)} FROM {name(table)}"
        if since is not None:
            # Without its zone, for the session is UTC: MySQL reads no zone in a moment.
            value = watermark(since).removesuffix("+00'").rstrip("'") + "'"
            sql += f" WHERE {name(since.field.name)} {'>=' if since.inclusive else '>'} {value}"
        columns = [_typed(number, each) for number, each in enumerate(fields)]
        columns += [f"o{number} = 1" for number, each in enumerate(fields) if each.odd]
        yield from self._there.stream(sql, columns)

    def close(self) -> None:
        self._there.close()


def _answers(place: str) -> bool:
    """Does anybody listen at this socket?"""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(5.0)
        try:
            line.connect(place)
        except OSError:
            return False
    return True


def _typed(number: int, each: Field) -> str:
    value = f"v{number}"
    if each.declared.startswith("timestamp"):
        value = f"timezone('UTC', {value})"
    elif each.declared == "bit(1)":
        value = f"CAST({value} AS BOOLEAN)"
    return f'{value} AS "{each.name.replace(chr(34), chr(34) * 2)}"'


def field(called: str, declared: str) -> Field:
    """How a column of this declared type is read."""
    c = name(called)
    declared = declared.lower()
    base = re.sub(r"[ (].*", "", declared)
    if base in _INTEGERS:
        return Field(called, declared, f"{c} + 0" if base == "year" else c, orders=True)
    if base in _REALS or base in _BYTES:
        return Field(called, declared, c)
    if base in ("date", "datetime", "timestamp"):
        odd = f"MONTH({c}) = 0 OR DAYOFMONTH({c}) = 0"
        return Field(called, declared, f"CASE WHEN {odd} THEN NULL ELSE {c} END", odd, orders=True)
    if size := re.match(r"decimal\((\d+),(\d+)\)", declared):
        exact = int(size[1]) <= 38
        return Field(called, declared, c if exact else f"CAST({c} AS CHAR)", orders=exact)
    if size := re.fullmatch(r"bit\((\d+)\)", declared):
        return Field(called, declared, f"{c} + 0" if size[1] == "1" else f"LPAD(BIN({c} + 0), {size[1]}, '0')")
    if base in _SHAPES:
        return Field(called, declared, f"ST_AsBinary({c})")
    return Field(called, declared, f"CAST({c} AS CHAR)")
