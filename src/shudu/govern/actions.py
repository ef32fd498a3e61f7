"""Declaring what a table is held to, which counts its newest version by it at once, and each later one by itself."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from shudu.catalog import queries as catalog
from shudu.lake import queries as lake
from shudu.lake.types import EVERYTHING
from shudu.policy import clock
from shudu.policy.actions import action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Invalid, Text, not_found

from . import quality_rules
from .models import Assessment, QualityRules
from .quality import Count
from .quality_rules import Rules
from .queries import declaration


def _count(actor: Actor, asset_id: str, rules: Rules) -> tuple[str, list[Count]]:
    """Count before the transaction opens: nobody waits for a scan of a large table."""
    asset = catalog.asset(actor, asset_id)
    require(actor, Permission.QUALITY_DECLARE, asset)
    if asset.kind != asset.Kind.TABLE:
        raise Invalid(
            "quality.no_table", Text("只有数据表可以声明质量规则。", "Only a table can be held to quality rules.")
        )
    shape = catalog.shape(asset.id)
    version = catalog.version_row(shape.version)
    asked = quality_rules.all_rules(shape.columns, shape.entity_key, rules, clock.day_of(version.created))
    tables = [file for file in catalog.files(version) if file.name.endswith(".parquet")]
    answer = lake.store().measure(tables, catalog.place(version), quality_rules.aggregates(asked), EVERYTHING)
    return version.id, quality_rules.counted(asked, answer)


@action(Permission.QUALITY_DECLARE, Event.QUALITY_DECLARED, prepare=_count)
def declare_rules(actor: Actor, asset_id: str, rules: Rules, *, prepared: tuple[str, list[Count]]) -> QualityRules:
    """Hold a table to these rules from now on, in the place of earlier ones, and count its newest version by them.

    Raises Invalid `quality.rules` for a rule the table cannot be held to, `quality.no_table` for a model.
    """
    asset = catalog.asset_row(asset_id)
    require(actor, Permission.QUALITY_DECLARE, asset)
    version, counts = prepared
    value, counted = rules.model_dump(mode="json"), [each.to_json() for each in counts]
    row = QualityRules.objects.create(asset=asset, owner=asset.owner, rules=value, sha256=_digest(value))
    Assessment.objects.create(version_id=version, rules=row, owner=asset.owner, counts=counted)
    record(
        row.id,
        {
            "asset": asset.id,
            "rules": row.id,
            "rules_sha256": row.sha256,
            "version": version,
            "counts_sha256": _digest(counted),
        },
    )
    return row


def _count_again(actor: Actor, version_id: str) -> tuple[QualityRules, list[Count], list[Invalid]]:
    version = catalog.version(actor, version_id)
    asset = version.binding.asset
    require(actor, Permission.QUALITY_DECLARE, asset)
    row = declaration(asset.id)
    if row is None:
        raise not_found("质量规则", "quality rules", asset.id)
    shape = catalog.shape(asset.id, version.id)
    rules = Rules.model_validate(row.rules)
    asked, unfit = quality_rules.still_fitting(shape.columns, shape.entity_key, rules, clock.day_of(version.created))
    answer = lake.store().measure(
        catalog.files(version), catalog.place(version), quality_rules.aggregates(asked), EVERYTHING
    )
    return row, quality_rules.counted(asked, answer), unfit


@action(Permission.QUALITY_DECLARE, Event.QUALITY_ASSESSED, prepare=_count_again)
def assess(actor: Actor, version_id: str, *, prepared: tuple[QualityRules, list[Count], list[Invalid]]) -> Assessment:
    """Count a version by what its owner has declared. Once: the same version under the same rules changes nothing.

    Raises NotFound where nothing is declared, Conflict where the version is withdrawn or erased.
    """
    version = catalog.version(actor, version_id)
    asset = version.binding.asset
    require(actor, Permission.QUALITY_DECLARE, asset)
    rules, counts, unfit = prepared
    counted = [each.to_json() for each in counts]
    said = [{"rule": each.where["rule"], "zh": each.message.zh, "en": each.message.en} for each in unfit]
    row, first = Assessment.objects.get_or_create(
        version=version, rules=rules, defaults={"owner": asset.owner, "counts": counted, "unfit": said}
    )
    if not first:
        record_nothing()
        return row
    record(
        version.id,
        {"asset": asset.id, "rules": rules.id, "version": version.id, "counts_sha256": _digest(counted)},
    )
    return row


def _digest(value: Any) -> str:
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
