"""Addresses that Mitto calls."""

from django.urls import path

from messaging import webhooks

urlpatterns = [
    path(f"webhooks/mitto/{name}{token}", webhooks.view)
    for name in webhooks.STORES
    for token in ("", "/<str:token>")
]
