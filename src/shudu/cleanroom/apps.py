from django.apps import AppConfig
from django.conf import settings


class CleanroomConfig(AppConfig):
    name = "shudu.cleanroom"
    label = "cleanroom"

    def ready(self) -> None:
        from shudu.cases.types import register
        from shudu.runs.types import register_chore, register_keeper, register_kind

        from . import handlers, kinds, queries, remembered, rules
        from .procedures import RELEASE
        from .steps import SCORING

        register(RELEASE)
        rules.register()
        register_keeper(queries.evidence_digests)
        register_chore(handlers.lapse_held)
        remembered.remember_in(settings.OPTIONS.home / "sandbox")
        kinds.register()
        register_kind(SCORING)
