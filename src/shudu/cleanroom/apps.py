from django.apps import AppConfig


class CleanroomConfig(AppConfig):
    name = "shudu.cleanroom"
    label = "cleanroom"

    def ready(self) -> None:
        from shudu.runs.types import register_kind

        from . import kinds
        from .steps import SCORING

        kinds.register()
        register_kind(SCORING)
