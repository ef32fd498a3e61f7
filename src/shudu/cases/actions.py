"""Opening a case and moving it, always part of the action that does the work; and the clocks that move it later."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F

from shudu.policy import clock
from shudu.policy.actions import part_of_action
from shudu.policy.types import Actor, Conflict, Decision, Refused, Role, Text

from . import clocks, queries
from .models import Case, CaseStep, Deadline
from .procedures import Procedure, current, known

log = logging.getLogger("shudu.cases")


@part_of_action
def open_case(procedure: Procedure | str, subject: str, owner: str) -> Case:
    """Open a case about `subject` for the party `owner`, under the latest version; one per procedure and subject."""
    table = current(procedure if isinstance(procedure, str) else procedure.name)
    try:
        with transaction.atomic():
            return Case.objects.create(
                procedure=table.name,
                version=table.version,
                subject=subject,
                owner=owner,
                state=table.initial,
                opened=clock.now(),
            )
    except IntegrityError as error:
        raise Conflict(
            "cases.open",
            Text(
                f"“{subject}”已有同一事项的办件。", f"There is a case about “{subject}” under this procedure already."
            ),
            Text("请继续办理已有的办件。", "Go on with that one."),
        ) from error


@part_of_action
def advance(
    subject: str, transition: str, actor: Actor, opinion_sha256: str = "", procedure: str | None = None
) -> Case:
    """Take one transition of the case about `subject`.

    Raises `Conflict` (`cases.transition`) when the present state has no such way out, saying where it stands and what
    is possible; `Refused` when the transition is not this actor's to take. Of two at once, one wins.
    """
    case = queries.case(subject, procedure)
    table = known(case.procedure, case.version)
    step = table.step(case.state, transition)
    if step is None:
        raise _impossible(table, case, transition)
    if not step.allows(actor, case.owner):
        words = table.say(transition)
        raise Refused.by(
            Decision.deny(
                f"cases.{case.procedure}.{transition}",
                Text(f"贵方不能办理“{words.zh}”这一步。", f"The step “{words.en}” is not yours to take."),
                Text("请由有权的主体办理。", "It takes a party that may."),
            )
        )
    if not Case.objects.filter(id=case.id, state=case.state).update(state=step.to):
        case.refresh_from_db()
        raise _impossible(table, case, transition)
    CaseStep.objects.create(
        case=case,
        transition=transition,
        from_state=case.state,
        to_state=step.to,
        party=actor.party,
        via=actor.via.value,
        time=clock.now(),
        opinion_sha256=opinion_sha256,
    )
    case.state = step.to
    return case


@part_of_action
def set_deadline(case: Case, name: str, due: datetime) -> Deadline:
    """Have what `types.on_due(name)` declared done for the case's subject once `due` has passed."""
    return Deadline.objects.create(case=case, name=name, due=due)


def ring(limit: int = 100) -> int:
    """Do what deadlines that have passed ask for, the worker's part; returns how many. Safe in several processes.

    No action: each deadline was set by one, and what it leads to is one. What fails is logged and tried again, behind
    those that have failed less often: none blocks the rest.
    """
    now = clock.now()
    waiting = Deadline.objects.filter(passed=None, due__lt=now).order_by("tries", "due", "id")
    rung = 0
    for number in list(waiting.values_list("id", flat=True)[:limit]):
        try:
            with transaction.atomic():
                row = Deadline.objects.select_for_update().filter(id=number, passed=None).first()
                if row is not None:
                    clocks.due(row.name)(row.case.subject)
                    row.passed = now
                    row.save(update_fields=["passed"])
                    rung += 1
        except Exception as error:
            Deadline.objects.filter(id=number).update(tries=F("tries") + 1)
            log.error("deadline %d was not handled and will be tried again: %s", number, error)
            log.debug("its traceback", exc_info=True)
    return rung


def _impossible(table: Procedure, case: Case, transition: str) -> Conflict:
    asked, now = table.say(transition), table.say(case.state)
    # What the worker does by itself is nothing to try.
    possible = [step.name for step in table.possible(case.state) if step.by != (Role.SYSTEM,)]
    ways = [table.say(name) for name in possible]
    if ways:
        remedy = Text(
            f"现在可以：{'、'.join(way.zh for way in ways)}。", f"Possible now: {', '.join(way.en for way in ways)}."
        )
    elif table.possible(case.state):
        remedy = Text("请等待当前步骤完成后再试。", "Wait until the present step is done, then try again.")
    else:
        remedy = Text("此办件已办结，不再变动。", "The case is closed; nothing more can happen to it.")
    return Conflict(
        "cases.transition",
        Text(f"当前状态为“{now.zh}”，不能“{asked.zh}”。", f"It is “{now.en}” now, so “{asked.en}” is not possible."),
        remedy,
        {"state": case.state, "possible": possible},
    )
