from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from shudu.agreements.types import Exposure
    from shudu.catalog.types import Offered
    from shudu.lake.types import Column, View

    from .observers import KeyObserver, LevelObserver, QualityObserver
    from .profile import ProfileObserver


class GovernConfig(AppConfig):
    name = "shudu.govern"
    label = "govern"

    def ready(self) -> None:
        from shudu.agreements.types import register_exposure
        from shudu.lake.queries import register_observer
        from shudu.runs.types import register_chore

        from . import handlers, rules

        register_observer("key", _key)
        register_observer("level", _level)
        register_observer("quality", _quality)
        register_observer("profile", _profile, with_values=True)
        register_exposure(_exposure)
        rules.register()
        register_chore(handlers.assess_due)


def _exposure(data: Offered, view: View, quasi: tuple[str, ...] | None, not_quasi: frozenset[str]) -> Exposure:
    from .exposure import exposure

    return exposure(data, view, quasi, not_quasi)


# Observers compute on columns: what they do that with is loaded when the first table is written.
def _key(columns: tuple[Column, ...], key: str | None) -> KeyObserver:
    from .observers import KeyObserver

    return KeyObserver(columns, key)


def _level(columns: tuple[Column, ...], key: str | None) -> LevelObserver:
    from .observers import LevelObserver

    return LevelObserver(columns, key)


def _quality(columns: tuple[Column, ...], key: str | None) -> QualityObserver:
    from .observers import QualityObserver

    return QualityObserver(columns, key)


def _profile(columns: tuple[Column, ...], key: str | None) -> ProfileObserver:
    from .profile import ProfileObserver

    return ProfileObserver(columns, key)
