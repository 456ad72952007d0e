"""Addresses that Mitto calls."""

from django.urls import path

from messaging import webhooks

urlpatterns = [
    path("webhooks/mitto/delivery", webhooks.delivery, name="mitto-delivery"),
    path("webhooks/mitto/delivery/<str:token>", webhooks.delivery),
    path("webhooks/mitto/inbound", webhooks.from_customers, name="mitto-inbound"),
    path("webhooks/mitto/inbound/<str:token>", webhooks.from_customers),
]
