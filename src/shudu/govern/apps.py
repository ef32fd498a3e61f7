from django.apps import AppConfig


class GovernConfig(AppConfig):
    name = "shudu.govern"
    label = "govern"

    def ready(self) -> None:
        from shudu.lake.queries import register_observer

        from .observers import KeyObserver, LevelObserver

        register_observer("key", KeyObserver)
        register_observer("level", LevelObserver)
