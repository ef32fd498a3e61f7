"""Release class A: from one score per row to a table of groups that may leave. Trusted code, outside the sandbox.

Each released row stands for at least `min_group` distinct entities, counted on the declared key and not on rows. Groups
that do not reach it, or that one or two entities dominate, go into one remainder row, which is held to the same rules
and takes in the smallest other groups until it meets them; so do groups that could be told by subtracting what was
released before (differencing.py), and those whose mean the model's points let a few entities make. Rules after the
output checks of statistical research environments (thresholds, NK dominance, counts as evidence); their values and
reasons stand in `release_policy.toml`. What a program cannot judge is held for a person.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from shudu.policy.types import Decision, Refused, Text

from .cells import Bools, Cells, Floats, Ints, Merge, encode, encode_sorted, renumber
from .differencing import Guard, Partition, Unknown, keyed_hashes, rows_of
from .product import to_csv, to_parquet
from .release_policy import DEFAULTS, ReleasePolicy, strictest

__all__ = [
    "DEFAULTS",
    "MEASURES",
    "Check",
    "History",
    "ReleasePolicy",
    "ReleaseRefused",
    "ReleaseSpec",
    "Released",
    "release",
    "strictest",
    "to_csv",
    "to_parquet",
]

MEASURES = pa.schema(
    [
        pa.field("is_remainder", pa.bool_(), nullable=False),
        pa.field("entities", pa.int64(), nullable=False),
        pa.field("mean_score", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """What was agreed to leave: groups by columns that all owners `allowed`, counted on `key`, under `policy`.

    `output` is the range the model declares; a released mean is no finer than `policy.resolution` steps in it.
    """

    key: str
    group_by: tuple[str, ...]
    allowed: frozenset[str]
    policy: ReleasePolicy = DEFAULTS
    output: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What left before of the same data, whoever bought it; `secret` (16 bytes) is what its entities are hashed with.

    `unread` counts releases whose sketch could not be read: nothing can be said of those.
    """

    secret: bytes
    earlier: tuple[Partition, ...] = ()
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """One rule's finding. The evidence is counts, never values: it is kept beside the product."""

    name: str
    ok: bool
    evidence: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "evidence": dict(self.evidence)}


@dataclass(frozen=True, slots=True)
class Released:
    """The table: the group-by columns, then `MEASURES`; sorted by group, the remainder last.

    `held` names the checks that a person must answer before it leaves. `sketch` is what to keep of who is in which row.
    """

    table: pa.Table
    checks: tuple[Check, ...]
    held: tuple[str, ...] = ()
    sketch: Partition | None = None


class ReleaseRefused(Refused):
    """Nothing leaves; the last of `checks` is the rule that stopped it."""

    checks: tuple[Check, ...] = ()


class Checks(list[Check]):
    """What was found so far; the first finding that stops everything raises."""

    @property
    def held(self) -> list[str]:
        return [check.name for check in self if not check.ok]

    def hold(self, name: str, **evidence: int) -> None:
        """A finding a person must answer."""
        self.append(Check(name, False, evidence))

    def compared(self, watch: Watch, failed: bool, told_apart: int) -> None:
        """What comparing with earlier releases came to."""
        counts = {"releases_compared": watch.count, "groups_told_apart": told_apart}
        if watch.unread or watch.unknown:
            self.hold("differencing", releases_unread=watch.unread, unfinished=int(watch.unknown), **counts)
            return
        self.require(
            "differencing",
            not failed,
            Text(
                "与此前的放行结果相减可推出过小的分组，不予输出。",
                "Subtracting it from what was released before would tell of too small a group.",
            ),
            Text(
                "请按此前已放行的方式分组，或待数据变化更大后再运行。",
                "Group as in an earlier release, or run again when more of the data has changed.",
            ),
            **counts,
        )

    def require_key(self, column: pa.ChunkedArray) -> None:
        """Every row says whose it is."""
        self.require(
            "key",
            column.null_count == 0,
            Text("主体标识列有空值，无法计数。", "The entity key has empty values, so entities cannot be counted."),
            Text("请数据提供方补全主体标识后重新发布。", "The provider should fill the key and publish again."),
            nulls=column.null_count,
        )

    def require(self, name: str, ok: bool, message: Text, remedy: Text, **evidence: int) -> None:
        self.append(Check(name, ok, evidence))
        if not ok:
            decision = Decision.deny(f"release.{name}", message, remedy)
            error = ReleaseRefused(f"release.{name}", message, remedy)
            error.decision, error.checks = decision, tuple(self)
            raise error


def release(scores: Floats, rows: pa.Table, spec: ReleaseSpec, history: History | None = None) -> Released:
    """Group, check and round.

    `scores` holds one finite number per row of `rows`, a table with the key and the group-by columns. An entity with
    several rows in a group counts once, with the mean of its scores. Without a `history` nothing is compared and no
    sketch is made. Raises ReleaseRefused (`release.group_by`, `key`, `text`, `too_many_groups`, `too_few`,
    `differencing`, `too_large`); ValueError if scores and rows do not belong together.
    """
    if len(scores) != len(rows) or not np.isfinite(scores).all():
        raise ValueError("one finite score per row is needed")
    checks, policy = Checks(), spec.policy
    _check_group_by(checks, spec, rows.schema)
    checks.require_key(rows.column(spec.key))
    entity, keys = encode(rows.column(spec.key))
    label, groups = _groups(checks, rows.select(list(spec.group_by)), len(rows), policy)
    cells = Cells(label, entity, scores, policy)
    guard = Watch(cells, keys, history)
    merge = cells.merge(guard)
    if merge.failed == "singled_out":
        # Even all rows together have a mean that a few entities make: whether that tells of them a person can say.
        merge = cells.merge(guard, alone=False)
        checks.hold("singled_out", groups_lone=int(cells.lone.sum()), groups_in=cells.count)
    _judge(checks, cells, merge, guard)
    kept = np.flatnonzero(~merge.merged)
    measured = [(False, int(cells.entities[cell]), float(cells.mean[cell])) for cell in kept]
    if merge.merged.any():
        entities, mean, *_ = cells.together(merge.merged)
        measured.append((True, entities, mean))
        groups = [[*(values[cell] for cell in kept), None] for values in groups]
    table = _table(spec, rows.schema, groups, measured)
    require_size(checks, table, policy)
    return Released(table, tuple(checks), tuple(checks.held), guard.sketch(rows_of(merge.merged)))


class Watch:
    """The guard against differencing, if there is a history, and whether it came to know."""

    def __init__(self, cells: Cells, keys: pa.Array, history: History | None) -> None:
        self.unread, self.unknown = history.unread if history else 0, False
        self._guard = None
        if history is not None and cells.count:
            hashes = keyed_hashes(keys, history.secret)
            least = cells.policy.min_group
            self._guard = Guard(*cells.pairs, hashes, cells.count, history.earlier, least)

    @property
    def count(self) -> int:
        """How many earlier releases there are to compare with."""
        return self._guard.compared if self._guard else 0

    def offends(self, merged: Bools) -> Ints | None:
        try:
            return self._guard.offends(merged) if self._guard else None
        except Unknown:
            self.unknown = True
            return None

    def sketch(self, row_of_cell: Ints) -> Partition | None:
        return self._guard.sketch(row_of_cell) if self._guard else None


def _judge(checks: Checks, cells: Cells, merge: Merge, guard: Watch) -> None:
    checks.require(
        "too_few",
        merge.failed != "too_few",
        Text(
            "结果背后的主体过少或过于集中，不予输出。",
            "Too few entities, or too unequal ones, stand behind the result.",
        ),
        Text("请减少分组列，或使用更多数据。", "Group by fewer columns, or use more data."),
        min_group=cells.policy.min_group,
        entities_in=cells.people,
        groups_in=cells.count,
        groups_small=merge.small,
        groups_dominated=merge.dominated,
        groups_lone=merge.lone,
        groups_pulled_in=merge.pulled_in,
        groups_merged=int(merge.merged.sum()),
        groups_out=int((~merge.merged).sum()),
    )
    checks.compared(guard, merge.failed == "differencing", merge.told_apart)


def require_size(checks: Checks, table: pa.Table, policy: ReleasePolicy) -> None:
    """The caps of one release."""
    sizes = {"csv_bytes": len(to_csv(table)), "parquet_bytes": len(to_parquet(table))}
    checks.require(
        "too_large",
        len(table) <= policy.max_rows
        and table.num_columns <= policy.max_columns
        and max(sizes.values()) <= policy.max_bytes,
        Text("结果超出一次输出的上限。", "The result is larger than one release may be."),
        Text("请减少分组列。", "Group by fewer columns."),
        rows=len(table),
        columns=table.num_columns,
        max_rows=policy.max_rows,
        max_columns=policy.max_columns,
        max_bytes=policy.max_bytes,
        **sizes,
    )


def _check_group_by(checks: Checks, spec: ReleaseSpec, schema: pa.Schema) -> None:
    refused, listed = {spec.key, *MEASURES.names}, spec.policy.group_by
    allowed = spec.allowed if listed is None else spec.allowed & listed
    wrong = [n for n in spec.group_by if n not in allowed or n in refused or not _is_category(schema.field(n).type)]
    checks.require(
        "group_by",
        not wrong and len(set(spec.group_by)) == len(spec.group_by),
        Text(
            f"不能按这些列分组：{'、'.join(wrong or spec.group_by)}。",
            f"The result may not be grouped by {', '.join(wrong or spec.group_by)}.",
        ),
        Text(
            "只能按约定的文本、整数、布尔或日期列分组，每列一次，且不能是主体标识列。",
            "Group by agreed text, whole-number, boolean or date columns, each once, never by the entity key.",
        ),
        columns=len(spec.group_by),
        refused=len(wrong),
    )


def _groups(checks: Checks, rows: pa.Table, count: int, policy: ReleasePolicy) -> tuple[Ints, list[list[Any]]]:
    """The group of every row, numbered in the order of the group-by values, and each column's value by group."""
    encoded = [encode_sorted(column) for column in rows.columns]
    too_long = sum(isinstance(v, str) and len(v) > policy.max_text for _, found in encoded for v in found)
    checks.require(
        "text",
        not too_long,
        Text("分组列含有自由文本，不予输出。", "A group-by column holds free text, which may not leave."),
        Text("请按分类较短的列分组。", "Group by a column of short categories."),
        max_text=policy.max_text,
        too_long=too_long,
    )
    label = np.zeros(count, np.int64)
    for codes, found in encoded:
        # Renumbered each time, so that the product of many columns' sizes never overflows.
        label = renumber(label * len(found) + codes)
    one_of = np.zeros(int(label.max()) + 1 if count else 0, np.int64)
    one_of[label] = np.arange(count)
    checks.require(
        "too_many_groups",
        len(one_of) <= policy.max_rows,
        Text("分组过多，不予输出。", "There are too many groups to release."),
        Text("请减少分组列，或按更粗的分类分组。", "Group by fewer or coarser columns."),
        groups_in=len(one_of),
        max_rows=policy.max_rows,
    )
    return label, [[found[codes[row]] for row in one_of] for codes, found in encoded]


def _table(
    spec: ReleaseSpec, schema: pa.Schema, groups: list[list[Any]], measured: list[tuple[bool, int, float]]
) -> pa.Table:
    """Whole numbers stay numbers, every other group value is written as text; the schema hangs on no value."""
    fields, columns = [], []
    for name, values in zip(spec.group_by, groups, strict=True):
        kind = pa.int64() if pa.types.is_integer(schema.field(name).type) else pa.string()
        fields.append(pa.field(name, kind))
        columns.append(pa.array([_plain(value) for value in values], kind))
    remainder, entities, means = zip(*measured, strict=True)
    step = _step(spec)
    rounded = [rounded_to(mean, spec.policy.significant_digits, step) for mean in means]
    columns += [pa.array(remainder), pa.array(entities, pa.int64()), pa.array(rounded, pa.float64())]
    return pa.Table.from_arrays(columns, schema=pa.schema([*fields, *MEASURES]))


def _is_category(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_uint64(kind):  # does not fit the whole numbers of the released table
        return False
    is_ = pa.types
    return any(test(kind) for test in (is_.is_string, is_.is_large_string, is_.is_integer, is_.is_boolean, is_.is_date))


def _plain(value: Any) -> str | int | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return None if value is None else value if isinstance(value, int) else str(value)


def _step(spec: ReleaseSpec) -> float:
    """The finest difference a released mean shows: a decade of the declared range over `resolution`; 0 without one."""
    return step_of(*spec.output, spec.policy.resolution) if spec.output else 0.0


def step_of(low: float, high: float, resolution: int) -> float:
    """10^⌊log10(high - low)⌋ / resolution: a range of 0 to 500 in 1000 steps is seen to 0.1."""
    return float(f"1e{math.floor(math.log10(high - low))}") / resolution


def rounded_to(value: float, digits: int, step: float = 0.0) -> float:
    """Rounded in decimal to whole steps, then to `digits` significant digits (ties to even); never a negative zero."""
    if step:
        value = round(value / step) * step
    return float(f"{value:.{digits}g}") + 0.0
