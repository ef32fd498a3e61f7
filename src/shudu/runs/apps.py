from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "shudu.runs"
    label = "runs"

    def ready(self) -> None:
        from shudu.catalog.actions import show_due

        from . import handing, handlers, rules
        from .types import register_chore

        assert handlers
        rules.register()
        handing.register()
        register_chore(show_due)
