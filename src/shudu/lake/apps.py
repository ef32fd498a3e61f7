from django.apps import AppConfig


class LakeConfig(AppConfig):
    name = "shudu.lake"
    label = "lake"
