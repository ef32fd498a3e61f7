from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "shudu.runs"
    label = "runs"

    def ready(self) -> None:
        from . import handing, handlers, rules

        assert handlers
        rules.register()
        handing.register()
