"""Where a case stands, how it got there, and where it stood at any moment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from shudu.policy.types import not_found

from .models import Case, CaseStep
from .procedures import known


def case(subject: str, procedure: str | None = None) -> Case:
    """The case about `subject`; `procedure` chooses where it has several (`ValueError` without). Raises `NotFound`."""
    rows = Case.objects.filter(subject=subject)
    found = list(rows.filter(procedure=procedure) if procedure else rows)
    if not found:
        raise not_found("办件", "case", subject)
    if len(found) > 1:
        raise ValueError(f"{subject} has several cases: say which procedure")
    return found[0]


def state(subject: str, procedure: str | None = None) -> str:
    """The state the case is in now."""
    return case(subject, procedure).state


def states(subjects: Iterable[str]) -> dict[str, str]:
    """The state of each subject's case, read at once; for subjects with one case."""
    return dict(Case.objects.filter(subject__in=list(subjects)).values_list("subject", "state"))


def history(subject: str, procedure: str | None = None) -> list[CaseStep]:
    """Every step the case took, in order."""
    return list(CaseStep.objects.filter(case=case(subject, procedure)).order_by("id"))


def state_at(subject: str, moment: datetime, procedure: str | None = None) -> str | None:
    """The state the case was in at a moment, steps taken at that very moment included; None before it was opened."""
    row = case(subject, procedure)
    if moment < row.opened:
        return None
    last = CaseStep.objects.filter(case=row, time__lte=moment).order_by("id").last()
    return last.to_state if last else known(row.procedure, row.version).initial
