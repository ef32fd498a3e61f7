from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    name = "shudu.exchange"
    label = "exchange"

    def ready(self) -> None:
        from shudu.cases.types import register as register_procedure

        from . import handlers, rules
        from .procedures import ORDER

        assert handlers
        register_procedure(ORDER)
        rules.register()
