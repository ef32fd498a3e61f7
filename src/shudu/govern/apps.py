from django.apps import AppConfig


class GovernConfig(AppConfig):
    name = "shudu.govern"
    label = "govern"
