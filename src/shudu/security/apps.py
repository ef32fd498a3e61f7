from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "shudu.security"
    label = "security"

    def ready(self) -> None:
        from . import rules

        rules.register()
