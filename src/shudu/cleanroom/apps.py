from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from django.apps import AppConfig
from django.conf import settings

if TYPE_CHECKING:
    from shudu.runs.types import Hold, Outcome, Work


class CleanroomConfig(AppConfig):
    name = "shudu.cleanroom"
    label = "cleanroom"

    def ready(self) -> None:
        from shudu.cases.types import register
        from shudu.runs.types import RunKind, Step, register_chore, register_keeper, register_kind

        from . import handlers, kinds, queries, rules
        from .procedures import RELEASE

        register(RELEASE)
        rules.register()
        register_keeper(queries.evidence_digests)
        register_chore(handlers.lapse_held)
        kinds.register()
        steps = (Step("bind", _bind), Step("compute", _compute), Step("close", _close))
        register_kind(RunKind("compute", steps, idle=_idle))


def _steps() -> ModuleType:
    """The steps compute on columns: what they do that with is loaded by the worker's first run, not by every page."""
    from . import remembered, steps

    remembered.remember_in(settings.OPTIONS.home / "sandbox")
    return steps


def _bind(work: Work) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], _steps().bind(work))


def _compute(work: Work) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], _steps().compute(work))


def _close(work: Work) -> Outcome | Hold:
    return cast("Outcome | Hold", _steps().close(work))


def _idle() -> None:
    """A sandbox is got ready only after a job, and then its module is there."""
    if loaded := sys.modules.get("shudu.cleanroom.bubblewrap"):
        loaded.prepare()
