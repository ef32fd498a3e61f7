"""The URL root: one line for each door."""

from django.urls import include, path

urlpatterns = [path("api/v1/", include("shudu.site.api.urls")), path("", include("shudu.site.urls"))]

handler400 = "shudu.site.errors.bad_request"
handler403 = "shudu.site.errors.forbidden"
handler404 = "shudu.site.errors.not_found"
handler500 = "shudu.site.errors.server_error"
