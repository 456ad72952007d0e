"""Every address of the site."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from astronote import health
from astronote.login import ThrottledLogin

admin.site.site_header = admin.site.site_title = "Astronote"
admin.site.index_title = "Operations"
admin.site.login_form = ThrottledLogin

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("favicon.ico", RedirectView.as_view(url=static("astronote/favicon.svg"))),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.prometheus),
    path("", include("messaging.urls")),
    path("", include("campaigns.urls")),
    path("", include("compliance.urls")),
    path("admin/", admin.site.urls),
]
