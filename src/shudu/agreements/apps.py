from django.apps import AppConfig


class AgreementsConfig(AppConfig):
    name = "shudu.agreements"
    label = "agreements"

    def ready(self) -> None:
        from shudu.cases.types import register

        from . import rules
        from .procedures import OFFER

        register(OFFER)
        rules.register()
