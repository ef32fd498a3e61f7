"""What comes into this room and what it speaks in: drafts of offers, and the terms with their operations.

Upper rooms import terms from here; the thinking lies in `terms`, `reading`, `order`, `evaluation` and `operands`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shudu.lake.types import Mask
from shudu.policy.types import Invalid, Text

from .codes import (
    ACTIONS,
    BASES,
    METRICS,
    ON_REVOCATION,
    PURPOSES,
    RELEASES,
    REVOCATION_REASONS,
    TABLES,
    Basis,
    Metric,
    OnRevocation,
    Purpose,
    ReleaseClass,
    RevocationReason,
    Table,
    UseAction,
)
from .evaluation import ProposedUse, evaluate, evaluate_onward
from .licences import Licence, register_licences
from .openings import Exposure, register_exposure
from .operands import OPERANDS, Operand, onward_plain_words, plain_words
from .order import covers, meet, onward_meet, onward_of
from .reading import from_json, onward_from_json
from .spans import Span
from .terms import (
    ALL,
    NOTHING,
    Every,
    Nothing,
    Onward,
    Release,
    Terms,
    Use,
    Window,
    make,
    onward_to_json,
    terms_sha256,
    to_json,
)
from .view import view_of
from .where import MOST_CONDITIONS, Condition_, Where, masks_of

__all__ = [
    "ACTIONS",
    "ALL",
    "BASES",
    "METRICS",
    "NOTHING",
    "ON_REVOCATION",
    "OPERANDS",
    "PURPOSES",
    "RELEASES",
    "REVOCATION_REASONS",
    "TABLES",
    "Basis",
    "DraftOffer",
    "DraftTable",
    "Every",
    "Exposure",
    "Licence",
    "Metric",
    "Nothing",
    "OnRevocation",
    "Onward",
    "Operand",
    "ProposedUse",
    "Purpose",
    "Release",
    "ReleaseClass",
    "RevocationReason",
    "Span",
    "Table",
    "TableRows",
    "Terms",
    "Use",
    "UseAction",
    "Where",
    "Window",
    "covers",
    "evaluate",
    "evaluate_onward",
    "from_json",
    "make",
    "masks_of",
    "meet",
    "onward_from_json",
    "onward_meet",
    "onward_of",
    "onward_plain_words",
    "onward_to_json",
    "plain_words",
    "register_exposure",
    "register_licences",
    "terms_sha256",
    "to_json",
    "view_of",
]

SPLIT_ROLES = ("provider", "modeller", "platform")
LARGEST_PRICE_FEN = 10**12
MOST_RUNS = 10**9
LARGEST_GROUP = 10**9


def _codes(table: Table, needed: bool = True) -> BeforeValidator:
    def check(given: Any) -> Any:
        codes = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else []
        wrong = [str(code)[:60] for code in codes if not isinstance(code, str) or code not in table.labels]
        if wrong or (needed and not codes):
            raise Invalid(
                "offer.code",
                Text(
                    f"{table.title.zh}代码无效：{'、'.join(wrong) or '未填写'}。",
                    f"Not a code of the table “{table.title.en}”: {', '.join(wrong) or 'none given'}.",
                ),
                Text(f"可用代码：{'、'.join(table.labels)}。", f"Codes are: {', '.join(table.labels)}."),
                {"table": table.title.en},
            )
        return codes

    return BeforeValidator(check)


class DraftOffer(BaseModel):
    """An offer of a data asset together with a model asset, as one of their owners drafts it.

    `price_fen` is per run, in 分; `runs` per agreement; `until` the last day, to its end in Asia/Shanghai; `split` the
    weights of the price, summing to 100. Release class A is a table of groups by `group_by`; class B are `metrics` of
    the model against `label`. With `review` the data's owner looks at every result. `where`: conditions on the rows,
    all of which hold, as objects or as lines such as `tenure >= 12`; `masks`: presets by column to group by.
    Raises `Invalid` for values no
    offer can have.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    model: str
    group_by: tuple[str, ...] = ()
    purposes: Annotated[frozenset[Purpose], _codes(PURPOSES)]
    bases: Annotated[frozenset[Basis], _codes(BASES)]
    runs: int
    until: date
    price_fen: int
    split: dict[str, int]
    min_group: int = 10
    release: Literal[ReleaseClass.A, ReleaseClass.B] = ReleaseClass.A
    label: str | None = None
    metrics: Annotated[frozenset[Metric], _codes(METRICS, needed=False)] = frozenset()
    review: bool = False
    where: Annotated[tuple[Condition_, ...], Field(max_length=MOST_CONDITIONS)] = ()
    masks: dict[str, Mask] = {}

    @model_validator(mode="after")
    def _possible(self) -> DraftOffer:
        _in_range(self.runs, self.price_fen)
        if self.min_group > LARGEST_GROUP:  # how small it may be, the room's rules say (`lines.least_group`)
            raise _out_of_range("min_group", Text("最小分组", "the least group"), 1, LARGEST_GROUP)
        if (self.release is ReleaseClass.B) != bool(self.label and self.metrics and not self.group_by) or (
            self.release is ReleaseClass.A and (self.label or self.metrics)
        ):
            raise Invalid(
                "offer.release",
                Text(
                    "B 类须写明标签列与指标，不写分组列；A 类只写分组列。",
                    "Class B names a label and metrics and no groups; class A names groups only.",
                ),
                Text(
                    "例如 --release B --label churn --metrics auc,ks。",
                    "Such as --release B --label churn --metrics auc,ks.",
                ),
                {"field": "release"},
            )
        if set(self.split) != set(SPLIT_ROLES) or min(self.split.values()) < 0 or sum(self.split.values()) != 100:
            raise Invalid(
                "offer.split",
                Text(
                    "分成须写明 provider、modeller、platform 三方，均为非负整数，合计 100。",
                    "A split names provider, modeller and platform, each a whole number from 0, summing to 100.",
                ),
                Text("例如 provider=60,modeller=30,platform=10。", "Such as provider=60,modeller=30,platform=10."),
                {"field": "split"},
            )
        return self


class TableRows(BaseModel):
    """Rows of a table as somebody else is to see them, and by what they might know a person.

    `columns`: none named means all. `masks`: presets by column; a column found to hold personal data that is neither
    masked here nor named in `clear` is masked whole. `where` as in `DraftOffer`. `quasi`: by which columns somebody may
    know a person, besides those suggested; `not_quasi`: suggested ones not counted by nevertheless, which an offer and
    its record keep.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    columns: tuple[str, ...] = ()
    masks: dict[str, Mask] = {}
    clear: frozenset[str] = frozenset()
    where: Annotated[tuple[Condition_, ...], Field(max_length=MOST_CONDITIONS)] = ()
    quasi: tuple[str, ...] | None = None
    not_quasi: frozenset[str] = frozenset()


class DraftTable(TableRows):
    """An offer to hand over rows of a table, by its owner: to be read and downloaded as the terms show them.

    `price_fen` is per delivery, in 分; `runs` deliveries per agreement; `provider` per cent go to its owner, the rest
    to the exchange. `acknowledged_k`: the smallest class of the report, said back where it is too small.
    """

    purposes: Annotated[frozenset[Purpose], _codes(PURPOSES)]
    bases: Annotated[frozenset[Basis], _codes(BASES)]
    runs: int
    until: date
    price_fen: int
    acknowledged_k: int | None = None
    provider: Annotated[int, Field(ge=0, le=100)] = 90

    @model_validator(mode="after")
    def _possible(self) -> DraftTable:
        _in_range(self.runs, self.price_fen)
        return self


def _in_range(runs: int, price_fen: int) -> None:
    if not 1 <= runs <= MOST_RUNS:
        raise _out_of_range("runs", Text("次数", "the number of runs"), 1, MOST_RUNS)
    if not 0 <= price_fen <= LARGEST_PRICE_FEN:
        raise _out_of_range("price_fen", Text("每次价格（分）", "the price per run (fen)"), 0, LARGEST_PRICE_FEN)


def _out_of_range(field: str, label: Text, least: int, most: int) -> Invalid:
    return Invalid(
        f"offer.{field}",
        Text(f"{label.zh}须为 {least} 至 {most} 之间的整数。", f"{label.en} is a whole number from {least} to {most}."),
        Text("请修改后重试。", "Correct it and try again."),
        {"field": field},
    )
