"""Values a database may hold that are easily bent on the way: how each is declared, written, and what must arrive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Value:
    """`sql` is the value as the server is given it; it arrives as `arrives`, in a column of the type `stored`."""

    name: str
    declared: str
    sql: str
    stored: str
    arrives: Any


WIDE = "1234567890123456789012345678.0123456789"
BEYOND = "12345678901234567890123456789012345.123456789012345678901234567890"
MOMENT = datetime(2026, 3, 1, 4, 0, 0, 123456)

POSTGRESQL = (
    Value("integer", "bigint", "9223372036854775807", "BIGINT", 9223372036854775807),
    Value("exact decimal of 38 digits", "numeric(38,10)", WIDE, "DECIMAL(38,10)", Decimal(WIDE)),
    Value("NaN in a decimal", "numeric(20,5)", "'NaN'", "DECIMAL(20,5)", None),
    Value("decimal of more than 38 digits", "numeric(65,30)", BEYOND, "VARCHAR", BEYOND),
    Value("decimal without a size", "numeric", BEYOND, "VARCHAR", BEYOND),
    Value("real number", "double precision", "0.1", "DOUBLE", 0.1),
    Value("truth", "boolean", "true", "BOOLEAN", True),
    Value("date", "date", "'2026-03-01'", "DATE", date(2026, 3, 1)),
    Value("moment", "timestamp", "'2026-03-01 04:00:00.123456'", "TIMESTAMP", MOMENT),
    Value("moment with a zone", "timestamptz", "'2026-03-01 12:00:00.123456+08'", "TIMESTAMP WITH TIME ZONE",
          MOMENT.replace(tzinfo=UTC)),
    Value("no date", "timestamp", "'infinity'", "TIMESTAMP", None),
    Value("time of day", "time", "'23:59:59.5'", "VARCHAR", "23:59:59.5"),
    Value("interval", "interval", "'1 year 2 days 03:00:00'", "VARCHAR", "1 year 2 days 03:00:00"),
    Value("bytes", "bytea", "'\\x00ff'", "BLOB", b"\x00\xff"),
    Value("JSON", "jsonb", "'{\"a\":1.10}'", "VARCHAR", '{"a": 1.10}'),
    Value("array", "numeric[]", "'{1.10,NULL}'", "VARCHAR", "[1.10,null]"),
    Value("enumeration", "mood", "'甲'", "VARCHAR", "甲"),
    Value("bits", "bit(5)", "B'10101'", "VARCHAR", "10101"),
    Value("identifier of 18 digits", "text", "'510104199003071237'", "VARCHAR", "510104199003071237"),
    Value("code 0028", "varchar(10)", "'0028'", "VARCHAR", "0028"),
    Value("rare character", "text", "'𠮷野家'", "VARCHAR", "𠮷野家"),
    Value("empty text", "text", "''", "VARCHAR", ""),
    Value("no value", "bigint", "NULL", "BIGINT", None),
)  # fmt: skip
MYSQL = (
    Value("integer", "bigint", "9223372036854775807", "BIGINT", 9223372036854775807),
    Value("integer without a sign", "bigint unsigned", "18446744073709551615", "DECIMAL(20,0)",
          Decimal(18446744073709551615)),
    Value("tiny integer", "tinyint(1)", "7", "BIGINT", 7),
    Value("exact decimal of 38 digits", "decimal(38,10)", WIDE, "DECIMAL(38,10)", Decimal(WIDE)),
    Value("decimal of more than 38 digits", "decimal(65,30)", BEYOND, "VARCHAR", BEYOND),
    Value("real number", "double", "0.1", "DOUBLE", 0.1),
    Value("truth", "bit(1)", "b'1'", "BOOLEAN", True),
    Value("date", "date", "'2026-03-01'", "DATE", date(2026, 3, 1)),
    Value("moment", "datetime(6)", "'2026-03-01 04:00:00.123456'", "TIMESTAMP", MOMENT),
    Value("moment with a zone", "timestamp(6) NULL", "'2026-03-01 04:00:00.123456'", "TIMESTAMP WITH TIME ZONE",
          MOMENT.replace(tzinfo=UTC)),
    Value("no date", "datetime", "'0000-00-00'", "TIMESTAMP", None),
    Value("no day", "date", "'2026-02-00'", "DATE", None),
    Value("time of day", "time(1)", "'838:59:59.5'", "VARCHAR", "838:59:59.5"),
    Value("year", "year", "2026", "BIGINT", 2026),
    Value("bytes", "varbinary(8)", "x'00ff'", "BLOB", b"\x00\xff"),
    Value("JSON", "json", "'{\"a\": 1.10}'", "VARCHAR", '{"a": 1.10}'),
    Value("enumeration", "enum('甲','乙')", "'甲'", "VARCHAR", "甲"),
    Value("set", "set('x','y')", "'x,y'", "VARCHAR", "x,y"),
    Value("bits", "bit(5)", "b'00101'", "VARCHAR", "00101"),
    Value("identifier of 18 digits", "varchar(18)", "'510104199003071237'", "VARCHAR", "510104199003071237"),
    Value("code 0028", "char(4)", "'0028'", "VARCHAR", "0028"),
    Value("rare character", "varchar(9)", "'𠮷野家'", "VARCHAR", "𠮷野家"),
    Value("text in GBK", "varchar(9) CHARACTER SET gbk", "'成都'", "VARCHAR", "成都"),
    Value("empty text", "varchar(9)", "''", "VARCHAR", ""),
    Value("no value", "bigint", "NULL", "BIGINT", None),
)  # fmt: skip


def columns(values: tuple[Value, ...]) -> str:
    return ", ".join(f"v{number} {value.declared}" for number, value in enumerate(values))


def row(values: tuple[Value, ...]) -> str:
    return ", ".join(value.sql for value in values)


def told(value: Value) -> str:
    """What docs/formats.md says of it."""
    if value.arrives is None and value.sql != "NULL":
        return f"{value.stored}, no value, counted"
    return f"{value.stored}, the text as written" if value.arrives == BEYOND else value.stored


def table() -> str:
    """The table in docs/formats.md: what a value is declared as, and what it is once it has arrived."""
    by_kind = [{each.name: each for each in kind} for kind in (POSTGRESQL, MYSQL)]
    names = dict.fromkeys(name for kind in by_kind for name in kind)
    lines = ["| | PostgreSQL | MySQL, MariaDB |", "|---|---|---|"]
    for name in names:
        cells = [f"`{kind[name].declared}`: {told(kind[name])}" if name in kind else "" for kind in by_kind]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
