from django.apps import AppConfig


class CasesConfig(AppConfig):
    name = "shudu.cases"
    label = "cases"
