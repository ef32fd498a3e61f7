"""Every read of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from shudu.agreements import queries as agreements
from shudu.catalog import queries as catalog
from shudu.catalog.queries import Version
from shudu.lake.types import Place, StoredFile
from shudu.ledger import queries as ledger
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.rules import decide, refuse_unless, visible
from shudu.policy.types import Actor, Conflict, Role, Text, not_found

from .models import Run, RunInput, RunOutput
from .types import Input, kept_digests

__all__ = [
    "Run",
    "assigners_of",
    "checks",
    "deliverable",
    "delivered",
    "deliveries_of",
    "ids_for_assigner",
    "inputs_of",
    "made_from",
    "made_under",
    "output_of",
    "receipt_of",
    "results_of",
    "run",
    "run_row",
    "runs",
    "sees_evidence",
    "stored_digests",
    "under",
    "uses",
]


def started_with(kind: str, party: str, **params: str) -> QuerySet[Run]:
    """The runs of a kind with these params, newest first; for rooms that decide for themselves who may."""
    rows = Run.objects.filter(kind=kind, party=party, **{f"params__{name}": value for name, value in params.items()})
    return rows.order_by("-id")


def latest_closed(kind: str, party: str, **params: str) -> Run | None:
    """The latest of them that came to its end."""
    return started_with(kind, party, **params).filter(state=Run.State.CLOSED).first()


def versions_made(run_ids: Iterable[str]) -> dict[str, str]:
    """The version each of these runs entered or made, by run."""
    return dict(RunOutput.objects.filter(run__in=list(run_ids)).values_list("run", "version"))


def run_rows(run_ids: Iterable[str]) -> list[Run]:
    """These runs, read at once; for rooms that have already decided who may."""
    return list(Run.objects.filter(pk__in=list(run_ids)))


def run_row(run_id: str) -> Run:
    """The row, for actions that decide for themselves who may."""
    row = Run.objects.filter(pk=run_id).first()
    if row is None:
        raise not_found("任务", "run", run_id)
    return row


def run(actor: Actor, run_id: str) -> Run:
    """A run the actor may see: its own, or one that used something of its own."""
    row = Run.objects.filter(pk=run_id).first()
    if row is None or not decide(actor, Permission.RUN_READ, row):
        raise not_found("任务", "run", run_id)
    return row


def runs(actor: Actor) -> QuerySet[Run]:
    return visible(actor, Permission.RUN_READ, Run.objects.all()).order_by("-id")


def under(actor: Actor, agreement_id: str) -> QuerySet[Run]:
    """The runs under an agreement that the actor may see, newest first."""
    return runs(actor).filter(pk__in=RunInput.objects.filter(agreement=agreement_id).values("run"))


def deliveries_of(actor: Actor, version_ids: Sequence[str] | QuerySet[Any, Any]) -> QuerySet[Run]:
    """The deliveries of these versions that the actor may see, newest first."""
    made = RunInput.objects.filter(version__in=version_ids).values("run")
    return runs(actor).filter(kind="delivery", pk__in=made)


def results_of(run_ids: Iterable[str]) -> dict[str, str]:
    """The result assets these runs made, by run."""
    rows = RunOutput.objects.filter(run__in=list(run_ids)).exclude(run__kind="delivery")
    return dict(rows.values_list("run", "asset"))


def uses(
    actor: Actor, *, version_ids: Iterable[str] | None, party: str, since: datetime, until: datetime
) -> QuerySet[Run]:
    """Who used what: runs the actor may see in a period, of these versions (None: of any) by a party ("": any)."""
    rows = runs(actor).filter(created__gte=since, created__lte=until)
    if version_ids is not None:
        rows = rows.filter(pk__in=RunInput.objects.filter(version__in=list(version_ids)).values("run"))
    return rows.filter(party=party) if party else rows


def inputs_of(run: Run) -> tuple[Input, ...]:
    rows = RunInput.objects.filter(run=run).order_by("role")
    return tuple(Input(row.role, row.version, row.agreement) for row in rows)


def output_of(run_id: str) -> RunOutput | None:
    """What a run made: its result asset and version."""
    return RunOutput.objects.filter(run=run_id).first()


def checks(actor: Actor, run: Run, *, evidence: bool | None = None) -> list[dict[str, Any]]:
    """A run's release checks. Their evidence is for the data's owner and the overseers: counts of what was merged would
    tell others how large the groups were that may not leave; and of a run whose result did not leave, which of the
    rules it broke. `evidence` says whether the actor sees it where that is known for a whole page already."""
    if sees_evidence(actor, run) if evidence is None else evidence:
        return list(run.checks)
    if run.state != Run.State.CLOSED:
        return []
    return [{"name": check["name"], "ok": check["ok"]} for check in run.checks]


def sees_evidence(actor: Actor, run: Run) -> bool:
    """May the actor see the counts the checks went by, and so the salt of their digest? Buyer and modeller: no."""
    return run.id in seeing_evidence(actor, [run])


def seeing_evidence(actor: Actor, runs: Sequence[Run]) -> set[str]:
    """Of which of these runs may the actor see it? Asked for a whole page at once."""
    if actor.roles & {Role.OPERATOR, Role.AUDITOR, Role.SYSTEM}:
        return {run.id for run in runs}
    others = [run.id for run in runs if run.party != actor.party]
    inputs = RunInput.objects.filter(run__in=others, role="data").values_list("run_id", "agreement") if others else ()
    data = dict(inputs)
    mine = agreements.of_assigner(actor.party, data.values()) if data else set()
    return {run for run, agreement in data.items() if agreement in mine}


def receipt_of(actor: Actor, run_id: str) -> dict[str, Any]:
    """The receipt of a closed run that the actor may see, with what it may know of it."""
    row = run(actor, run_id)
    return ledger.receipt_for(Event.RUN_CLOSED, row.id, confidential=sees_evidence(actor, row))


def deliverable(actor: Actor, asset_id: str, file_name: str) -> tuple[Version, StoredFile]:
    """The file of a result that `actions.deliver` would hand over now; raises as it does, and records nothing."""
    asset = catalog.asset(actor, asset_id)
    refuse_unless(decide(actor, Permission.RESULT_DOWNLOAD, asset))
    version = catalog.latest(asset.id)
    if version is None:
        raise Conflict(
            "result.withdrawn",
            Text("该交付结果已被撤回或删除。", "This result was withdrawn or erased."),
            Text("请查看所依据协议的撤销记录。", "See the revocation of the agreement it came from."),
            {"asset": asset.id},
        )
    refuse_unless(agreements.onward_permits(asset.terms, action="download"))
    file = next((file for file in catalog.files(version) if file.name == file_name), None)
    if file is None:
        raise Conflict(
            "result.format",
            Text(f"交付结果没有 {file_name}。", f"The result has no {file_name}."),
            Text("可用 .csv 或 .parquet。", "Use .csv or .parquet."),
        )
    return version, file


def delivered(run: Run) -> tuple[StoredFile, Place]:
    """The stored file a delivery hands over, and where it lies."""
    output = RunOutput.objects.get(run=run)
    version = catalog.version_row(output.version)
    file = next(file for file in catalog.files(version) if file.name == run.params["file"])
    return file, catalog.place(version)


def stored_digests() -> dict[str, str]:
    """What must lie in the lake, by path with its SHA-256: the files of every version, and those that a waiting run has
    made and is about to enter, or that other rooms vouch for."""
    expected = {**catalog.stored_digests(), **kept_digests()}
    for done in Run.objects.filter(state__in=[Run.State.QUEUED, Run.State.HELD]).values_list("done", flat=True):
        expected.update({file["path"]: file["sha256"] for step in done.values() for file in step.get("files", ())})
    return expected


def made_from(version_id: str) -> tuple[Input, ...]:
    """Lineage upwards: the inputs of the run that made a version (empty for what was published)."""
    output = RunOutput.objects.filter(version=version_id).exclude(run__kind="delivery").select_related("run").first()
    return inputs_of(output.run) if output else ()


def made_under(agreement_id: str) -> QuerySet[RunOutput, str]:
    """Lineage downwards: the versions that runs under an agreement made."""
    runs_under = RunInput.objects.filter(agreement=agreement_id).values("run")
    made = RunOutput.objects.filter(run__in=runs_under).exclude(run__kind="delivery")
    return made.order_by("version").values_list("version", flat=True)


def ids_for_assigner(party: str) -> QuerySet[RunInput, Any]:
    """Ids of the runs that used something under an agreement of this assigner, for rules."""
    return RunInput.objects.filter(agreement__in=agreements.assigned_by(party)).values("run")


def assigners_of(run: Run) -> set[str]:
    """The parties whose agreements a run used, for rules."""
    return set(agreements.assigners(item.agreement for item in inputs_of(run) if item.agreement))
