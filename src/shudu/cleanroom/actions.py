"""Every write about releases: enter one, decide about a held one, end one, forget its sketch; and stricter rules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import rfc8785

from shudu.cases import actions as cases
from shudu.catalog import queries as catalog
from shudu.identity import queries as identity
from shudu.policy import clock
from shudu.policy.actions import action, part_of_action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Conflict, Invalid, Text
from shudu.runs import actions as runs
from shudu.runs import queries as run_queries
from shudu.runs.types import Withheld

from . import queries
from .models import Cohort, Release, ReleaseRules, Watch
from .procedures import RELEASE
from .types import RULES, OwnRules

if TYPE_CHECKING:
    from .sketches import Sealed

MOST_WORDS = 2_000


class Overtaken(Exception):
    """Another release of the same data was entered meanwhile: compare again."""


@action(Permission.RUN_CARRY, Event.RUN_STARTED)
def enter(
    actor: Actor,
    run_id: str,
    *,
    asset: str,
    version: str,
    owner: str,
    agreement: str,
    seen: int,
    sketch: Sealed | None,
    cap: int,
) -> Release:
    """Enter a run's release, compared with the first `seen` of its data, so that every later one is compared with it.

    Two at once cannot both get in: the count moves on for one of them, and the other gets `Overtaken` and compares
    again. Raises `Conflict` (`release.daily_cap`) when the agreement has had its `cap` releases of the day. Its run's
    entry in the ledger tells of it, so this makes none.
    """
    require(actor, Permission.RUN_CARRY, run_queries.run_row(run_id))
    record_nothing()
    if found := Release.objects.filter(run=run_id).first():
        return found
    Watch.objects.get_or_create(asset=asset)
    if not Watch.objects.filter(asset=asset, releases=seen).update(releases=seen + 1):
        raise Overtaken
    from .sketches import left_today  # computes on columns: loaded with the first release, not by every page

    if left_today(agreement, cap) < 1:
        raise daily_cap(cap)
    cohort = None
    if sketch:
        cohort, _ = Cohort.objects.get_or_create(
            version=version, sha256=sketch.hashes_sha256, defaults={"asset": asset, "sealed": sketch.hashes}
        )
    return Release.objects.create(
        run=run_id,
        asset=asset,
        version=version,
        owner=owner,
        agreement=agreement,
        number=seen + 1,
        min_group=sketch.min_group if sketch else 0,
        cohort=cohort,
        labels=sketch.labels if sketch else b"",
        labels_sha256=sketch.labels_sha256 if sketch else "",
        ended=None if sketch else clock.now(),
    )


@action(Permission.RUN_CARRY, Event.RUN_STARTED)
def note(
    actor: Actor, run_id: str, *, evidence: Mapping[str, Any], held_for: list[str], files: dict[str, str], days: int
) -> Release:
    """Keep where a release's evidence lies, and for what a person must look at which files within how many days."""
    require(actor, Permission.RUN_CARRY, run_queries.run_row(run_id))
    record_nothing()
    release = Release.objects.get(run=run_id)
    release.evidence, release.held_for, release.files = dict(evidence), held_for, files
    if held_for and release.due is None:
        today = clock.now().astimezone(clock.SHANGHAI).date()
        release.due = clock.end_of_day(today + timedelta(days=days))
    release.save(update_fields=["evidence", "held_for", "files", "due"])
    return release


@action(Permission.RELEASE_DECIDE, Event.RELEASE_DECIDED)
def approve(actor: Actor, run_id: str, opinion: str) -> Release:
    """Let a held release leave: the run closes with exactly the bytes that were held. Of the opinion a digest stays."""
    release = _decide(actor, run_id, "approve", opinion)
    runs.resume(run_id)
    return release


@action(Permission.RELEASE_DECIDE, Event.RELEASE_DECIDED)
def refuse(actor: Actor, run_id: str, opinion: str) -> Release:
    """Keep a held release in: the run ends without a result, and what it reserved comes back."""
    release = _decide(actor, run_id, "refuse", opinion)
    runs.end_held(identity.system(), run_id, withheld())
    return release


@action(Permission.RUN_CARRY, Event.RELEASE_DECIDED)
def lapse(actor: Actor, run_id: str) -> Release:
    """End a held release nobody decided about in time."""
    release = queries.release_row(run_id)
    require(actor, Permission.RUN_CARRY, run_queries.run_row(run_id))
    if release.due is None or clock.now() <= release.due:
        raise Conflict("release.not_due", Text("尚未到期。", "It is not due yet."), None, {"run": run_id})
    _take(actor, release, "lapse", "")
    runs.end_held(identity.system(), run_id, withheld())
    return release


@action(Permission.RUN_CARRY, Event.RUN_FAILED)
def end(actor: Actor, run_id: str) -> Release | None:
    """A run that failed after its release was worked out has released nothing: later ones need not be compared."""
    require(actor, Permission.RUN_CARRY, run_queries.run_row(run_id))
    record_nothing()
    Release.objects.filter(run=run_id, ended=None).update(ended=clock.now())
    return Release.objects.filter(run=run_id).first()


@action(Permission.ASSET_ERASE, Event.VERSION_ERASED)
def forget(actor: Actor, version_id: str) -> None:
    """Sketches and evidence go with the version they were made of; what was released of it is compared no more."""
    require(actor, Permission.ASSET_ERASE, catalog.version_row(version_id).binding.asset)
    record_nothing()
    Release.objects.filter(version=version_id).update(labels=b"", labels_sha256="", evidence={})
    Cohort.objects.filter(version=version_id).delete()


@action(Permission.RELEASE_RESTRICT, Event.RELEASE_RESTRICTED)
def restrict(actor: Actor, rules: OwnRules) -> ReleaseRules:
    """Ask for stricter rules for every release the actor's data or models are part of, from its next run on.

    Raises Invalid `release.laxer`, naming the rule, where one is laxer than the house has it.
    """
    from .house_policy import as_rule
    from .release_policy import stricter

    require(actor, Permission.RELEASE_RESTRICT)
    house, asked = queries.policy_of([]), rules.named()
    for name, value in asked.items():
        mine, theirs = as_rule(name, value), getattr(house, name)
        if stricter(name, mine, theirs) != mine:
            raise _laxer(name, mine, theirs)
    digest = hashlib.sha256(rfc8785.dumps(asked)).hexdigest()
    row = ReleaseRules.objects.create(owner=actor.party, rules=asked, sha256=digest)
    record(row.id, {"party": actor.party, "rules_sha256": digest})
    return row


def _laxer(name: str, mine: Any, theirs: Any) -> Invalid:
    title = RULES[name]
    if name == "group_by":
        zh, en = "所列的列不都在本平台允许分组的列之内", "not all of these may make groups here"
    else:
        zh, en = f"{mine} 比本平台现行的 {theirs} 宽松", f"{mine} is laxer than {theirs}, which holds here"
    return Invalid(
        "release.laxer",
        Text(f"“{title.zh}”（{name}）：{zh}，没有受理。", f"{title.en} ({name}): {en}; nothing was changed."),
        Text("只能从严：请改得更严，或不填这一条。", "Rules can only be made stricter: change it, or leave it out."),
        {"field": name},
    )


@part_of_action
def _decide(actor: Actor, run_id: str, transition: str, opinion: str) -> Release:
    release = queries.release_row(run_id)
    require(actor, Permission.RELEASE_DECIDE, release)
    if not opinion.strip() or len(opinion) > MOST_WORDS:
        raise Invalid(
            "release.opinion",
            Text(f"请写明理由，至多 {MOST_WORDS} 字。", f"Give a reason of at most {MOST_WORDS} characters."),
            None,
            {"field": "opinion"},
        )
    if release.due is not None and clock.now() > release.due:
        raise Conflict(
            "release.lapsed",
            Text("已超过审核期限。", "The time to decide has passed."),
            Text("该任务即将按逾期办结，不扣款。", "The run is about to end; nothing is charged."),
            {"run": run_id},
        )
    _take(actor, release, transition, hashlib.sha256(opinion.encode()).hexdigest())
    return release


@part_of_action
def _take(actor: Actor, release: Release, transition: str, digest: str) -> None:
    case = cases.advance(release.run, transition, actor, digest, procedure=RELEASE.name)
    release.decision, release.decided, release.decided_by = str(case.state), clock.now(), actor.party
    release.opinion_sha256 = digest
    release.save(update_fields=["decision", "decided", "decided_by", "opinion_sha256"])
    record(
        release.run,
        {
            "run": release.run,
            "case": case.id,
            "decision": release.decision,
            "held_for": release.held_for,
            "files": release.files,
            "opinion_sha256": digest,
        },
    )


def withheld() -> Withheld:
    """All a buyer is told, whatever the rule and whoever applied it."""
    return Withheld("release.withheld", WITHHELD, WITHHELD_REMEDY)


def daily_cap(cap: int) -> Conflict:
    return Conflict(
        "release.daily_cap",
        Text(
            f"该协议今日已放行 {cap} 次，达到上限。",
            f"This agreement has had its {cap} releases of the day.",
        ),
        Text("请明日再运行。", "Run it again tomorrow."),
    )


WITHHELD = Text("结果不符合放行规则，未予输出。", "The result does not meet the rules of release; nothing left.")
WITHHELD_REMEDY = Text(
    "未扣款。请减少分组列、使用更多数据，或与数据提供方联系。",
    "Nothing was charged. Group by fewer columns, use more data, or ask the provider.",
)
