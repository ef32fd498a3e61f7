from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "shudu.catalog"
    label = "catalog"

    def ready(self) -> None:
        from shudu.cases.types import register as register_procedure

        from . import handlers, rules
        from .procedures import CORRECTION

        assert handlers
        register_procedure(CORRECTION)
        rules.register()
