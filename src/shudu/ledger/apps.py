from django.apps import AppConfig
from django.db.models.signals import pre_save


class LedgerConfig(AppConfig):
    name = "shudu.ledger"
    label = "ledger"

    def ready(self) -> None:
        from shudu.policy.models import Outbox

        from . import handlers, rules

        rules.register()
        pre_save.connect(handlers.refuse_unsealable, sender=Outbox)
