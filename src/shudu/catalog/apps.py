from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "shudu.catalog"
    label = "catalog"

    def ready(self) -> None:
        from . import rules

        rules.register()
