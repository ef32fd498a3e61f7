from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "shudu.accounts"
    label = "accounts"

    def ready(self) -> None:
        from . import rules

        rules.register()
