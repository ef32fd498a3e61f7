"""SQL models: one SELECT of one expression over the model's inputs, row by row.

The statement is parsed, every node of its tree is on a list, and what runs inside the sandbox is written anew from that
tree: the text that came in never reaches a database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import sqlglot
from sqlglot import expressions as sql
from sqlglot.errors import SqlglotError

from shudu.cleanroom.inside_kinds.declared import pack
from shudu.policy.types import Invalid, Text

from .admitted import Admitted
from .card import ModelCard, parse

MAX_BYTES = 65_536
MAX_NODES = 20_000
TABLE = "input"
_STATEMENT = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:\s|--[^\n]*\n|/\*.*?\*/)*"
    rb"(?:select|with|from|values|insert|update|delete|create|drop|alter|attach|copy|call|pragma|set|install|load)\b",
    re.IGNORECASE | re.DOTALL,
)

# Each gives one value from values of the same row, and the same value every time.
_NODES = frozenset(
    """
    Abs Add And Between Boolean Case Cast Ceil Coalesce Column Concat DPipe DataType DataTypeParam Div EQ Exp Floor GT
    GTE Greatest Identifier If ILike In Is LT LTE Least Length Like Literal Ln Log Lower Mod Mul NEQ Neg Not Null
    NullSafeEQ NullSafeNEQ Nullif Or Paren Pow Round Sign Sqrt StartsWith Sub Substring Trim TryCast Upper
    Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh Cbrt IsNan
    """.split()
)
_FUNCTIONS = frozenset(
    "isnan isfinite cbrt sin cos tan asin acos atan tanh log2 log10 trunc ends_with contains".split()
)
_TYPES = frozenset("BIGINT BOOLEAN DOUBLE FLOAT INT INTEGER SMALLINT TINYINT VARCHAR TEXT DECIMAL".split())


def recognises(data: bytes) -> bool:
    """Begins with a word that begins a statement; one that is no SELECT is refused with its reason."""
    return _STATEMENT.match(data) is not None


def admit(data: bytes, card: Mapping[str, Any] | None) -> Admitted:
    """The model with its card. Raises Invalid `sql.…`, `card.…` or `model.card`."""
    declared = parse(card)
    expression = _expression(data)
    _check_nodes(expression)
    _check_columns(expression, declared)
    text = expression.sql(dialect="duckdb", identify=True, comments=False)
    statement = f'SELECT CAST(({text}) AS DOUBLE) AS "score" FROM "{TABLE}"'  # noqa: S608 - written from listed nodes
    _check_same(statement, expression)
    return declared.admitted("sql", pack(declared.told(), statement.encode()))


def _expression(data: bytes) -> sql.Expr:
    """The one thing selected. Raises Invalid when the text is anything but SELECT … FROM input."""
    if len(data) > MAX_BYTES:
        raise _invalid(
            "too_large",
            Text(f"语句超过 {MAX_BYTES:,} 字节。", f"The statement is larger than {MAX_BYTES:,} bytes."),
            Text("请缩短语句。", "Make it shorter."),
        )
    try:
        found = sqlglot.parse(data.decode("utf-8-sig"), dialect="duckdb")
    except (SqlglotError, RecursionError, UnicodeDecodeError, ValueError):
        raise _invalid(
            "not_sql",
            Text("语句无法解析。", "The statement cannot be parsed."),
            Text("请用 DuckDB 的语法写一条 SELECT。", "Write one SELECT in DuckDB's dialect."),
        ) from None
    statements = [one for one in found if one is not None]
    select = statements[0] if len(statements) == 1 else None
    if not isinstance(select, sql.Select):
        raise _only("statement")
    clauses = {name for name, value in select.args.items() if value}
    source = select.args.get("from_") or select.args.get("from")
    table = source.this if isinstance(source, sql.From) else None
    if clauses - {"expressions", "from_", "from"}:
        raise _only(", ".join(sorted(clauses - {"expressions", "from_", "from"})).upper())
    if not isinstance(table, sql.Table) or {name for name, value in table.args.items() if value} != {"this"}:
        raise _only("FROM")
    if not isinstance(table.this, sql.Identifier) or table.name.lower() != TABLE:
        raise _only("FROM")
    if len(select.expressions) != 1:
        raise _only("score")
    chosen: sql.Expr = select.expressions[0]
    return chosen.this if isinstance(chosen, sql.Alias) else chosen


def _walk(expression: sql.Expr) -> Iterator[sql.Expr]:
    for number, node in enumerate(expression.walk()):
        if number >= MAX_NODES:
            raise _only("size")
        yield node


def _check_nodes(expression: sql.Expr) -> None:
    for node in _walk(expression):
        name = type(node).__name__
        if isinstance(node, sql.Anonymous):
            if str(node.this).lower() not in _FUNCTIONS:
                raise _function(str(node.this))
        elif isinstance(node, sql.DataType):
            if node.sql(dialect="duckdb").split("(")[0].upper() not in _TYPES:
                raise _function(node.sql(dialect="duckdb"))
        elif name not in _NODES:
            raise _function(node.sql_name() if isinstance(node, sql.Func) else name)
        elif isinstance(node, sql.In) and not node.expressions:
            raise _function("IN (SELECT …)")
        elif isinstance(node, sql.Column) and (len(node.parts) > 2 or node.table.lower() not in ("", TABLE)):
            raise _only("FROM")


def _check_columns(expression: sql.Expr, card: ModelCard) -> None:
    """Every column is an input of the card and every input is used; names differ by more than case, as DuckDB reads."""
    names = {name.casefold(): name for name in card.columns}
    used = {node.name.casefold() for node in expression.find_all(sql.Column)}
    if len(names) < len(card.columns):
        raise _invalid(
            "case",
            Text("有两个输入列只差大小写。", "Two inputs differ by case only."),
            Text("请改列名。", "Rename one of them."),
        )
    odd = sorted(used ^ set(names))
    if odd:
        shown = [names.get(one, one)[:60] for one in odd[:20]]
        raise _invalid(
            "columns",
            Text(
                f"语句用到的列与模型说明的输入不一致：{'、'.join(shown)}。",
                f"The statement's columns are not the card's inputs: {', '.join(shown)}.",
            ),
            Text("请使两者一致。", "Make the two agree."),
            columns=shown,
        )
    for node in expression.find_all(sql.Column):
        node.set("table", None)


def _check_same(statement: str, expression: sql.Expr) -> None:
    """What was written reads back as what was checked; a writer's mistake must not let anything through."""
    (again,) = sqlglot.parse(statement, dialect="duckdb")
    found = again.expressions[0].this.this.this if isinstance(again, sql.Select) else None
    if found is None or found.sql(dialect="duckdb", identify=True) != expression.sql(
        dialect="duckdb", identify=True, comments=False
    ):
        raise _function("?")
    _check_nodes(found)


def _only(what: str) -> Invalid:
    return _invalid(
        "one_select",
        Text(
            f"模型须是对 input 的一条 SELECT，只取一个表达式，不得含其他内容（{what}）。",
            f"The model must be one SELECT with one expression over input, and nothing else ({what}).",
        ),
        Text(
            "不用 WITH、WHERE、GROUP BY、JOIN、窗口与子查询；每行一个得分由表达式给出。",
            "No WITH, WHERE, GROUP BY, JOIN, windows or subqueries: the expression gives each row its score.",
        ),
        part=what,
    )


def _function(name: str) -> Invalid:
    return _invalid(
        "function",
        Text(f"语句中有不允许的函数或写法：{name[:60]}。", f"The statement uses what is not allowed: {name[:60]}."),
        Text("允许的函数见 docs/adding-a-model-kind.md。", "docs/adding-a-model-kind.md lists the functions allowed."),
        function=name[:60],
    )


def _invalid(code: str, message: Text, remedy: Text, **where: Any) -> Invalid:
    return Invalid(f"sql.{code}", message, remedy, where)
