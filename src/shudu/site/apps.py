from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "shudu.site"
    label = "site"
