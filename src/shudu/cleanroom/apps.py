from django.apps import AppConfig


class CleanroomConfig(AppConfig):
    name = "shudu.cleanroom"
    label = "cleanroom"
