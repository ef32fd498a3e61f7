from django.apps import AppConfig


class CollectConfig(AppConfig):
    name = "shudu.collect"
    label = "collect"

    def ready(self) -> None:
        from shudu.runs.types import register_chore

        from . import handlers, rules

        rules.register()
        register_chore(handlers.expire_uploads)
