"""Which type a column of text may take without losing a digit.

A column gets the first type of `LADDER` that holds for all its values; whatever fits none stays text, as it is:
- BOOLEAN: `true` and `false`, nothing else.
- BIGINT: up to 15 digits, no leading zero, no plus: an identity number of 18 digits or a code such as 0028 is text.
- DOUBLE: a decimal of up to 15 digits (every such decimal survives IEEE 754 binary64), or one that binary64 writes
  back character for character. An exponent must carry its sign, so that a code such as 12E4 is text.
- DATE, TIMESTAMP: ISO 8601 without a zone (a zone would be lost).
An empty cell has no value in a typed column. In a text column a quoted empty cell is an empty text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .spellings import SPELLINGS

TEXT = "VARCHAR"
LADDER = ("BOOLEAN", "BIGINT", "DOUBLE", "DATE", "TIMESTAMP")
# What files as people write them may hold beyond the plain: see `spellings`.
GENEROUS = (*LADDER, *SPELLINGS)
MISTYPED = "shudu-mistyped-column"

_DECIMAL = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-][0-9]{1,2})?"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_FITS = {
    "BOOLEAN": "$c IN ('true', 'false')",
    "BIGINT": "CASE WHEN strlen($c) <= 15 OR (strlen($c) = 16 AND $c[1] = '-')"
    " THEN CAST(TRY_CAST($c AS BIGINT) AS VARCHAR) = $c ELSE false END",
    "DOUBLE": f"CASE WHEN NOT regexp_full_match($c, '{_DECIMAL}') THEN false WHEN strlen($c) <= 15 THEN true"
    " WHEN strlen(translate($c, '-.', '')) <= 15 THEN true"
    " ELSE CAST(TRY_CAST($c AS DOUBLE) AS VARCHAR) = $c END",
    "DATE": "CASE WHEN strlen($c) = 10 THEN CAST(TRY_CAST($c AS DATE) AS VARCHAR) = $c ELSE false END",
    "TIMESTAMP": f"CASE WHEN regexp_full_match($c, '{_MOMENT}')"
    " THEN CAST(TRY_CAST($c AS TIMESTAMP) AS VARCHAR) = CASE WHEN contains($c, '.')"
    " THEN rtrim(rtrim(replace($c, 'T', ' '), '0'), '.') ELSE replace($c, 'T', ' ') END ELSE false END",
}

# What most values look like, told at a fraction of the cost from $v, which is TRY_CAST of $c: each implies `_FITS`.
_QUICK = {
    "BIGINT": "CAST($v AS VARCHAR) = $c AND $v BETWEEN -999999999999999 AND 999999999999999",
    # What binary64 writes back so has an exponent of at most two digits.
    "DOUBLE": f"CASE WHEN strlen($c) <= 15 THEN regexp_full_match($c, '{_DECIMAL}')"
    " ELSE CAST($v AS VARCHAR) = $c AND abs($v) >= 1e-99 AND abs($v) < 1e100 END",
    "DATE": "strlen($c) = 10 AND CAST($v AS VARCHAR) = $c",
    "TIMESTAMP": "strlen($c) = 19 AND CAST($v AS VARCHAR) = $c",
}


def fits(spelled: str, c: str) -> str:
    """SQL: does the text in `c`, which is neither NULL nor empty, fit this type or spelling? NULL means no."""
    return (SPELLINGS[spelled].fits if spelled in SPELLINGS else _FITS[spelled]).replace("$c", c)


def type_of(spelled: str) -> str:
    """The engine's type of what is spelled like this."""
    return SPELLINGS[spelled].type if spelled in SPELLINGS else spelled


@dataclass(frozen=True, slots=True)
class Candidates:
    """The types all values seen so far allow, whether there was any value at all, and what was written for none."""

    types: tuple[str, ...] = LADDER
    values: bool = False
    nulls: tuple[str, ...] = ()

    @property
    def best(self) -> str | None:
        """The type to take; None while no value was seen."""
        if not self.values:
            return None
        return self.types[0] if self.types else TEXT


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def raw(number: int) -> str:
    """The name under which column `number` is read as text: the file's own names stay out of the parsing."""
    return f"c{number}"


def examine(c: str, types: Sequence[str], nulls: Sequence[str] = (), where: Sequence[str] = ()) -> list[str]:
    """SQL aggregates over the text column `c`: has it values, and do all of them fit this type, and this …

    `where`, one condition for each type, is in which rows that is asked.
    """
    # No FILTER: the engine would keep a copy of every argument for each filtered aggregate.
    there = _there(c, nulls)
    fit = [
        f"coalesce(bool_and(CASE WHEN {f'{here} AND ' if here else ''}{there} THEN {fits(each, c)} IS true END), true)"
        for each, here in zip(types, where or [""] * len(types), strict=True)
    ]
    return [f"coalesce(bool_or({there}), false)", *fit]


def _there(c: str, nulls: Sequence[str]) -> str:
    """SQL: is there a value in `c`? NULL or false when not."""
    return f"{c} <> ''" + (f" AND {c} NOT IN ({', '.join(map(literal, nulls))})" if nulls else "")


def survivors(types: Sequence[str], answer: Sequence[bool], nulls: tuple[str, ...] = ()) -> Candidates:
    """Read the answer to `examine`."""
    values, *fit = answer
    return Candidates(tuple(each for each, fitting in zip(types, fit, strict=True) if fitting), values, nulls)


def selection(columns: Sequence[Candidates], names: Sequence[str], table: str) -> str:
    """Query that types every column of `table` and raises an error naming `MISTYPED` where a value does not fit."""
    # Each text is tried as its type once, below: the check and the value are made of the same answer.
    tries = [
        f", TRY_CAST({raw(number)} AS {column.best}) AS v{number}"
        for number, column in enumerate(columns)
        if column.best in _QUICK
    ]
    chosen = (
        f"{typed(raw(number), column, f'v{number}')} AS {quoted(name)}"
        for number, (column, name) in enumerate(zip(columns, names, strict=True))
    )
    return f"SELECT {', '.join(chosen)} FROM (SELECT *{''.join(tries)} FROM {table})"  # noqa: S608 - names are quoted


def misfit(c: str, column: Candidates) -> str:
    """SQL: does the text in `c` hold a value that its column's type cannot take? Never NULL."""
    spelled = column.best
    if spelled in (TEXT, None):
        return "false"
    assert spelled is not None
    return f"coalesce({_there(c, column.nulls)} AND {fits(spelled, c)} IS NOT true, false)"


def typed(c: str, column: Candidates, tried: str = "") -> str:
    """SQL: the text in `c` as its column's type; an error naming `MISTYPED` where it does not fit.

    `tried` is SQL for what TRY_CAST makes of `c`, where that stands already.
    """
    spelled = column.best
    if spelled == TEXT:
        return c
    if spelled is None:
        return f"CASE WHEN {c} IS NULL OR {c} = '' THEN {c} ELSE error('{MISTYPED}') END"
    type_ = type_of(spelled)
    value = SPELLINGS[spelled].value.replace("$c", c) if spelled in SPELLINGS else f"CAST({c} AS {type_})"
    spelled_nothing = f" OR {c} IN ({', '.join(map(literal, column.nulls))})" if column.nulls else ""
    quick = ""
    if spelled == "BOOLEAN":
        quick = f"WHEN {c} = 'true' THEN true WHEN {c} = 'false' THEN false "
    elif spelled in _QUICK:
        value = tried or f"TRY_CAST({c} AS {type_})"
        quick = f"WHEN {_QUICK[spelled].replace('$c', c).replace('$v', value)} THEN {value} "
    return (
        f"CASE {quick}WHEN {c} IS NULL OR {c} = ''{spelled_nothing} THEN NULL WHEN {fits(spelled, c)} THEN {value}"
        f" ELSE CAST(error('{MISTYPED}') AS {type_}) END"
    )
