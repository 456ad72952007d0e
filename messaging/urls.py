"""Addresses that Mitto calls."""

from django.urls import path

from messaging import webhooks

urlpatterns = [path("webhooks/mitto/delivery", webhooks.delivery, name="mitto-delivery")]
