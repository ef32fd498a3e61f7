from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig

if TYPE_CHECKING:
    from shudu.agreements.types import Licence
    from shudu.runs.types import Outcome, Work


class CollectConfig(AppConfig):
    name = "shudu.collect"
    label = "collect"

    def ready(self) -> None:
        from shudu.agreements.types import register_licences
        from shudu.runs.types import RunKind, Step, register_chore, register_kind

        from . import handlers, rules

        rules.register()
        register_licences(_licences)
        register_chore(handlers.expire_uploads)
        register_chore(handlers.refresh_due)
        register_chore(handlers.take_in)
        register_chore(handlers.clear_away)
        register_kind(RunKind("collection", (Step("fetch", _fetch), Step("land", _land))))

        register_kind(RunKind("survey", (Step("look", _look), Step("told", _told))))


def _licences(version: str) -> list[Licence]:
    from .licences import of

    return of(version)


# What the steps read with is loaded by the worker's first run.
def _fetch(work: Work) -> Mapping[str, Any]:
    from .steps import fetch

    return fetch(work)


def _land(work: Work) -> Outcome:
    from .steps import land

    return land(work)


def _look(work: Work) -> Mapping[str, Any]:
    from .steps import look

    return look(work)


def _told(work: Work) -> Outcome:
    from .steps import told

    return told(work)
