"""Every write of a run: start, close, fail, deliver."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785

from shudu.cases import actions as cases
from shudu.catalog import actions as catalog_actions
from shudu.catalog import queries as catalog
from shudu.policy import clock
from shudu.policy.actions import action, part_of_action, record, record_nothing, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Conflict, ShuduError, Text

from . import queries
from .models import Run, RunInput, RunOutput
from .queries import inputs_of, run_row
from .types import Hold, Input, Outcome, StartRun, Withheld, kind_of


@part_of_action
@action(Permission.RUN_START, Event.RUN_STARTED)
def start(actor: Actor, request: StartRun) -> Run:
    """Queue a run. The caller has checked its inputs against their agreements and reserved what it costs."""
    kind = kind_of(request.kind)
    run = Run(
        kind=request.kind,
        party=request.party,
        order=request.order,
        purpose=request.purpose,
        params=dict(request.params),
        step=kind.steps[0].name,
    )
    require(actor, Permission.RUN_START, run)
    run.save(force_insert=True)
    for item in request.inputs:
        RunInput.objects.create(run=run, role=item.role, version=item.version, agreement=item.agreement)
    record(
        run.id,
        {
            "run": run.id,
            "kind": run.kind,
            "party": run.party,
            "order": run.order,
            "purpose": run.purpose,
            "inputs": _recorded(request.inputs),
        },
    )
    return run


@action(Permission.RUN_CARRY, Event.RUN_CLOSED)
def close(actor: Actor, run_id: str, lease_holder: str, outcome: Outcome) -> Run:
    """Close a run with its result: product version, checks, meters and the receipt's entry in one transaction.

    Raises `Conflict` when the lease has passed to another worker meanwhile, or what the result was made of is gone.
    """
    run = run_row(run_id)
    require(actor, Permission.RUN_CARRY, run)
    if run.state == Run.State.CLOSED:
        record_nothing()
        return run
    _hold(run, lease_holder)
    entered = list(outcome.entered)
    if outcome.result is not None:
        catalog_actions.still_live(item.version for item in inputs_of(run))
        entered.append((catalog_actions.add_result(outcome.result).id, outcome.result.version))
    for asset, version in entered:
        RunOutput.objects.create(run=run, asset=asset, version=version)
    run.state, run.step, run.closed = Run.State.CLOSED, "", clock.now()
    run.checks, run.meters = outcome.checks, outcome.meters
    run.save()
    record(run.id, _closing(run, [_output(version) for _, version in entered], outcome.sandbox, outcome.decision))
    return run


@action(Permission.RUN_CARRY, Event.RUN_FAILED)
def fail(actor: Actor, run_id: str, lease_holder: str, error: ShuduError) -> Run:
    """End a run without a result. What it reserved is released by whoever reserved it, on the event."""
    run = run_row(run_id)
    require(actor, Permission.RUN_CARRY, run)
    if run.state != Run.State.QUEUED:
        record_nothing()
        return run
    _hold(run, lease_holder)
    return _failed(run, error)


@action(Permission.RUN_CARRY, Event.RUN_HELD)
def hold(actor: Actor, run_id: str, lease_holder: str, held: Hold) -> Run:
    """Stop a run until a person has decided about its result; opens the case. Its step is done again after `resume`."""
    run = run_row(run_id)
    require(actor, Permission.RUN_CARRY, run)
    if run.state != Run.State.QUEUED:
        record_nothing()
        return run
    _hold(run, lease_holder)
    case = cases.open_case(held.procedure, run.id, held.owner)
    run.state, run.lease_until, run.lease_holder = Run.State.HELD, None, ""
    run.save(update_fields=["state", "lease_until", "lease_holder"])
    record(run.id, {"run": run.id, "case": case.id, "owner": held.owner, "held_for": list(held.reasons)})
    return run


@part_of_action
def resume(run_id: str) -> None:
    """Let a held run go on where it stopped: somebody has decided, as the action that calls this records."""
    if not Run.objects.filter(pk=run_id, state=Run.State.HELD).update(state=Run.State.QUEUED, attempt=0):
        raise _not_held(run_id)


@part_of_action
@action(Permission.RUN_CARRY, Event.RUN_FAILED)
def end_held(actor: Actor, run_id: str, error: ShuduError) -> Run:
    """End a held run without its result: somebody has decided, or nobody has in time."""
    run = run_row(run_id)
    require(actor, Permission.RUN_CARRY, run)
    if run.state != Run.State.HELD:
        raise _not_held(run_id)
    return _failed(run, error)


@part_of_action
def _failed(run: Run, error: ShuduError) -> Run:
    run.state, run.step, run.closed = Run.State.FAILED, "", clock.now()
    if isinstance(error, Withheld):
        run.checks = [dict(check) for check in error.checks]
    run.error = {"code": error.code, "message": {"zh": error.message.zh, "en": error.message.en}}
    if error.remedy:
        run.error["remedy"] = {"zh": error.remedy.zh, "en": error.remedy.en}
    run.save()
    record(run.id, {"run": run.id, "kind": run.kind, "party": run.party, "order": run.order, "code": error.code})
    return run


@action(Permission.RESULT_DOWNLOAD, Event.RUN_CLOSED)
def deliver(actor: Actor, asset_id: str, file_name: str) -> Run:
    """Record a delivery of one file of a result, before its bytes are handed over: no delivery goes unrecorded.

    The result is the party's own; the onward terms it carries from its inputs must still permit a download.
    """
    asset = catalog.asset(actor, asset_id)
    require(actor, Permission.RESULT_DOWNLOAD, asset)
    version, file = queries.deliverable(actor, asset_id, file_name)
    now = clock.now()
    purpose = Run.objects.filter(pk=asset.run).values_list("purpose", flat=True).first() or ""
    run = Run.objects.create(
        kind="delivery",
        party=actor.party,
        purpose=purpose,
        state=Run.State.CLOSED,
        closed=now,
        created=now,
        params={"file": file.name},
        meters={"bytes": file.bytes},
    )
    RunInput.objects.create(run=run, role="result", version=version.id, agreement="")
    RunOutput.objects.create(run=run, asset=asset.id, version=version.id)
    record(run.id, _closing(run, [{"version": version.id, "files": {file.name: file.delivered_sha256}}], {}, {}))
    return run


def _not_held(run_id: str) -> Conflict:
    return Conflict(
        "run.not_held",
        Text("该任务不在待放行状态。", "This run is not held."),
        None,
        {"run": run_id},
    )


def _hold(run: Run, lease_holder: str) -> None:
    """Nobody but the holder of a live lease may end a run: a worker that lost it must let go."""
    if run.lease_holder != lease_holder or run.lease_until is None or run.lease_until < clock.now():
        raise Conflict(
            "run.lease_lost",
            Text("该任务已由另一个工作进程接管。", "Another worker has taken this run over."),
            None,
            {"run": run.id},
        )


@part_of_action
def _closing(
    run: Run, outputs: list[dict[str, Any]], sandbox: dict[str, Any], decision: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "run": run.id,
        "kind": run.kind,
        "party": run.party,
        "order": run.order,
        "purpose": run.purpose,
        "inputs": _recorded(inputs_of(run)),
        "outputs": outputs,
        "checks": [{"name": check["name"], "ok": check["ok"]} for check in run.checks],
        "checks_sha256": hashlib.sha256(rfc8785.dumps(run.checks)).hexdigest(),
        "decision": dict(decision),
        "sandbox": sandbox,
        "meters": run.meters,
        "started": clock.stamp(run.created),
        "closed": clock.stamp(run.closed or clock.now()),
    }


def _recorded(inputs: tuple[Input, ...]) -> list[dict[str, Any]]:
    recorded = []
    for item in inputs:
        files = [file.sha256 for file in catalog.files(catalog.version_row(item.version))]
        recorded.append({"version": item.version, "agreement": item.agreement, "files": files})
    return recorded


def _output(version: str) -> dict[str, Any]:
    files = catalog.files(catalog.version_row(version))
    return {"version": version, "files": {file.name: file.delivered_sha256 for file in files}}
