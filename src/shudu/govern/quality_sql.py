"""The few SQL conditions quality rules are made of. Every name and value goes through `quoted` or `literal`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from shudu.lake.types import Column, literal, quoted

# Control characters, U+FFFD and other remains of a wrong decoding, blanks around a value, markup entities, and cells
# that only say that they are empty. `{0}` and `{1}` are where a cell begins and ends.
_DIRTY = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{{FFFD}}]|锟斤拷|烫烫烫|{0}[\s\x{{3000}}]|[\s\x{{3000}}]{1}"
    r"|&(?:amp|lt|gt|nbsp|quot|#[0-9]+);"
    r"|{0}(?i:null|none|nan|n/a|#n/a|#ref!|#value!|\\n|undefined|-+|—+|/|\?+){1}"
)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def blank(column: Column) -> str:
    """Has this cell no value?"""
    name = quoted(column.name)
    return f"{name} IS NULL OR {name} = ''" if column.type == "VARCHAR" else f"{name} IS NULL"


def filled(columns: Iterable[Column]) -> str:
    """How many cells have a value. Not a sum of `blank`: counting is ten times cheaper than adding up conditions."""
    counts = (
        f"count(nullif({name}, ''))" if column.type == "VARCHAR" else f"count({name})"
        for column in columns
        for name in [quoted(column.name)]
    )
    return " + ".join(counts)


# Is the cell `$c` dirty? For those who count over different values, or cell by cell.
DIRTY_CELL = f"regexp_matches($c, {literal(_DIRTY.format('^', '$'))})"


def dirty(columns: Sequence[Column]) -> str:
    """How many cells of these columns of text are dirty.

    Most rows are clean, and one expression over a row joined by line breaks costs less than one for each cell: only a
    row that could hold something is looked at cell by cell.
    """
    names = [quoted(column.name) for column in columns]
    row = f"chr(10) || concat_ws(chr(10), {', '.join(names)}) || chr(10)"
    cells = " + ".join(f"CAST({matches(name, _DIRTY.format('^', '$'))} AS INTEGER)" for name in names)
    suspect = matches(row, _DIRTY.format(r"\n", r"\n"))
    return f"sum(CASE WHEN {suspect} THEN {cells} ELSE 0 END)"


def matches(value: str, pattern: str, *, whole: bool = False) -> str:
    """Does the text match? NULL counts as no."""
    function = "regexp_full_match" if whole else "regexp_matches"
    return f"coalesce({function}({value}, {literal(pattern)}), false)"


def between(value: str, low: float | None, high: float | None) -> str:
    bounds = [f"{value} >= {low!r}::DOUBLE"] * (low is not None) + [f"{value} <= {high!r}::DOUBLE"] * (high is not None)
    return " AND ".join(bounds)


def listed(value: str, codes: Iterable[str]) -> str:
    return f"CAST({value} AS VARCHAR) IN ({', '.join(map(literal, codes))})"


def _weighed(value: str, digits: str, weights: tuple[int, ...]) -> str:
    """Σ weight · place of the sign in `digits`, over the first signs of the text."""
    terms = (f"(strpos({literal(digits)}, {value}[{place}]) - 1) * {w}" for place, w in enumerate(weights, 1))
    return f"({' + '.join(terms)})"


def _citizen_id(value: str) -> str:
    """GB 11643-1999: a date that exists, ISO 7064 MOD 11-2."""
    shape = matches(value, "[1-9][0-9]{5}(18|19|20)[0-9]{9}[0-9Xx]", whole=True)
    day = f"try_strptime({value}[7:14], '%Y%m%d') IS NOT NULL"
    check = f"'10X98765432'[{_weighed(value, '0123456789', _ID_WEIGHTS)} % 11 + 1] = upper({value}[18])"
    return f"CASE WHEN {shape} THEN {day} AND {check} ELSE false END"


def _uscc(value: str) -> str:
    """GB 32100-2015: 18 signs without I, O, S, V, Z; MOD 31."""
    shape = matches(value, f"[{_USCC}]{{2}}[0-9]{{6}}[{_USCC}]{{10}}", whole=True)
    rest = f"(31 - {_weighed(value, _USCC, _USCC_WEIGHTS)} % 31) % 31"
    return f"CASE WHEN {shape} THEN {literal(_USCC)}[{rest} + 1] = {value}[18] ELSE false END"


def _luhn(value: str) -> str:
    """ISO/IEC 7812-1 annex B: 12 to 19 digits, every second one from the right doubled."""
    shape = matches(value, "[0-9]{12,19}", whole=True)
    digits = f"list_transform(range(1, length({value}) + 1), lambda i: CAST(reverse({value})[i] AS INTEGER))"
    summed = (
        f"list_sum(list_transform({digits}, lambda d, i:"
        " CASE WHEN i % 2 = 1 THEN d WHEN d > 4 THEN 2 * d - 9 ELSE 2 * d END))"
    )
    return f"CASE WHEN {shape} THEN {summed} % 10 = 0 ELSE false END"


SCHEMES: dict[str, Callable[[str], str]] = {"citizen_id": _citizen_id, "uscc": _uscc, "luhn": _luhn}
