"""The quality of a table, as anybody who may see its entry sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from shudu.agreements import queries as agreements
from shudu.agreements.types import TableRows
from shudu.catalog import queries as catalog
from shudu.catalog.queries import Asset, Version
from shudu.catalog.types import CoreFields
from shudu.policy import clock
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, refuse_unless
from shudu.policy.types import Actor, Text

from .anonymity import CONTROLLED_K
from .exposure import Report as Report
from .exposure import report
from .models import Assessment, QualityRules
from .quality import Count, Dimension, Score, score

# Of CoreFields.update_cycle; 1 (real time), 8 (irregular) and 9 (not updated) promise no day. Months and years as in
# the calendar's longest, so that nobody is late for a short February.
CYCLES = {"2": 1, "3": 7, "4": 31, "5": 92, "6": 366, "7": 184}


@dataclass(frozen=True, slots=True)
class Quality:
    """A version's score, under which declaration; `declared` is None while only the schema holds it to anything."""

    version: str
    score: Score
    declared: QualityRules | None


def quality(actor: Actor, asset_id: str) -> Quality | None:
    """The quality of an asset's newest version; None when it has none, or is no table of rows."""
    return of(catalog.asset(actor, asset_id))


def of(asset: Asset) -> Quality | None:
    """The same for doors that have decided already who may."""
    version = catalog.latest(asset.id)
    if version is None or "quality" not in version.observations:
        return None
    declared = QualityRules.objects.filter(asset=asset).order_by("-id").first()
    assessed = Assessment.objects.filter(version=version, rules=declared).first() if declared else None
    found = assessed.counts if assessed else version.observations["quality"]["counts"]
    counts = [Count.from_json(each) for each in found]
    held = {each.indicator for each in counts}
    for each in (_metadata(asset), _security(asset, version.observations), _timely(asset), _arrived(version)):
        if each is not None and each.indicator not in held:
            counts.append(each)
    under = declared if assessed else None
    return Quality(version.id, score(counts, weights(under)), under)


def anonymity(actor: Actor, request: TableRows, least: int = CONTROLLED_K) -> Report:
    """What rows offered so would still tell of single people: for the owner of the table alone, and only counts.

    Raises Refused for anybody else, Invalid as `agreements.actions.draft_table` and `anonymity.assess` do.
    """
    asset = catalog.asset(actor, request.data)
    refuse_unless(decide(actor, Permission.QUALITY_DECLARE, asset))
    data = catalog.shape(asset.id)
    return report(data, agreements.table_view(data, request), request.quasi, least)


def weights(declared: QualityRules | None = None) -> dict[str, int]:
    """What each dimension weighs, in per cent: as the owner declared, else as this installation does."""
    stated = declared.rules.get("weights") if declared else None
    if stated is None:
        return settings.OPTIONS.weights_of_quality
    return dict(zip(map(str, Dimension), stated, strict=True))


def _metadata(asset: Asset) -> Count:
    """0103: of the mandatory core fields that a publisher states, those that are stated."""
    core = CoreFields(**asset.core)
    asked = 3 if core.share_type in ("1", "2") else 2
    how = Text("发布方应填的核心元数据", "core fields the publisher must state")
    return Count("0103", asked - len(core.gaps()), asked, how)


def _security(asset: Asset, observations: dict[str, dict[str, object]]) -> Count | None:
    """0106: of the columns in which something sensitive was found, those whose level is at least the suggested one."""
    found = observations.get("level", {})
    columns = found.get("columns")
    if not isinstance(columns, dict) or not columns:
        return None
    kept = asset.level >= str(found["level"])
    how = Text("敏感列，按建议级别保护", "sensitive columns, kept at the suggested level")
    return Count("0106", len(columns) if kept else 0, len(columns), how)


def _arrived(version: Version) -> Count | None:
    """0202: of the records of the file a version came from, those that were not put aside.

    A version restored came from no file: it is as complete as the one it repeats. None for what was never a file.
    """
    source = catalog.repeated(version)
    if not source.report:
        return None
    # A line of totals or a remark is put aside too, and was never a record.
    others = sum(rows for code, rows in source.report["reasons"].items() if code.startswith("row.aside."))
    lost = max(source.report["rejected"] - others, 0)
    how = Text("文件的记录，搁置的视为缺失", "records of the file; those put aside are missing")
    return Count("0202", version.rows, version.rows + lost, how)


def _timely(asset: Asset) -> Count | None:
    """0502: of the whole periods of the promised update cycle that have passed, those in which a version came."""
    days = CYCLES.get(CoreFields(**asset.core).update_cycle)
    made = sorted(row.created for row in catalog.versions_of(asset.id))
    return on_time(made, timedelta(days=days), clock.now()) if days and made else None


def on_time(made: Sequence[datetime], cycle: timedelta, now: datetime) -> Count | None:
    """Whole cycles since the first of `made` (sorted), and those in which another was made; None before one is over."""
    due = (now - made[0]) // cycle
    if not due:
        return None
    kept = {(each - made[0]) // cycle for each in made[1:]} & set(range(due))
    return Count("0502", len(kept), due, Text("承诺更新周期", "promised update periods"))
