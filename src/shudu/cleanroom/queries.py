"""Every read of releases."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import QuerySet

from shudu.cases import queries as cases
from shudu.lake import queries as lake
from shudu.lake.types import Place, StoredFile
from shudu.policy import clock
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, refuse_unless, visible
from shudu.policy.types import Actor, not_found
from shudu.runs import queries as runs

from .models import Release as Release
from .models import ReleaseRules as ReleaseRules
from .procedures import RELEASE
from .types import JUDGED_BY_ROWS, RULES

if TYPE_CHECKING:
    from .diagnosis import Diagnosis as Diagnosis
    from .diagnosis import Part as Part
    from .release_policy import ReleasePolicy


def policy_of(owners: Iterable[str], modellers: Iterable[str] = ()) -> ReleasePolicy:
    """The rules of release for what is made of the data of `owners` and models of `modellers`, as the house and they
    have them. What a modeller declared of `JUDGED_BY_ROWS` does not bear on others' data."""
    from .house_policy import declared
    from .house_policy import policy_of as strictest_of
    from .release_policy import strictest

    of_data, of_models = set(owners), set(modellers)
    parties = sorted(of_data | of_models)
    asked = [
        declared({name: value for name, value in row.rules.items() if party in of_data or name not in JUDGED_BY_ROWS})
        for party in parties
        if (row := own_rules(party)) is not None
    ]
    return reduce(strictest, asked, strictest_of(parties, settings.OPTIONS.home))


def own_rules(party: str) -> ReleaseRules | None:
    """What a party declared last, for doors and actions that have decided who may."""
    return ReleaseRules.objects.filter(owner=party).order_by("-id").first()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of release: is larger stricter; what the house has, what the party asked for, and what holds."""

    name: str
    larger: bool
    house: Any
    own: Any
    holds: Any


def rules(actor: Actor) -> list[Rule]:
    """The rules of release for what is made of the actor's data or models alone. Raises Refused for who has neither."""
    from .release_policy import is_larger_stricter

    refuse_unless(decide(actor, Permission.RELEASE_RESTRICT))
    row = own_rules(actor.party)
    asked = row.rules if row else {}
    house, both = policy_of([]), policy_of([actor.party])
    return [
        Rule(name, is_larger_stricter(name), getattr(house, name), asked.get(name), getattr(both, name))
        for name in RULES
    ]


def release_row(run_id: str) -> Release:
    """The row, for actions that decide for themselves who may."""
    row = Release.objects.filter(pk=run_id).first()
    if row is None:
        raise not_found("放行", "release", run_id)
    return row


def release(actor: Actor, run_id: str) -> Release:
    """A release that was held and that the actor decides about; anything else is not found."""
    row = Release.objects.filter(pk=run_id, due__isnull=False).first()
    if row is None or not decide(actor, Permission.RELEASE_DECIDE, row):
        raise not_found("放行", "release", run_id)
    return row


def is_entered(run_id: str) -> bool:
    """Has this run entered its release?"""
    return Release.objects.filter(pk=run_id).exists()


def held(actor: Actor) -> QuerySet[Release]:
    """What waits for the actor's decision, the most urgent first."""
    rows = visible(actor, Permission.RELEASE_DECIDE, Release.objects.all())
    return rows.filter(decision="", due__isnull=False, ended=None, run__in=_held_runs()).order_by("due", "run")


def past_due() -> list[str]:
    """The held runs whose time is over."""
    rows = Release.objects.filter(decision="", due__lt=clock.now(), ended=None, run__in=_held_runs())
    return list(rows.values_list("run", flat=True))


def _held_runs() -> QuerySet[Any, Any]:
    return runs.Run.objects.filter(state=runs.Run.State.HELD).values("id")


def held_file(row: Release, name: str) -> bytes:
    """What would leave, byte for byte, for whoever decides about it."""
    run = runs.run_row(row.run)
    bound = run.done["bind"]
    file = next((one for one in run.done["compute"]["files"] if one["name"] == name), None)
    if file is None:
        raise not_found("文件", "file", name)
    place = Place(run.party, bound["asset"], bound["version"])
    return lake.store().read_file(StoredFile.from_json(file), place)


def evidence(row: Release) -> bytes | None:
    """The release's checks.json, for the data's owner; None once it is erased with its version."""
    if not row.evidence:
        return None
    place = Place(row.owner, row.asset, row.evidence["version"])
    return lake.store().read_file(StoredFile.from_json(row.evidence["file"]), place)


def checks(row: Release) -> list[dict[str, Any]]:
    """Every check with its evidence, for the data's owner."""
    found = evidence(row)
    listed: list[dict[str, Any]] = json.loads(found)["checks"] if found else []
    return listed


def evidence_digests() -> dict[str, str]:
    """The stored files that releases vouch for, by path with their SHA-256."""
    rows = Release.objects.values_list("evidence", flat=True)
    return {one["file"]["path"]: one["file"]["sha256"] for one in rows if one}


def case_of(run_id: str) -> str:
    """The case of a held release."""
    return cases.case(run_id, RELEASE.name).id


def diagnose() -> Diagnosis:
    """Look at every part of the sandbox on its own, then try it anew. What that takes is loaded only then."""
    from . import remembered
    from .diagnosis import diagnose as look

    remembered.remember_in(settings.OPTIONS.home / "sandbox")
    return look()
