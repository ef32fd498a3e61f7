"""The quality of a table, as anybody who may see its entry sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, Subquery

from shudu.agreements import queries as agreements
from shudu.agreements.types import TableRows
from shudu.catalog import queries as catalog
from shudu.catalog.queries import Asset, Version
from shudu.catalog.types import CoreFields, Offered
from shudu.lake.types import Mask
from shudu.policy import clock
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, refuse_unless
from shudu.policy.types import Actor, Text, not_found

from .anonymity import CONTROLLED_K, quasi_of
from .detectors import Kind
from .exposure import Report as Report
from .exposure import report
from .masking import USUAL
from .models import Assessment, QualityRules
from .quality import Count, Dimension, Score, score

# Of CoreFields.update_cycle; 1 (real time), 8 (irregular) and 9 (not updated) promise no day. Months and years as in
# the calendar's longest, so that nobody is late for a short February.
CYCLES = {"2": 1, "3": 7, "4": 31, "5": 92, "6": 366, "7": 184}


@dataclass(frozen=True, slots=True)
class Quality:
    """A version's score, under which declaration; `declared` is None while only the schema holds it to anything.

    `waiting`: the owner has declared other rules, which the worker has still to count the version by.
    `unfit`: rules of the declaration that this version's columns cannot be held to.
    """

    version: str
    number: int
    score: Score
    declared: QualityRules | None
    assessed: datetime
    waiting: bool
    unfit: tuple[Text, ...]


def quality(actor: Actor, asset_id: str, version_id: str | None = None) -> Quality | None:
    """The quality of a version of an asset, the newest unless told; None when it has none, or is no table of rows.

    Raises NotFound for a version that is none of this asset.
    """
    asset = catalog.asset(actor, asset_id)
    if version_id is None:
        return of(asset)
    version = catalog.version(actor, version_id)
    if version.binding.asset_id != asset.id:
        raise not_found("版本", "version", version_id)
    return of(asset, version)


def history(actor: Actor, asset_id: str) -> list[Quality]:
    """The quality of every version of an asset that is a table of rows, newest first, whatever became of it."""
    asset = catalog.asset(actor, asset_id)
    found = (of(asset, version) for version in catalog.versions_of(asset.id))
    return [each for each in found if each is not None]


def declaration(asset_id: str) -> QualityRules | None:
    """What the owner declared last."""
    return QualityRules.objects.filter(asset=asset_id).order_by("-id").first()


def due(limit: int = 100) -> list[Version]:
    """Live versions to count by their owners' rules: published since these were declared, or the newest there is."""
    stated = QualityRules.objects.filter(asset=OuterRef("binding__asset")).order_by("-id")
    live = catalog.live_versions()
    later = live.filter(binding=OuterRef("binding"), number__gt=OuterRef("number"))
    rows = live.filter(binding__asset__in=QualityRules.objects.values("asset")).annotate(
        stated=Subquery(stated.values("id")[:1]), since=Subquery(stated.values("created")[:1])
    )
    done = Assessment.objects.filter(version=OuterRef("pk"), rules=OuterRef("stated"))
    return list(rows.filter(Q(created__gte=F("since")) | ~Exists(later)).exclude(Exists(done)).order_by("id")[:limit])


def of(asset: Asset, version: Version | None = None) -> Quality | None:
    """The same as `quality` for doors that have decided already who may."""
    version = version or catalog.latest(asset.id)
    if version is None or "quality" not in version.observations:
        return None
    declared = declaration(asset.id)
    assessed = Assessment.objects.filter(version=version).select_related("rules").order_by("-rules").first()
    newest = declared is not None and (version.created >= declared.created or version == catalog.latest(asset.id))
    found = assessed.counts if assessed else version.observations["quality"]["counts"]
    counts = [Count.from_json(each) for each in found]
    held = {each.indicator for each in counts}
    for each in (_metadata(asset), _security(asset, version.observations), _timely(asset), _arrived(version)):
        if each is not None and each.indicator not in held:
            counts.append(each)
    under = assessed.rules if assessed else None
    return Quality(
        version=version.id,
        number=version.number,
        score=score(counts, weights(under)),
        declared=under,
        assessed=assessed.created if assessed else version.created,
        waiting=newest and version.state == Version.State.LIVE and under != declared,
        unfit=tuple(Text(each["zh"], each["en"]) for each in assessed.unfit) if assessed else (),
    )


def profile(actor: Actor, version: Version) -> dict[str, Any] | None:
    """What the pass that wrote a version found of its columns (`profile.ProfileObserver`), for who may inspect it.

    None for anybody else, for an erased version, and for what is no table of rows.
    """
    asset = version.binding.asset
    if version.state == Version.State.ERASED or not decide(actor, Permission.ASSET_INSPECT, asset):
        return None
    found: dict[str, Any] | None = version.observations.get("profile")
    return found


def anonymity(actor: Actor, request: TableRows, least: int = CONTROLLED_K) -> Report:
    """What rows offered so would still tell of single people: for the owner of the table alone, and only counts.

    Raises Refused for anybody else, Invalid as `agreements.actions.draft_table` and `anonymity.assess` do.
    """
    asset = catalog.asset(actor, request.data)
    refuse_unless(decide(actor, Permission.QUALITY_DECLARE, asset))
    data = catalog.shape(asset.id)
    view = agreements.table_view(data, request)
    return report(data, view, request.quasi, request.not_quasi, least)


def suggested_quasi(actor: Actor, data: Offered) -> tuple[str, ...]:
    """The columns that are counted by unless masked whole or left out on record: for the owner of the table alone."""
    refuse_unless(decide(actor, Permission.QUALITY_DECLARE, catalog.asset(actor, data.asset)))
    return quasi_of(data.columns, None)


def usual_masks(actor: Actor, asset_id: str) -> dict[str, Mask]:
    """How the columns found to hold personal data are usually masked, by column: for the owner of the table alone."""
    asset = catalog.asset(actor, asset_id)
    refuse_unless(decide(actor, Permission.QUALITY_DECLARE, asset))
    version = catalog.latest(asset.id)
    found: dict[str, dict[str, str]] = version.observations.get("level", {}).get("columns", {}) if version else {}
    return {name: USUAL[Kind(each["kind"])] for name, each in found.items()}


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
