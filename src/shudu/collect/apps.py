from django.apps import AppConfig


class CollectConfig(AppConfig):
    name = "shudu.collect"
    label = "collect"
