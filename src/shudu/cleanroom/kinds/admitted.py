"""What every kind of model makes of a file it accepts, and whether a table has the columns for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from shudu.policy.types import Invalid, Text


@dataclass(frozen=True, slots=True)
class Admitted:
    """A model as it may run. `inputs` pairs each column with `number` or `category`, in the order the model reads them.

    `job` is what the kind's evaluator is given inside the sandbox.
    """

    kind: str
    name: str
    inputs: tuple[tuple[str, str], ...]
    range: tuple[float, float]
    card: Mapping[str, Any]
    job: bytes = field(repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the model reads, in order."""
        return tuple(column for column, _ in self.inputs)


class Column(Protocol):
    """What a column of a table tells of itself."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...


# The names DuckDB, SQL and Arrow give to numbers and texts, without their parameters.
_NUMBERS = frozenset(
    """
    bigint decimal decimal128 decimal256 double double_precision float float16 float32 float4 float64 float8 halffloat
    hugeint int int1 int128 int16 int2 int32 int4 int64 int8 integer long number numeric real short signed smallint
    tinyint ubigint uhugeint uint16 uint32 uint64 uint8 uinteger usmallint utinyint
    """.split()
)
_TEXTS = frozenset("bool boolean bpchar char enum large_string large_utf8 string string_view text utf8 varchar".split())


def kind_of(type_name: str) -> str | None:
    """`number` or `category` for a column type, None for a type no input can read (dates, lists, blobs …)."""
    name = type_name.strip().lower()
    if name.startswith("dictionary<values=string"):  # how Arrow writes DuckDB's ENUM
        return "category"
    if "[" in name:  # DuckDB's lists
        return None
    name = name.split("(")[0].replace(" ", "_").strip("_")
    return "number" if name in _NUMBERS else "category" if name in _TEXTS else None


def check_columns(inputs: Iterable[tuple[str, str]], columns: Iterable[Column]) -> None:
    """The table has every column the model reads, of the right kind. Raises Invalid naming those that are not."""
    kinds = {one.name: kind_of(one.type) for one in columns}
    inputs = tuple(inputs)
    unknown = [column for column, _ in inputs if column not in kinds]
    if unknown:
        raise Invalid(
            "model.unknown_columns",
            Text(f"数据中没有模型需要的列：{'、'.join(unknown)}。", f"The data has no column {', '.join(unknown)}."),
            Text("请核对模型与数据的列名。", "Compare the column names of model and data."),
            {"columns": unknown},
        )
    wrong = [column for column, kind in inputs if kinds[column] != kind]
    if wrong:
        raise Invalid(
            "model.column_kind",
            Text(
                f"列的类型与模型不符（数值或文本）：{'、'.join(wrong)}。",
                f"The model expects another kind (number or text) of column {', '.join(wrong)}.",
            ),
            Text("请改模型声明的 kind，或另选数据。", "Change the kind the model declares, or choose other data."),
            {"columns": wrong},
        )
