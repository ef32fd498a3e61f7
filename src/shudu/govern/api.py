"""The quality of tables in the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Query, Router
from pydantic import BaseModel

from shudu.agreements.types import TableRows, masks_of
from shudu.catalog import queries as catalog
from shudu.lake.types import Mask
from shudu.policy.api import Call, Parameters, Said, named
from shudu.policy.types import NotFound, Text

from . import actions, queries
from .quality import DIMENSIONS, Indicator, Measured, percent, why_not
from .quality_rules import Rules

quality = Router(tags=["quality"])


class QualityIndicator(BaseModel):
    """An indicator of GB/T 36344-2018: X = A / B; `counted` says of what, one sentence for each rule."""

    code: str
    name: Said
    counts: Said
    inverse: bool
    a: int
    b: int
    percent: str
    counted: list[Said]

    @classmethod
    def of(cls, row: Measured) -> QualityIndicator:
        return cls(
            **_said(row.indicator), a=row.a, b=row.b, percent=percent(row.x), counted=[Said.of(how) for how in row.how]
        )


class NotCounted(BaseModel):
    """An indicator that could not be counted, and why."""

    code: str
    name: Said
    counts: Said
    inverse: bool
    why: Said


class QualityDimension(BaseModel):
    """A dimension: the mean of what its indicators contribute, and its weight in per cent."""

    code: str
    name: Said
    percent: str
    weight: int


class Quality(BaseModel):
    """A table's quality. Everything follows from A, B and the weights; `docs/quality.md` says how.

    `waiting`: the owner declared other rules, which this version has still to be counted by. `unfit`: rules that its
    columns cannot be held to.
    """

    asset: str
    version: str
    number: int
    assessed: datetime
    waiting: bool
    unfit: list[Said]
    percent: str | None
    dimensions: list[QualityDimension]
    indicators: list[QualityIndicator]
    not_counted: list[NotCounted]
    rules: dict[str, Any] | None

    @classmethod
    def of(cls, asset: str, found: queries.Quality) -> Quality:
        score = found.score
        return cls(
            asset=asset,
            version=found.version,
            number=found.number,
            assessed=found.assessed,
            waiting=found.waiting,
            unfit=[Said.of(each) for each in found.unfit],
            percent=percent(score.total) if score.total is not None else None,
            dimensions=[
                QualityDimension(
                    code=str(code), name=Said.of(DIMENSIONS[code]), percent=percent(share), weight=score.weights[code]
                )
                for code, share in score.dimensions.items()
            ],
            indicators=[QualityIndicator.of(row) for row in score.measured],
            not_counted=[NotCounted(**_said(row), why=Said.of(why_not(row))) for row in score.missing],
            rules=found.declared.rules if found.declared else None,
        )


def _said(row: Indicator) -> dict[str, Any]:
    return {"code": row.code, "name": Said.of(row.name), "counts": Said.of(row.counts), "inverse": row.inverse}


class OfVersion(Parameters):
    """Of which version; the newest unless told."""

    version: str | None = None


@quality.get("/{asset}/quality", response=Quality, **named("数据质量", "The quality of a table"))
def get_quality(request: Call, asset: str, query: Query[OfVersion]) -> Quality:
    """Of the newest version, or of `version`."""
    return _quality(request, asset, query.version)


class QualityHistory(BaseModel):
    """The quality of every version of a table, newest first."""

    items: list[Quality]


@quality.get(
    "/{asset}/quality/history", response=QualityHistory, **named("历次数据质量", "The quality of every version")
)
def list_quality(request: Call, asset: str) -> QualityHistory:
    row = catalog.asset(request.auth, asset)
    return QualityHistory(items=[Quality.of(row.id, each) for each in queries.history(request.auth, row.id)])


class MaskStep(BaseModel):
    """Mask this column so, after those before it, and the smallest class becomes `k`."""

    column: str
    mask: Mask
    k: int


class AnonymityReport(BaseModel):
    """What rows would still tell of single people. `k`: the smallest class of records that agree in all of `quasi`
    (the suggested columns but for `left_out`, and those named);
    `l`: the fewest distinct values within a class, by sensitive column. Counts only, never a value."""

    quasi: list[str]
    left_out: list[str]
    least: int
    records: int
    classes: int
    k: int
    l: dict[str, int]  # noqa: E741 - the field's own word
    records_alone: int
    classes_below_least: int
    records_at_risk: int
    prosecutor_risk: float
    marketer_risk: float
    suits: Literal["open", "controlled", "none"]
    steps: list[MaskStep]

    @classmethod
    def of(cls, made: queries.Report) -> AnonymityReport:
        found = made.found
        return cls(
            quasi=list(made.quasi),
            left_out=list(made.left_out),
            least=made.least,
            records=found.records,
            classes=found.classes,
            k=found.k,
            l=found.diversity,
            records_alone=found.records_alone,
            classes_below_least=found.classes_below_controlled,
            records_at_risk=found.below_controlled,
            prosecutor_risk=float(found.prosecutor),
            marketer_risk=float(found.marketer),
            suits=found.suits,
            steps=[MaskStep(column=step.column, mask=step.mask, k=step.k) for step in made.steps],
        )


class Asked(Parameters):
    """The rows as they would be offered; masks as `column=preset`. `quasi` comes to the suggested columns, `not_quasi`
    leaves some of those out."""

    columns: list[str] = []
    where: list[str] = []
    mask: list[str] = []
    clear: list[str] = []
    quasi: list[str] | None = None
    not_quasi: list[str] = []


@quality.get(
    "/{asset}/anonymity", response=AnonymityReport, **named("匿名性报告", "What rows still tell of single people")
)
def get_anonymity(request: Call, asset: str, query: Query[Asked]) -> AnonymityReport:
    """k-anonymity and l-diversity of what an offer would hand over, for the table's owner."""
    row = catalog.asset(request.auth, asset)
    rows = TableRows(
        data=row.id,
        columns=tuple(query.columns),
        masks=masks_of(query.mask),
        clear=frozenset(query.clear),
        where=tuple(query.where),  # type: ignore[arg-type]  # lines are read as conditions
        quasi=None if query.quasi is None else tuple(query.quasi),
        not_quasi=frozenset(query.not_quasi),
    )
    return AnonymityReport.of(queries.anonymity(request.auth, rows))


_RULES = {"rules": [{"rule": "range", "column": "tenure", "min": 0, "max": 600}]}


@quality.put("/{asset}/quality", response=Quality, **named("声明质量规则", "Declare quality rules", example=_RULES))
def declare_quality(request: Call, asset: str, body: Rules) -> Quality:
    """The owner's rules take the place of earlier ones, and the newest version is counted by them at once."""
    row = catalog.asset(request.auth, asset)
    actions.declare_rules(request.auth, row.id, body, idempotency_key=request.idempotency_key)
    return _quality(request, asset)


def _quality(request: Call, asset: str, version: str | None = None) -> Quality:
    found = queries.quality(request.auth, asset, version)
    if found is None:
        raise NotFound(
            "quality.none", Text("该数据资源没有可评价的数据表版本。", "This asset has no version of a table to judge.")
        )
    return Quality.of(asset, found)
