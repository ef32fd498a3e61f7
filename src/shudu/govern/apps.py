from django.apps import AppConfig


class GovernConfig(AppConfig):
    name = "shudu.govern"
    label = "govern"

    def ready(self) -> None:
        from shudu.lake.queries import register_observer

        from . import rules
        from .observers import KeyObserver, LevelObserver, QualityObserver

        register_observer("key", KeyObserver)
        register_observer("level", LevelObserver)
        register_observer("quality", QualityObserver)
        rules.register()
