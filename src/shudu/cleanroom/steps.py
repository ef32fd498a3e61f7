"""The run that scores: bind exactly the agreed columns, score in the sandbox, release in trusted code, close.

bind     every agreement still permits the run; the result's ids are fixed, so that a step done twice writes once
compute  inputs to the sandbox, scores back, groups and thresholds outside it, product files to the lake
close    the agreements are asked once more; the runs room enters result and receipt in one transaction
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shudu.agreements import queries as agreements
from shudu.agreements.types import Nothing, ProposedUse, Release, onward_to_json, view_of
from shudu.catalog import queries as catalog
from shudu.catalog.types import Offered, Result
from shudu.lake import queries as lake
from shudu.lake.types import Column, View
from shudu.policy import ids
from shudu.policy.rules import refuse_unless
from shudu.policy.types import Conflict, Decision, Refused, Text
from shudu.runs.types import Hold, Outcome, Work

from . import metrics, publishing, queries, release
from .bubblewrap import sandbox
from .evaluators import EVALUATORS
from .kinds import KINDS
from .kinds.admitted import Admitted, check_columns
from .sandbox import JobSpec, OutputSpec, job_folder, read_scores


def bind(work: Work) -> Mapping[str, Any]:
    """Check that everything agreed still stands and fits, before anything is read."""
    data, agreed = _permitted(work)
    model, model_bytes = _model(work)
    _exactly_agreed(work, data, agreed, model, model_bytes)
    _unmasked(work, data, agreed, model)
    check_columns(model.inputs, data.columns)
    publishing.check_cap(work, _policy(work, data, agreed).releases_per_day)
    sandbox().capabilities()
    return {"asset": ids.new("asset"), "version": ids.new("version")}


def compute(work: Work) -> Mapping[str, Any]:
    """Score every row in the sandbox and release groups outside it; the product's files go to the lake."""
    data, agreed = _permitted(work)
    model, model_bytes = _model(work)
    _exactly_agreed(work, data, agreed, model, model_bytes)
    store, version = lake.store(), catalog.version_row(data.version)
    files, place = catalog.files(version), catalog.place(version)
    with job_folder() as folder:
        rows = store.export_ipc(files, place, _view(work, data, model.columns), folder / "data.arrow")
        output = OutputSpec("score", *model.range)
        limits = EVALUATORS[model.kind].limits
        job = JobSpec(model.kind, model.job, folder / "data.arrow", rows, model.inputs, output, limits)
        raw = sandbox().run(job)
    scores = read_scores(raw, rows, output)
    trusted = store.read_table(files, place, _view(work, data, [_entity_key(data), *_trusted(agreed)]))
    policy, key = _policy(work, data, agreed), _entity_key(data)

    def release_against(history: release.History) -> release.Released:
        if agreed.label is not None:
            spec = metrics.MetricSpec(key, agreed.label, frozenset(agreed.metrics), (output.min, output.max), policy)
            return metrics.measure(scores, trusted, spec, history)
        groups = tuple(sorted(agreed.group_by))
        return release.release(
            scores,
            trusted,
            release.ReleaseSpec(key, groups, agreed.group_by, policy, (output.min, output.max)),
            history,
        )

    made = publishing.work_out(work, data, release_against, policy, review=agreed.review)
    return {
        **made,
        "meters": {"rows_in": rows, **made["meters"]},
        "sandbox": sandbox().capabilities().report(),
    }


def close(work: Work) -> Outcome | Hold:
    """Hand over what was made, if every agreement still permits it, and if what was held was let go."""
    data, agreed = _permitted(work)
    made, bound = work.done["compute"], work.done["bind"]
    decision = publishing.decision(work, _policy(work, data, agreed).decide_days)
    if isinstance(decision, Hold):
        return decision
    onward = agreements.derived_onward([item.agreement for item in work.inputs])
    if isinstance(onward, Nothing):
        raise Conflict(
            "terms.nothing",
            Text(
                "各方对结果的使用条件没有交集，不能交付。",
                "The parties' terms for results have nothing in common: nothing can be delivered.",
            ),
            Text("请各方商定一致的条件后重新上架。", "Let the parties agree and make a new offer."),
        )
    titles = catalog.shape(catalog.version_row(work.input("data").version).binding.asset_id, work.input("data").version)
    result = Result(
        asset=bound["asset"],
        version=bound["version"],
        owner=work.party,
        title={
            language: f"{title}{_RESULT[language]}" for language, title in titles.title.items() if language in _RESULT
        },
        files=tuple(made["files"]),
        columns=tuple(Column.from_json(column) for column in made["columns"]),
        rows=made["rows"],
        terms=onward_to_json(onward),
        run=work.run,
    )
    return Outcome(result, made["checks"], made["sandbox"], made["meters"], decision)


_RESULT = {"zh": " · 交付结果", "en": " · result"}


def _permitted(work: Work) -> tuple[Offered, Release]:
    """The data as agreed, and its release terms; `Refused` when an agreement does not permit this run (any more)."""
    for item in work.inputs:
        use = ProposedUse.computing(agreements.agreement_row(item.agreement), work.purpose)
        refuse_unless(agreements.permits(item.agreement, use, version=item.version))
    item = work.input("data")
    agreement = agreements.agreement_row(item.agreement)
    agreed = agreements.terms_of(agreement).use.release
    if agreed is None:
        raise Refused.by(
            Decision.deny(
                "terms.release",
                Text("协议没有约定放行方式。", "The agreement names no way of release."),
                Text("请数据提供方重新上架。", "Ask the provider for a new offer."),
            )
        )
    return catalog.shape(agreement.asset, item.version), agreed


def _exactly_agreed(work: Work, data: Offered, agreed: Release, model: Admitted, model_bytes: bytes) -> None:
    """Judge what this run really reads and runs, not what the agreements say it would."""
    digest = hashlib.sha256(model_bytes).hexdigest()
    columns = {"data": frozenset({_entity_key(data), *_trusted(agreed), *model.columns}), "model": frozenset[str]()}
    for item in work.inputs:
        use = ProposedUse.computing(agreements.agreement_row(item.agreement), work.purpose)
        use = replace(use, columns=columns[item.role], model=digest)
        refuse_unless(agreements.permits(item.agreement, use, version=item.version))


def _view(work: Work, data: Offered, names: Sequence[str]) -> View:
    """These columns of the agreed rows: sandbox and trusted code see the same rows in the same order."""
    use = agreements.terms_of(agreements.agreement_row(work.input("data").agreement)).use
    return view_of(use, data.columns, names, rows_leave=False)


def _unmasked(work: Work, data: Offered, agreed: Release, model: Admitted) -> None:
    """Refuse a masked input, key or label: a result of masked values would look right and be wrong."""
    plain = {_entity_key(data), *model.columns, *([agreed.label] if agreed.label else [])}
    if masked := sorted(plain & _view(work, data, sorted(plain)).masks.keys()):
        raise Refused.by(
            Decision.deny(
                "terms.masks",
                Text(
                    f"协议要求遮盖这些列，模型不能用遮盖后的值计算：{'、'.join(masked)}。",
                    f"The agreement masks these columns, and a model does not compute on masked values:"
                    f" {', '.join(masked)}.",
                ),
                Text(
                    "请数据提供方另行上架，或换用不需要这些列的模型。",
                    "Ask for another offer, or a model without them.",
                ),
            )
        )


def _model(work: Work) -> tuple[Admitted, bytes]:
    """The model, admitted anew from its stored bytes and card, which the lake checks against their digests.

    Raises Conflict `asset.no_version` when its owner has withdrawn or erased it, as for data.
    """
    item = work.input("model")
    version = catalog.version_row(item.version)
    catalog.shape(version.binding.asset_id, item.version)
    raw, card = catalog.model_files(version)
    return KINDS[version.binding.spec["kind"]].admit(raw, card), raw


def _trusted(agreed: Release) -> list[str]:
    """The columns besides the key that only trusted code reads: what is grouped by, or the label."""
    return [*sorted(agreed.group_by), *([agreed.label] if agreed.label else [])]


def _policy(work: Work, data: Offered, agreed: Release) -> release.ReleasePolicy:
    """The strictest of our defaults, the house's rules, both owners' and what was agreed; larger groups by a sensitive
    column."""
    owner, modeller = (catalog.version_row(work.input(role).version).binding.asset.owner for role in ("data", "model"))
    policy, named = queries.policy_of([owner], [modeller]), _trusted(agreed)
    least = max(agreed.min_group, policy.min_group)
    if any(column.sensitivity is not None for column in data.columns if column.name in named):
        least = max(least, policy.min_group_sensitive)
    return replace(policy, min_group=least)


def _entity_key(data: Offered) -> str:
    if data.entity_key is None:
        raise Conflict(
            "release.no_key",
            Text(
                "该数据没有声明主体键，无法按主体计数。",
                "The data declares no entity key, so entities cannot be counted.",
            ),
            Text("请提供方声明主体键后重新发布。", "Ask the provider to declare one and publish again."),
        )
    return data.entity_key
