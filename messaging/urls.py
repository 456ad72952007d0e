"""URLs of Mitto's webhooks and of the page that tops up a wallet."""

from django.contrib import admin
from django.urls import URLPattern, path

from messaging import views, webhooks

urlpatterns: list[URLPattern] = [
    *(
        path(f"webhooks/mitto/{name}{token}", webhooks.answer_webhook_through_django)
        for name in webhooks.ADDRESSES
        for token in ("", "/<str:token>")
    ),
    path(
        "admin/top-up/<int:pk>/",
        admin.site.admin_view(views.show_confirmation_or_top_up_wallet),
        name="top_up",
    ),
]
