"""Where each page is. Of allauth only what is used: signing in and out, password, second step."""

from allauth.account import views as account
from django.urls import include, path

from . import assets, evidence, pages

urlpatterns = [
    path("", pages.home, name="home"),
    path("me/", pages.my_organisation, name="my_organisation"),
    path("me/password/", account.password_change, name="account_change_password"),
    path("me/confirm/", account.reauthenticate, name="account_reauthenticate"),
    path("me/second-step/", include("allauth.mfa.urls")),
    path("sign-in/", account.login, name="account_login"),
    path("sign-out/", account.logout, name="account_logout"),
    path("sign-in/closed/", account.account_inactive, name="account_inactive"),
    path("ledger/checkpoint", evidence.checkpoint, name="checkpoint"),
    path("ledger/key", evidence.key, name="ledger_key"),
    path("ledger/tile/<path:place>", evidence.tile, name="ledger_tile"),
    path("static/<str:address>", assets.serve, name="static"),
    path("healthz", pages.health, name="health"),
]
