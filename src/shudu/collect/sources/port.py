"""The port to somebody's database: which tables there are, what one is made of, and its rows as Arrow.

An adapter is one file with one class. It decides in SQL of its own how each column leaves the server without losing a
digit; everything else (limits, counting, writing, the process it runs in) is here and in `extract`, once for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shudu.policy.types import Invalid, ShuduError, Text, Unavailable

if TYPE_CHECKING:
    import pyarrow as pa

TLS = ("off", "require", "verify")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a database is and how to get in. `host` may be a socket's folder or path, then `port` names nothing.

    `tls`: off; require (encrypted, whoever answers); verify (encrypted, certificate and name checked, against `roots`).
    """

    host: str
    port: int
    database: str
    user: str
    password: str
    tls: str = "verify"
    roots: str = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one reading may take: rows, bytes written, seconds."""

    rows: int
    bytes: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view the user may read, by the name it is asked for, such as `public.customers`."""

    name: str
    view: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """A column. `declared` is the server's own word for its type.

    `value` is SQL for what is read; `odd`, SQL for "this value has no counterpart and is read as no value" (a date
    0000-00-00, a NUMERIC 'NaN'), empty where there is none; `orders` when it can carry a watermark.
    """

    name: str
    declared: str
    value: str
    odd: str = ""
    orders: bool = False


@dataclass(frozen=True, slots=True)
class Since:
    """Only rows whose `field` is beyond `value`; `inclusive` with those that are at it.

    `value` is written as DuckDB writes it (moments in UTC).
    """

    field: Field
    value: str
    inclusive: bool


class Source(Protocol):
    """An open connection that only reads. Errors are raised as `failure` makes them, never the server's own words."""

    def tables(self) -> list[Table]:
        """The tables and views the user may read, by name."""
        ...

    def fields(self, table: str) -> list[Field]:
        """The columns of a table in their order. Raises Invalid `source.table` when there is none."""
        ...

    def read(self, table: str, fields: Sequence[Field], since: Since | None) -> Iterator[pa.RecordBatch]:
        """The rows as of one moment: the fields in this order, then for each field with `odd` a truth.

        One statement, read only, streamed: memory must not grow with the table.
        """
        ...

    def close(self) -> None: ...


class Adapter(Protocol):
    """What a kind of database can do, and how to connect to one."""

    def connect(self, endpoint: Endpoint, limits: Limits, driver: str) -> Source:
        """`driver` is the path of the DuckDB extension that `kinds.KINDS` names, if it names one.

        Raises Unavailable `source.unreachable`, `.refused` or `.tls`.
        """
        ...


_WATERMARK = re.compile(r"[0-9-][0-9 :.+-]{0,39}")


def watermark(since: Since) -> str:
    """A watermark as an SQL string: digits and what stands between them in numbers, dates and moments."""
    if not since.field.orders or not _WATERMARK.fullmatch(since.value):
        raise Invalid(
            "source.watermark",
            Text(
                f"列“{since.field.name}”不能作为增量标记：须是整数、定点数、日期或时间。",
                f"The column “{since.field.name}” cannot be a watermark: it takes whole or decimal numbers, dates or"
                " times.",
            ),
            Text("请换一列，或按主键整表刷新。", "Choose another column, or refresh the whole table by its key."),
            {"column": since.field.name},
        )
    return f"'{since.value}'"


_UNREACHABLE = (
    "unable to connect", "failed to connect", "can't connect", "connection refused", "unknown database",
    "does not exist", "lost connection", "gone away", "closed the connection", "terminating connection",
)  # fmt: skip


def failure(kind: str, said: str) -> ShuduError:
    """What a server's words mean, by signs every driver's words hold; the words themselves may quote a secret."""
    words = said.lower()

    def holds(*signs: str) -> bool:
        return any(sign in words for sign in signs)

    if holds("password", "access denied for user", "authentication", "no pg_hba", 'role "') and not holds("select"):
        return Unavailable(
            "source.refused",
            Text("数据库拒绝了用户名或密码。", "The database refused the user or the password."),
            Text("请核对来源库的用户与密码。", "Check the source's user and password."),
            {"kind": kind},
        )
    if holds("ssl", "tls", "certificate"):
        return Unavailable(
            "source.tls",
            Text("无法与数据库建立所要求的加密连接。", "The encryption asked for cannot be had with this database."),
            Text("请核对服务器证书，或来源库的 tls 设置。", "Check the server's certificate, or the source's tls."),
            {"kind": kind},
        )
    if holds("timeout", "timed out", "max_statement_time", "canceling statement", "maximum statement execution"):
        return too_long(kind)
    if holds("permission denied", "command denied", "select command"):
        return Unavailable(
            "source.denied",
            Text("数据库用户没有读取这张表的权限。", "The database's user may not read this table."),
            Text("请由来源库管理员授予 SELECT 权限。", "Ask the database's administrator to grant SELECT."),
            {"kind": kind},
        )
    if holds(*_UNREACHABLE):
        return Unavailable(
            "source.unreachable",
            Text("连不上数据库，或连接中断。", "The database cannot be reached, or the connection broke."),
            Text(
                "请核对主机、端口与库名，并确认网络可达。",
                "Check host, port and name, and that the network leads there.",
            ),
            {"kind": kind},
        )
    if holds("utf-8", "utf8", "unicode", "encoding"):
        return Invalid(
            "source.encoding",
            Text("表中有无法转为 UTF-8 的文字。", "The table holds text that cannot become UTF-8."),
            Text("请核对数据库声明的字符集。", "Check the character set the database declares."),
            {"kind": kind},
        )
    return Invalid(
        "source.read",
        Text("数据库没能给出这张表。", "The database could not give this table."),
        Text("请核对表与各列能否被查询。", "Check that the table and its columns can be queried."),
        {"kind": kind},
    )


def too_long(kind: str) -> Unavailable:
    return Unavailable(
        "source.time",
        Text("读取数据库用时过长，已停止。", "Reading the database took too long and was stopped."),
        Text("请按增量标记刷新，或由运营机构放宽时限。", "Refresh by a watermark, or have the time limit raised."),
        {"kind": kind},
    )


def no_table(name: str, there: Sequence[Table]) -> Invalid:
    some = [table.name for table in there[:20]]
    return Invalid(
        "source.table",
        Text(f"来源库里没有可读的表“{name}”。", f"The source has no table “{name}” that can be read."),
        Text(f"可读的表：{'、'.join(some) or '无'}。", f"Tables that can be read: {', '.join(some) or 'none'}."),
        {"table": name},
    )


def chosen(fields: Sequence[Field], names: Sequence[str]) -> list[Field]:
    """The fields of these names, in this order; all without names. Raises Invalid `source.column`."""
    if not names:
        return list(fields)
    known = {field.name: field for field in fields}
    for name in names:
        if name not in known:
            raise Invalid(
                "source.column",
                Text(f"这张表没有列“{name}”。", f"The table has no column “{name}”."),
                Text(f"有：{'、'.join(list(known)[:50])}。", f"It has: {', '.join(list(known)[:50])}."),
                {"column": name},
            )
    return [known[name] for name in names]
