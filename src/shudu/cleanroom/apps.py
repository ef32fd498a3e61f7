from django.apps import AppConfig
from django.conf import settings


class CleanroomConfig(AppConfig):
    name = "shudu.cleanroom"
    label = "cleanroom"

    def ready(self) -> None:
        from shudu.runs.types import register_kind

        from . import kinds, remembered
        from .steps import SCORING

        remembered.remember_in(settings.OPTIONS.home / "sandbox")
        kinds.register()
        register_kind(SCORING)
