from django.apps import AppConfig


class PolicyConfig(AppConfig):
    name = "shudu.policy"
    label = "policy"
