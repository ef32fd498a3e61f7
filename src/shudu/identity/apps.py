from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "shudu.identity"
    label = "identity"

    def ready(self) -> None:
        from . import rules

        rules.register()
