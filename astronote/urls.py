"""Every address of the site."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from astronote.accounts.login import ThrottledLogin
from astronote.operations import home

admin.site.index_title = "Home"
admin.site.login_form = ThrottledLogin

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("favicon.ico", RedirectView.as_view(url=static("astronote/favicon.svg"))),
    path("", include("messaging.urls")),
    path("", include("campaigns.urls")),
    path("", include("compliance.urls")),
    path("admin/live/", admin.site.admin_view(home.refreshed_panels_view), name="live"),
    path("admin/run/<str:name>/", admin.site.admin_view(home.run_now_view), name="run_now"),
    path("admin/", admin.site.urls),
]

handler403 = "astronote.operations.error_pages.not_allowed_view"
handler404 = "astronote.operations.error_pages.not_found_view"
